"""The choice of the segments that a commit rewrites, which keeps segments and removed items few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Extent(NamedTuple):
    """The size of a segment: its items, removed ones too, and its items that are not removed."""

    items: int
    live: int


def to_rewrite(segments: Sequence[Extent], added: int) -> set[int]:
    """Choose the segments that are merged into a new one, together with the added items.

    A segment is rewritten when more than half of its items are removed, or when it is at most twice as large as the
    next smaller segment or as what is written anyway. All smaller segments are then rewritten too. So each remaining
    segment is more than twice as large as the next smaller one: there are at most log2(items) segments, and an item is
    rewritten about as often. Sizes here count removed items too, so that a few removals never rewrite a large segment.

    Parameters
    ----------
    segments
        The segments of the index.
    added
        Number of new items, which are written anyway.

    Returns
    -------
    set of int
        Numbers of the segments to rewrite.
    """
    chosen = {number for number, segment in enumerate(segments) if segment.live * 2 < segment.items}
    rest = sorted(set(range(len(segments))) - chosen, key=lambda number: segments[number].items)
    written = added + sum(segments[number].live for number in chosen)
    count = 0
    while True:
        end = count
        smaller = written
        for number in range(count, len(rest)):
            size = segments[rest[number]].items
            if size <= 2 * smaller:
                end = number + 1
            smaller = max(smaller, size)
        if end == count:
            return chosen | set(rest[:count])
        written += sum(segments[number].live for number in rest[count:end])
        count = end
