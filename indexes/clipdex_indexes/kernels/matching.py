"""The keys of a block that are within a distance of each query, by kernels that are fast on all processors.

FAISS chooses some kernels by processor and others not. Two are fast on each processor that was measured
(``benchmarks/search.py --parts kernels``), each for its own work:

- ``range``: FAISS compares one query with the keys, and writes down only those within a radius. Where few are, that
  takes little longer than reading the keys.
- ``all``: FAISS writes the distances of all queries to a block of keys into the cache, and NumPy compares them with the
  limits. FAISS keeps a key in its registers while it goes through the queries, so that this is fastest for several.
  NumPy writes the distances where importing FAISS does not pay (``kernels.library``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from clipdex_indexes.arrays import Int32s, Ints, Keys
from clipdex_indexes.kernels import library
from clipdex_indexes.kernels.distances import distances_into
from clipdex_indexes.kernels.rows import Kernel

_NOTHING = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)


class BlockMatcher(Protocol):
    """Finds the keys of a block that are within the limit of each query; one thread at a time may use it."""

    def within(self, pieces: Sequence[Keys], limits: Int32s) -> tuple[Ints, Ints, Int32s]:
        """Find the keys within the limit of each query.

        Parameters
        ----------
        pieces
            The keys of a block, in one or several arrays uint8 ``[n_i, bytes]``, C-contiguous.
        limits
            A distance for each query, int32 ``[q]``; no key is within a negative one.

        Returns
        -------
        queries, keys, distances
            Number of the query, number of the key in the block, and their distance, each ``[m]``. Of each query, the
            keys ascend.
        """


def matcher_for(queries: Keys, kernel: Kernel, most_rows: int) -> BlockMatcher:
    """Return a matcher of queries, uint8 ``[q, bytes]``, C-contiguous, with blocks of at most ``most_rows`` keys."""
    return RangeMatcher(queries) if kernel == "range" else AllMatcher(queries, most_rows)


class RangeMatcher:
    """The kernel ``range``; its memory is what it finds, 12 bytes a key.

    FAISS starts a team of threads for it, except where it is kept to one, as the threads of the pool are.

    Parameters
    ----------
    queries
        uint8 ``[q, bytes]``, C-contiguous.
    """

    def __init__(self, queries: Keys) -> None:
        self._queries = queries

    def within(self, pieces: Sequence[Keys], limits: Int32s) -> tuple[Ints, Ints, Int32s]:
        """Find the keys within the limit of each query; see ``BlockMatcher.within``."""
        found, start = [], 0
        for keys in pieces:
            for number, (query, limit) in enumerate(zip(self._queries, limits.tolist(), strict=True)):
                at, distances = self._of_query(query, keys, limit)
                if len(at):
                    found.append((np.full(len(at), number), at + start, distances))
            start += len(keys)
        if len(found) < 2:
            return found[0] if found else _NOTHING
        queries, at, distances = map(np.concatenate, zip(*found, strict=True))
        return queries, at, distances

    @staticmethod
    def _of_query(query: Keys, keys: Keys, limit: int) -> tuple[Ints, Int32s]:
        faiss = library.faiss()
        rows, width = keys.shape
        result = faiss.RangeSearchResult(1)
        # FAISS finds what is nearer than the radius.
        faiss.hamming_range_search(faiss.swig_ptr(query), faiss.swig_ptr(keys), 1, rows, limit + 1, width, result)
        count = int(faiss.rev_swig_ptr(result.lims, 2)[1])
        if not count:
            return _NOTHING[1:]
        # Copies: the memory goes with the result.
        at: Ints = faiss.rev_swig_ptr(result.labels, count).astype(np.int64)
        distances: Int32s = faiss.rev_swig_ptr(result.distances, count).astype(np.int32)
        return at, distances


class AllMatcher:
    """The kernel ``all``; it has memory for a block: 9 bytes for each query and key.

    Parameters
    ----------
    queries
        uint8 ``[q, bytes]``, C-contiguous.
    most_rows
        The largest number of keys of a block.
    """

    def __init__(self, queries: Keys, most_rows: int) -> None:
        self._queries = queries
        self._most_rows = most_rows
        size = most_rows * len(queries)
        self._distances = np.empty(size, np.int32)
        # The limits lie in memory as the distances do: NumPy compares that faster than a short row again and again.
        self._limits = np.empty(size, np.int32)
        self._limits_are = b""
        self._is_within = np.empty(size, np.bool_)

    def within(self, pieces: Sequence[Keys], limits: Int32s) -> tuple[Ints, Ints, Int32s]:
        """Find the keys within the limit of each query, by key, then query; see ``BlockMatcher.within``.

        Raises
        ------
        ValueError
            When there are more keys than ``most_rows``. FAISS would write past the end of the memory.
        """
        rows, count = sum(map(len, pieces)), len(self._queries)
        if rows > self._most_rows:
            raise ValueError(f"there are {rows:,} keys, and the matcher has memory for {self._most_rows:,}")
        if self._limits_are != (code := limits.tobytes()):
            self._limits.reshape(self._most_rows, count)[:] = limits
            self._limits_are = code
        size = rows * count
        distances = self._distances[:size]
        start = 0
        for keys in pieces:
            into = distances[start : start + len(keys) * count]
            start += len(into)
            if count == 1:
                distances_into(keys, self._queries, into[None])
            else:
                distances_into(self._queries, keys, into.reshape(len(keys), count))
        (at,) = np.less_equal(distances, self._limits[:size], out=self._is_within[:size]).nonzero()
        if not len(at):
            return _NOTHING
        numbers, which = np.divmod(at, count)
        return which, numbers, distances[at]
