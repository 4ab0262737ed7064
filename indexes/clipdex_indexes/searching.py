"""Exact search over the items of one or several snapshots.

The kernels order equal distances by position. Positions are in item order within a segment. Where several segments of
an index tie, the ids and subsets of the tied items, and of no others, are read from the item tables. So an answer is
the same whatever the segments, chunks and threads.

Removed items and items that a filter leaves out are masked before they count among the k: a search finds the k nearest
of the selected items, never what remains of the k nearest of all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from clipdex_indexes.answers import RangeAnswer
from clipdex_indexes.arrays import Bools, Ints, Keys, Masks
from clipdex_indexes.kernels import ranges
from clipdex_indexes.kernels.hamming import candidates
from clipdex_indexes.kernels.neighbours import Neighbours
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, ScanSizes
from clipdex_indexes.snapshot import Location, Snapshot
from clipdex_indexes.storage.table import ItemRow

# Whole rows that are held at once; of an item of an answer only its id and subset.
_ROWS_AT_ONCE = 1 << 14


class Found(NamedTuple):
    """One neighbour: its distance in bits, the number of its index in the searched list, and its location there."""

    distance: int
    index: int  # type: ignore[assignment]  # hides a method of tuples
    location: Location


_new_location: Callable[[Iterable[Any]], Location] = functools.partial(tuple.__new__, Location)
_new_found: Callable[[Iterable[Any]], Found] = functools.partial(tuple.__new__, Found)


def search(
    indexes: Sequence[Snapshot],
    queries: Keys,
    k: int,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> list[list[Found]]:
    """Find the k nearest items of several indexes by Hamming distance, exactly.

    Parameters
    ----------
    indexes
        Open indexes with hash keys of the same length.
    queries
        uint8 ``[q, bits / 8]``.
    k
        At least 1; a k above the number of items gives all of them.
    selections
        For each index and each of its segments, the items that may be found, bool ``[items]``; None for all.
    sizes
        How the work is cut up; the answer is the same.

    Returns
    -------
    list of list of Found
        For each query at most k neighbours, by distance, then order of the indexes, then item order.
    """
    searched, arrays, masks = to_search(indexes, selections)
    return [_in_item_order(indexes, searched, near, k) for near in candidates(arrays, queries, k, masks, sizes)]


def within(index: Snapshot, queries: Keys, distance: int, sizes: ScanSizes = DEFAULT_SIZES) -> Iterator[RangeAnswer]:
    """Yield for each query all items whose distance is at most ``distance``, by distance, then item order.

    Parameters
    ----------
    index
        An open index.
    queries
        uint8 ``[q, bits / 8]``.
    distance
        In bits, at least 0.
    sizes
        How the work is cut up; the answer is the same.
    """
    _, arrays, masks = to_search([index], None)
    for near in ranges.within(arrays, queries, distance, masks, sizes):
        answer = RangeAnswer.of(near.distances, _rows_in_pieces(index, near))
        for begin, end in _mixed_ties(near.distances, near.arrays):
            tied = range(begin, end)
            order = sorted(tied, key=lambda at: (answer.ids[at], answer.subsets[at]))
            for column in (answer.ids, answer.subsets):
                column[begin:end] = column[order]
        yield answer


def _rows_in_pieces(index: Snapshot, near: Neighbours) -> Iterator[ItemRow]:
    for start in range(0, len(near.positions), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        locations = zip(near.arrays[part].tolist(), near.positions[part].tolist(), strict=True)
        yield from index.rows(list(map(_new_location, locations)))


def to_search(
    indexes: Sequence[Snapshot], selections: Sequence[Masks] | None
) -> tuple[list[tuple[int, int]], list[Keys], list[Bools | None]]:
    """Return every segment to search: numbers of its index and of itself there, its keys, and the mask of its keys."""
    searched = [(number, part) for number, index in enumerate(indexes) for part in range(len(index.segments))]
    arrays: list[Keys] = []
    masks: list[Bools | None] = []
    for number, index in enumerate(indexes):
        arrays += [segment.keys for segment in index.segments]
        masks += index.selected(None if selections is None else selections[number])
    return searched, arrays, masks


def _in_item_order(
    indexes: Sequence[Snapshot], searched: list[tuple[int, int]], near: Neighbours, k: int
) -> list[Found]:
    """Return the k nearest of the candidates, ties in item order."""
    owners = np.array(searched, np.int64).reshape(-1, 2)[near.arrays]
    numbers, segments = owners[:, 0], owners[:, 1]
    # Without a call into Python for each of ten thousand neighbours.
    locations = map(_new_location, zip(segments.tolist(), near.positions.tolist(), strict=True))
    neighbours = list(map(_new_found, zip(near.distances.tolist(), numbers.tolist(), locations, strict=True)))
    runs = [run for run in _mixed_ties(near.distances, segments, numbers) if run[0] < k]
    tied: dict[tuple[int, int], list[int]] = {}
    for begin, end in runs:
        for one in neighbours[begin:end]:
            tied.setdefault((one.index, one.location.segment), []).append(one.location.position)
    names = {
        (number, segment): indexes[number].segments[segment].table.names_at(positions)
        for (number, segment), positions in tied.items()
    }
    for begin, end in runs:
        neighbours[begin:end] = sorted(
            neighbours[begin:end], key=lambda one: names[one.index, one.location.segment][one.location.position]
        )
    return neighbours[:k]


def _mixed_ties(distances: Ints, segments: Ints, numbers: Ints | None = None) -> list[tuple[int, int]]:
    """Return begin and end of each run of equal distances that several segments of one index share.

    Distances come in order; those that are equal by number of the index, then segment.
    """
    changes = np.diff(distances, prepend=-1)
    if numbers is not None:
        changes |= np.diff(numbers, prepend=-1)
    begins = np.flatnonzero(changes)
    ends = np.append(begins[1:], len(distances))[: len(begins)]
    mixed = segments[begins] != segments[ends - 1]
    return list(zip(begins[mixed].tolist(), ends[mixed].tolist(), strict=True))
