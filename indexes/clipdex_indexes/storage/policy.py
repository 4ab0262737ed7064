"""Which segments a commit writes anew, so that few segments and few removed items are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Extent(NamedTuple):
    """A segment as the policy sees it: how many items it has, and how many of them are not removed."""

    items: int
    live: int


def to_rewrite(segments: Sequence[Extent], added: int) -> set[int]:
    """Choose the segments to write into a new one, together with the items that are added.

    Those with more than half of their items removed and, smallest first, as many others as it takes that what is left
    more than doubles in size from one segment to the next. There are then at most log2(items) segments, and an item is
    rewritten about as often. Removing items from a segment does not change its size here until half of them are gone:
    a few removals never rewrite a large segment.

    Parameters
    ----------
    segments
        The segments that there are.
    added
        Number of items that are new, and written anyway.

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
        for place in range(count, len(rest)):
            size = segments[rest[place]].items
            if size <= 2 * smaller:
                end = place + 1
            smaller = max(smaller, size)
        if end == count:
            return chosen | set(rest[:count])
        written += sum(segments[number].live for number in rest[count:end])
        count = end
