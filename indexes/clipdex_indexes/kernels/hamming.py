"""Exact Hamming top-k over hash keys, in item order among equal distances.

FAISS finds the keys of a block that are not farther than the k-th nearest so far (``match_hamming_thres``); NumPy keeps
the nearest of them. That takes little longer than reading the keys, whatever k is, and leaves nothing to chance: equal
distances are seen in order of position, and rows that a mask excludes are never candidates. The blocks are dealt out to
a pool of threads, which share the distance of the k-th nearest that any of them has found.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from clipdex_indexes.kernels.distances import NearKeys, distances_to

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Masks = Sequence[Bools | None]
Piece = tuple[int, int, int]  # number of the array, first row, end
# Rows that are compared at once: keys, which of them count (None: all), and their places (or that of the first).
_Block = tuple[Keys, "Bools | None", "int | Ints"]

_SMALLEST_CHUNK = 1 << 16
# Several chunks a thread even out the threads.
_CHUNKS_PER_THREAD = 4
_ONE_THREAD_BELOW = 1 << 15
# A single query reads each key once; several queries read the keys of a block again, from the cache.
_ROWS_OF_ONE_QUERY = 1 << 19
_ROWS_OF_SEVERAL = 1 << 14
_QUERIES_AT_ONCE = 64
_FIRST_ROWS = 1 << 11
# A sample shows what is near before anything is searched: rows at as many places, at least so many, and so many for
# each of k; where it is not more than one row of so many.
_SAMPLED_PLACES = 16
_SAMPLED_ROWS = 1 << 13
_SAMPLED_FOR_EACH_OF_K = 4
_SAMPLED_SHARE = 16
# Time, in nanoseconds, of fetching a row that is scattered in memory, of reading one among all, of one distance.
_FETCH, _READ, _COMPARE = 80, 3, 3


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The answer for one query in one array of keys, by distance, then position.

    Attributes
    ----------
    distances, positions
        int64 ``[m]``, with m = min(k, number of keys that count).
    """

    distances: Ints
    positions: Ints


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the k nearest of one query in several arrays are among, by distance, then array, then position.

    All keys that are nearer than the k-th, and of those that are as near, the first few of each array: as many as could
    be among the k nearest, whatever the order of the arrays.

    Attributes
    ----------
    distances, arrays, positions
        int64 ``[m]``, with m at least min(k, number of keys that count).
    """

    distances: Ints
    arrays: Ints
    positions: Ints


def available_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _pool() -> ThreadPoolExecutor:
    # Each worker is one thread: without this, FAISS would start a team of OpenMP threads in each of them.
    return ThreadPoolExecutor(
        available_threads(), thread_name_prefix="clipdex-search", initializer=lambda: faiss.omp_set_num_threads(1)
    )


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: a child that kept the pool would wait for them for ever.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def nearest(arrays: Sequence[Keys], queries: Keys, k: int, masks: Masks | None = None) -> list[list[Neighbours]]:
    """Find the k nearest keys of each array for each query, exactly.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``, C-contiguous.
    queries
        uint8 ``[q, bytes]``.
    k
        How many, at least 1; more than there are keys gives all of them.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.

    Returns
    -------
    list of list of Neighbours
        ``[query][array]``. Equal distances are in order of position, also at the k-th place.
    """
    by_array = [
        candidates([keys], queries, k, None if masks is None else [masks[number]]) for number, keys in enumerate(arrays)
    ]
    return [
        [Neighbours(one[query].distances, one[query].positions) for one in by_array] for query in range(len(queries))
    ]


def candidates(arrays: Sequence[Keys], queries: Keys, k: int, masks: Masks | None = None) -> list[Candidates]:
    """Find what the k nearest keys of all arrays are among, for each query, exactly.

    The parameters are those of ``nearest``. Of a single array, the candidates are its k nearest.
    """
    queries = np.ascontiguousarray(queries)
    scan = _Scan(arrays, masks, k, 8 * queries.shape[1])
    size = max(_SMALLEST_CHUNK, -(-scan.rows // (available_threads() * _CHUNKS_PER_THREAD)))
    chunks = list(_chunks([len(keys) for keys in arrays], size))
    blocks = [queries[first : first + _QUERIES_AT_ONCE] for first in range(0, len(queries), _QUERIES_AT_ONCE)]
    bounds = [scan.first_bounds(block) for block in blocks]
    most = max((len(block) * _rows_at_once(len(block)) for block in blocks), default=0)
    unused: list[NearKeys] = []

    def run(chunk: list[Piece]) -> list[list[_Near]]:
        try:
            near = unused.pop()
        except IndexError:
            near = NearKeys(most)
        found = [scan.near_in(chunk, block, bound, near) for block, bound in zip(blocks, bounds, strict=True)]
        unused.append(near)
        return found

    parts = list(map(run, chunks) if scan.rows * len(queries) < _ONE_THREAD_BELOW else _pool().map(run, chunks))
    answer: list[Candidates] = []
    for number, block in enumerate(blocks):
        near = scan.best([one for part in parts for one in part[number]], len(block))[0]
        cuts = np.searchsorted(near.queries, np.arange(1, len(block)))
        for distances, places in zip(np.split(near.distances, cuts), np.split(near.places, cuts), strict=True):
            owners = scan.arrays_of(places)
            answer.append(Candidates(distances.astype(np.int64), owners, places - scan.starts[owners]))
    return answer


def _rows_at_once(queries: int) -> int:
    return _ROWS_OF_ONE_QUERY if queries == 1 else _ROWS_OF_SEVERAL


def _chunks(lengths: Sequence[int], size: int) -> Iterator[list[Piece]]:
    """Deal rows out in chunks of ``size``, in order: parts of large arrays, or several small ones."""
    chunk: list[Piece] = []
    room = size
    for number, length in enumerate(lengths):
        start = 0
        while start < length:
            end = min(length, start + room)
            chunk.append((number, start, end))
            room -= end - start
            start = end
            if not room:
                yield chunk
                chunk, room = [], size
    if chunk:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Near:
    """Keys that are near to a block of queries: number of the query, distance, place; all ``[m]``.

    The place of a key counts the rows of all arrays, one after the other.
    """

    queries: npt.NDArray[np.intp]
    distances: npt.NDArray[np.int32]
    places: Ints


class _Scan:
    """One search: what is searched, and how many are wanted."""

    def __init__(self, arrays: Sequence[Keys], masks: Masks | None, k: int, bits: int) -> None:
        self.bits = bits
        self._arrays = arrays
        self._masks = masks if masks is not None else [None] * len(arrays)
        ends = np.cumsum([len(keys) for keys in arrays], dtype=np.int64)
        self.rows = int(ends[-1]) if len(arrays) else 0
        self.starts: Ints = np.concatenate([np.zeros(1, np.int64), ends])[: len(arrays)]
        self._k = min(k, max(self.rows, 1))

    def arrays_of(self, places: Ints) -> Ints:
        """Return the number of the array that each place is in."""
        if len(self._arrays) == 1:
            return np.zeros(len(places), np.int64)
        owners: Ints = np.searchsorted(self.starts, places, side="right") - 1
        return owners

    def first_bounds(self, queries: Keys) -> npt.NDArray[np.int32]:
        """Return for each query a distance that its k-th nearest is at most at, int32 ``[q]``, from a sample of rows.

        A distance that no key is at says that the sample did not show any.
        """
        nothing = np.full(len(queries), self.bits + 1, np.int32)
        wanted = max(_SAMPLED_ROWS, _SAMPLED_FOR_EACH_OF_K * self._k)
        if self.rows < _SAMPLED_SHARE * wanted:
            return nothing
        step, size = self.rows // _SAMPLED_PLACES, -(-wanted // _SAMPLED_PLACES)
        taken = []
        for place in range(0, step * _SAMPLED_PLACES, step):
            number = int(self.arrays_of(np.array([place]))[0])
            start = place - int(self.starts[number])
            mask = self._masks[number]
            keys = self._arrays[number][start : start + size]
            taken.append(keys if mask is None else keys[mask[start : start + size]])
        sample = np.concatenate(taken)
        if len(sample) < self._k:
            return nothing
        distances = distances_to(sample, queries)
        distances.partition(self._k - 1, axis=1)
        bounds: npt.NDArray[np.int32] = distances[:, self._k - 1].copy()
        return bounds

    def near_in(self, chunk: list[Piece], queries: Keys, bounds: npt.NDArray[np.int32], near: NearKeys) -> list[_Near]:
        """Find what may be among the k nearest in a chunk.

        ``bounds`` has for each query a distance that the k-th nearest of all chunks is at most at, and is lowered.
        """
        count = len(queries)
        block_rows = _rows_at_once(count)
        # Where nothing is known of what is near, most of the first rows are, and show it.
        first_rows = _FIRST_ROWS if int(bounds.max()) > self.bits else block_rows
        limit = np.full(count, self.bits + 1, np.int32)
        parts: list[_Near] = []
        pending, most = 0, count * (2 * self._k + 64)
        for keys, mask, places in self._blocks(chunk, count, first_rows, block_rows):
            which, rows, distances = near.within(keys, queries, np.minimum(bounds, limit).tolist())
            if not len(which):
                continue
            if mask is not None:
                counts = mask[rows]
                which, rows, distances = which[counts], rows[counts], distances[counts]
            parts.append(_Near(which, distances, rows + places if isinstance(places, int) else places[rows]))
            pending += len(which)
            if pending > most:
                best, kth = self.best(parts, count)
                parts, pending = [best], len(best.places)
                # Of several arrays more than k may stay, when many tie: sort again when there are twice as many.
                most = max(most, 2 * pending)
                # Threads may undo each other's changes here, which leaves a bound higher, and as true.
                np.minimum(bounds, kth, out=bounds)
                # In the same array, keys as near as the k-th that come later are not among the k nearest.
                limit = kth - 1 if len(self._arrays) == 1 else kth
        return parts

    def _blocks(self, chunk: list[Piece], count: int, first_rows: int, most: int) -> Iterator[_Block]:
        """Yield the rows of a chunk that count, in order, ``most`` at once; of the first only ``first_rows``."""
        for number, start, end in chunk:
            keys, mask, place = self._arrays[number], self._masks[number], int(self.starts[number])
            selected = end - start if mask is None else int(np.count_nonzero(mask[start:end]))
            if not selected:
                continue
            if mask is not None and selected * (_FETCH + _COMPARE * count) < (end - start) * (_READ + _COMPARE * count):
                yield from self._scattered(number, start, end, most)
                first_rows = most
                continue
            if mask is not None and selected == end - start:
                mask = None
            while start < end:
                stop = min(end, start + first_rows)
                yield keys[start:stop], None if mask is None else mask[start:stop], place + start
                start, first_rows = stop, most

    def _scattered(self, number: int, first: int, end: int, most: int) -> Iterator[_Block]:
        mask = self._masks[number]
        rows = np.flatnonzero(mask[first:end]) + first  # type: ignore[index]
        keys = self._arrays[number]
        width = keys.shape[1]
        whole = keys.view(f"V{width}")[:, 0]
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            taken = whole.take(some).view(np.uint8).reshape(len(some), width)
            yield taken, None, some + self.starts[number]

    def best(self, parts: list[_Near], count: int) -> tuple[_Near, npt.NDArray[np.int32]]:
        """Keep what may be among the k nearest; return it, and the distances of the k-th, ``[count]``.

        Parts, and what is in them of each query and distance, come in order of their places; what is returned is
        ordered by query, distance, place. A query that has fewer than k gets a distance that no key is at.
        """
        if not parts:
            nothing = np.empty(0, np.int64)
            return _Near(nothing, nothing.astype(np.int32), nothing), np.full(count, self.bits + 1, np.int32)
        queries = np.concatenate([part.queries for part in parts])
        distances = np.concatenate([part.distances for part in parts])
        places = np.concatenate([part.places for part in parts])
        # NumPy sorts 16 bits by their digits, in linear time.
        largest = count * (self.bits + 1)
        ranked = (queries * (self.bits + 1) + distances).astype(np.uint16 if largest < 1 << 16 else np.int64)
        order = np.argsort(ranked, kind="stable")
        queries, distances, places = queries[order], distances[order], places[order]
        starts = np.searchsorted(queries, np.arange(count + 1))
        enough = np.diff(starts) >= self._k
        kth = np.full(count, self.bits + 1, np.int32)
        kth[enough] = distances[starts[:-1][enough] + self._k - 1]
        if len(self._arrays) == 1:
            kept = np.arange(len(places)) - starts[queries] < self._k
        else:
            kept = distances <= kth[queries]
            kept[kept] = self._may_win(queries[kept], distances[kept], places[kept], kth)
        return _Near(queries[kept], distances[kept], places[kept]), kth

    def _may_win(
        self,
        queries: npt.NDArray[np.intp],
        distances: npt.NDArray[np.int32],
        places: Ints,
        kth: npt.NDArray[np.int32],
    ) -> Bools:
        """Tell of keys at most as far as the k-th which may be among the k nearest: of each array only the first."""
        tied = distances == kth[queries]
        room = self._k - np.bincount(queries[~tied], minlength=len(kth))
        at = np.flatnonzero(tied)
        group = queries[at] * len(self._arrays) + self.arrays_of(places[at])
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        numbers = np.arange(len(at)) - np.repeat(begins, np.diff(begins, append=len(at)))
        wins: Bools = ~tied
        wins[at] = numbers < room[queries[at]]
        return wins
