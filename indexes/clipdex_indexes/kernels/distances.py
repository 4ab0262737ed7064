"""Hamming distances of a block of keys, by the kernels of FAISS.

FAISS chooses some kernels by processor and others not, so each function here uses the one that is fast on all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import faiss
import numpy as np

from clipdex_indexes.arrays import Int32s, Ints, Keys

# Lengths of keys, in bytes, that ``match_hamming_thres`` takes.
_MATCHED_BYTES = (8, 16, 32, 64)


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


def distances_into(keys: Keys, queries: Keys, into: Int32s) -> None:
    """Write all Hamming distances of contiguous queries and keys into int32 ``[q, n]``."""
    if keys.shape[1] % 8:
        for query, row in zip(queries, into, strict=True):
            row[:] = hamming(keys, query)
        return
    pointers = faiss.swig_ptr(queries), faiss.swig_ptr(keys)
    faiss.hammings(*pointers, len(queries), len(keys), keys.shape[1], faiss.swig_ptr(into))


def distances_to(keys: Keys, queries: Keys) -> Int32s:
    """Return all Hamming distances, int32 ``[q, n]``, of queries ``[q, bytes]`` to keys ``[n, bytes]``."""
    distances = np.empty((len(queries), len(keys)), np.int32)
    if distances.size:
        distances_into(np.ascontiguousarray(keys), np.ascontiguousarray(queries), distances)
    return distances


class BlockMatcher:
    """Finds the keys of a block that are within a distance of each query.

    FAISS writes the keys that it finds one after the other and stores no other distance. Where few keys are near, that
    takes little longer than reading the keys. A matcher reuses its memory for the next block, so one thread at a time
    may use it.

    Parameters
    ----------
    most
        The largest number of queries times keys of a block.
    """

    def __init__(self, most: int) -> None:
        # The system provides memory as it is written to, which is next to nothing where few keys are near.
        self._most = most
        self._distances = np.empty(most, np.int32)
        self._pairs = np.empty(2 * most, np.int64)

    def within(self, keys: Keys, queries: Keys, limits: Sequence[int]) -> tuple[Ints, Ints, Int32s]:
        """Find the keys within the limit of each query.

        Parameters
        ----------
        keys
            uint8 ``[n, bytes]``, C-contiguous.
        queries
            uint8 ``[q, bytes]``, C-contiguous; q times n at most ``most``.
        limits
            A distance for each query; no key is within a negative one.

        Returns
        -------
        queries, keys, distances
            Number of the query, number of the key, and their distance, each ``[m]``; by query, then key.

        Raises
        ------
        ValueError
            When q times n is more than ``most``. FAISS would write past the end of the memory.
        """
        if len(queries) * len(keys) > self._most:
            raise ValueError(
                f"{len(queries):,} queries and {len(keys):,} keys are more than the {self._most:,} distances"
                " that the matcher has memory for"
            )
        find = self._match if keys.shape[1] in _MATCHED_BYTES else self._compare
        return find(keys, queries, limits)

    def _match(self, keys: Keys, queries: Keys, limits: Sequence[int]) -> tuple[Ints, Ints, Int32s]:
        rows, width = keys.shape
        block = faiss.swig_ptr(keys)
        pairs, distances = faiss.swig_ptr(self._pairs), faiss.swig_ptr(self._distances)
        counts, filled = [0] * len(limits), 0
        for number, (query, limit) in enumerate(zip(queries, limits, strict=True)):
            count = faiss.match_hamming_thres(faiss.swig_ptr(query), block, 1, rows, limit, width, pairs, distances)
            if count:
                counts[number] = count
                filled += count
                pairs = faiss.swig_ptr(self._pairs[2 * filled :])
                distances = faiss.swig_ptr(self._distances[filled:])
        return (
            np.repeat(np.arange(len(counts)), counts),
            self._pairs[1 : 2 * filled : 2].copy(),
            self._distances[:filled].copy(),
        )

    def _compare(self, keys: Keys, queries: Keys, limits: Sequence[int]) -> tuple[Ints, Ints, Int32s]:
        distances = self._distances[: len(queries) * len(keys)].reshape(len(queries), len(keys))
        distances_into(keys, queries, distances)
        which, rows = np.nonzero(distances <= np.array(limits, np.int32)[:, None])
        return which, rows, distances[which, rows]


class Matchers:
    """Matchers of one size for several threads; each thread borrows one.

    Parameters
    ----------
    most
        As of ``BlockMatcher``.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._unused: list[BlockMatcher] = []

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[BlockMatcher]:
        """Lend a matcher that no other thread uses."""
        try:
            matcher = self._unused.pop()
        except IndexError:
            matcher = BlockMatcher(self._most)
        yield matcher
        self._unused.append(matcher)
