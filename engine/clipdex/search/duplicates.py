"""Duplicates: groups of items whose hash keys are near each other, within and across datasets and subsets.

Two items are near when their hash keys differ in at most D bits. A group is a connected component of that relation
(single linkage): each item is near at least one other item of its group, and two items of a group may be farther apart
than D. With complete linkage, all items of a group are near each other.

Items that are one file on disk (the same device and inode, or the same member of one archive) are one place of one
picture, and no duplicates: one of them stands for all, and the others are in no group. One item of each group is kept.
What may be deleted is a file that is as the index knows it, in a group whose kept file is, and that is near the kept
one or identical to it. So every picture of which a copy is deleted has a copy that is kept.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.readers.sources import Target
from clipdex.search.all_keys import AllKeys, Bools, Ints, Member
from clipdex.search.copies import Copies
from clipdex.search.duplicate_settings import COMPLETE, SUBSETS, DuplicateKeywords, DuplicateSettings
from clipdex.search.duplicates_result import DuplicateGroup, DuplicatesResult, SameFile
from clipdex.search.explorer import Explorer
from clipdex.search.grouping import Grouping
from clipdex.search.keeping import Keep
from clipdex.search.nearness import AsTheyAre, InAnyOrientation
from clipdex.search.orienting import OrientedKeys, hash_orientations
from clipdex.wording import counted
from clipdex_indexes.kernels.linkage import complete_linkage, components, runs_of
from clipdex_indexes.kernels.pairs import near_pairs

if TYPE_CHECKING:
    from typing_extensions import Unpack

Progress = Callable[[str, int, int], None]

# Items whose names are read at a time, to tell what a large group is made of.
_READ_AT_ONCE = 4096
# Items that are the same file as another item, of which a result gives the names.
_MOST_NAMED = 1000


def default_distance(bits: int) -> int:
    """Return the distance up to which items are taken for near-duplicates: one bit in 32."""
    return bits // 32


def find_duplicates(
    *targets: Target,
    index: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
    **wanted: Unpack[DuplicateKeywords],
) -> DuplicatesResult:
    """Find groups of duplicates in one or several datasets.

    It is exact. It reads the indexes, and looks at the files of the items that are in a group: which of them are one
    file, and which are as the index knows them. Only ``transforms`` reads images.

    Parameters
    ----------
    *targets
        Datasets that have an index, or folders and images in one, as of ``Explorer``.
    index
        Index folder, where it is not ``.clipdex`` in the one target.
    progress
        Called with what is counted, how much is done, and of how much.
    notice
        Called with a sentence that says how long hashing will take, where images are hashed (``transforms``).
    **wanted
        Attributes of ``DuplicateSettings``: ``find_duplicates("photos", max_distance=8, keep="oldest")``.

    Raises
    ------
    QueryError
        When an argument is out of its range.
    DatasetError, IndexFailure, ModelMismatch
        As of ``Explorer``.
    """
    settings = DuplicateSettings(**wanted)
    with Explorer(*targets, index=index) as explorer:
        distance = distance_of(explorer.datasets, settings)
        report = progress or _no_progress
        oriented = None
        if settings.transforms:
            oriented = hash_orientations(
                AllKeys(explorer.datasets, _READ_AT_ONCE),
                explorer.encoder_for_many(),
                settings.max_pixels,
                progress=lambda done, of: report(
                    f"percent of {counted(of, 'image')} hashed", 100 * done // max(of, 1), 100
                ),
                notice=notice or (lambda sentence: None),
            )
        return duplicates_of(explorer.datasets, distance, settings, oriented=oriented, progress=report)


def distance_of(datasets: Sequence[Dataset], settings: DuplicateSettings) -> int:
    """Return the greatest distance of near items that settings ask for.

    Raises
    ------
    QueryError
        When the hash keys of the datasets have fewer bits.
    """
    bits = datasets[0].index.manifest.model.bits
    distance = default_distance(bits) if settings.max_distance is None else settings.max_distance
    if not 0 <= distance <= bits:
        raise QueryError(f"the distance is {distance}, and must be from 0 to {bits}, the bits of a hash key.")
    return distance


def duplicates_of(
    datasets: Sequence[Dataset],
    distance: int,
    settings: DuplicateSettings | None = None,
    *,
    oriented: OrientedKeys | None = None,
    progress: Progress | None = None,
    read_at_once: int = _READ_AT_ONCE,
) -> DuplicatesResult:
    """Find groups of duplicates in open datasets; see ``find_duplicates``.

    Memory is bounded: of each item in a group some numbers are kept, and at most ``read_at_once`` items are read at a
    time.

    Parameters
    ----------
    datasets
        The datasets, of one model.
    distance
        The greatest distance of near items, whatever the settings say.
    settings
        What is asked.
    oriented
        The hash keys in other orientations, where these count too.
    progress
        Called with what is counted, how much is done, and of how much.
    read_at_once
        Number of items that are read at a time.
    """
    keys = AllKeys(datasets, read_at_once)
    return _Search(keys, distance, settings or DuplicateSettings(), oriented, progress or _no_progress).result()


def _no_progress(what: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is kept of a group until its place among the groups is known: the positions of its items, and one id."""

    positions: Ints
    first: tuple[int, str, str]
    across_subsets: bool
    across_datasets: bool

    def crosses(self, what: str) -> bool:
        return self.across_subsets if what == SUBSETS else self.across_datasets


