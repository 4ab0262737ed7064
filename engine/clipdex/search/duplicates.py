"""Near-duplicates: groups of items whose hash keys are near each other, within and across datasets and subsets.

Two items are near when their hash keys differ in at most D bits. A group is a connected component of that relation
(single linkage): each item is near at least one other item of its group, and two items of a group may be farther apart
than D.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex.datasets.record import DatasetRecord
from clipdex.errors import QueryError
from clipdex.readers.sources import Target
from clipdex.search.explorer import Explorer
from clipdex.search.result import SCHEMA, plain
from clipdex_indexes import ItemRow, Location
from clipdex_indexes.kernels.distances import hamming
from clipdex_indexes.kernels.pairs import near_pairs

Ints = npt.NDArray[np.int64]

SUBSETS, DATASETS = "subsets", "datasets"
# Items whose names are read at a time, to tell what a large group is made of.
_READ_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class DuplicateItem:
    """One item of a group.

    Attributes
    ----------
    distance
        Hamming distance, in bits, to the first item of the group.
    dataset, id, subset, labels
        Which item it is.
    path
        Where its media is.
    """

    distance: int
    dataset: str
    id: str
    subset: str
    path: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Items that are near each other, at least two, in the order of the datasets, then item order."""

    items: tuple[DuplicateItem, ...]

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it has items of."""
        return tuple(dict.fromkeys(item.dataset for item in self.items))

    @property
    def subsets(self) -> tuple[str, ...]:
        """The names of the subsets that it has items of."""
        return tuple(dict.fromkeys(item.subset for item in self.items))


@dataclass(frozen=True, slots=True)
class DuplicatesResult:
    """Groups of near-duplicates: the largest first, equally large ones in the order of their first items.

    Attributes
    ----------
    max_distance
        Two items are near when they differ in at most this many bits.
    across
        ``subsets`` or ``datasets`` where only groups that cross those were wanted; otherwise empty.
    datasets
        The datasets that were compared.
    groups
        The groups, up to the limit.
    total_groups, total_items
        Number of all groups, and of the items in them.
    total_across_subsets, total_across_datasets
        Number of groups with items in several subsets, or in several datasets.
    """

    max_distance: int
    across: str
    datasets: tuple[DatasetRecord, ...]
    groups: tuple[DuplicateGroup, ...]
    total_groups: int
    total_items: int
    total_across_subsets: int
    total_across_datasets: int

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "schema": SCHEMA,
            **{name: value for name, value in plain(self).items() if name not in ("datasets", "groups")},
            "datasets": [dataset.to_dict() for dataset in self.datasets],
            "groups": [
                {
                    "number": number,
                    "datasets": list(group.datasets),
                    "subsets": list(group.subsets),
                    "items": [{**plain(item), "labels": list(item.labels)} for item in group.items],
                }
                for number, group in enumerate(self.groups, start=1)
            ],
        }

    def to_json(self) -> str:
        """Return the documented JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)


def default_distance(bits: int) -> int:
    """Return the distance up to which items are taken for near-duplicates: one bit in 32."""
    return bits // 32


def find_duplicates(
    *targets: Target,
    max_distance: int | None = None,
    across: str | None = None,
    limit: int | None = None,
    index: str | os.PathLike[str] | None = None,
    progress: Callable[[float], None] | None = None,
) -> DuplicatesResult:
    """Find groups of near-duplicates in one or several datasets. It is exact, and reads only the indexes.

    Parameters
    ----------
    *targets
        Datasets that have an index, or folders and images in one, as of ``Explorer``.
    max_distance
        Two items are near when their hash keys differ in at most this many bits. None: one bit in 32.
    across
        ``subsets``: only groups with items in subsets of different names; ``datasets``: in different datasets.
    limit
        How many groups to give; None: all.
    index
        Index folder, where it is not ``.clipdex`` in the one target.
    progress
        Called with the share of the comparisons that are done, from 0 to 1.

    Raises
    ------
    QueryError
        When an argument is out of its range.
    DatasetError, IndexFailure, ModelMismatch
        As of ``Explorer``.
    """
    if across not in (None, SUBSETS, DATASETS):
        raise QueryError(f"across is {across!r}, and must be {SUBSETS!r} or {DATASETS!r}.")
    if limit is not None and limit < 1:
        raise QueryError(f"the limit is {limit}, and must be at least 1.")
    with Explorer(*targets, index=index) as explorer:
        bits = explorer.datasets[0].index.manifest.model.bits
        distance = default_distance(bits) if max_distance is None else max_distance
        if not 0 <= distance <= bits:
            raise QueryError(f"the distance is {distance}, and must be from 0 to {bits}, the bits of a hash key.")
        return duplicates_of(explorer.datasets, distance, across=across, limit=limit, progress=progress)


