"""Reading COCO: the images that JSON files name, and their labels, in the layouts that people have."""

from __future__ import annotations

import heapq
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from clipdex.errors import DatasetError, DatasetNotFound
from clipdex.readers.annotated import coco_files
from clipdex.readers.annotated.coco_files import AnnotationFile
from clipdex.readers.annotated.coco_reading import FileReading
from clipdex.readers.annotated.coco_subsets import Labels, Subset, below
from clipdex.readers.annotated.image_folders import Folders, ImageFinder, existing
from clipdex.readers.base import (
    DEFAULT_SUBSET,
    DUPLICATE,
    MISSING,
    NO_OPTIONS,
    UNREADABLE,
    Reader,
    ReadItem,
    UnreadableItem,
)
from clipdex.readers.files import as_media
from clipdex.readers.folder import FolderReader
from clipdex.readers.naming import shown
from clipdex.wording import counted
from clipdex_indexes import valid_item_id

UNLISTED = "unlisted"
_REMARKS = 5


class CocoReader(Reader):
    """A dataset of COCO: its images, with the names of the categories of their annotations.

    The id of an item is the path of its image below the folder of the images of its subset.

    Parameters
    ----------
    location
        The folder of the dataset, or one annotation file.
    options
        ``unlisted``: ``yes`` takes in the images that no annotation file names.

    Raises
    ------
    DatasetNotFound
        When there is no such folder or file.
    DatasetError
        When an option has no such value.
    """

    format = "coco"
    about = "COCO: JSON files of images, categories and annotations, in any usual layout"
    option_names: ClassVar[Mapping[str, str]] = {UNLISTED: "yes takes in the images that no annotation file names [no]"}
    suffixes = (coco_files.SUFFIX,)
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not location.exists():
            raise DatasetNotFound(f"{location} does not exist.")
        value = self.options.get(UNLISTED, "no").strip().lower()
        if value not in ("yes", "no"):
            raise DatasetError(f"the option {UNLISTED} is {value!r}: it may be yes or no.")
        self._takes_unlisted = value == "yes"
        self._one_file = location.is_file()

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take folders with a JSON file that begins as those of COCO, in a usual place, and such files."""
        try:
            return coco_files.evidence(location)
        except (OSError, ValueError):
            return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items in item order, and before them what is left out.

        Of each image its path, size, time and labels are kept in memory, as there is one order for all subsets.

        Raises
        ------
        DatasetError
            When there is no annotation file, or the only one cannot be read.
        """
        self.forget_findings()
        files = coco_files.annotation_files(self.location, self.root, self.remarks.append)
        if not files:
            raise DatasetError(
                f"there is no annotation file of COCO in {self.location}.{coco_files.why_none(self.root)} To index its "
                "images alone: --format folder"
            )
        labels = Labels()
        subsets = self._subsets(files, labels)
        for subset in subsets:
            yield from subset.failed.values()
        if any(item.kind == MISSING for subset in subsets for item in subset.failed.values()):
            self._remark_archive()
        taken_in: list[ReadItem] = []
        for item in self._unlisted(subsets):
            if isinstance(item, ReadItem):
                taken_in.append(item)
            else:
                yield item
        taken_in.sort(key=_order)
        yield from _each_once(heapq.merge(*(subset.items(labels.names) for subset in subsets), taken_in, key=_order))

    def _subsets(self, files: list[AnnotationFile], labels: Labels) -> list[Subset]:
        """Read all annotation files."""
        root = os.fspath(self.root)
        folders = Folders(root)
        others = coco_files.other_folders(folders, files)
        subsets: dict[str, Subset] = {}
        for file in files:
            subset = subsets.setdefault(file.subset, Subset(file.subset))
            usual = coco_files.image_folders(file, above=self._one_file)
            places = existing(folders, usual)
            subset.folders.update(dict.fromkeys(places))
            if file.problem:
                subset.broken |= file.problem not in coco_files.NO_DATASET or coco_files.is_surely_meant(file.path)
                if self._one_file:
                    raise DatasetError(f"{self.location} is no annotation file of COCO: {file.problem}.")
                self.annotation_problems.add(file.path, file.problem)
                continue
            finder = ImageFinder(root, places, [other for other in others if other not in places], usual)
            FileReading(self.root, file, subset, labels, finder, self.annotation_problems, self.remarks).read()
            subset.folders.update(finder.others_used)
        if not labels.names:
            for subset in subsets.values():
                subset.label_with_captions(labels)
        kept = self._without_unions(list(subsets.values()))
        self._remark_shared(kept)
        return kept

    def _remark_shared(self, subsets: list[Subset]) -> None:
        """Say which images are in several subsets."""
        shared: set[str] = set()
        example = ""
        for one, other in itertools.combinations(subsets, 2):
            both = one.images.keys() & other.images.keys()
            if both and not shared:
                example = f"{min(both)} in {one.name} and {other.name}"
            shared |= both
        if shared:
            is_ = "is" if len(shared) == 1 else "are"
            self.remarks.append(
                shown(
                    f"{counted(len(shared), 'image')} {is_} in several subsets, and an item of each, such as {example}."
                )
            )

    def _remark_archive(self) -> None:
        if path := coco_files.archive(self.root):
            self.remarks.append(shown(f"{path} may have the images that are missing: it is not read; unpack it."))

    def _without_unions(self, subsets: list[Subset]) -> list[Subset]:
        """Leave out subsets such as trainval whose images are just those of several others: each would be two items."""
        kept = list(subsets)
        for subset in subsets:
            parts = [
                other
                for other in kept
                if other is not subset
                and other.images
                and len(other.images) < len(subset.images)
                and subset.images.keys() >= other.images.keys()
            ]
            if len(parts) > 1 and len({path for part in parts for path in part.images}) == len(subset.images):
                kept.remove(subset)
                for part in parts:
                    part.take_labels_of(subset)
                names = " and ".join(sorted(part.name for part in parts))
                self.remarks.append(
                    f"The subset {subset.name} is just {names}: they have its labels, and it is left out."
                )
        return kept

    def _unlisted(self, subsets: list[Subset]) -> Iterator[ReadItem | UnreadableItem]:
        """Yield images that no annotation file names, where they are wanted; otherwise say how many there are."""
        none_known = not any(subset.images or subset.failed for subset in subsets)
        if self._one_file:
            if none_known and self.annotation_problems.named:
                raise DatasetError(f"{self.location}, {self.annotation_problems.named[0].sentence}.")
            walked = _outermost(folder for subset in subsets for folder in subset.used_folders())
        else:
            walked = [""]
        taken: dict[str, set[str]] = {}
        left: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for start in walked:
            walker = _Unlisted(self.root / start)
            walker.listed = [subset.images for subset in subsets]
            walker.prefix = start
            for item in walker.read():
                path = start + item.id
                if isinstance(item, UnreadableItem):
                    if not self._one_file:
                        yield item
                    continue
                if coco_files.is_mask(path):
                    continue
                folder, owners = _owners(path, subsets)
                wanted = self._takes_unlisted or none_known or (bool(owners) and all(owner.broken for owner in owners))
                if not wanted:
                    left[folder] += 1
                    examples.setdefault(folder, path[len(folder) :])
                    continue
                yield self._taken_in(item, path, folder, owners, taken)
            self.passed_over.update(walker.passed_over)
        self._tell_unlisted(left, examples)

    def _taken_in(
        self, item: ReadItem, path: str, folder: str, owners: list[Subset], taken: dict[str, set[str]]
    ) -> ReadItem:
        """Return an image that no annotation file names as an item."""
        name = (
            owners[0].name if len(owners) == 1 else coco_files.subset_of_folder(path) if not owners else DEFAULT_SUBSET
        )
        if name not in taken:
            taken[name] = {item_id for owner in owners if owner.name == name for item_id in owner.ids()}
        item_id = path[len(folder) :] if owners else _without_subset(path, name)
        if item_id in taken[name]:
            item_id = below(path)
        taken[name].add(item_id)
        return ReadItem(item_id, name, (), item.size, item.mtime_ns, as_media(path, item_id))

    def _tell_unlisted(self, left: Counter[str], examples: Mapping[str, str]) -> None:
        for number, (folder, count) in enumerate(left.most_common()):
            if number == _REMARKS:
                rest = left.total() - sum(some for _, some in left.most_common(_REMARKS))
                are = "is" if rest == 1 else "are"
                self.remarks.append(
                    f"{counted(rest, 'more image')} in other folders {are} in no annotation file; {_taken_in(rest)}."
                )
                return
            where = folder or "the folder of the dataset"
            are = "is" if count == 1 else "are"
            self.remarks.append(
                f"{counted(count, 'image')} in {where} {are} in no annotation file, such as {examples[folder]}; "
                f"{_taken_in(count)}."
            )


