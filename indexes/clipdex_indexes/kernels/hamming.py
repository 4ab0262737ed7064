"""The exact k nearest keys by Hamming distance, in order of position among equal distances.

FAISS runs a single query on one thread, and promises no order among equal distances, which the k-th place nearly always
has. So FAISS only helps to find the keys of a block that are within a bound (``kernels.matching``), and NumPy keeps the
nearest of them:

- A sample of the keys, taken in even steps, gives the first upper bound on the distance of the k-th nearest.
- The rows of all arrays are dealt out to a pool of threads in chunks. The threads share the bound, and lower it as they
  find nearer keys.
- Rows are read in order of position, so that of equal distances the first win.
- Rows that a mask leaves out are dropped before they count among the k or lower the bound. Where a mask selects few
  rows, only those are gathered and compared.

This takes little longer than reading the keys, whatever k is. The answer does not depend on the sample, the arrays, the
chunks and the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipdex_indexes.arrays import Bools, Int32s, Keys, Masks
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.matching import matcher_for
from clipdex_indexes.kernels.neighbours import Near, Neighbours
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Piece, Rows, ScanSizes
from clipdex_indexes.kernels.threads import run_all


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
    bounds = [scan.first_bounds(block) for block in blocks]

    def run(chunk: list[Piece]) -> list[list[Near]]:
        return [scan.near_in(chunk, block, bound) for block, bound in zip(blocks, bounds, strict=True)]

    parts = run_all(run, rows.chunks(sizes), here=sizes.is_small(len(queries), len(rows)))
    answer: list[Neighbours] = []
    for number, block in enumerate(blocks):
        near, _ = scan.best([near for part in parts for near in part[number]], len(block))
        answer += near.by_query(len(block), rows)
    return answer


class _Scan:
    """One search for the k nearest: its rows, its k, and the steps that it is made of."""

    def __init__(self, rows: Rows, k: int, bits: int, sizes: ScanSizes) -> None:
        self._rows = rows
        self._k = min(k, max(len(rows), 1))
        self._bits = bits
        self._sizes = sizes

    def first_bounds(self, queries: Keys) -> Int32s:
        """Return an upper bound on the k-th distance of each query, int32 ``[q]``, from a sample of the rows.

        A bound of ``bits + 1``, which no distance reaches, means that the sample shows none.
        """
        nothing = np.full(len(queries), self._bits + 1, np.int32)
        sizes = self._sizes
        wanted = max(sizes.sampled_rows, sizes.sampled_for_each_of_k * self._k)
        if len(self._rows) < sizes.sampled_share * wanted:
            return nothing
        step, size = len(self._rows) // sizes.sampled_runs, -(-wanted // sizes.sampled_runs)
        taken = []
        for row in range(0, step * sizes.sampled_runs, step):
            number = int(self._rows.arrays_of(np.array([row]))[0])
            start = row - int(self._rows.starts[number])
            mask = self._rows.masks[number]
            keys = self._rows.arrays[number][start : start + size]
            taken.append(keys if mask is None else keys[mask[start : start + size]])
        sample = np.concatenate(taken)
        if len(sample) < self._k:
            return nothing
        distances = distances_to(sample, queries)
        distances.partition(self._k - 1, axis=1)
        bounds: Int32s = distances[:, self._k - 1].copy()
        return bounds

    def near_in(self, chunk: list[Piece], queries: Keys, bounds: Int32s) -> list[Near]:
        """Find a superset of the keys of a chunk that are among the k nearest.

        ``bounds`` has for each query an upper bound on the k-th distance over all chunks; this lowers it.
        """
        count = len(queries)
        kernel = self._sizes.kernel_for(count, len(self._rows))
        most_rows = min(self._sizes.block_rows(count, kernel), sum(piece.end - piece.start for piece in chunk))
        matcher = matcher_for(queries, kernel, most_rows)
        # Without a bound, most of the first rows are kept; they give one.
        first_rows = min(self._sizes.first_rows, most_rows) if int(bounds.max()) > self._bits else most_rows
        limit = np.full(count, self._bits + 1, np.int32)
        parts: list[Near] = []
        pending, most = 0, count * (2 * self._k + 64)
        for block in self._rows.blocks(chunk, count, most_rows, first_rows):
            near = Near.in_block(matcher, block, np.minimum(bounds, limit))
            if not len(near):
                continue
            parts.append(near)
            pending += len(near)
            if pending > most:
                best, kth = self.best(parts, count)
                parts, pending = [best], len(best)
                # Of several arrays more than k may stay, when many tie: sort again when there are twice as many.
                most = max(most, 2 * pending)
                # Threads may undo each other's changes here. A bound is then higher than it could be, and still true.
                np.minimum(bounds, kth, out=bounds)
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
