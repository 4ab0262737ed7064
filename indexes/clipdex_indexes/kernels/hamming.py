"""The exact k nearest keys by Hamming distance, in order of position among equal distances.

FAISS runs a single query on one thread, and promises no order among equal distances, which the k-th place nearly always
has. So FAISS only helps to find the keys of a block that are within a bound (``kernels.matching``), and NumPy keeps the
nearest of them:

- A sample of the keys, taken in even steps, gives the first upper bound on the distance of the k-th nearest.
- The rows of all arrays are dealt out to a pool of threads in chunks. The threads share the bound. They count at which
  distances they found keys, and lower it together.
- Rows are read in order of position, so that of equal distances the first win.
- Rows that a mask leaves out are dropped before they count among the k or lower the bound. Where a mask selects few
  rows, only those are gathered and compared.

This takes little longer than reading the keys, whatever k is. The answer does not depend on the sample, the arrays, the
chunks and the threads.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from clipdex_indexes.arrays import Bools, Int32s, Keys, Masks
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.matching import matcher_for
from clipdex_indexes.kernels.neighbours import Near, Neighbours
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Piece, Rows, ScanSizes
from clipdex_indexes.kernels.threads import run_all

_SAMPLED_DISTANCES_AT_ONCE = 1 << 20


def nearest(
    arrays: Sequence[Keys], queries: Keys, k: int, masks: Masks | None = None, sizes: ScanSizes = DEFAULT_SIZES
) -> list[list[Neighbours]]:
    """Find the k nearest keys of each array for each query, exactly.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``, C-contiguous.
    queries
        uint8 ``[q, bytes]``.
    k
        At least 1; a k above the number of keys gives all of them.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.
    sizes
        How the work is cut up.

    Returns
    -------
    list of list of Neighbours
        ``[query][array]``, each of min(k, number of keys that count) keys. Equal distances are in order of position,
        also at the k-th place.
    """
    by_array = [
        candidates([keys], queries, k, None if masks is None else [masks[number]], sizes)
        for number, keys in enumerate(arrays)
    ]
    return [[of_array[query] for of_array in by_array] for query in range(len(queries))]


def candidates(
    arrays: Sequence[Keys], queries: Keys, k: int, masks: Masks | None = None, sizes: ScanSizes = DEFAULT_SIZES
) -> list[Neighbours]:
    """Find for each query a small superset of the k nearest keys of all arrays, exactly.

    The caller chooses between equal distances of different arrays. So the superset holds every key that is nearer than
    the k-th nearest. Where n keys are nearer, k - n places are left for the keys that are as far as the k-th. The
    superset holds the first k - n of those from each array. Of a single array, the candidates are the k nearest.

    The parameters are those of ``nearest``.

    Returns
    -------
    list of Neighbours
        For each query at least min(k, number of keys that count) keys.
    """
    queries = np.ascontiguousarray(queries)
    rows = Rows(arrays, masks)
    scan = _Scan(rows, k, 8 * queries.shape[1], sizes)
    blocks = sizes.query_blocks(queries)
    bounds = [scan.first_bounds(block) for block in blocks]  # shared by the threads

    def run(chunk: list[Piece]) -> list[list[Near]]:
        return [scan.near_in(chunk, block, bound) for block, bound in zip(blocks, bounds, strict=True)]

    parts = run_all(run, rows.chunks(sizes), here=sizes.is_small(len(queries), len(rows)))
    answer: list[Neighbours] = []
    for number, block in enumerate(blocks):
        near, _ = scan.best([near for part in parts for near in part[number]], len(block))
        answer += near.by_query(len(block), rows)
    return answer


class _Bounds:
    """Upper bounds on the k-th distance of each query, which threads lower together as they find keys.

    Attributes
    ----------
    distances
        The bounds, int32 ``[q]``; a bound of ``bits + 1``, which no distance reaches, means that nothing is known.
    rows
        How many rows were looked at, roughly: threads may undo each other's additions.
    """

    def __init__(self, queries: int, k: int, bits: int) -> None:
        self.distances: Int32s = np.full(queries, bits + 1, np.int32)
        self.rows = 0
        self._k = k
        self._counts = np.zeros((queries, bits + 1), np.int64)
        self._lock = threading.Lock()

    def start(self, distances: Int32s, rows: int) -> None:
        """Begin with the k-th distances of a sample of so many rows."""
        self.distances, self.rows = distances, rows

    def count(self, parts: Sequence[Near]) -> None:
        """Count keys, each of which is counted once; where k are within a distance, the k-th is."""
        shape = self._counts.shape
        numbers = np.concatenate([part.queries * shape[1] + part.distances for part in parts])
        counts = np.bincount(numbers, minlength=self._counts.size).reshape(shape)
        with self._lock:
            self._counts += counts
            are_enough = self._counts.cumsum(axis=1) >= self._k
            known = np.flatnonzero(are_enough[:, -1])
            lower = self.distances.copy()
            lower[known] = np.minimum(lower[known], are_enough[known].argmax(axis=1))
            self.distances = lower


class _Scan:
    """One search for the k nearest: its rows, its k, and the steps that it is made of."""

    def __init__(self, rows: Rows, k: int, bits: int, sizes: ScanSizes) -> None:
        self._rows = rows
        self._k = min(k, max(len(rows), 1))
        self._bits = bits
        self._sizes = sizes

    def first_bounds(self, queries: Keys) -> _Bounds:
        """Return upper bounds on the k-th distance of each query, from a sample of the rows."""
        bounds = _Bounds(len(queries), self._k, self._bits)
        sample = self._rows.sample(self._k, self._sizes)
        if len(sample) >= self._k:
            kth: list[int] = []
            at_once = max(1, _SAMPLED_DISTANCES_AT_ONCE // len(sample))
            for first in range(0, len(queries), at_once):
                distances = distances_to(sample, queries[first : first + at_once])
                # Counting is several times as fast as a partition.
                kth += [int(np.searchsorted(np.bincount(row).cumsum(), self._k)) for row in distances]
            bounds.start(np.array(kth, np.int32), len(sample))
        return bounds

    def near_in(self, chunk: list[Piece], queries: Keys, bounds: _Bounds) -> list[Near]:
        """Find a superset of the keys of a chunk that are among the k nearest; this lowers the bounds."""
        count = len(queries)
        kernel = self._sizes.kernel_for(count, self._rows)
        most_rows = min(self._sizes.block_rows(count, kernel), sum(piece.end - piece.start for piece in chunk))
        matcher = matcher_for(queries, kernel, most_rows)
        limit = np.full(count, self._bits + 1, np.int32)
        parts: list[Near] = []
        pending, most = 0, count * (2 * self._k + 64)
        counted = uncounted = 0
        for block in self._rows.blocks(chunk, count, lambda: min(most_rows, max(self._sizes.first_rows, bounds.rows))):
            near = Near.in_block(matcher, block, np.minimum(bounds.distances, limit))
            bounds.rows += block.size
            if not len(near):
                continue
            parts.append(near)
            pending += len(near)
            uncounted += len(near)
            if pending > most or uncounted > count * self._k:
                bounds.count(parts[counted:])
                counted, uncounted = len(parts), 0
            if pending > most:
                best, kth = self.best(parts, count)
                parts, pending, counted = [best], len(best), 1
                # Of several arrays more than k may stay, when many tie: sort again when there are twice as many.
                most = max(most, 2 * pending)
                # Later keys of the same array that are as far as the k-th lose against the earlier ones.
                limit = kth - 1 if len(self._rows.arrays) == 1 else kth
        return parts

    def best(self, parts: list[Near], count: int) -> tuple[Near, Int32s]:
        """Keep the keys that can be among the k nearest of each of ``count`` queries.

        Parts come as ``Near.joined`` takes them. Returned are the kept keys, sorted, and the k-th distance of each
        query, int32 ``[count]``: ``bits + 1`` for a query that has fewer than k keys.
        """
        near = Near.joined(parts, self._bits)
        starts = np.searchsorted(near.queries, np.arange(count + 1))
        enough = np.diff(starts) >= self._k
        kth = np.full(count, self._bits + 1, np.int32)
        kth[enough] = near.distances[starts[:-1][enough] + self._k - 1]
        if len(self._rows.arrays) == 1:
            return near.chosen(np.arange(len(near)) - starts[near.queries] < self._k), kth
        near = near.chosen(near.distances <= kth[near.queries])
        return near.chosen(self._can_win(near, kth)), kth

    def _can_win(self, near: Near, kth: Int32s) -> Bools:
        """Mark the keys that can be among the k nearest: of those as far as the k-th, only the first of each array."""
        tied = near.distances == kth[near.queries]
        room = self._k - np.bincount(near.queries[~tied], minlength=len(kth))
        at = np.flatnonzero(tied)
        group = near.queries[at] * len(self._rows.arrays) + self._rows.arrays_of(near.rows[at])
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        numbers = np.arange(len(at)) - np.repeat(begins, np.diff(begins, append=len(at)))
        wins: Bools = ~tied
        wins[at] = numbers < room[near.queries[at]]
        return wins
