"""The images of one subset of YOLO that lists name, a path in each line."""

from __future__ import annotations

import itertools
import os
import posixpath
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipdex.errors import DatasetError
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.annotated.yolo_names import IMAGE_FOLDER, subset_of
from clipdex.readers.annotated.yolo_places import IMAGE, Finder, Place, join, relative
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import MISSING, ReadItem, UnreadableItem
from clipdex.readers.elsewhere import ADDRESS, spellings
from clipdex.readers.files import item_of_file
from clipdex.readers.listed import NOT_UTF8, lines
from clipdex.wording import counted

# So many images of a folder are looked for everywhere before it is taken to be away.
_MOST_MISSED = 20
_MOST_FOLDERS_KEPT = 100_000
# No system has longer paths.
_MOST_CHARACTERS = 4096


class ListedImages:
    """Reads the images of lists.

    An id is the path behind the folder of images of the subset: behind the last ``images`` of the path, or the folder
    that all images are in. Two images may have the same id.

    Parameters
    ----------
    root
        Root of the dataset.
    places
        The lists of the subset.
    finder
        What finds images that are not where a list says.
    problems
        What is told of lists that cannot be read.
    remarks
        Where to say what was found elsewhere.
    """

    def __init__(
        self, root: Path, places: Sequence[Place], finder: Finder, problems: AnnotationProblems, remarks: list[str]
    ) -> None:
        self._root = root
        self._places = places
        self._subset = places[0].subset
        self._finder = finder
        self._problems = problems
        self._remarks = remarks
        # How many parts of the path of a folder are above the images, by the folder; -1: nothing in it says so.
        self._above: dict[tuple[str, str], int] = {}
        # Where folders of the lists are, and how many images of each were not found.
        self._folders: dict[tuple[str, str], str] = {}
        self._missed: dict[str, int] = {}
        self._elsewhere = 0

    def read(self) -> Iterator[tuple[ReadItem | UnreadableItem, str]]:
        """Yield the items without labels, each image once, with the absolute path of the image."""
        first, common = self._first_pass()
        number = 0
        for place in self._places:
            file = relative(place.path, self._root.as_posix())
            for line, text in self._rows(place, file):
                where = f"{file}, line {line}: " if line else ""
                if text is None:
                    yield UnreadableItem(f"{file}, line {line}", NOT_UTF8), ""
                    continue
                number += 1
                if first[number - 1]:
                    yield self._item(place, text, common, where)
        again = len(first) - int(np.count_nonzero(first))
        if again:
            self._remarks.append(f"the lists of {self._subset} name {counted(again, 'image')} more than once.")
        if self._elsewhere:
            self._remarks.append(
                f"found by the ends of their paths, because the lists of {self._subset} are of another place: "
                f"{counted(self._elsewhere, 'image')}."
            )

    def _first_pass(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], int]:
        """Return which lines name an image for the first time, and how many parts all other folders begin with."""
        hashes = array("q")
        others: set[str] = set()
        for place in self._places:
            for _, text in self._rows(place, ""):
                if text is not None:
                    path = _normal(text)
                    hashes.append(hash(path))
                    folder = path.rpartition("/")[0]
                    if self._parts_above(place, folder) < 0 and suffix_of(path) in IMAGE_SUFFIXES:
                        others.add(folder)
        first = np.zeros(len(hashes), np.bool_)
        first[np.unique(np.frombuffer(hashes, np.int64), return_index=True)[1]] = True
        levels = zip(*(folder.split("/") if folder else [] for folder in others), strict=False)
        return first, sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, levels))

    def _rows(self, place: Place, file: str) -> Iterator[tuple[int, str | None]]:
        """Yield the number and the text of each line that names an image; None for one that is not valid UTF-8."""
        if place.kind == IMAGE:
            yield 0, place.path
            return
        try:
            for number, line in lines(Path(place.path)):
                text = line.strip("\r\n\0") if line is not None else None
                if text is None or (text.strip() not in ("", "#") and not text.startswith("# ")):
                    yield number, text
        except DatasetError as error:
            if file:
                self._problems.add(file, f"what follows was not read: {error.message}")

    def _parts_above(self, place: Place, folder: str) -> int:
        """Return how many parts of the path of a folder are above the images of the subset; -1: nothing says so."""
        key = (place.path, folder)
        if key not in self._above:
            if len(self._above) > _MOST_FOLDERS_KEPT:
                self._above.clear()
            self._above[key] = _parts_above(folder.split("/"), place)
        return self._above[key]

    def _item(self, place: Place, text: str, common: int, where: str) -> tuple[ReadItem | UnreadableItem, str]:
        path = _normal(text)
        above = self._parts_above(place, path.rpartition("/")[0])
        inner = path.split("/")[common if above < 0 else above :]
        parts = [part for part in inner if part not in ("", "..", ".")]
        item_id = "/".join(parts).replace(":", "") or path.rpartition("/")[2] or "."
        item_id = item_id[:_MOST_CHARACTERS]
        if ADDRESS.match(text):
            return UnreadableItem(item_id, f"{where}addresses are not fetched", MISSING), ""
        found = self._found(place, text, path)
        item = item_of_file(self._root, relative(found, self._root.as_posix()), item_id, place.subset, (), where)
        if isinstance(item, UnreadableItem) and item.kind == MISSING:
            return replace(item, reason=f"{where}no such file: {text[:_MOST_CHARACTERS]}"), ""
        return item, found

    def _found(self, place: Place, text: str, path: str) -> str:
        """Return the absolute path of an image, or where it would be."""
        folder, _, name = path.rpartition("/")
        key = (place.path, folder)
        if path.startswith("/"):
            folder = folder or "/"
        known = self._folders.get(key)
        if known is not None and _exists(f"{known}/{name}"):
            return f"{known}/{name}"
        own = place.folder
        starts = (own, *self._finder.folders) if text.startswith((".", "\\")) else (*self._finder.folders, own)
        for start in dict.fromkeys(starts):
            for spelling in spellings(path):
                whole = join(start, (spelling,))
                if _exists(whole):
                    self._keep(key, whole, name)
                    return whole
        missed = self._missed.get(folder, 0)
        if missed < _MOST_MISSED:
            whole, guessed = self._finder.find(text)
            if whole:
                self._keep(key, whole, name)
                self._elsewhere += guessed
                return whole
            self._missed[folder] = missed + 1
        return join(starts[0], (path,))

    def _keep(self, key: tuple[str, str], whole: str, name: str) -> None:
        if len(self._folders) > _MOST_FOLDERS_KEPT:
            self._folders.clear()
        if whole.endswith(f"/{name}"):
            self._folders[key] = whole[: -len(name) - 1]


def _parts_above(folders: list[str], place: Place) -> int:
    at = next((n for n in range(len(folders) - 1, -1, -1) if _holds_images(folders[n])), None)
    if at is None:
        return -1
    stem = os.path.splitext(os.path.basename(place.path))[0]  # noqa: PTH119, PTH122
    inner = folders[at + 1] if at + 1 < len(folders) else ""
    return at + 1 + bool(inner and (inner in (place.subset, stem) or subset_of(inner)))


def _holds_images(name: str) -> bool:
    return IMAGE_FOLDER.fullmatch(name) is not None or (name.startswith("obj_") and subset_of(name) != "")


def _normal(text: str) -> str:
    return posixpath.normpath(text.strip().replace("\\", "/"))


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False
