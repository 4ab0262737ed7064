"""The rows of several arrays of keys as one sequence, cut into chunks for threads and into blocks for the cache.

A row is numbered through all arrays, one after the other; a position counts within its array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from clipdex_indexes.arrays import Bools, Ints, Keys, Masks, take_rows
from clipdex_indexes.kernels import library
from clipdex_indexes.kernels.threads import available_threads

# Nanoseconds to fetch a row that is scattered in memory, to read one among all, and to compute one distance.
_FETCH, _READ, _COMPARE = 80, 3, 3


Kernel = Literal["range", "all"]


@dataclass(frozen=True, slots=True)
class ScanSizes:
    """How a scan over keys is done. This changes the speed and the memory, never the answer.

    Attributes
    ----------
    smallest_chunk
        Rows that a thread is given at least.
    chunks_per_thread
        Several chunks a thread even out the threads.
    one_thread_below
        Fewer distances than this are computed in the calling thread.
    kernel
        What compares a block of keys with the queries (see ``kernels.matching``); None: the fastest for their number.
    short_array
        Where arrays have fewer rows than this, the kernel ``range`` takes longer to call than ``all``.
    rows_at_once
        Rows of a block of the kernel ``range``.
    distances_at_once
        Queries times rows of a block where all distances are written down, so that they stay in the cache.
    queries_at_once
        Queries that are compared with a block.
    first_rows
        Rows of the first block, where there is no bound on the k-th distance yet: most of them are kept. A block has no
        more rows than were looked at before, so that what is kept of it is about k.
    sampled_runs, sampled_rows, sampled_for_each_of_k
        A sample gives the first bound on the k-th distance. It is made of ``sampled_runs`` runs of rows. It has
        ``sampled_rows`` rows, or ``sampled_for_each_of_k`` times k where that is more.
    sampled_share
        A sample has at most one row of so many; none is taken that has fewer than ``sampled_rows`` or twice k.
    most_found
        Keys within a distance that are held at once for several queries; or distances of keys that are kept while all
        are counted.
    """

    smallest_chunk: int = 1 << 16
    chunks_per_thread: int = 4
    one_thread_below: int = 1 << 15
    kernel: Kernel | None = None
    short_array: int = 1 << 15
    rows_at_once: int = 1 << 20
    distances_at_once: int = 1 << 18
    queries_at_once: int = 64
    first_rows: int = 1 << 11
    sampled_runs: int = 16
    sampled_rows: int = 1 << 13
    sampled_for_each_of_k: int = 16
    sampled_share: int = 16
    most_found: int = 1 << 22

    def is_small(self, queries: int, rows: int) -> bool:
        """Tell whether so many queries and rows are little work, for the calling thread; so is what NumPy does."""
        return queries * rows < self.one_thread_below or not library.pays(queries * rows)

    def kernel_for(self, queries: int, rows: Rows) -> Kernel:
        """Return the kernel that compares so many queries at once, of a search through these rows."""
        if self.kernel:
            return self.kernel
        # In the calling thread, the kernel for ranges would start a team of threads.
        short = len(rows) < self.short_array * len(rows.arrays)
        return "all" if queries > 1 or short or self.is_small(queries, len(rows)) else "range"

    def block_rows(self, queries: int, kernel: Kernel = "all") -> int:
        """Return the rows of a block that a kernel compares with so many queries."""
        return self.rows_at_once if kernel == "range" else max(1, self.distances_at_once // max(queries, 1))

    def query_blocks(self, queries: Keys) -> list[Keys]:
        """Cut queries into blocks that are compared at once."""
        return [queries[first : first + self.queries_at_once] for first in range(0, len(queries), self.queries_at_once)]


DEFAULT_SIZES = ScanSizes()


class Piece(NamedTuple):
    """A part of one array: number of the array, first position, and the position after the last."""

    array: int
    start: int
    end: int


class Block(NamedTuple):
    """Rows to compare at once.

    Attributes
    ----------
    pieces
        Their keys, each uint8 ``[n_i, bytes]``, C-contiguous: parts of several arrays where those are short.
    size
        The number of rows, n.
    mask
        Which of them count, bool ``[n]``; None where all do.
    rows
        The row of each key, int64 ``[n]``, or the row of the first where they follow each other.
    """

    pieces: list[Keys]
    size: int
    mask: Bools | None
    rows: Ints | int


class Rows:
    """The rows to scan.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``, C-contiguous.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.

    Attributes
    ----------
    starts
        The first row of each array, int64 ``[arrays]``.
    """

    def __init__(self, arrays: Sequence[Keys], masks: Masks | None = None) -> None:
        self.arrays = arrays
        self.masks = masks if masks is not None else [None] * len(arrays)
        ends = np.cumsum([len(keys) for keys in arrays], dtype=np.int64)
        self.starts: Ints = np.concatenate([np.zeros(1, np.int64), ends])[: len(arrays)]
        self._count = int(ends[-1]) if len(arrays) else 0

    def __len__(self) -> int:
        return self._count

    def arrays_of(self, rows: Ints) -> Ints:
        """Return the number of the array of each row."""
        if len(self.arrays) == 1:
            return np.zeros(len(rows), np.int64)
        owners: Ints = np.searchsorted(self.starts, rows, side="right") - 1
        return owners

    def sample(self, k: int, sizes: ScanSizes) -> Keys:
        """Copy some rows that count, taken in even steps, to estimate which the k nearest are; none of few rows."""
        wanted = max(sizes.sampled_rows, sizes.sampled_for_each_of_k * k)
        wanted = min(wanted, len(self) // sizes.sampled_share)
        if wanted < max(sizes.sampled_rows, 2 * k):
            return np.empty((0, 0), np.uint8)
        step, size = len(self) // sizes.sampled_runs, -(-wanted // sizes.sampled_runs)
        taken = []
        for row in range(0, step * sizes.sampled_runs, step):
            number = int(self.arrays_of(np.array([row]))[0])
            start = row - int(self.starts[number])
            mask = self.masks[number]
            keys = self.arrays[number][start : start + size]
            taken.append(keys if mask is None else keys[mask[start : start + size]])
        return np.concatenate(taken)

    def chunks(self, sizes: ScanSizes) -> list[list[Piece]]:
        """Deal the rows out for threads, in order: a chunk is a part of a large array, or several small ones."""
        size = max(sizes.smallest_chunk, -(-len(self) // (available_threads() * sizes.chunks_per_thread)))
        chunks: list[list[Piece]] = []
        room = 0
        for number, keys in enumerate(self.arrays):
            start = 0
            while start < len(keys):
                if not room:
                    chunks.append([])
                    room = size
                end = min(len(keys), start + room)
                chunks[-1].append(Piece(number, start, end))
                room -= end - start
                start = end
        return chunks

    def blocks(self, chunk: Sequence[Piece], queries: int, most: Callable[[], int]) -> Iterator[Block]:
        """Yield the rows of a chunk that count, in order.

        Where a mask selects many rows of a piece, all rows come with the mask. Where it selects few, only those come,
        gathered. Pieces without a mask share blocks.

        Parameters
        ----------
        chunk
            What to read.
        queries
            How many queries each block is compared with.
        most
            Returns the largest number of rows of the next block.
        """
        shared: list[Keys] = []
        first = size = room = 0
        for number, start, end in chunk:
            keys, mask, row = self.arrays[number], self.masks[number], int(self.starts[number])
            selected = end - start if mask is None else int(np.count_nonzero(mask[start:end]))
            if selected == end - start:
                while start < end:
                    if not shared:
                        first, size, room = row + start, 0, most()
                    stop = min(end, start + room)
                    shared.append(keys[start:stop])
                    size, room = size + stop - start, room - (stop - start)
                    start = stop
                    if not room:
                        yield Block(shared, size, None, first)
                        shared = []
                continue
            if shared:
                yield Block(shared, size, None, first)
                shared = []
            if mask is None or not selected:
                continue
            gathering = selected * (_FETCH + _COMPARE * queries)
            if gathering < (end - start) * (_READ + _COMPARE * queries):
                yield from self._gathered(number, np.flatnonzero(mask[start:end]) + start, most)
                continue
            while start < end:
                stop = min(end, start + most())
                yield Block([keys[start:stop]], stop - start, mask[start:stop], row + start)
                start = stop
        if shared:
            yield Block(shared, size, None, first)

    def _gathered(self, number: int, positions: Ints, most: Callable[[], int]) -> Iterator[Block]:
        keys, start = self.arrays[number], 0
        while start < len(positions):
            some = positions[start : start + most()]
            start += len(some)
            yield Block([take_rows(keys, some)], len(some), None, some + self.starts[number])