class _Search:
    """One search for duplicates."""

    def __init__(
        self,
        keys: AllKeys,
        distance: int,
        settings: DuplicateSettings,
        oriented: OrientedKeys | None,
        progress: Progress,
    ) -> None:
        self._keys = keys
        self._settings = settings
        self._distance = 0 if settings.identical else distance
        self._progress = progress
        self._oriented = oriented
        self._nearness = AsTheyAre(keys) if oriented is None else InAnyOrientation(keys, oriented)
        self._unknown = 0

    def result(self) -> DuplicatesResult:
        keys, settings = self._keys, self._settings
        found = self._candidates(None)
        together = np.concatenate([np.empty(0, np.int64), *found])
        copies = Copies.of(keys, together, lambda done: self._percent("of the files looked at", done / len(together)))
        aliases = copies.aliases(keys)
        linked = self._linked(self._without(found, aliases))
        outlines = [self._outline(*each) for each in zip(linked, keys.blocks_of(linked), strict=True)]
        if settings.across:
            outlines = [outline for outline in outlines if outline.crosses(settings.across)]
        outlines.sort(key=lambda outline: (-len(outline.positions), outline.first))
        grouping = Grouping(keys, copies, self._nearness, Keep(settings.keep), self._distance)
        identical_groups, identical_items = _identical(copies, [outline.positions for outline in outlines])
        in_groups = np.concatenate([np.empty(0, np.int64), *(outline.positions for outline in outlines)])
        same_file, in_other_subsets = self._same_file(aliases)
        missing, changed = copies.count_missing_and_changed(in_groups)
        return DuplicatesResult(
            max_distance=self._distance,
            across=settings.across or "",
            linkage=settings.linkage,
            keep=settings.keep,
            identical=settings.identical,
            transforms=self._oriented is not None,
            datasets=tuple(dataset.record for dataset in keys.datasets),
            groups=tuple(self._groups(grouping, [outline.positions for outline in outlines[: settings.limit]])),
            same_file=same_file,
            total_groups=len(outlines),
            total_items=len(in_groups),
            total_across_subsets=sum(outline.across_subsets for outline in outlines),
            total_across_datasets=sum(outline.across_datasets for outline in outlines),
            total_identical_groups=identical_groups,
            total_identical_items=identical_items,
            total_same_file=len(aliases),
            total_same_file_across_subsets=in_other_subsets,
            total_missing=missing,
            total_changed=changed,
            total_unknown_content=self._unknown,
            total_not_turned=0 if self._oriented is None else self._oriented.unread,
        )

    def _candidates(self, without: Ints | None) -> list[Ints]:
        """Return the positions of groups in which items that are one file still count as several."""
        if self._settings.identical:
            sizes, contents, live = self._keys.contents()
            if without is not None:
                live[without] = False
            self._unknown = int((live & (contents == 0)).sum())
            return _same_content(sizes, contents, live)
        return components(len(self._keys), self._pairs(without))

    def _pairs(self, without: Ints | None) -> Iterator[tuple[Ints, Ints]]:
        live = self._keys.live(without)
        for block in near_pairs(self._keys.arrays, self._distance, live=live, progress=self._compared):
            yield block.first, block.second
        if self._oriented is not None:
            parts = zip(live, self._keys.arrays, strict=True)
            masks = [np.ones(len(keys), np.bool_) if mask is None else mask for mask, keys in parts]
            everything = np.concatenate([np.empty(0, np.bool_), *masks])
            yield from self._oriented.pairs(self._keys, everything, self._distance, self._compared)

    def _compared(self, part: float) -> None:
        if part:
            self._percent("compared", part)

    def _percent(self, what: str, part: float) -> None:
        self._progress(f"percent {what}", round(100 * part), 100)

    def _without(self, found: list[Ints], aliases: dict[int, int]) -> list[Ints]:
        """Return the groups without the items that are the same file as another item."""
        if not aliases:
            return found
        left_out = np.fromiter(aliases, np.int64, len(aliases))
        standing = np.fromiter(aliases.values(), np.int64, len(aliases))
        if (self._keys.of(left_out) != self._keys.of(standing)).any():
            # One file has two hash keys, so what it connects may fall apart without one of them.
            return self._candidates(left_out)
        groups = (group[~np.isin(group, left_out)] for group in found)
        return [group for group in groups if len(group) > 1]

    def _linked(self, groups: list[Ints]) -> list[Ints]:
        if self._settings.linkage != COMPLETE:
            return groups
        linked: list[Ints] = []
        total = sum(map(len, groups))
        done = 0
        for group in groups:
            linked += self._cut(group, done, total)
            done += len(group)
        return linked

    def _cut(self, group: Ints, done: int, total: int) -> list[Ints]:
        """Cut a group into groups in which all items are near each other."""
        if self._nearness.greatest(group, enough=self._distance) <= self._distance:
            return [group]
        ordered = self._keys.in_item_order(group)
        firsts, numbers, distances = self._nearness.distinct(ordered)
        parts = complete_linkage(
            distances,
            self._distance,
            lambda settled: self._percent("linked", (done + settled) / total),
        )
        labels = np.empty(len(firsts), np.int64)
        for label, part in enumerate(parts):
            labels[part] = label
        owners = labels[numbers]
        return [ordered[part] for part in runs_of(owners, np.bincount(owners)[owners] > 1)]

    def _outline(self, positions: Ints, blocks: Iterable[list[Member]]) -> _Outline:
        """Return what decides the place of a group, and what it crosses."""
        firsts: list[tuple[int, str, str]] = []
        subsets: set[str] = set()
        datasets: set[int] = set()
        for block in blocks:
            firsts.append(min(member.order for member in block))
            subsets.update(member.row.subset for member in block)
            datasets.update(member.dataset for member in block)
        return _Outline(positions, min(firsts), len(subsets) > 1, len(datasets) > 1)

    def _groups(self, grouping: Grouping, groups: Sequence[Ints]) -> Iterator[DuplicateGroup]:
        for blocks in self._keys.blocks_of(groups):
            yield grouping.group([member for block in blocks for member in block])

    def _same_file(self, aliases: dict[int, int]) -> tuple[tuple[SameFile, ...], int]:
        """Return the first items that are the same file as another, and how many are so in another subset."""
        numbers: dict[str, int] = {}
        subsets: dict[int, int] = {}
        orders: list[tuple[tuple[int, str, str], int]] = []
        for block in self._keys.blocks(np.unique(np.array([*aliases, *aliases.values()], np.int64))):
            for member in block:
                subsets[member.position] = numbers.setdefault(member.row.subset, len(numbers))
                if member.position in aliases:
                    orders.append((member.order, member.position))
        named = [position for _, position in heapq.nsmallest(_MOST_NAMED, orders)]
        wanted = np.unique(np.array([*named, *(aliases[position] for position in named)], np.int64))
        known = {member.position: member for member in self._keys.members(wanted)}
        names = tuple(self._named(known[position], known[aliases[position]]) for position in named)
        return names, sum(subsets[one] != subsets[other] for one, other in aliases.items())

    def _named(self, one: Member, other: Member) -> SameFile:
        datasets = self._keys.datasets
        return SameFile(
            dataset=datasets[one.dataset].name,
            id=one.row.id,
            subset=one.row.subset,
            path=datasets[one.dataset].media(one.row),
            same_dataset=datasets[other.dataset].name,
            same_id=other.row.id,
            same_subset=other.row.subset,
        )


