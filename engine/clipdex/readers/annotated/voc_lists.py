"""The lists of a Pascal VOC dataset: which images are of which subset, and which classes are on them.

``ImageSets/Main/train.txt`` has a name in each line. ``ImageSets/Main/cat_train.txt`` is about a class: the number
after the name says whether it is on the image. ``trainval`` is the union of two subsets, and none itself.
"""

from __future__ import annotations

import contextlib
import itertools
import ntpath
import posixpath
import re
import string
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from clipdex.errors import DatasetError, ImageError
from clipdex.media.files import open_regular
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.annotated.voc_catalogue import Catalogue, Line
from clipdex.readers.annotated.voc_folders import ANNOTATION_FOLDERS, LIST_FOLDER, Place, Places, stem_of
from clipdex.readers.annotated.voc_pairs import UNION_RANK
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.listed import NOT_UTF8, lines
from clipdex.readers.naming import SUBSETS

_UNIONS = frozenset({"trainval", "train_val", "trainvaltest", "all"})
_SUBSETS_FIRST = ("train", "training", "val", "valid", "validation", "test", "testing")
_TASKS_FIRST = ("Main", "Segmentation", "Layout", "Action")
# Nearly all lines are a name without extension, and need no second look.
_PLAIN = re.compile(r"([A-Za-z0-9_-]{1,200})\r?\n?")
_PLAIN_BYTES = string.ascii_letters.encode() + string.digits.encode() + b"_-\n"
_BLOCK = 1 << 20
_NUMBER = re.compile(r"-?\d{1,9}")
_MOST_CHARACTERS = 4096
_SUFFIXES = IMAGE_SUFFIXES | {".xml"}
# Beside the annotations, a list of this name is one of images, too.
_BESIDE = re.compile(rf"(?:{'|'.join(sorted(SUBSETS | _UNIONS))})(?:_list)?\.txt", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ImageList:
    """A list of images.

    Attributes
    ----------
    path
        Path of the file below the root.
    base
        Folder of the dataset that it is of, with a slash at its end.
    subset
        The subset that it lists.
    label
        The class that it is about; empty where it is about none.
    rank
        Of several lists with an image, that of the lowest rank counts.
    sure
        Whether it is certain to be a list of images.
    """

    path: str
    base: str
    subset: str
    label: str
    rank: int
    sure: bool


def is_list(path: str) -> bool:
    """Tell whether a file of this path may be a list of images."""
    if not path.lower().endswith(".txt"):
        return False
    *folders, name = path.split("/")
    kinds = [folder.lower() for folder in folders]
    return LIST_FOLDER in kinds or _BESIDE.fullmatch(name) is not None


def image_lists(root: Path, paths: list[str], annotated: set[str]) -> list[ImageList]:
    """Return what the lists of images are about.

    Parameters
    ----------
    root
        The folder of the dataset.
    paths
        The files that may be lists.
    annotated
        The folders that hold annotations, each with a slash at its end.
    """
    bases = {folder for path in annotated for folder in _without_annotations(path)}
    found = []
    for path in paths:
        folder, name = posixpath.split(path)
        parts = folder.split("/") if folder else []
        kinds = [part.lower() for part in parts]
        if LIST_FOLDER in kinds:
            base = "".join(f"{part}/" for part in parts[: kinds.index(LIST_FOLDER)])
            label, subset = _class_and_subset(root, path, paths)
            found.append(ImageList(path, base, subset, label, _rank_of(path, subset, label), sure=True))
        elif (base := f"{folder}/" if folder else "") in bases:
            subset = re.sub(r"_list$", "", name[:-4], flags=re.IGNORECASE)
            above = _without_annotations(base)[-1]
            found.append(ImageList(path, above, subset, "", _rank_of(path, subset, ""), sure=False))
    return sorted(found, key=lambda one: (one.rank, one.path))


def _without_annotations(folder: str) -> list[str]:
    """Return a folder, and those above it up to the first that is not named after annotations."""
    parts = folder.split("/")[:-1]
    found = [folder]
    while parts and parts[-1].lower() in ANNOTATION_FOLDERS:
        parts.pop()
        found.append("".join(f"{part}/" for part in parts))
    return found


def _class_and_subset(root: Path, path: str, paths: Collection[str]) -> tuple[str, str]:
    """Return the class that a list is about, which is empty where it is about none, and the subset that it lists."""
    folder, name = posixpath.split(path)
    stem = name[:-4]
    label, _, subset = stem.rpartition("_")
    if not label or stem.lower() in _UNIONS:
        return "", stem
    if f"{folder}/{subset}{name[-4:]}" in paths:
        return label, subset
    if subset.lower() in SUBSETS | _UNIONS and _has_numbers(root / path):
        return label, subset
    return "", stem


def _has_numbers(path: Path) -> bool:
    """Tell whether the lines of a list end in a number that says whether a class is on the image."""
    with contextlib.suppress(DatasetError):
        first = next((text.split() for _, text in lines(path) if text and text.strip()), [])
        return len(first) > 1 and first[-1] in ("1", "-1", "0")
    return False


def _has_lines(path: Path) -> bool:
    """Tell whether a list has a line that is not blank."""
    with contextlib.suppress(DatasetError):
        return any(text is None or text.strip() for _, text in lines(path))
    return False


def _rank_of(path: str, subset: str, label: str) -> int:
    task = posixpath.basename(posixpath.dirname(path))
    rank = 100 * _rank(task, _TASKS_FIRST) + 10 * bool(label) + _rank(subset.lower(), _SUBSETS_FIRST)
    return rank + UNION_RANK * (subset.lower() in _UNIONS)


def _rank(name: str, first: tuple[str, ...]) -> int:
    return first.index(name) if name in first else len(first)


def _plain_names(path: Path) -> Iterator[list[str]]:
    """Yield the lines of a list, many at a time; an empty one where a line is anything but a name without extension."""
    try:
        with open_regular(path) as handle:
            while block := handle.read(_BLOCK):
                block = (block + handle.readline(_BLOCK)).replace(b"\r\n", b"\n")
                plain = not block.translate(None, _PLAIN_BYTES)
                yield block.decode().split() if plain else [""]
    except (OSError, ImageError):
        yield [""]


class ListReading:
    """Reads the lists of one dataset.

    Parameters
    ----------
    root
        The folder of the dataset.
    places, catalogue
        Its folders and files.
    problems
        Where to note what cannot be read.
    """

    def __init__(self, root: Path, places: Places, catalogue: Catalogue, problems: AnnotationProblems) -> None:
        self._root = root
        self._places = places
        self._catalogue = catalogue
        self._problems = problems

    def read(self, lists: list[ImageList]) -> None:
        """Add the lines of lists to the catalogue; those about classes are read where they say more than the others."""
        labels = any(one.label for one in lists) and self._catalogue.lacks_annotations()
        # Of a subset whose own lists have no line, those about classes tell the images.
        of_classes = {(one.base, one.subset) for one in lists if one.label}
        plain = {
            (one.base, one.subset)
            for one in lists
            if not one.label and (one.base, one.subset) in of_classes and _has_lines(self._root / one.path)
        }
        of_subsets = [one for one in lists if not one.label or (one.base, one.subset) not in plain]
        if not labels and self._catalogue.add_names(map(self._names, of_subsets)):
            return
        for one in of_subsets:
            self._catalogue.add_lines(line for line, _ in self._lines(one))
        if labels:
            for one in lists:
                if one.label and one.subset.lower() not in _UNIONS:
                    self._catalogue.add_classes(
                        (line.family, line.stem, one.label) for line, number in self._lines(one) if number == 1
                    )
        self._catalogue.settle_lines()

    def _names(self, one: ImageList) -> tuple[int, int, str, Iterator[str]]:
        """Return family, rank and subset of a list, and the names in it; one of them is that of no image if need be."""
        names = itertools.chain.from_iterable(_plain_names(self._root / one.path))
        return self._places.of(one.base).family, one.rank, one.subset, names

    def _lines(self, one: ImageList) -> Iterator[tuple[Line, int]]:
        """Yield the lines of a list, and the last of the numbers in each; 1 where there is none."""
        base = self._places.of(one.base)
        try:
            for number, text in lines(self._root / one.path):
                if text is not None and (plain := _PLAIN.fullmatch(text)):
                    name = plain[1]
                    yield Line(one.path, number, one.rank, one.subset, base.family, name, base.number, name), 1
                elif text is None:
                    self._problems.add(one.path, NOT_UTF8, number)
                elif len(text) > _MOST_CHARACTERS:
                    self._problems.add(one.path, f"the line has more than {_MOST_CHARACTERS:,} characters", number)
                elif text := text.replace("\0", "").strip():
                    place, stem, name, last = self._named(one, text)
                    if stem:
                        found = (place.family, stem, place.number, name)
                        yield Line(one.path, number, one.rank, one.subset, *found), last
        except DatasetError as error:
            self._problems.add(one.path, error.message.removeprefix(f"{self._root / one.path}").lstrip(" ,:"))

    def _named(self, one: ImageList, text: str) -> tuple[Place, str, str, int]:
        """Return folder, stem and name of the image that a line names, and the last number after it."""
        fields = text.split()
        numbers = list(itertools.takewhile(_NUMBER.fullmatch, reversed(fields[1:])))
        name = text.rsplit(None, len(numbers))[0] if numbers else text
        last = int(numbers[0]) if numbers else 1
        found = (*self._key(one, name), name, last)
        if len(fields) == 1 or (one.label and len(numbers) == len(fields) - 1):
            return found
        # Names may have spaces in them, and lines the path of the annotations as well.
        for other in (text, name, fields[0]):
            place, stem = self._key(one, other)
            if self._catalogue.has_image(place.family, stem) or self._catalogue.has_annotation(place.family, stem):
                return place, stem, other, last
        return found

    def _key(self, one: ImageList, name: str) -> tuple[Place, str]:
        path = ntpath.splitdrive(name)[1].replace("\\", "/") if "\\" in name else name
        if path.startswith("/"):
            root = f"{self._root.as_posix()}/"
            path = path[len(root) :].removeprefix(one.base) if path.startswith(root) else posixpath.basename(path)
        elif "/" in path:
            path = posixpath.normpath(path)
            path = posixpath.basename(path) if path.startswith("../") else path
        folder, slash, file = path.rpartition("/")
        stem = stem_of(file if suffix_of(file) in _SUFFIXES else f"{file}.")
        return self._places.of(f"{one.base}{folder}{slash}"), stem
