"""What is kept of groups of duplicates, where a person has marked it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.search.all_keys import AllKeys, Ints
from clipdex.search.copies import Copies
from clipdex.search.duplicates_result import DuplicateGroup, DuplicatesResult
from clipdex.search.grouping import Grouping
from clipdex.search.keeping import Keep
from clipdex.search.nearness import AsTheyAre

Name = tuple[str, str, str]

_READ_AT_ONCE = 4096


def with_marked(
    datasets: Sequence[Dataset], result: DuplicatesResult, marked: Collection[Name] = frozenset()
) -> DuplicatesResult:
    """Return groups as they are when some items are marked to be kept, and as their files are now.

    A group with marked items keeps these alone; another one keeps what its rule says. An item that is not near any that
    is kept is ``far``, and not removable. So every picture of which a copy may be deleted has a copy that is kept,
    whatever is marked.

    Parameters
    ----------
    datasets
        The open datasets that the result is of.
    result
        Groups without transforms.
    marked
        Items to keep: dataset, subset and id of each. Names that are in no group count for nothing.

    Raises
    ------
    QueryError
        When the result is one with transforms: its distances are not those of the index.
    """
    if result.transforms:
        raise QueryError("groups with rotated and mirrored copies cannot be marked: search without transforms.")
    keys = AllKeys(datasets, _READ_AT_ONCE)
    numbers = {dataset.name: number for number, dataset in enumerate(datasets)}
    starts = _starts(datasets, keys)
    groups: list[Ints] = []
    chosen: set[int] = set()
    for group in result.groups:
        positions = []
        for item in group.items:
            number = numbers[item.dataset]
            location = datasets[number].index.locate(item.id, item.subset)
            if location is not None:
                positions.append(starts[number][location.segment] + location.position)
                if (item.dataset, item.subset, item.id) in marked:
                    chosen.add(positions[-1])
        groups.append(np.array(sorted(positions), np.int64))
    together = np.concatenate([np.empty(0, np.int64), *groups])
    copies = Copies.of(keys, together, lambda done: None)
    aliases = np.fromiter(copies.aliases(keys), np.int64)
    groups = [group[~np.isin(group, aliases)] for group in groups]
    grouping = Grouping(
        keys,
        copies,
        AsTheyAre(keys),
        Keep(result.keep),
        0 if result.identical else result.max_distance,
        frozenset(chosen),
    )
    missing, changed = copies.count_missing_and_changed(together)
    return replace(result, groups=tuple(_made(grouping, keys, groups)), total_missing=missing, total_changed=changed)


def _made(grouping: Grouping, keys: AllKeys, groups: Sequence[Ints]) -> Iterator[DuplicateGroup]:
    several = [group for group in groups if len(group) > 1]
    for blocks in keys.blocks_of(several):
        yield grouping.group([member for block in blocks for member in block])


def _starts(datasets: Sequence[Dataset], keys: AllKeys) -> list[list[int]]:
    """Return for each dataset and segment the first position."""
    starts = iter(keys.starts.tolist())
    return [[next(starts) for _ in dataset.index.segments] for dataset in datasets]