def _same_content(sizes: Ints, contents: Ints, live: Bools) -> list[Ints]:
    """Return the positions of items with the same size and content, at least two each; 0 is an unknown content."""
    known = np.flatnonzero(live & (contents != 0))
    order = known[np.lexsort((known, sizes[known], contents[known]))]
    if not len(order):
        return []
    pairs = np.stack([sizes[order], contents[order]])
    starts = np.flatnonzero((pairs[:, 1:] != pairs[:, :-1]).any(axis=0)) + 1
    return [group for group in np.split(order, starts) if len(group) > 1]


def _identical(copies: Copies, groups: Sequence[Ints]) -> tuple[int, int]:
    """Count the groups of identical files only, and the items of all groups that are identical to another one."""
    if not groups:
        return 0, 0
    lengths = np.array([len(group) for group in groups])
    at = copies.at(np.concatenate(groups))
    # Contents that are not known are all different.
    contents = np.where(copies.contents[at] == 0, np.arange(len(at)), copies.contents[at])
    known = copies.contents[at] != 0
    table = np.stack([np.repeat(np.arange(len(groups)), lengths), known.astype(np.int64), copies.sizes[at], contents])
    distinct, counts = np.unique(table, axis=1, return_counts=True)
    kinds = np.bincount(distinct[0], minlength=len(groups))
    return int((kinds == 1).sum()), int(counts[counts > 1].sum())
