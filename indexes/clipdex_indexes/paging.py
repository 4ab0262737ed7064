"""Items by their number in item order, however many come before them: pages of an index.

Each segment is in item order, and a page may begin anywhere in the order of all. Where it begins in each segment is
found by bisection over the names of items, so a page takes the same time at any place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipdex_indexes.arrays import Bools, Masks
from clipdex_indexes.snapshot import Location, Snapshot
from clipdex_indexes.storage.segment import Segment
from clipdex_indexes.storage.table import ItemRow

_POSITIONS_AT_ONCE = 1 << 14


def count_passing(index: Snapshot, masks: Masks) -> int:
    """Count the items that ``Snapshot.selected`` returned."""
    return sum(_before(mask, segment.table.items) for segment, mask in zip(index.segments, masks, strict=True))


def page(index: Snapshot, masks: Masks, start: int, count: int) -> list[tuple[Location, ItemRow]]:
    """Return a run of items in item order.

    Parameters
    ----------
    index
        An open index.
    masks
        The items that count, as ``Snapshot.selected`` returns them.
    start
        How many of these come before the run, at least 0.
    count
        The most that are returned, at least 0.

    Returns
    -------
    list of Location, ItemRow
        Fewer than ``count`` at the end, and none after it.
    """
    found: list[tuple[Location, ItemRow]] = []
    begins = _begins(index.segments, masks, start)
    for number, (segment, mask, begin) in enumerate(zip(index.segments, masks, begins, strict=True)):
        positions = _next(mask, begin, segment.table.items, count)
        found += zip((Location(number, at) for at in positions), segment.table.rows(positions), strict=True)
    return sorted(found, key=lambda item: item[1].order)[:count]


def _begins(segments: Sequence[Segment], masks: Masks, start: int) -> list[int]:
    """Return for each segment the first position that is not among the first ``start`` items of all segments."""
    low, high = [0] * len(segments), [segment.table.items for segment in segments]
    while low != high:
        widest = max(range(len(segments)), key=lambda number: high[number] - low[number])
        middle = (low[widest] + high[widest]) // 2
        name = segments[widest].table.names(middle)
        cuts = [
            middle if number == widest else _bisect(segment, name, low[number], high[number])
            for number, segment in enumerate(segments)
        ]
        through = [cut + (number == widest) for number, cut in enumerate(cuts)]
        if sum(_before(mask, cut) for mask, cut in zip(masks, through, strict=True)) <= start:
            low = through
        else:
            high = cuts
    return low


def _bisect(segment: Segment, name: tuple[str, str], low: int, high: int) -> int:
    while low < high:
        middle = (low + high) // 2
        if segment.table.names(middle) < name:
            low = middle + 1
        else:
            high = middle
    return low


def _before(mask: Bools | None, position: int) -> int:
    return position if mask is None else int(np.count_nonzero(mask[:position]))


def _next(mask: Bools | None, begin: int, items: int, count: int) -> list[int]:
    if mask is None:
        return list(range(begin, min(begin + count, items)))
    found: list[int] = []
    while begin < items and len(found) < count:
        found += (np.flatnonzero(mask[begin : begin + _POSITIONS_AT_ONCE]) + begin).tolist()
        begin += _POSITIONS_AT_ONCE
    return found[:count]
