"""Reading datasets of YOLO: every image of its subsets, with the classes that its file of labels names."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from clipdex.errors import DatasetNotFound
from clipdex.media.locators import MEMBER
from clipdex.paths import quoted
from clipdex.readers.annotated.path_set import PathSet
from clipdex.readers.annotated.yolo_data import YAML_SUFFIXES, Description, describe, no_images
from clipdex.readers.annotated.yolo_detection import dataset_folder, evidence, hint, names_above, read_as_one
from clipdex.readers.annotated.yolo_label_files import LabelFiles, LabelFolders, SubsetLabels
from clipdex.readers.annotated.yolo_labels import LabelReader
from clipdex.readers.annotated.yolo_lists import ListedImages
from clipdex.readers.annotated.yolo_names import IMAGE_FOLDER
from clipdex.readers.annotated.yolo_places import FOLDER, Place, Places, is_in, relative
from clipdex.readers.annotated.yolo_rest import (
    ImagesBelow,
    MaskFiles,
    images_in_no_subset,
    labels_elsewhere,
    labels_without_image,
)
from clipdex.readers.base import NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.globs import GlobReader
from clipdex.readers.layout import Layout
from clipdex.readers.naming import shown
from clipdex.readers.ordering import sorted_items
from clipdex.wording import counted


class YoloReader(Reader):
    """A dataset of YOLO, as Ultralytics, Roboflow, CVAT and Darknet lay it out.

    The id of an item is its path in the folder of images of its subset. Images without a file of labels are items
    without labels.

    Parameters
    ----------
    location
        The folder of the dataset, or its YAML file.
    options
        ``data``: name of the YAML file.

    Raises
    ------
    DatasetNotFound
        When there is no such folder or file.
    DatasetError
        From ``read``, when the file names nothing that is there, or a folder has several files that may be meant.
    """

    format = "yolo"
    about = "YOLO: images, and a text file of labels for each; data.yaml or obj.data names classes and subsets"
    suffixes = YAML_SUFFIXES
    option_names: ClassVar[Mapping[str, str]] = {
        "data": "the YAML file, where a folder has several [data.yaml, dataset.yaml, or the only one]"
    }
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not location.exists():
            raise DatasetNotFound(f"{location} does not exist.")

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take folders with a file that names classes and images, or with files of labels; and such a file."""
        return evidence(location)

    @classmethod
    def hint(cls, location: Path) -> str:
        """Tell of datasets of YOLO in the folder, and of one that the folder is a part of."""
        return hint(location)

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items, in item order; in bounded memory where subsets are folders."""
        self.forget_findings()
        wanted = self.options.get("data", "")
        folder = "" if wanted else dataset_folder(self.location)
        description = describe(self.location, wanted, self.annotation_problems, folder)
        yield from _Reading(self, description).items()


class _Reading:
    """One pass over a dataset."""

    def __init__(self, reader: YoloReader, description: Description) -> None:
        self._reader = reader
        self._root = reader.root.as_posix()
        self._description = description
        self._whole = reader.location.is_dir()
        named = bool(description.splits or description.others)
        self._places = Places(reader.root, description, whole=self._whole or not named)
        if not self._places.places:
            raise no_images(reader.location, " ".join(self._places.remarks[:1]))
        problems = reader.annotation_problems
        reads = LabelReader(description.names, problems, self._root)
        self._files = LabelFiles(self._root, reads, problems, LabelFolders(self._places.home, self._places.labels))
        self._listed = PathSet()
        self._masks = MaskFiles(Layout(Path(self._places.home)))

    def items(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items."""
        reader = self._reader
        reader.remarks += self._places.remarks
        groups: dict[str, list[Place]] = {}
        for place in self._places.places:
            groups.setdefault(place.subset, []).append(place)
        subsets = [
            _Subset(reader, places, self._files, self._listed, self._places, self._masks) for places in groups.values()
        ]
        streams = [subset.items() for subset in subsets]
        if all(subset.is_in_order for subset in subsets):
            yield from streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_order)
        else:
            yield from sorted_items(item for stream in streams for item in stream)
        labelled = sum(subset.labels.read for subset in subsets)
        for subset in subsets:
            if subset.count and not subset.labels.read:
                reader.remarks.append(
                    f"no file of labels was found for the {counted(subset.count, 'image')} of {subset.name}."
                )
        if not labelled and (folder := next((one.inner_folder for one in subsets if one.inner_folder), "")):
            reader.remarks.append(
                f"if the folders of images, such as {shown(folder)}, are their classes: clipdex build --rebuild "
                f"--format folder {quoted(reader.root)} reads them as labels."
            )
        if self._whole and not self._description.file and (below := read_as_one(reader.location)):
            reader.remarks.append(below)
        if labelled and not self._description.names:
            above = names_above(reader.root)
            there = f" {above} names classes: clipdex build {quoted(above.parent)} reads them." if above else ""
            reader.remarks.append(f"no names of classes were found: numbers are the labels.{there}")
        if self._whole:
            self._tell_rest()
        if self._masks.count:
            reader.remarks.append(self._masks.remark)
        files = self._files
        if files.other_case:
            reader.remarks.append(
                f"labels of {counted(files.other_case, 'image')} are in files whose names have letters of another "
                f"case, such as {shown(relative(files.first_of_other_case, self._root))}."
            )
        elsewhere = labels_elsewhere(Layout(Path(self._places.home)), files) if self._whole else ""
        if elsewhere:
            path = shown(relative(f"{self._places.home}/{elsewhere}", self._root))
            reader.remarks.append(
                f"{path} looks like labels, and was not read: those of images/a.jpg are looked for in labels/a.txt."
            )
        for path in labels_without_image(files):
            reader.annotation_problems.add(shown(relative(path, self._root)), "there is no image for these labels")

    def _tell_rest(self) -> None:
        """Remark on images of the dataset that are in no subset."""
        places = [place.path for place in self._places.places if place.kind == FOLDER]
        rest = ImagesBelow(self._root, (*places, *self._files.used))
        count, first = 0, ""
        for path in images_in_no_subset(rest, self._listed):
            if self._masks.takes(inner := relative(path, self._root)):
                continue
            first = first or inner
            count += 1
            self._files.note(path)
        self._reader.passed_over.update(rest.passed_over)
        if count:
            file = self._description.file or "the lists"
            self._reader.remarks.append(
                f"in no subset of {file}, and not read: {counted(count, 'image')}, such as {first}. "
                "--format folder reads all images."
            )


