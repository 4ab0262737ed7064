"""Where the images of the subsets of a YOLO dataset are: folders, lists and patterns, found where they are now.

The file that names them was often written for another folder or another machine. What it names is looked for below the
dataset as it is written, then by the ends of its path, then under the other usual names of a subset.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import before_wildcards, is_pattern
from clipdex.readers.annotated.yolo_data import BESIDE, Description
from clipdex.readers.annotated.yolo_names import (
    IMAGE_FOLDER,
    is_label_folder,
    is_subset,
    speaks_of_subset,
    subset_of,
    subset_of_images,
)
from clipdex.readers.base import DEFAULT_SUBSET
from clipdex.readers.elsewhere import ADDRESS, spellings
from clipdex.readers.folder import count_images
from clipdex.readers.layout import Layout
from clipdex.readers.naming import is_system_folder

FOLDER = "folder"
PATTERN = "pattern"
LIST = "list"
IMAGE = "image"
# How many files are looked at to tell whether there are images in a folder.
_MOST_LOOKED_AT = 5000
_MOST_PARTS = 64
_ALIKE = (("val", "valid", "validation"), ("train", "training"), ("test", "testing"))
_LIST_SUFFIXES = (".txt", ".lst", ".list")


@dataclass(frozen=True, slots=True)
class Place:
    """Images of one subset.

    Attributes
    ----------
    subset
        Name of the subset.
    kind
        ``folder``, ``pattern``, ``list`` or ``image``.
    path
        Absolute path of the folder or the list, or the pattern.
    without
        Absolute paths of folders in it that are places of their own.
    """

    subset: str
    kind: str
    path: str
    without: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder that all images are in; of a list, the folder of the list."""
        if self.kind == PATTERN:
            return before_wildcards(Path(self.path)).as_posix()
        return self.path if self.kind == FOLDER else os.path.dirname(self.path)  # noqa: PTH120

    @property
    def is_listed(self) -> bool:
        """Whether it names its images one by one."""
        return self.kind in (LIST, IMAGE)


