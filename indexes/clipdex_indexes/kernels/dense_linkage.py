"""Complete linkage of things whose distances all fit in memory: for groups in which nearly all are near each other.

The distances are one table of a byte each, so that a step is a pass over one row. ``kernels.linkage`` says what the
groups are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Int32s, Ints

_LARGEST_BYTE = 255


class DenseLinkage:
    """Groups, each a row of a table of distances and named by its first thing, while they are joined.

    Parameters
    ----------
    number
        How many things there are.
    rows
        Yields the distances of the things, in order, in blocks: int32 ``[some, number]``.
    most
        The greatest distance within a group.
    """

    def __init__(self, number: int, rows: Iterator[Int32s], most: int) -> None:
        self._far = most + 1
        self._table = np.empty((number, number), dtype_of(most))
        start = 0
        for block in rows:
            np.minimum(block, self._far, out=self._table[start : start + len(block)], casting="unsafe")
            start += len(block)
        np.fill_diagonal(self._table, self._far)
        self._names = np.arange(number)
        self._alive = np.ones(number, np.bool_)
        self._owner = np.arange(number)

    def owners(self, progress: Callable[[int], None]) -> Ints:
        """Join the groups, and return for each thing the first thing of its group, int64 ``[number]``."""
        done, left = 0, len(self._names)
        chain: list[int] = []
        while left:
            chain = chain or [int(self._alive.argmax())]
            partner = self._nearest(chain[-1])
            if partner is not None and (len(chain) < 2 or partner != chain[-2]):
                chain.append(partner)
                continue
            gone = chain.pop()
            if partner is not None:
                other = chain.pop()
                gone, first = max(gone, other), min(gone, other)
                self._join(first, gone)
            self._alive[gone] = False
            left -= 1
            done += 1
            progress(done)
            if 2 * left < len(self._names):
                chain = self._compacted(chain)
        while not np.array_equal(above := self._owner[self._owner], self._owner):
            self._owner = above
        return self._owner

    def _nearest(self, group: int) -> int | None:
        row = self._table[group]
        nearest = int(row.argmin())  # the first of equally near ones
        return nearest if row[nearest] < self._far else None

    def _join(self, first: int, last: int) -> None:
        joined = np.maximum(self._table[first], self._table[last])
        joined[[first, last]] = self._far
        self._table[first] = joined
        self._table[:, first] = joined
        self._table[:, last] = self._far
        self._owner[self._names[last]] = self._names[first]

    def _compacted(self, chain: list[int]) -> list[int]:
        """Leave out the rows of groups that are gone or settled; return where the groups of the chain are now."""
        kept = np.flatnonzero(self._alive)
        self._table = self._table[np.ix_(kept, kept)]
        self._names, self._alive = self._names[kept], np.ones(len(kept), np.bool_)
        return [int(place) for place in np.searchsorted(kept, chain)]


def dtype_of(most: int) -> npt.DTypeLike:
    """Return the type of a table of distances up to ``most``, and of one that is farther."""
    return np.uint8 if most < _LARGEST_BYTE else np.uint16
