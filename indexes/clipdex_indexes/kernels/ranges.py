"""All keys within a Hamming distance of each query, exactly.

Each block of keys is compared with several queries at once, so what they find must be held together. It is bounded:
when several queries find more keys than ``ScanSizes.most_found``, they are split in two halves and searched again. A
single query is not bounded: its answer is what was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from clipdex_indexes.arrays import Keys, Masks
from clipdex_indexes.kernels.matching import matcher_for
from clipdex_indexes.kernels.neighbours import Near, Neighbours
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Piece, Rows, ScanSizes
from clipdex_indexes.kernels.threads import run_all


def within(
    arrays: Sequence[Keys], queries: Keys, distance: int, masks: Masks | None = None, sizes: ScanSizes = DEFAULT_SIZES
) -> Iterator[Neighbours]:
    """Yield for each query all keys whose distance is at most ``distance``.

    Memory is what the answer for one query takes, about 50 bytes a key while it is sorted, and ``sizes.most_found``
    keys more.

    Parameters
    ----------
    arrays, queries, masks, sizes
        As of ``hamming.nearest``.
    distance
        At least 0.
    """
    queries = np.ascontiguousarray(queries)
    bits = 8 * queries.shape[1]
    rows, limit = Rows(arrays, masks), min(distance, bits)
    waiting = sizes.query_blocks(queries)[::-1]
    while waiting:
        block = waiting.pop()
        parts = _found(rows, block, limit, sizes)
        if parts is None:
            half = len(block) // 2
            waiting += [block[half:], block[:half]]
        else:
            yield from Near.joined(parts, bits).by_query(len(block), rows)


def _found(rows: Rows, queries: Keys, limit: int, sizes: ScanSizes) -> list[Near] | None:
    """Find the keys within the limit, or return None when several queries find too many."""
    count = len(queries)
    kernel = sizes.kernel_for(count, rows)
    limits = np.full(count, limit, np.int32)
    room = _Room(sizes.most_found) if count > 1 else None

    def run(chunk: list[Piece]) -> list[Near]:
        parts: list[Near] = []
        most_rows = min(sizes.block_rows(count, kernel), sum(piece.end - piece.start for piece in chunk))
        matcher = matcher_for(queries, kernel, most_rows)
        for block in rows.blocks(chunk, count, lambda: most_rows):
            near = Near.in_block(matcher, block, limits)
            if room is not None and not room.take(len(near)):
                return []
            parts.append(near)
        return parts

    chunks = run_all(run, rows.chunks(sizes), here=sizes.is_small(count, len(rows)))
    if room is not None and room.is_overdrawn:
        return None
    return [near for parts in chunks for near in parts]


class _Room:
    """How many more keys may be found, counted over all threads."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take room for ``count`` keys and return whether there was enough."""
        with self._lock:
            self._left -= count
            return self._left >= 0

    @property
    def is_overdrawn(self) -> bool:
        return self._left < 0
