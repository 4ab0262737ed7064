"""Hamming distances of a block of keys, by the kernels of FAISS."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]

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
    """Compute all Hamming distances of contiguous queries and keys, int32 ``[q, n]``."""
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


class NearKeys:
    """Finds the keys of a block that are within a distance of each query.

    FAISS writes those it finds one after the other, so that no other distance is ever stored: where few are near, that
    takes little longer than reading the keys. The memory for the answer is used again for the next block; each thread
    needs its own.

    Parameters
    ----------
    most
        How many distances there are at most: those of all queries to all keys of a block.
    """

    def __init__(self, most: int) -> None:
        # Memory is taken as it is written to: of what could be found, next to nothing is.
        self._distances = np.empty(most, np.int32)
        self._pairs = np.empty(2 * most, np.int64)

    def within(self, keys: Keys, queries: Keys, limits: Sequence[int]) -> tuple[Ints, Ints, Int32s]:
        """Return of which query, at which row, and how far the keys are that are within its limit; all ``[m]``.

        They come by query, then row.

        Parameters
        ----------
        keys
            uint8 ``[n, bytes]``, C-contiguous.
        queries
            uint8 ``[q, bytes]``, C-contiguous; q times n is at most ``most``.
        limits
            A distance for each query; below 0, no key is within it.
        """
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
