"""Calls for pieces of arrays of keys, in threads, and the blocks of a piece that are compared at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from clipdex_indexes.arrays import Bools, Ints, Keys
from clipdex_indexes.kernels.rows import Piece, Rows, ScanSizes
from clipdex_indexes.kernels.threads import run_all

T = TypeVar("T")


def blocks_of(keys: Keys, mask: Bools | None, most: int) -> Iterator[tuple[Ints, Keys]]:
    """Yield the keys that count with their positions, from ``most`` keys at a time; empty blocks are left out."""
    for start in range(0, len(keys), most):
        block = keys[start : start + most]
        if mask is None:
            yield np.arange(start, start + len(block)), block
            continue
        kept = np.flatnonzero(mask[start : start + most])
        if len(kept):
            yield kept + start, block if len(kept) == len(block) else block[kept]


def over_pieces(
    rows: Rows, queries: int, sizes: ScanSizes, run: Callable[[Keys, Bools | None, int], T]
) -> list[tuple[int, T]]:
    """Call ``run`` with the keys, the mask and the first position of each piece, in threads.

    Returned are, for each piece in order, the number of its array and what ``run`` returned.
    """

    def run_pieces(chunk: list[Piece]) -> list[tuple[int, T]]:
        return [(number, run(rows.arrays[number][start:end], mask_of(number, start, end), start))
                for number, start, end in chunk]  # fmt: skip

    def mask_of(number: int, start: int, end: int) -> Bools | None:
        mask = rows.masks[number]
        return None if mask is None else mask[start:end]

    here = sizes.is_small(queries, len(rows))
    return [result for results in run_all(run_pieces, rows.chunks(sizes), here=here) for result in results]
