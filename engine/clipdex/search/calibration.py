"""What a distance is worth: tables that make the distances of different queries comparable.

The distances of a text query are all larger than those of an image query, and each query spreads them differently. How
a distance compares with the others of the same query is seen from how many items are at each distance; that is counted
over all items and not over a sample, so the tables are exact and the same whatever the segments. A Hamming distance is
one of few whole numbers, so a table of ``bits + 1`` values holds everything. Lower is nearer in all of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Reciprocal rank fusion weighs the first places about alike; 60 is the value of Cormack, Clarke and Buettcher.
FUSION_CONSTANT = 60


def z_scores(counts: Ints) -> Floats:
    """Return how many standard deviations each distance is above the mean, float64 ``[bits + 1]``.

    Montague and Aslam 2001, "Relevance score normalization for metasearch" (zero mean, unit variance). A deviation
    below one bit counts as one bit.

    Parameters
    ----------
    counts
        How many items are at each distance, int64 ``[bits + 1]``.
    """
    # Python's integers: the sums are exact at any number of items.
    number = max(1, int(counts.sum()))
    total = sum(distance * int(count) for distance, count in enumerate(counts))
    squares = sum(distance * distance * int(count) for distance, count in enumerate(counts))
    deviation = max(1.0, ((number * squares - total * total) / number**2) ** 0.5)
    scores: Floats = (np.arange(len(counts)) - total / number) / deviation
    return scores


def tail_scores(counts: Ints) -> Floats:
    """Return each distance on the scale of the near tail, float64 ``[bits + 1]``: 0 at the median, -1 at the first 1 %.

    The nearest items of two queries then get about the same values, whatever the shape of the rest, so that each query
    has its share of the hits. A tail shorter than one bit counts as one bit.

    Parameters
    ----------
    counts
        As for ``z_scores``.
    """
    up_to = np.cumsum(counts)
    median = int(np.searchsorted(up_to, (up_to[-1] + 1) // 2)) if up_to[-1] else 0
    tail = int(np.searchsorted(up_to, -(-up_to[-1] // 100))) if up_to[-1] else 0
    return (np.arange(len(counts)) - median) / max(1, median - tail)


def places(counts: Ints) -> Ints:
    """Return the place of an item at each distance, int64 ``[bits + 1]``, from 1; equal distances share one."""
    return np.cumsum(counts) - counts + 1


def fusion_scores(counts: Ints) -> Floats:
    """Return ``-1 / (60 + place)`` for each distance, float64 ``[bits + 1]``.

    Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods". Nothing is cut off: every item has its place.

    Parameters
    ----------
    counts
        As for ``z_scores``.
    """
    return -1.0 / (FUSION_CONSTANT + places(counts))