def duplicates_of(
    datasets: Sequence[Dataset],
    distance: int,
    *,
    across: str | None = None,
    limit: int | None = None,
    progress: Callable[[float], None] | None = None,
    read_at_once: int = _READ_AT_ONCE,
) -> DuplicatesResult:
    """Find groups of near-duplicates in open datasets; see ``find_duplicates``.

    Memory is bounded: of each group only the positions of its items are kept, and at most ``read_at_once`` items are
    read at a time.
    """
    keys = _AllKeys(datasets, read_at_once)
    outlines = [
        outline
        for outline in map(keys.outline, _components(keys, distance, progress))
        if not across or outline.crosses(across)
    ]
    outlines.sort(key=lambda outline: (-len(outline.positions), outline.first))
    return DuplicatesResult(
        distance,
        across or "",
        tuple(dataset.record for dataset in datasets),
        tuple(keys.group(outline.positions) for outline in outlines[:limit]),
        len(outlines),
        sum(len(outline.positions) for outline in outlines),
        sum(outline.across_subsets for outline in outlines),
        sum(outline.across_datasets for outline in outlines),
    )


@dataclass(frozen=True, slots=True)
class _Member:
    """One item: number of its dataset, where it is there, and its row."""

    dataset: int
    location: Location
    row: ItemRow

    @property
    def order(self) -> tuple[int, str, str]:
        return self.dataset, self.row.id, self.row.subset


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is kept of a group until its place among the groups is known: the positions of its items, and one id."""

    positions: Ints
    first: tuple[int, str, str]
    across_subsets: bool
    across_datasets: bool

    def crosses(self, what: str) -> bool:
        return self.across_subsets if what == SUBSETS else self.across_datasets


class _AllKeys:
    """The keys of all segments of all datasets as one sequence. A position counts in that sequence."""

    def __init__(self, datasets: Sequence[Dataset], read_at_once: int) -> None:
        self._datasets = datasets
        self._read_at_once = read_at_once
        self._parts = [
            (number, part) for number, dataset in enumerate(datasets) for part in range(len(dataset.index.segments))
        ]
        segments = [datasets[number].index.segments[part] for number, part in self._parts]
        self.keys = [segment.keys for segment in segments]
        self.live = [mask for dataset in datasets for mask in dataset.live]
        self._starts = np.concatenate([[0], np.cumsum([len(keys) for keys in self.keys], dtype=np.int64)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def outline(self, positions: Ints) -> _Outline:
        """Return what decides the place of a group, and what it crosses."""
        firsts: list[tuple[int, str, str]] = []
        subsets: set[str] = set()
        datasets: set[int] = set()
        for start in range(0, len(positions), self._read_at_once):
            members = self._members(positions[start : start + self._read_at_once])
            firsts.append(min(member.order for member in members))
            subsets.update(member.row.subset for member in members)
            datasets.update(member.dataset for member in members)
        return _Outline(positions, min(firsts), len(subsets) > 1, len(datasets) > 1)

    def group(self, positions: Ints) -> DuplicateGroup:
        """Return the items at these positions as a group of a result, with their distances to the first."""
        members = sorted(self._members(positions), key=lambda member: member.order)
        keys = np.stack([self._datasets[member.dataset].index.key(member.location) for member in members])
        return DuplicateGroup(
            tuple(
                DuplicateItem(
                    distance,
                    self._datasets[member.dataset].name,
                    member.row.id,
                    member.row.subset,
                    self._datasets[member.dataset].media(member.row),
                    member.row.labels,
                )
                for member, distance in zip(members, hamming(keys, keys[0]).tolist(), strict=True)
            )
        )

    def _members(self, positions: Ints) -> list[_Member]:
        parts = np.searchsorted(self._starts, positions, "right") - 1
        located: dict[int, list[Location]] = {}
        for position, at in zip(positions.tolist(), parts.tolist(), strict=True):
            number, part = self._parts[at]
            located.setdefault(number, []).append(Location(part, position - int(self._starts[at])))
        return [
            _Member(number, location, row)
            for number, locations in located.items()
            for location, row in zip(locations, self._datasets[number].index.rows(locations), strict=True)
        ]


def _components(keys: _AllKeys, distance: int, progress: Callable[[float], None] | None) -> list[Ints]:
    """Return the connected components of at least two items, each as positions.

    A union-find joins the pairs as they come, so that they need not be kept.
    """
    parent = np.arange(len(keys))
    for block in near_pairs(keys.keys, distance, live=keys.live, progress=progress):
        one, other = _roots(parent, block.first), _roots(parent, block.second)
        apart = np.flatnonzero(one != other)
        for left, right in zip(one[apart].tolist(), other[apart].tolist(), strict=True):
            low, high = sorted((_root(parent, left), _root(parent, right)))
            parent[high] = low
        parent[block.first], parent[block.second] = _roots(parent, block.first), _roots(parent, block.second)
    roots = _roots(parent, parent)
    sizes = np.bincount(roots, minlength=len(roots))
    members = np.flatnonzero(sizes[roots] > 1)
    members = members[np.argsort(roots[members], kind="stable")]
    return [part for part in np.split(members, np.flatnonzero(np.diff(roots[members])) + 1) if len(part)]


def _roots(parent: Ints, of: Ints) -> Ints:
    roots = parent[of]
    while True:
        above = parent[roots]
        if np.array_equal(above, roots):
            return roots
        roots = above


def _root(parent: Ints, of: int) -> int:
    while (above := int(parent[of])) != of:
        of = above
    return of
