"""The lowest keys by costs that depend on how many keys are at each distance, mostly in one pass over the keys.

Such costs are known when all keys are counted, and then a second pass finds the lowest. The pass that counts has all
distances at hand. So it guesses the costs from a sample, and keeps the keys that are within a little more than the
limits of the guessed costs (``kernels.cost_limits``).

The exact costs of the kept keys give an upper bound on the k-th lowest cost of all. A key that reaches it must be
within a limit of the exact costs. If no such limit is above what was kept, then the kept keys hold the answer, whatever
was guessed. Otherwise the second pass finds it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from clipdex_indexes.arrays import Bools, Int32s, Ints, Keys, Masks
from clipdex_indexes.kernels.costs import (
    SAMPLED,
    Group,
    Lowest,
    block_rows_to_count,
    count_distances,
    joined,
    kth_lowest,
    limits_of,
    lowest,
)
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.pieces import blocks_of, over_pieces
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Rows, ScanSizes

# Bits that the limits are widened by: those of the exact costs are a little different.
_WIDENED = 1
# Where a sample has fewer keys, nothing can be guessed: limits are no less than the distance that so many are within.
_KNOWN = 16
# What is kept is about half of what the first limits promise, because they fall.
_PROMISED = 2

MakeGroups = Callable[[Ints], Sequence[Group]]


class Counted(NamedTuple):
    """What one search found.

    Attributes
    ----------
    counts
        How many keys are at each distance from each query, int64 ``[q, bits + 1]``.
    lowest
        ``[array]``: what ``costs.lowest`` returns for the groups that the counts make.
    """

    counts: Ints
    lowest: list[Lowest]


def count_and_lowest(
    arrays: Sequence[Keys],
    queries: Keys,
    groups_of: MakeGroups,
    k: int,
    masks: Masks | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> Counted:
    """Count the keys at each distance, and find the keys whose costs by these counts are lowest.

    Parameters
    ----------
    arrays, masks, sizes
        As of ``costs.count_distances``.
    queries
        uint8 ``[q, bytes]``.
    groups_of
        Makes at least one group of the counts. The queries of the groups are among ``queries``.
    k
        As of ``costs.lowest``.
    """
    rows = Rows(arrays, masks)
    sample = rows.sample(SAMPLED * k, sizes)
    if len(sample) < k:
        counts = count_distances(arrays, queries, masks, sizes)
        return Counted(counts, lowest(arrays, groups_of(counts), k, masks, sizes))
    guessed = count_distances([sample], queries, sizes=sizes)
    scan = _Scan(queries, k, sizes)
    scan.start(sample, guessed, groups_of(guessed * len(rows) // len(sample)), len(rows))
    parts = over_pieces(rows, len(queries), sizes, scan.count_and_keep)
    counts = np.sum([part.counts for _, part in parts], axis=0)
    groups = groups_of(counts)
    found = scan.lowest_of(parts, groups, len(arrays))
    return Counted(counts, lowest(arrays, groups, k, masks, sizes) if found is None else found)


class _Part(NamedTuple):
    """What is counted and kept of a piece.

    Attributes
    ----------
    counts
        int64 ``[q, bits + 1]``.
    limits
        The least limits that were used, int32 ``[q]``: every key that is within one of them is kept.
    positions, distances
        Of the keys that are kept, int64 ``[m]`` and int32 ``[q, m]``.
    """

    counts: Ints
    limits: Int32s
    positions: Ints
    distances: Int32s


class _Scan:
    """One pass that counts all keys, and keeps those that can have a low cost."""

    def __init__(self, queries: Keys, k: int, sizes: ScanSizes) -> None:
        self._queries = queries
        self._k = k
        self._sizes = sizes
        self._bits = 8 * queries.shape[1]
        self._numbers = {key.tobytes(): number for number, key in enumerate(queries)}
        self._room = sizes.most_found // max(len(queries), 1)
        self._lock = threading.Lock()

    def start(self, sample: Keys, counts: Ints, guess: Sequence[Group], rows: int) -> None:
        """Begin with the limits of guessed groups, and with a sample of so many rows and its counts."""
        self._guess = guess
        self._cost_limits = limits_of(guess)
        self._limited = self._numbers_of(self._cost_limits.queries)
        self._lowest = np.empty(0, np.int64)
        up_to = counts.cumsum(axis=1)[self._limited]
        self._least = np.argmax(up_to >= _KNOWN, axis=1)
        self._bound = kth_lowest(sample, self._guess, self._k, self._sizes)
        self._limits = self._widened()
        limits = np.minimum(self._limits[self._limited], self._bits)
        near = int(up_to[np.arange(len(limits)), limits].sum())
        if near * rows > _PROMISED * self._room * len(sample):
            self._room = -1

    def lowest_of(
        self, parts: Sequence[tuple[int, _Part]], groups: Sequence[Group], arrays: int
    ) -> list[Lowest] | None:
        """Return of each array the lowest keys by the exact groups; None where what was kept may lack some."""
        if self._room < 0:
            return None
        costs = [self._costs(groups, part.distances) for _, part in parts]
        every = np.concatenate(costs)
        if len(every) < self._k:
            return None
        kth = int(np.partition(every, self._k - 1)[self._k - 1])
        limits = limits_of(groups)
        used = np.min([part.limits for _, part in parts], axis=0)[self._numbers_of(limits.queries)]
        if not len(used) or (limits.of(kth) > used).any():
            return None
        by_array: list[list[Lowest]] = [[] for _ in range(arrays)]
        for (number, part), of_part in zip(parts, costs, strict=True):
            low = of_part <= kth
            by_array[number].append(Lowest(of_part[low], part.positions[low]))
        return [joined(some, self._k) for some in by_array]

    def count_and_keep(self, keys: Keys, mask: Bools | None, first: int) -> _Part:
        """Count the keys of a piece, and keep those within the limits, with positions from ``first`` on."""
        count = len(self._queries)
        counts = np.zeros((count, self._bits + 1), np.int64)
        used = np.full(count, self._bits, np.int32)
        positions, kept = [np.empty(0, np.int64)], [np.empty((count, 0), np.int32)]
        for numbers, block in blocks_of(keys, mask, block_rows_to_count(count, self._sizes)):
            distances = distances_to(block, self._queries)
            for number, row in enumerate(distances):
                counts[number] += np.bincount(row, minlength=self._bits + 1)
            if self._room < 0 or not self._limited:
                continue
            limits = self._limits
            used = np.minimum(used, limits)
            at = self._near(distances, limits)
            if len(at):
                positions.append(numbers[at] + first)
                kept.append(distances.take(at, axis=1))
                self._note(kept[-1])
        return _Part(counts, used, np.concatenate(positions), np.concatenate(kept, axis=1))

    def _note(self, distances: Int32s) -> None:
        """Count keys that are kept, and lower the bound on the k-th lowest guessed cost, and with it the limits."""
        costs = self._costs(self._guess, distances)
        costs = costs[costs < self._bound]
        with self._lock:
            self._room -= distances.shape[1]
            if not len(costs):
                return
            self._lowest = np.concatenate([self._lowest, costs])
            if len(self._lowest) >= self._k:
                self._lowest = np.partition(self._lowest, self._k - 1)[: self._k]
                bound = int(self._lowest.max())
                if bound < self._bound:
                    self._bound = bound
                    self._limits = self._widened()

    def _near(self, distances: Int32s, limits: Int32s) -> Ints:
        """Return the numbers of the keys that are within a limit."""
        return np.flatnonzero(np.logical_or.reduce([distances[number] <= limits[number] for number in self._limited]))

    def _widened(self) -> Int32s:
        limits = np.full(len(self._queries), -1, np.int32)
        limits[self._limited] = np.maximum(self._cost_limits.of(self._bound), self._least) + _WIDENED
        return limits

    def _costs(self, groups: Sequence[Group], distances: Int32s) -> Ints:
        total = np.zeros(distances.shape[1], np.int64)
        for group in groups:
            numbers = self._numbers_of(group.queries)
            total += group.combine(
                np.stack([row.take(distances[number]) for row, number in zip(group.costs, numbers, strict=True)])
            )
        return total

    def _numbers_of(self, queries: Keys) -> list[int]:
        return [self._numbers[query.tobytes()] for query in queries]
