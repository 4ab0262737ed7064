"""Keys that are near to queries: found in blocks, joined, sorted, and given out by query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Bools, Int32s, Ints
from clipdex_indexes.kernels.matching import BlockMatcher
from clipdex_indexes.kernels.rows import Block, Rows


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Keys near to one query, by distance, then array, then position.

    Attributes
    ----------
    distances
        Hamming distances, int64 ``[m]``.
    arrays, positions
        The array of each key and the position in it, int64 ``[m]``.
    """

    distances: Ints
    arrays: Ints
    positions: Ints


@dataclass(frozen=True, slots=True)
class Near:
    """Keys near to a block of queries, before they are split by query.

    Attributes
    ----------
    queries, distances, rows
        The number of the query in the block, the distance, and the row of the key (see ``Rows``); each ``[m]``.
    """

    queries: npt.NDArray[np.intp]
    distances: Int32s
    rows: Ints

    @classmethod
    def in_block(cls, matcher: BlockMatcher, block: Block, limits: Int32s) -> Near:
        """Find the keys of a block that count and are within the limit of each query, int32 ``[q]``."""
        which, at, distances = matcher.within(block.pieces, limits)
        if block.mask is not None and len(which):
            counts = block.mask[at]
            which, at, distances = which[counts], at[counts], distances[counts]
        return cls(which, distances, at + block.rows if isinstance(block.rows, int) else block.rows[at])

    @classmethod
    def joined(cls, parts: Sequence[Near], bits: int) -> Near:
        """Join parts and sort them by query, distance, row.

        Parts come in order of their rows, and so do the keys in a part that have the same query and distance.

        Parameters
        ----------
        parts
            The parts.
        bits
            Length of a key; no distance is larger.
        """
        if not parts:
            return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int64))
        queries = np.concatenate([part.queries for part in parts])
        distances = np.concatenate([part.distances for part in parts])
        rows = np.concatenate([part.rows for part in parts])
        largest = int(queries.max(initial=0)) * (bits + 1) + bits
        # NumPy sorts 16 bits by their digits, in linear time.
        ranks = (queries * (bits + 1) + distances).astype(np.uint16 if largest < 1 << 16 else np.int64)
        order = np.argsort(ranks, kind="stable")
        return cls(queries[order], distances[order], rows[order])

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, kept: Bools) -> Near:
        """Return only the keys that ``kept`` marks, bool ``[m]``."""
        return Near(self.queries[kept], self.distances[kept], self.rows[kept])

    def by_query(self, count: int, rows: Rows) -> Iterator[Neighbours]:
        """Yield what was found of each of ``count`` queries; the keys are sorted, as ``joined`` sorts them."""
        cuts = np.searchsorted(self.queries, np.arange(1, count))
        for distances, numbers in zip(np.split(self.distances, cuts), np.split(self.rows, cuts), strict=True):
            owners = rows.arrays_of(numbers)
            yield Neighbours(distances.astype(np.int64), owners, numbers - rows.starts[owners])