def _order(item: ReadItem | UnreadableItem) -> tuple[str, str]:
    return (item.id, "") if isinstance(item, UnreadableItem) else (item.id, item.subset)


class _Subset:
    """The images of one subset.

    Attributes
    ----------
    name
        Name of the subset.
    labels
        What reads the labels of its images.
    count
        Number of images so far.
    is_in_order
        Whether the items come in item order.
    inner_folder
        The first folder in those of the subset that has images; empty where none has.
    """

    def __init__(
        self,
        reader: YoloReader,
        places: Sequence[Place],
        files: LabelFiles,
        listed: PathSet,
        found: Places,
        masks: MaskFiles,
    ) -> None:
        self._reader = reader
        self._root = reader.root.as_posix()
        self._folders = [place for place in places if not place.is_listed]
        self._lists = [place for place in places if place.is_listed]
        self._finder = found.finder
        self._listed = listed
        self._masks = masks
        # An id of one folder is there once.
        self._ids = _Ids() if len(places) > 1 or self._lists else None
        self.name = places[0].subset
        self.labels = SubsetLabels(files, self.name)
        self.count = 0
        self.inner_folder = ""
        self.is_in_order = len(self._folders) == 1 and not self._lists

    def items(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items."""
        for place in self._folders:
            yield from self._in_folder(place)
        if self._lists:
            yield from self._in_lists()

    def _in_folder(self, place: Place) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items of a folder, or of a pattern."""
        subset, base = place.subset, place.folder
        is_folder = place.kind == FOLDER
        walker = ImagesBelow(base, place.without) if is_folder else GlobReader(Path(place.path))
        start = f"{base}/"
        below = relative(start, self._root)
        labels_of = self.labels.of
        takes = self._masks.takes if self._masks.are_known else None
        for found in walker.read():
            if isinstance(found, UnreadableItem):
                yield self._left_out(found, base)
                continue
            item_id = found.id
            if takes is not None and takes(item_id, below):
                continue
            inner, _, name = item_id.rpartition("/")
            if inner and not self.inner_folder:
                self.inner_folder = inner
            labels = labels_of(start + inner if inner else base, name, base)
            media = below + item_id
            if not is_folder:
                self._listed.add(start + item_id)
            if self._ids is not None:
                item_id = self._ids.unused(item_id, media)
            self.count += 1
            yield ReadItem(item_id, subset, labels, found.size, found.mtime_ns, _media(media, item_id))
        self._reader.passed_over.update(walker.passed_over)

    def _in_lists(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items that lists name."""
        reader = self._reader
        images = ListedImages(reader.root, self._lists, self._finder, reader.annotation_problems, reader.remarks)
        for item, path in images.read():
            if not isinstance(item, ReadItem):
                yield item
                continue
            self._listed.add(path)
            if any(place.kind == FOLDER and is_in(path, place.path) for place in self._folders):
                continue
            folder, _, name = path.rpartition("/")
            labels = self.labels.of(folder, name, folder)
            media = relative(path, self._root)
            item_id = self._ids.unused(item.id, media) if self._ids is not None else item.id
            self.count += 1
            yield ReadItem(item_id, self.name, labels, item.size, item.mtime_ns, _media(media, item_id))

    def _left_out(self, item: UnreadableItem, base: str) -> UnreadableItem:
        """Return an item that cannot be read, named so that it is found: its id alone, where an index may keep it."""
        folder = relative(base, self._root)
        if item.unseen:
            return replace(item, reason=f"{folder}: {item.reason}") if folder else item
        return replace(item, id=f"{folder}/{item.id}" if folder else item.id)


def _media(path: str, item_id: str) -> str:
    """Return the media of an item whose file is at a path; it is empty where the path is the id."""
    if path == item_id:
        return ""
    return f"./{path}" if path.startswith(MEMBER) else path


class _Ids:
    """The ids of one subset, whose images are in several places; only their hashes are kept."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def unused(self, item_id: str, path: str) -> str:
        """Return an id that no item has yet: the one given, or one with more of the path.

        Of the path, a folder is added together with those behind it that are called as folders of images are all over
        the dataset. Where the whole path is taken, a number is added.
        """
        found = next(one for one in _ids(item_id, path) if hash(one) not in self._taken)
        self._taken.add(hash(found))
        return found


def _ids(item_id: str, path: str) -> Iterator[str]:
    yield item_id
    parts = path.strip("/").split("/")
    for start in range(len(parts) - item_id.count("/") - 2, -1, -1):
        if start == 0 or not IMAGE_FOLDER.fullmatch(parts[start]):
            yield "/".join(parts[start:])
    stem, dot, suffix = "/".join(parts).rpartition(".")
    for number in itertools.count(2):
        yield f"{stem} ({number}){dot}{suffix}"
