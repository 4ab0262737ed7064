"""Groups of duplicates as an answer: Python objects and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipdex.datasets.record import DatasetRecord
from clipdex.search.result import SCHEMA, plain
from clipdex.search.tables import frame
from clipdex.showing import Showable
from clipdex.wording import counted, printable, shortened

if TYPE_CHECKING:
    import pandas

KEPT, IDENTICAL, NEAR = "kept", "identical", "near"
MISSING, CHANGED, FAR = "missing", "changed", "far"


@dataclass(frozen=True, slots=True)
class DuplicateItem:
    """One item of a group.

    Attributes
    ----------
    distance
        Hamming distance, in bits, to the first item of the group, which is kept.
    dataset, id, subset, labels
        Which item it is.
    path
        Where its media is.
    match
        ``kept``; ``identical`` where its file has the same content as one that is kept; otherwise ``near``.
    content
        A number: files of one group with the same number are identical. From 1; 0 where the content is not known.
    size
        Size of the file in bytes, as the index has it.
    removable
        Whether the file may be deleted: what it shows is kept, near enough, in another file that is there.
    problem
        Why it is not removable, though it is not kept: ``missing`` where there is no file now, ``changed`` where the
        file is not the one that the index knows, ``far`` where it is farther than the distance from what is kept. Of an
        item that is kept, why nothing of its group is removable. Otherwise empty.
    orientation
        What was done to the first item of the group to make it look like this one, where that is nearer than the first
        item as it is: ``rotated 90`` (degrees, clockwise), ``mirrored``, ``mirrored, rotated 90`` and so on. Empty
        without ``transforms``.
    """

    distance: int
    dataset: str
    id: str
    subset: str
    path: str
    labels: tuple[str, ...]
    match: str = NEAR
    content: int = 0
    size: int = 0
    removable: bool = False
    problem: str = ""
    orientation: str = ""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Items that are near each other, at least two: those that are kept, then the others.

    Both are in the order of the datasets, then item order.

    Attributes
    ----------
    items
        The items.
    greatest_distance
        The greatest distance between any two of the items, in bits.
    matched
        Whether the rule of what to keep tells something of an item: the pattern matches one, or the size or the time of
        one is known.
    """

    items: tuple[DuplicateItem, ...]
    greatest_distance: int = 0
    matched: bool = True

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it has items of."""
        return tuple(dict.fromkeys(item.dataset for item in self.items))

    @property
    def subsets(self) -> tuple[str, ...]:
        """The names of the subsets that it has items of."""
        return tuple(dict.fromkeys(item.subset for item in self.items))

    @property
    def identical(self) -> bool:
        """Whether all its files have the same content."""
        contents = {item.content for item in self.items}
        return len(contents) == 1 and 0 not in contents


@dataclass(frozen=True, slots=True)
class SameFile:
    """An item that is the same file as another item, so that it is no duplicate and in no group.

    Attributes
    ----------
    dataset, id, subset, path
        Which item it is, and where its media is.
    same_dataset, same_id, same_subset
        The item that stands for that file.
    """

    dataset: str
    id: str
    subset: str
    path: str
    same_dataset: str
    same_id: str
    same_subset: str


@dataclass(frozen=True, slots=True, repr=False)
class DuplicatesResult(Showable):
    """Groups of duplicates: the largest first, equally large ones in the order of their first items.

    A notebook shows them with small pictures.

    Attributes
    ----------
    max_distance
        Two items are near when they differ in at most this many bits.
    across
        ``subsets`` or ``datasets`` where only groups that cross those were wanted; otherwise empty.
    linkage, keep, identical, transforms
        As they were asked for (``DuplicateSettings``).
    datasets
        The datasets that were compared.
    groups
        The groups, up to the limit.
    same_file
        The items that are the same file as another item, and would be in a group otherwise: the first 1,000.
    total_groups, total_items
        Number of all groups, and of the items in them.
    total_across_subsets, total_across_datasets
        Number of groups with items in several subsets, or in several datasets.
    total_identical_groups, total_identical_items
        Number of groups in which all files have the same content; number of the items in groups whose file has the same
        content as another file of the group.
    total_same_file, total_same_file_across_subsets
        Number of all items that are the same file as another item; of those for which that is in another subset.
    total_missing, total_changed
        Number of items in groups whose file is not there now; whose file is not the one that the index knows.
    total_unknown_content
        Number of items that were not compared, because the index does not know their content; only with ``identical``.
    total_not_turned
        Number of files that were compared only as they are, because they could not be read or have changed; only with
        ``transforms``.
    """

    max_distance: int
    across: str
    linkage: str
    keep: str
    identical: bool
    transforms: bool
    datasets: tuple[DatasetRecord, ...]
    groups: tuple[DuplicateGroup, ...]
    same_file: tuple[SameFile, ...]
    total_groups: int
    total_items: int
    total_across_subsets: int
    total_across_datasets: int
    total_identical_groups: int
    total_identical_items: int
    total_same_file: int
    total_same_file_across_subsets: int
    total_missing: int
    total_changed: int
    total_unknown_content: int
    total_not_turned: int

    @property
    def removable(self) -> tuple[DuplicateItem, ...]:
        """The items of the groups whose files may be deleted, group by group."""
        return tuple(item for group in self.groups for item in group.items if item.removable)

    def __repr__(self) -> str:
        within = "of identical files" if self.identical else f"within {counted(self.max_distance, 'bit')}"
        places = shortened(printable(", ".join(dataset.name for dataset in self.datasets)))
        images = counted(self.total_items, "image")
        return f"<DuplicatesResult: {counted(self.total_groups, 'group')} {within}, {images} in {places}>"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the items as a table of pandas: ``group``, from 1, then the attributes of ``DuplicateItem``.

        Raises
        ------
        ExtraMissing
            When pandas is not installed; the message says how to install it.
        """
        rows = [
            {"group": number, **plain(item)}
            for number, group in enumerate(self.groups, start=1)
            for item in group.items
        ]
        return frame(rows, ("group", *DuplicateItem.__slots__))

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        lists = ("datasets", "groups", "same_file")
        return {
            "schema": SCHEMA,
            **{name: value for name, value in plain(self).items() if name not in lists},
            "datasets": [dataset.to_dict() for dataset in self.datasets],
            "groups": [
                {
                    "number": number,
                    "greatest_distance": group.greatest_distance,
                    "identical": group.identical,
                    "matched": group.matched,
                    "datasets": list(group.datasets),
                    "subsets": list(group.subsets),
                    "items": [{**plain(item), "labels": list(item.labels)} for item in group.items],
                }
                for number, group in enumerate(self.groups, start=1)
            ],
            "same_file": [plain(one) for one in self.same_file],
        }

    def to_json(self) -> str:
        """Return the documented JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
