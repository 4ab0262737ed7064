"""Exact search over the items of one or several snapshots.

The kernels order equal distances by position. Positions are in item order within a segment. Where several segments of
an index tie, the ids and subsets of the tied items, and of no others, are read from the item tables. So an answer is
the same whatever the segments, chunks and threads.

Removed items and items that a filter leaves out are masked before they count among the k: a search finds the k nearest
of the selected items, never what remains of the k nearest of all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from clipdex_indexes.arrays import Bools, Keys, Masks
from clipdex_indexes.kernels.hamming import candidates
from clipdex_indexes.kernels.neighbours import Neighbours
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, ScanSizes
from clipdex_indexes.snapshot import Location, Snapshot


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
    return [_in_item_order(indexes, searched, found, k) for found in candidates(arrays, queries, k, masks, sizes)]


def to_search(
    indexes: Sequence[Snapshot], selections: Sequence[Masks] | None
) -> tuple[list[tuple[int, int]], list[Keys], list[Bools | None]]:
    """Return every segment to search: numbers of its index and of itself there, its keys, and the mask of its keys."""
    searched = [(number, part) for number, index in enumerate(indexes) for part in range(len(index.segments))]
    arrays: list[Keys] = []
    masks: list[Bools | None] = []
    for number, part in searched:
        segment = indexes[number].segments[part]
        live = segment.live
        selected = selections[number][part] if selections is not None else None
        arrays.append(segment.keys)
        masks.append(live if selected is None else selected if live is None else live & selected)
    return searched, arrays, masks


def _in_item_order(
    indexes: Sequence[Snapshot], searched: list[tuple[int, int]], found: Neighbours, k: int
) -> list[Found]:
    """Return the k nearest of the candidates, ties in item order."""
    owners = np.array(searched, np.int64).reshape(-1, 2)[found.arrays]
    numbers, segments = owners[:, 0], owners[:, 1]
    begins = np.flatnonzero(np.diff(found.distances, prepend=-1) | np.diff(numbers, prepend=-1))
    ends = np.append(begins[1:], len(numbers))[: len(begins)]
    mixed = (segments[begins] != segments[ends - 1]) & (begins < k)
    # Without a call into Python for each of ten thousand neighbours.
    locations = map(_new_location, zip(segments.tolist(), found.positions.tolist(), strict=True))
    neighbours = list(map(_new_found, zip(found.distances.tolist(), numbers.tolist(), locations, strict=True)))
    for begin, end in zip(begins[mixed].tolist(), ends[mixed].tolist(), strict=True):
        tables = [segment.table for segment in indexes[neighbours[begin].index].segments]
        neighbours[begin:end] = sorted(
            neighbours[begin:end], key=lambda tied: tables[tied.location.segment].names(tied.location.position)
        )
    return neighbours[:k]
