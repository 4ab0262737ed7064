"""What the annotation files of COCO say of the images of one subset. Labels are kept as pairs of numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clipdex.readers.base import ReadItem, UnreadableItem
from clipdex.readers.files import as_media


class Labels:
    """The names of the labels of a dataset, as numbers."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a label."""
        number = self._numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number


@dataclass
class Subset:
    """The images of one subset, and their labels.

    Attributes
    ----------
    name
        Its name.
    images
        Number of each image by its path, which is relative to the root where it is below it.
    sizes, times
        Size in bytes and modification time in nanoseconds of each.
    failed
        Images that are left out, by the names that annotation files have for them.
    folders
        Folders where annotation files may have their images, with a slash after each.
    broken
        Whether an annotation file could not be read to its end, so that images of it may be unknown.
    captions
        Numbers of images with their captions, in a dataset without categories so far.
    """

    name: str
    images: dict[str, int] = field(default_factory=dict)
    sizes: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))
    failed: dict[str, UnreadableItem] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    broken: bool = False
    captions: list[tuple[int, str]] = field(default_factory=list)
    _folders_of: dict[str, str] = field(default_factory=dict)
    _of_images: array[int] = field(default_factory=lambda: array("i"))
    _labels: array[int] = field(default_factory=lambda: array("i"))

    def add_labels(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Add labels, as numbers, to images, as numbers."""
        self._of_images.frombytes(images.astype(np.intc).tobytes())
        self._labels.frombytes(labels.astype(np.intc).tobytes())

    def take_labels_of(self, other: Subset) -> None:
        """Add the labels and captions that another subset has for the same images."""
        numbers = np.full(len(other.images), -1, np.int64)
        for path, number in self.images.items():
            if path in other.images:
                numbers[other.images[path]] = number
        images = numbers[np.frombuffer(other._of_images, np.intc)]
        known = images >= 0
        self.add_labels(images[known], np.frombuffer(other._labels, np.intc)[known])
        self.captions += [(int(numbers[image]), text) for image, text in other.captions if numbers[image] >= 0]

    def label_with_captions(self, labels: Labels) -> None:
        """Take the captions for labels."""
        pairs = np.array([(image, labels.number(caption)) for image, caption in self.captions], np.int64).reshape(-1, 2)
        self.add_labels(pairs[:, 0], pairs[:, 1])

    def ids(self) -> Iterator[str]:
        """Yield the ids of the images: their paths below the folder of images that they are in."""
        folders = [self.folder_of(path) for path in self.images]
        several = len(set(folders)) > 1
        taken: set[str] = set()
        for path, folder in zip(self.images, folders, strict=True):
            item_id = path[len(folder) :]
            if path.startswith(("/", "../")):
                item_id = below(item_id)
            if several:
                if item_id in taken:
                    item_id = below(path)
                taken.add(item_id)
            yield item_id

    def used_folders(self) -> list[str]:
        """Return the folders of images that have images of the subset."""
        return list(dict.fromkeys(self.folder_of(path) for path in self.images if path[0] != "/"))

    def folder_of(self, path: str) -> str:
        """Return the deepest folder of images that a path is in; the root, which is empty, where it is in none."""
        own = path[: path.rfind("/") + 1]
        folder = self._folders_of.get(own)
        if folder is None:
            folder = max((folder for folder in self.folders if own.startswith(folder)), key=len, default="")
            self._folders_of[own] = folder
        return folder

    def items(self, names: list[str]) -> Iterator[ReadItem]:
        """Yield the items in item order.

        Parameters
        ----------
        names
            The names of the labels.
        """
        of_images, labels = np.frombuffer(self._of_images, np.intc), np.frombuffer(self._labels, np.intc)
        by_image = np.argsort(of_images, kind="stable")
        bounds = np.searchsorted(of_images[by_image], np.arange(len(self.images) + 1)).tolist()
        labels = labels[by_image]
        paths, ids = list(self.images), list(self.ids())
        for number in sorted(range(len(ids)), key=ids.__getitem__):
            begin, end = bounds[number], bounds[number + 1]
            # An image may have a label many times.
            named = tuple([names[label] for label in dict.fromkeys(labels[begin:end].tolist())])
            media = as_media(paths[number], ids[number])
            yield ReadItem(ids[number], self.name, named, self.sizes[number], self.times[number], media)


def below(path: str) -> str:
    """Return a path outside of the root as an id."""
    return path.replace("../", "").lstrip("/").replace(":", "")