class Places:
    """The places of the images of a dataset.

    Parameters
    ----------
    root
        Root of the dataset.
    description
        What the dataset says of itself.
    whole
        Whether everything below the root is of the dataset, also what the description does not name.

    Attributes
    ----------
    places
        The places in the order of the description, then those that it does not name.
    remarks
        Sentences on what was not found or found elsewhere.
    finder
        What finds the images of lists.
    home
        Absolute path of the folder of the dataset: the root, or one in it.
    labels
        Absolute paths of the folders that the description names for the labels of a subset.
    """

    def __init__(self, root: Path, description: Description, *, whole: bool) -> None:
        self.remarks: list[str] = []
        self._description = description
        home = root / description.folder
        self.home = home.as_posix()
        finder = Finder(root, description)
        self.finder = finder
        places = [
            place
            for subset, texts in description.splits.items()
            for text in texts
            if (place := self._find(finder, subset, text, root)) is not None
        ]
        for subset, texts in description.others.items():
            places += [place for text in texts if (place := _other(finder, subset, text)) is not None]
        self.places = _each_once(places)
        self.labels = {subset: self._find_labels(subset, texts) for subset, texts in description.labels.items()}
        if whole:
            self._add_unnamed(root, home)

    def _find(self, finder: Finder, subset: str, text: str, root: Path) -> Place | None:
        """Return the place that a text of the description means, and remark on what was guessed."""
        file = self._description.file
        path, guessed = finder.find(text)
        if not path:
            fetched = "addresses are not fetched" if ADDRESS.match(text) else "it is not there"
            self.remarks.append(f"{file} names {text[:200]!r} for {subset}: {fetched}.")
            return None
        if guessed:
            there = relative(path, root.as_posix())
            self.remarks.append(f"{file} names {text[:200]!r} for {subset}, which is not there: {there} is read.")
        return _place(subset, path)

    def _find_labels(self, subset: str, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the folders that the description names for the labels of a subset, and remark on those not there."""
        found = [self.finder.find(text)[0] for text in texts]
        for text, path in zip(texts, found, strict=True):
            if not os.path.isdir(path):  # noqa: PTH112
                what = f"{self._description.file} names {text[:200]!r} for the labels of {subset}"
                self.remarks.append(f"{what}: there is no such folder.")
        return tuple(path for path in found if os.path.isdir(path))  # noqa: PTH112

    def _add_unnamed(self, root: Path, home: Path) -> None:
        """Add folders with the usual names of subsets that the description does not name."""
        found = by_layout(home)
        if not self.places:
            self.places = found
            return
        if any(place.is_listed for place in self.places):
            return  # what a list leaves out is left out on purpose
        for place in found:
            named = any(overlap(place.path, one.folder) or _alike(place, one) for one in self.places)
            if place.subset != DEFAULT_SUBSET and not named and has_images(place.path):
                self.places.append(place)
                self.remarks.append(
                    f"{self._description.file} does not name {os.path.relpath(place.path, root)}: "
                    f"its images are the subset {place.subset}."
                )


class Finder:
    """Finds folders, lists and patterns that a description names.

    Parameters
    ----------
    root
        Root of the dataset.
    description
        What the dataset says of itself.

    Attributes
    ----------
    folders
        The folders that relative paths may start from, the likeliest first.
    """

    def __init__(self, root: Path, description: Description) -> None:
        start = (root / description.folder).as_posix()
        own = (root / description.file).parent.as_posix() if description.file else start
        self._root = start
        # Darknet starts in a folder above, and calls the folder of the dataset data/.
        self._of_darknet = description.file.endswith(".data")
        self.folders: tuple[str, ...] = tuple(dict.fromkeys((own, start)))
        if description.path:
            base = self.find(description.path)[0]
            if base and os.path.isdir(base):  # noqa: PTH112
                self.folders = tuple(dict.fromkeys((base, own, start)))

    def find(self, text: str) -> tuple[str, bool]:
        """Return the absolute path that a text means, and whether that was guessed; an empty one where nothing fits."""
        if ADDRESS.match(text):
            return "", False
        for spelling in spellings(text):
            for path, guessed in self._candidates(spelling):
                if _is_there(path):
                    return path, guessed
        return "", False

    def direct(self, text: str) -> str:
        """Return the path of what is there as it is written; empty where nothing is."""
        candidates = (path for path, guessed in self._candidates(text) if not guessed)
        return next(filter(_is_there, candidates), "")

    def _candidates(self, text: str) -> Iterator[tuple[str, bool]]:
        drive, rest = ntpath.splitdrive(text) if "\\" in text or re.match(r"[A-Za-z]:", text) else ("", text)
        absolute = bool(drive) or text.startswith(("/", "\\\\"))
        if absolute and not drive:
            yield join(text, ()), False
        elif not absolute and "\\" in text and _is_there(as_is := os.path.join(self.folders[0], text)):  # noqa: PTH118
            yield as_is, False
        parts = [part for part in rest.replace("\\", "/").split("/") if part not in ("", ".")]
        inside = parts
        while inside and inside[0] == "..":
            inside = inside[1:]
        tails = [inside[start:] for start in range(max(0, len(inside) - _MOST_PARTS), len(inside))]
        if not absolute:
            # Roboflow writes ../train/images and means train/images: a folder outside is not looked for before.
            yield from ((join(folder, inside), False) for folder in self.folders)
            yield from ((join(folder, parts), False) for folder in self.folders if inside != parts)
            if self._of_darknet and inside[:1] == ["data"]:
                yield from ((join(folder, inside[1:]), False) for folder in self.folders)
        for tail in tails:
            if not is_pattern(tail[0]):
                for spelling in (tail, *_others_alike(tail)):
                    yield from ((join(folder, spelling), True) for folder in self.folders)
        if inside and inside[-1] == os.path.basename(self._root):  # noqa: PTH119
            yield self._root, True


def join(folder: str, parts: Sequence[str]) -> str:
    """Return the path of parts in a folder, with slashes and without ``..``."""
    return os.path.normpath(os.path.join(folder, *parts)).replace(os.sep, "/")  # noqa: PTH118


def _is_there(path: str) -> bool:
    """Tell whether a path exists; of a pattern, whether the folder does that it starts in."""
    try:
        if os.path.lexists(path):
            return True
        return is_pattern(path) and (start := before_wildcards(Path(path))) != Path(path) and start.is_dir()
    except (OSError, ValueError):
        return False


def _others_alike(parts: Sequence[str]) -> Iterator[list[str]]:
    """Yield a path with the other usual names of a subset in it, such as ``val`` for ``valid``."""
    for at, part in enumerate(parts):
        stem, suffix = os.path.splitext(part)  # noqa: PTH122
        for group in _ALIKE:
            if stem.lower() in group:
                for other in group:
                    if other != stem:
                        yield [*parts[:at], other + suffix, *parts[at + 1 :]]


def _place(subset: str, path: str) -> Place:
    if os.path.isdir(path):  # noqa: PTH112
        return Place(subset, FOLDER, _images_in(path))
    if not os.path.lexists(path):
        return Place(subset, PATTERN, path)
    return Place(subset, IMAGE if suffix_of(path) in IMAGE_SUFFIXES else LIST, path)


def _other(finder: Finder, subset: str, text: str) -> Place | None:
    """Return the place of a key that may be something else: None where no images are there."""
    if text.strip("./") == "":
        return None
    path = finder.direct(text)
    if not path:
        return None
    place = _place(subset, path)
    if place.kind == LIST:
        return place if suffix_of(path) in _LIST_SUFFIXES and speaks_of_subset(subset) else None
    return place if place.kind == FOLDER and has_images(path) else None


def has_images(folder: str) -> bool:
    """Tell at a glance whether there are images in a folder."""
    return count_images(Path(folder), _MOST_LOOKED_AT)[0] > 0


def _alike(one: Place, other: Place) -> bool:
    """Tell whether two places are of one subset, or of two such as ``val`` and ``valid``."""
    names = {one.subset.lower(), other.subset.lower()}
    return len(names) == 1 or any(names.issubset(group) for group in _ALIKE)


def overlap(one: str, other: str) -> bool:
    """Tell whether one of two paths is the other, or in it."""
    return is_in(one, other) or is_in(other, one)


def is_in(path: str, folder: str) -> bool:
    """Tell whether a path is a folder, or is in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def relative(path: str, root: str) -> str:
    """Return a path relative to the root where it is below it; otherwise the path."""
    if path.startswith(root) and path[len(root) : len(root) + 1] in ("/", ""):
        return path[len(root) + 1 :]
    return path


def _each_once(places: list[Place]) -> list[Place]:
    """Leave out folders of a subset that are in another of its folders, and what is named twice."""
    kept: list[Place] = []
    for place in dict.fromkeys(places):
        others = (one for one in places if one.subset == place.subset and one.kind == FOLDER and one != place)
        if place.is_listed or not any(is_in(place.folder, one.path) for one in others):
            kept.append(place)
    return kept


def by_layout(root: Path) -> list[Place]:
    """Return the places of images of a dataset that names none: all that is below its root.

    ``images/train``, ``train/images`` and ``images_train`` are the subset ``train``; lists of images called so are one,
    too. Everything else is the subset ``default``.
    """
    lists = _lists(Layout(root))
    if lists:
        return lists
    layout = Layout(root, BESIDE)
    folders = {entry.name: (root / entry.name).as_posix() for entry in layout.entries() if _is_folder(entry)}
    places: list[Place] = []
    for name, path in folders.items():
        subset = subset_of(name)
        if subset:
            places.append(Place(subset, FOLDER, _images_in(path)))
        elif IMAGE_FOLDER.fullmatch(name):
            inner = [
                Place(entry.name, FOLDER, f"{path}/{entry.name}")
                for entry in layout.entries(name)
                if _is_folder(entry) and subset_of(entry.name)
            ]
            places += inner
            places.append(Place(DEFAULT_SUBSET, FOLDER, path))
        elif subset := subset_of_images(name):
            places.append(Place(subset, FOLDER, path))
    places.append(Place(DEFAULT_SUBSET, FOLDER, root.as_posix()))
    return [replace(one, without=_inner(one, places)) for one in places]


def _inner(place: Place, places: Sequence[Place]) -> tuple[str, ...]:
    return tuple(one.path for one in places if one.path != place.path and is_in(one.path, place.path))


def _images_in(folder: str) -> str:
    """Return the folder of images in the folder of a subset, where it has nothing beside but labels; or the folder."""
    images = ""
    for entry in Layout(Path(folder)).entries():
        if not images and IMAGE_FOLDER.fullmatch(entry.name) and _is_folder(entry):
            images = f"{folder}/{entry.name}"
        elif suffix_of(entry.name) in IMAGE_SUFFIXES or _is_folder(entry):
            return folder
    return images or folder


def _lists(layout: Layout) -> list[Place]:
    """Return the lists of images in the root, or in ``data``, that are called as a subset."""
    for pattern in ("*.txt", "data/*.txt"):
        found = []
        for path in layout.find(pattern):
            stem = path.rpartition("/")[2][: -len(".txt")]
            first = next((line.strip() for line in layout.start(path).splitlines() if line.strip()), "")
            if is_subset(stem) and suffix_of(first) in IMAGE_SUFFIXES:
                found.append(Place(stem, LIST, (layout.location / path).as_posix()))
        if found:
            return found
    return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and not is_system_folder(entry.name) and not is_label_folder(entry.name)
    except OSError:
        return False
