"""A histogram of distances as the numbers of a drawing, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from clipdex.search.histogram import Histogram

WIDTH, HEIGHT = 720, 200
_MOST_BARS = 128


class Bar(NamedTuple):
    """The items at some distances: where it is drawn, and what it says."""

    x: float
    y: float
    width: float
    height: float
    first: int
    last: int
    items: int
    within: bool


class Chart(NamedTuple):
    """A drawing: bars, lines at powers of ten, where the hits end, and what there is to say.

    Heights are logarithms: the few near items would not be seen beside the many far ones.
    """

    bars: list[Bar]
    lines: list[tuple[float, int]]
    cut: float | None
    nearest: int | None
    farthest: int | None
    nearer: int
    median: int


def chart_of(histogram: Histogram, hits: Sequence[int]) -> Chart:
    """Return the drawing of a histogram.

    Parameters
    ----------
    histogram
        Of all items.
    hits
        The distances of the hits.
    """
    counts = histogram.distances
    step = -(-len(counts) // _MOST_BARS)
    farthest = max(hits, default=None)
    parts = [(start, min(start + step, len(counts)) - 1) for start in range(0, len(counts), step)]
    sums = [sum(counts[first : last + 1]) for first, last in parts]
    top = math.log10(1 + max([*sums, 9]))
    width = WIDTH / len(parts)

    def height(items: int) -> float:
        return round(HEIGHT * math.log10(1 + items) / top, 2)

    bars = [
        Bar(
            round(number * width, 2),
            HEIGHT - height(items),
            round(width * 0.86, 2),
            height(items),
            first,
            last,
            items,
            farthest is not None and first <= farthest,
        )
        for number, ((first, last), items) in enumerate(zip(parts, sums, strict=True))
        if items
    ]
    powers = [10**power for power in range(int(top) + 1)]
    return Chart(
        bars,
        [(HEIGHT - height(items), items) for items in powers],
        None if farthest is None else round((farthest + 1) / step * width, 2),
        min(hits, default=None),
        farthest,
        0 if farthest is None else sum(counts[: farthest + 1]),
        _median(counts),
    )


def _median(counts: Sequence[int]) -> int:
    half, passed = sum(counts) / 2, 0
    for distance, items in enumerate(counts):
        passed += items
        if items and passed >= half:
            return distance
    return 0
