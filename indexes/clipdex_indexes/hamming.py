"""Exact Hamming top-k over hash keys, in item order among equal distances.

FAISS computes the distances (``hammings_knn_hc``: one pass over the keys with a heap); this module cuts the keys into
chunks for a pool of threads, because FAISS runs a single query on one thread, and settles ties, because FAISS returns
equal distances in no promised order. Asking for a few more than k shows, nearly always, every tie at the k-th place;
where it does not, the chunk is scanned once more for exactly that distance, in order, until enough are found.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_SMALLEST_CHUNK = 1 << 16
# Several chunks a thread even out the threads; with many queries the neighbours found in each chunk cost more.
_CHUNKS_PER_THREAD = 4
_MANY_QUERIES = 16
_SCAN_ROWS = 1 << 14
_ONE_THREAD_BELOW = 1 << 15


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The answer for one query in one array of keys, by distance, then position.

    Attributes
    ----------
    distances, positions
        int64 ``[m]``, with m = min(k, number of keys).
    """

    distances: Ints
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


def hamming(keys: Keys, query: Keys) -> Ints:
    """Return the Hamming distances from one query to every key, int64 ``[n]``.

    Parameters
    ----------
    keys
        uint8 ``[n, bytes]``.
    query
        uint8 ``[bytes]``.
    """
    if keys.shape[1] % 8 == 0 and keys.flags.c_contiguous:
        words = np.bitwise_count(keys.view(np.uint64) ^ np.ascontiguousarray(query).view(np.uint64))
    else:
        words = np.bitwise_count(keys ^ query)
    distances: Ints = words.sum(axis=1, dtype=np.int64)
    return distances


def nearest(arrays: Sequence[Keys], queries: Keys, k: int) -> list[list[Neighbours]]:
    """Find the k nearest keys of each array for each query, exactly.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``, C-contiguous.
    queries
        uint8 ``[q, bytes]``.
    k
        How many, at least 1; more than there are keys gives all of them.

    Returns
    -------
    list of list of Neighbours
        ``[query][array]``. Equal distances are in order of position, also at the k-th place.
    """
    queries = np.ascontiguousarray(queries)
    total = sum(len(keys) for keys in arrays)
    per_thread = _CHUNKS_PER_THREAD if len(queries) < _MANY_QUERIES else 1
    size = max(_SMALLEST_CHUNK, -(-total // (available_threads() * per_thread)))
    chunks = [
        (number, start, min(start + size, len(keys)))
        for number, keys in enumerate(arrays)
        for start in range(0, len(keys), size)
    ]

    def run(chunk: tuple[int, int, int]) -> list[Neighbours]:
        number, start, end = chunk
        return [
            Neighbours(part.distances, part.positions + start)
            for part in _nearest_in_chunk(arrays[number][start:end], queries, k)
        ]

    if total * len(queries) < _ONE_THREAD_BELOW:
        parts = [run(chunk) for chunk in chunks]
    else:
        parts = list(_pool().map(run, chunks))
    answer: list[list[Neighbours]] = []
    for query in range(len(queries)):
        by_array: list[list[Neighbours]] = [[] for _ in arrays]
        for (number, _, _), part in zip(chunks, parts, strict=True):
            by_array[number].append(part[query])
        answer.append([_merge_chunks(found, k) for found in by_array])
    return answer


def _merge_chunks(parts: list[Neighbours], k: int) -> Neighbours:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Neighbours(np.empty(0, np.int64), np.empty(0, np.int64))
    return _in_order(
        np.concatenate([part.distances for part in parts]), np.concatenate([part.positions for part in parts]), k
    )


def _in_order(distances: Ints, positions: Ints, k: int) -> Neighbours:
    order = np.lexsort((positions, distances))[:k]
    return Neighbours(distances[order], positions[order])


def _nearest_in_chunk(keys: Keys, queries: Keys, k: int) -> list[Neighbours]:
    k = min(k, len(keys))
    asked = k + 64 + k // 4
    if asked * 4 >= len(keys):
        return [_by_sorting(keys, query, k) for query in queries]
    distances, positions = faiss.knn_hamming(queries, keys, asked, variant="hc")
    return [
        _settle_ties(keys, query, found.astype(np.int64), at, k)
        for query, found, at in zip(queries, distances, positions, strict=True)
    ]


def _by_sorting(keys: Keys, query: Keys, k: int) -> Neighbours:
    distances = hamming(keys, query)
    order = np.argsort(distances, kind="stable")[:k]
    return Neighbours(distances[order], order.astype(np.int64))


def _settle_ties(keys: Keys, query: Keys, distances: Ints, positions: Ints, k: int) -> Neighbours:
    last = np.partition(distances, k - 1)[k - 1]
    if distances.max() > last:
        return _in_order(distances, positions, k)
    # Every key nearer than the k-th is known, but not every key exactly as near: find the first of those.
    nearer = distances < last
    ties = _first_at_distance(keys, query, int(last), k - int(nearer.sum()))
    return _in_order(
        np.concatenate([distances[nearer], np.full(len(ties), last)]), np.concatenate([positions[nearer], ties]), k
    )


def _first_at_distance(keys: Keys, query: Keys, distance: int, wanted: int) -> Ints:
    found: list[Ints] = []
    for start in range(0, len(keys), _SCAN_ROWS):
        at = np.flatnonzero(hamming(keys[start : start + _SCAN_ROWS], query) == distance) + start
        found.append(at)
        wanted -= len(at)
        if wanted <= 0:
            break
    return np.concatenate(found)