def _taken_in(count: int) -> str:
    return f"--option {UNLISTED}=yes takes {'it' if count == 1 else 'them'} in"


class _Unlisted(FolderReader):
    """The images in a folder that no annotation file names.

    Attributes
    ----------
    listed
        The paths of the others.
    prefix
        What their paths begin with above the folder.
    """

    listed: Sequence[Mapping[str, int]] = ()
    prefix = ""

    def _file(self, entry: os.DirEntry[str], item_id: str) -> Sequence[ReadItem | UnreadableItem]:
        path = self.prefix + item_id
        return () if any(path in paths for paths in self.listed) else super()._file(entry, item_id)


def _owners(path: str, subsets: list[Subset]) -> tuple[str, list[Subset]]:
    """Return the deepest folder of images that a path is in, and the subsets that have it; else its first folder."""
    cut = path.rfind("/") + 1
    while True:
        folder = path[:cut]
        owners = [subset for subset in subsets if folder in subset.folders]
        if folder and owners:
            return folder, owners
        if not cut:
            break
        cut = path.rfind("/", 0, cut - 1) + 1
    first = path[: path.find("/") + 1]
    in_root = [subset for subset in subsets if "" in subset.folders]
    return (first, []) if first else ("", in_root)


def _outermost(folders: Iterable[str]) -> list[str]:
    """Return those folders, with a slash after each, that are in no other one."""
    found: list[str] = []
    for folder in sorted(set(folders)):
        if not any(folder.startswith(above) for above in found):
            found.append(folder)
    return found


def _without_subset(path: str, subset: str) -> str:
    """Return a path below the folder that is called like its subset."""
    parts = path.split("/")
    return "/".join(parts[parts.index(subset) + 1 :]) if subset in parts[:-1] else path


def _order(item: ReadItem) -> tuple[str, str]:
    return item.order


def _each_once(items: Iterable[ReadItem]) -> Iterator[ReadItem | UnreadableItem]:
    """Yield items in order; of several with one id and subset the first, and the others as such."""
    last: tuple[str, str] | None = None
    for item in items:
        order = item.order
        if order == last:
            yield UnreadableItem(item.id, f"another item of subset {item.subset} has this id", DUPLICATE)
        elif not valid_item_id(item.id):
            yield UnreadableItem(item.id, "the id is no relative path of names", UNREADABLE)
        else:
            last = order
            yield item
