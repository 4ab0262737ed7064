"""Within which distances a key must be to at least one query, so that its cost can be low enough.

Costs are sums of terms: a query of a group whose costs are summed, or a whole group of which the least cost counts. If
a key has more than its share of a sum in every term, then it has more than the sum. So a key can only reach a cost if
at least one term is within its share. Where the costs of a term rise with the distance, its share is a distance, and a
scan for the keys within it finds nearly all of the work done by comparing bits.

Other terms, as those of negative queries, are known to be no lower than their least value. They get that, and what is
left of the sum is divided evenly between the terms that rise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clipdex_indexes.arrays import Int32s, Ints, Keys

_LEAST, _GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Term(NamedTuple):
    """A part of a cost: the least of the costs of some queries.

    Attributes
    ----------
    queries
        uint8 ``[q, bytes]``.
    costs
        The cost of each distance to each query, int64 ``[q, bits + 1]``.
    """

    queries: Keys
    costs: Ints

    @property
    def rises(self) -> bool:
        """Whether no farther key has a lower cost."""
        return bool((np.diff(self.costs, axis=1) >= 0).all())


class CostLimits:
    """The limits of the queries by which keys are found that can have a cost.

    Parameters
    ----------
    terms
        What a cost is the sum of.
    rest
        What is added to it, at least.

    Attributes
    ----------
    queries
        The queries to compare with, uint8 ``[q, bytes]``; none where no term rises: then every key can have any cost.
    """

    def __init__(self, terms: Sequence[Term], rest: int) -> None:
        self._rising = [term for term in terms if term.rises]
        self._rest = rest + sum(int(term.costs.min()) for term in terms if not term.rises)
        width = terms[0].queries.shape[1] if terms else 0
        self.queries: Keys = np.concatenate([term.queries for term in self._rising] or [np.empty((0, width), np.uint8)])

    def of(self, cost: int) -> Int32s:
        """Return for each query the greatest distance, int32 ``[q]``: a key that costs at most ``cost`` is in one.

        A query that no key needs to be near has -1.
        """
        if not self._rising:
            return np.empty(0, np.int32)
        # If every term is above its share, then the sum of whole numbers is above the cost.
        share = -(-(cost + 1 - self._rest) // len(self._rising)) - 1
        share = min(max(share, _LEAST), _GREATEST)
        limits = [np.searchsorted(row, share, "right") - 1 for term in self._rising for row in term.costs]
        return np.array(limits, np.int32)
