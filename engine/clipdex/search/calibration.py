"""Tables that make the distances of different queries comparable.

The distances of a text query are larger than those of an image query, and every query spreads them differently. The
number of items at each distance shows how a distance compares with the others of its query. All items are counted, not
a sample, so the tables are exact and do not depend on the segments. A Hamming distance is a whole number from 0 to
``bits``, so a table of ``bits + 1`` values is enough. In every table, lower is nearer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# The constant of reciprocal rank fusion that Cormack, Clarke and Buettcher use.
FUSION_CONSTANT = 60


def z_scores(counts: Ints) -> Floats:
    """Return the z-score of each distance, float64 ``[bits + 1]``: standard deviations above the mean.

    Montague and Aslam 2001, "Relevance score normalization for metasearch" (zero mean, unit variance). A deviation
    below one bit counts as one bit.

    Parameters
    ----------
    counts
        Number of items at each distance, int64 ``[bits + 1]``.
    """
    # Python's integers: the sums are exact at any number of items.
    number = max(1, int(counts.sum()))
    total = sum(distance * int(count) for distance, count in enumerate(counts))
    squares = sum(distance * distance * int(count) for distance, count in enumerate(counts))
    deviation = max(1.0, ((number * squares - total * total) / number**2) ** 0.5)
    scores: Floats = (np.arange(len(counts)) - total / number) / deviation
    return scores


def tail_scores(counts: Ints) -> Floats:
    """Return the tail score of each distance, float64 ``[bits + 1]``: 0 at the median, -1 at the first percentile.

    The nearest items of two queries get about the same scores, whatever the shape of the rest, so each query gets its
    share of the hits. A tail shorter than one bit counts as one bit.

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
    """Return the rank of an item at each distance, int64 ``[bits + 1]``, from 1; equal distances share a rank."""
    return np.cumsum(counts) - counts + 1


def fusion_scores(counts: Ints) -> Floats:
    """Return ``-1 / (60 + rank)`` for each distance, float64 ``[bits + 1]``.

    Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods". Every item has a rank: nothing is cut off.

    Parameters
    ----------
    counts
        As for ``z_scores``.
    """
    return -1.0 / (FUSION_CONSTANT + places(counts))
