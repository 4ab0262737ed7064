"""What the folders of a Pascal VOC dataset are for, by their names.

An annotation and its image have the same path once the folders that only say what is in them are left out:
``train/Annotations/a.xml`` and ``train/JPEGImages/a.jpg``, ``annotations/xmls/a.xml`` and ``images/a.jpg``, and files
that are beside each other. So all layouts are one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from clipdex.readers.base import DEFAULT_SUBSET
from clipdex.readers.naming import SUBSETS

IMAGE_FOLDERS = frozenset({"jpegimages", "pngimages", "images", "image", "imgs", "img", "jpegs", "jpeg", "jpg", "data"})
ANNOTATION_FOLDERS = frozenset({"annotations", "annotation", "annots", "annot", "xmls", "xml", "labels", "label"})
LIST_FOLDER = "imagesets"
_MASKS = re.compile(r"segmentation_?(class|object)", re.IGNORECASE)


class Place(NamedTuple):
    """One folder.

    Attributes
    ----------
    number
        Its number.
    path
        Path below the root, with a slash at its end; empty for the root.
    key
        The folders of ``path`` that images and annotations share.
    family
        Number of ``key``.
    ids
        What the ids of images in it begin with.
    subset
        Subset of images in it.
    aside
        Whether it is a folder of annotations, in which images are masks unless they have an annotation beside them.
    """

    number: int
    path: str
    key: tuple[str, ...]
    family: int
    ids: str
    subset: str
    aside: bool


class Places:
    """The folders of a dataset, numbered as they are asked for."""

    def __init__(self) -> None:
        self._numbered: list[Place] = []
        self._by_path: dict[str, Place] = {}
        self._families: dict[tuple[str, ...], int] = {}

    def __getitem__(self, number: int) -> Place:
        return self._numbered[number]

    def of(self, path: str) -> Place:
        """Return the folder at a path below the root, which ends in a slash; the root is the empty path."""
        place = self._by_path.get(path)
        if place is None:
            place = self._add(path)
        return place

    def paths(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the path of each folder."""
        for place in self._numbered:
            yield place.number, place.path

    def _add(self, path: str) -> Place:
        names = path.split("/")[:-1]
        kinds = [name.lower() for name in names]
        key = tuple(
            composed(name)
            for name, kind in zip(names, kinds, strict=True)
            if kind not in IMAGE_FOLDERS and kind not in ANNOTATION_FOLDERS
        )
        last = max((number for number, kind in enumerate(kinds) if kind in IMAGE_FOLDERS), default=-1)
        aside = any(kind in ANNOTATION_FOLDERS for kind in kinds[last + 1 :])
        before = names[: last + 1]
        after = [name for name in names[last + 1 :] if name.lower() not in ANNOTATION_FOLDERS]
        subset = next((number for number, name in enumerate(after) if is_subset(name)), None)
        if subset is not None:
            name, after = after[subset], after[subset + 1 :]
        else:
            name = next((name for name in reversed(before) if is_subset(name)), DEFAULT_SUBSET)
        family = self._families.setdefault(key, len(self._families))
        place = Place(len(self._numbered), path, key, family, "".join(f"{part}/" for part in after), name, aside)
        self._numbered.append(place)
        self._by_path[path] = place
        return place


def is_subset(folder: str) -> bool:
    """Tell whether a folder of this name holds a subset."""
    return folder.lower() in SUBSETS


def below_images(path: str) -> str:
    """Return the part of a path that is below its last folder of images; the path where it is in none."""
    names = path.split("/")
    last = max((number for number, name in enumerate(names[:-1]) if name.lower() in IMAGE_FOLDERS), default=-1)
    return "/".join(names[last + 1 :])


def holds_masks(folder: str) -> bool:
    """Tell whether a folder of this name holds the masks of a segmentation."""
    return _MASKS.match(folder) is not None


def composed(name: str) -> str:
    """Return a name with its letters composed, as systems spell them differently."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def stem_of(name: str) -> str:
    """Return the name of a file without its extension, as the keys of images and annotations have it."""
    name = name if name.isascii() else composed(name)
    return name.rpartition(".")[0] or name
