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

# Runs of rows that ``AllMatcher`` folds into one: of more, less is left to compare, and more of what is left is within.
_RUNS = 32
# One place of so many is few: fetching what is there takes less time than comparing everything.
_FEW = 8
_FARTHEST = np.iinfo(np.int32).max

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
    """The kernel ``all``; it has memory for a block: 4 bytes for each query and key, and a little more.

    Nearly all keys of most blocks are too far. So the distances are cut into some runs of rows, and the least of each
    place in them is compared with the limits: one pass over the distances instead of several. What is at the places
    where the least is within a limit is compared again.

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
        run = -(-most_rows // _RUNS) * len(queries)
        self._distances = np.empty(_RUNS * run, np.int32)
        self._limits = np.empty(run, np.int32)  # those of the queries, again and again
        self._limits_are = b""
        self._least = np.empty(run, np.int32)
        self._is_within = np.empty(run, np.bool_)

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
            self._limits.reshape(-1, count)[:] = limits
            self._limits_are = code
        start = 0
        for keys in pieces:
            into = self._distances[start : start + len(keys) * count]
            start += len(into)
            if count == 1:
                distances_into(keys, self._queries, into[None])
            else:
                distances_into(self._queries, keys, into.reshape(len(keys), count))
        run = -(-rows // _RUNS) * count
        self._distances[start : _RUNS * run] = _FARTHEST  # the last runs may have fewer rows
        at = self._at_within(self._distances[: _RUNS * run].reshape(_RUNS, run))
        if not len(at):
            return _NOTHING
        numbers, which = np.divmod(at, count)
        return which, numbers, self._distances[at]

    def _at_within(self, distances: Int32s) -> Ints:
        """Return where distances, int32 ``[_RUNS, run]``, are within their limits: numbers in the flat array."""
        run = distances.shape[1]
        limits = self._limits[:run]
        least = np.minimum.reduce(distances, axis=0, out=self._least[:run])
        (places,) = np.less_equal(least, limits, out=self._is_within[:run]).nonzero()
        if len(places) > run // _FEW:
            return np.flatnonzero(distances <= limits)
        runs, which = (distances[:, places] <= limits[places]).nonzero()
        at: Ints = runs * run + places[which]
        return at
