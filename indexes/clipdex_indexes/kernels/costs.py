"""The exact k lowest keys by a cost that is made of their distances to several queries, over every key.

The k nearest of each query alone do not show which keys are good for all queries, or far from some. So every key is
compared with the queries. A distance is a whole number of bits, so its cost is looked up in a table of the query. Costs
are int64, so that sums are exact and the answer is the same whatever the blocks and threads.

Few keys need a cost. The k-th lowest cost of a sample, and then of what was found, is an upper bound that the threads
share. ``kernels.cost_limits`` turns it into distances: a key that is farther from every query costs more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipdex_indexes.arrays import Bools, Ints, Keys, Masks, take_rows
from clipdex_indexes.kernels.cost_limits import CostLimits, Term
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.matching import AllMatcher
from clipdex_indexes.kernels.pieces import blocks_of, over_pieces
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Rows, ScanSizes

# A sample for so many times k gives a bound that few keys reach: a cost takes longer than a distance.
SAMPLED = 64

Joining = Literal["min", "max", "sum"]


@dataclass(frozen=True, slots=True)
class Group:
    """Queries whose costs are made one: the least, the greatest, or their sum.

    Attributes
    ----------
    queries
        Hash keys, uint8 ``[q, bytes]``, q at least 1.
    costs
        The cost of each distance to each query, int64 ``[q, bits + 1]``. Sums over all groups must fit into int64.
    rule
        ``min``, ``max`` or ``sum``.
    """

    queries: Keys
    costs: Ints
    rule: Joining

    def combine(self, costs: Ints) -> Ints:
        """Return one cost for each key, int64 ``[n]``, from its cost for each query, ``[q, n]``."""
        rule = {"min": np.minimum, "max": np.maximum, "sum": np.add}[self.rule]
        combined: Ints = rule.reduce(costs, axis=0)
        return combined

    def terms(self) -> tuple[list[Term], int]:
        """Return what the cost of a key is the sum of, and the least that is added: of the greatest cost, no more."""
        if self.rule == "sum":
            return [Term(self.queries[at : at + 1], self.costs[at : at + 1]) for at in range(len(self.queries))], 0
        if self.rule == "min":
            return [Term(self.queries, self.costs)], 0
        return [], int(self.costs.min(axis=1).max())


@dataclass(frozen=True, slots=True)
class Lowest:
    """The keys of one array with the lowest costs, by cost, then position.

    Attributes
    ----------
    costs, positions
        int64 ``[m]``, with m = min(k, number of keys that count).
    """

    costs: Ints
    positions: Ints


def block_rows_to_count(queries: int, sizes: ScanSizes) -> int:
    """Return the rows of a block whose distances are counted: NumPy makes int64 of them, which are twice as large."""
    return sizes.block_rows(2 * queries)


def count_distances(
    arrays: Sequence[Keys], queries: Keys, masks: Masks | None = None, sizes: ScanSizes = DEFAULT_SIZES
) -> Ints:
    """Count how many keys are at each distance from each query.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``.
    queries
        uint8 ``[q, bytes]``.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.
    sizes
        How the work is cut up.

    Returns
    -------
    int64 ``[q, bits + 1]``.
    """
    bits = 8 * queries.shape[1]

    def run(keys: Keys, mask: Bools | None, _first: int) -> Ints:
        counts = np.zeros((len(queries), bits + 1), np.int64)
        for _, block in blocks_of(keys, mask, block_rows_to_count(len(queries), sizes)):
            for number, distances in enumerate(distances_to(queries, block).T):
                counts[number] += np.bincount(distances, minlength=bits + 1)
        return counts

    total = np.zeros((len(queries), bits + 1), np.int64)
    for _, part in over_pieces(Rows(arrays, masks), len(queries), sizes, run):
        total += part
    return total


def count_costs(
    arrays: Sequence[Keys],
    groups: Sequence[Group],
    edges: Ints,
    masks: Masks | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> Ints:
    """Count how many keys have costs, summed over the groups, between edges.

    Parameters
    ----------
    arrays, masks, sizes
        As of ``count_distances``.
    groups
        At least one.
    edges
        int64 ``[n + 1]``, ascending.

    Returns
    -------
    int64 ``[n]``: the number of costs from each edge up to the next one, without that. Others are not counted.
    """

    def run(keys: Keys, mask: Bools | None, _first: int) -> Ints:
        counts = np.zeros(len(edges) + 1, np.int64)
        for _, block in blocks_of(keys, mask, sizes.block_rows(_queries_in(groups))):
            places = np.searchsorted(edges, _costs(block, groups), side="right")
            counts += np.bincount(places, minlength=len(counts))
        return counts

    total = np.zeros(len(edges) + 1, np.int64)
    for _, part in over_pieces(Rows(arrays, masks), _queries_in(groups), sizes, run):
        total += part
    return total[1:-1]


def cost_range(
    arrays: Sequence[Keys], groups: Sequence[Group], masks: Masks | None = None, sizes: ScanSizes = DEFAULT_SIZES
) -> tuple[int, int] | None:
    """Return the lowest and the highest cost, summed over the groups; None where no key counts.

    The parameters are those of ``count_costs``.
    """

    def run(keys: Keys, mask: Bools | None, _first: int) -> list[int]:
        costs = (_costs(block, groups) for _, block in blocks_of(keys, mask, sizes.block_rows(_queries_in(groups))))
        return [end for block in costs for end in (int(block.min()), int(block.max()))]

    parts = over_pieces(Rows(arrays, masks), _queries_in(groups), sizes, run)
    ends = [end for _, found in parts for end in found]
    return (min(ends), max(ends)) if ends else None


def lowest(
    arrays: Sequence[Keys],
    groups: Sequence[Group],
    k: int,
    masks: Masks | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> list[Lowest]:
    """Find a small superset of the k keys of all arrays whose costs, summed over the groups, are lowest.

    The caller chooses between equal costs of different arrays. So the superset holds of each array those of its k
    lowest keys that can be among the k lowest of all.

    Parameters
    ----------
    arrays, masks, sizes
        As of ``count_distances``.
    groups
        At least one.
    k
        At least 1; a k above the number of keys gives all of them.

    Returns
    -------
    list of Lowest
        ``[array]``. Equal costs are in order of position, also at the k-th place of an array.
    """
    rows = Rows(arrays, masks)
    scan = _Scan(groups, k, sizes)
    sample = rows.sample(SAMPLED * k, sizes)
    if len(sample) >= k:
        scan.lower(kth_lowest(sample, groups, k, sizes))
    by_array: list[list[Lowest]] = [[] for _ in arrays]
    for number, part in over_pieces(rows, _queries_in(groups), sizes, scan.lowest_in):
        by_array[number].append(part)
    return [joined(parts, k) for parts in by_array]


def limits_of(groups: Sequence[Group]) -> CostLimits:
    """Return the limits of the distances within which keys can have a cost, summed over the groups."""
    terms = [group.terms() for group in groups]
    return CostLimits([term for some, _ in terms for term in some], sum(rest for _, rest in terms))


def kth_lowest(keys: Keys, groups: Sequence[Group], k: int, sizes: ScanSizes) -> int:
    """Return the k-th lowest cost of at least k keys."""
    most = sizes.block_rows(_queries_in(groups))
    costs = np.concatenate([_costs(keys[start : start + most], groups) for start in range(0, len(keys), most)])
    return int(np.partition(costs, k - 1)[k - 1])


class _Scan:
    """One search for the k lowest costs, and the bound on the k-th that its threads lower together."""

    def __init__(self, groups: Sequence[Group], k: int, sizes: ScanSizes) -> None:
        self._groups = groups
        self._k = k
        self._bound: int | None = None
        self._limits = limits_of(groups)
        self._most_rows = sizes.block_rows(_queries_in(groups))

    def lowest_in(self, keys: Keys, mask: Bools | None, first: int) -> Lowest:
        """Return the lowest of the keys that count, with positions from ``first`` on."""
        best = joined([], self._k)
        matcher = AllMatcher(self._limits.queries, min(self._most_rows, len(keys)))
        for positions, block in blocks_of(keys, mask, self._most_rows):
            bound = self._bound
            if bound is not None and len(self._limits.queries):
                _, near, _ = matcher.within([block], self._limits.of(bound))
                at = near[np.diff(near, prepend=-1) > 0]  # the keys ascend, and are there once for each query
                positions, block = positions[at], take_rows(block, at)
            costs = _costs(block, self._groups)
            low = np.ones(len(costs), np.bool_) if bound is None else costs <= bound
            if len(best.costs) == self._k:  # an equal cost that comes later loses
                low &= costs < best.costs[-1]
            if low.any():
                best = joined([best, Lowest(costs[low], positions[low] + first)], self._k)
                if len(best.costs) == self._k:
                    self.lower(int(best.costs[-1]))
        return best

    def lower(self, cost: int) -> None:
        """Lower the bound to a cost that at least k keys reach."""
        # Threads may undo each other's changes here. The bound is then higher than it could be, and still true.
        self._bound = cost if self._bound is None else min(self._bound, cost)


def _queries_in(groups: Sequence[Group]) -> int:
    return sum(len(group.queries) for group in groups)


def _costs(keys: Keys, groups: Sequence[Group]) -> Ints:
    total = np.zeros(len(keys), np.int64)
    for group in groups:
        distances = distances_to(keys, group.queries)
        total += group.combine(np.take_along_axis(group.costs, distances, axis=1))
    return total


def joined(parts: Sequence[Lowest], k: int) -> Lowest:
    """Return the k lowest of all parts of an array."""
    nothing = np.empty(0, np.int64)
    costs = np.concatenate([part.costs for part in parts] or [nothing])
    positions = np.concatenate([part.positions for part in parts] or [nothing])
    order = np.lexsort((positions, costs))[:k]
    return Lowest(costs[order], positions[order])
