"""An index in memory, with the interface of the one on disk: for keys that need not be kept, and for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex_indexes.answers import (
    SUBSET,
    Answers,
    RangeAnswer,
    Written,
    checked_bits,
    checked_distance,
    checked_ids,
    checked_k,
    checked_keys,
    checked_rows,
)
from clipdex_indexes.arrays import Keys, Texts
from clipdex_indexes.storage.table import ItemRow
from clipdex_indexes.storage.verifying import Verification


class _State(NamedTuple):
    rows: list[ItemRow]
    keys: Keys


class MemoryIndex:
    """Items and hash keys in memory. A search sees the items of one moment, whatever other threads write.

    Parameters
    ----------
    bits
        Length of a hash key, a multiple of 8.
    """

    def __init__(self, bits: int) -> None:
        self.bits = checked_bits(bits)
        self._writing = threading.Lock()
        self._state = _State([], np.empty((0, self.bits // 8), np.uint8))

    @classmethod
    def create(cls, bits: int) -> MemoryIndex:
        """Make an empty index of keys of ``bits`` bits."""
        return cls(bits)

    def __enter__(self) -> MemoryIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._state.rows)

    def __repr__(self) -> str:
        return f"<MemoryIndex: {len(self):,} keys of {self.bits} bits>"

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def refresh(self) -> bool:
        """Return False: this object always has the newest items."""
        return False

    def add(
        self,
        ids: Sequence[str] | Texts,
        keys: npt.ArrayLike,
        *,
        subset: str = SUBSET,
        labels: Sequence[Sequence[str]] | None = None,
    ) -> Written:
        """Add items, or give those that are there another key; see ``Index.add``."""
        pairs = checked_rows(ids, keys, self.bits, subset, labels)
        with self._writing:
            items = self._items()
            replaced = sum(row[:2] in items for row, _ in pairs)
            items.update({row[:2]: (row, key) for row, key in pairs})
            self._become(items)
            return Written(len(pairs) - replaced, replaced, 0, 0, len(items))

    def remove(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET) -> Written:
        """Remove items; see ``Index.remove``."""
        texts = checked_ids(ids)
        with self._writing:
            items = self._items()
            removed = sum(items.pop((item_id, subset), None) is not None for item_id in texts)
            self._become(items)
            return Written(0, 0, removed, len(texts) - removed, len(items))

    def search(self, queries: npt.ArrayLike, k: int = 10) -> Answers:
        """Find the nearest items, exactly; see ``Index.search``."""
        from clipdex_indexes.kernels.hamming import nearest

        state, array, most = self._state, checked_keys(queries, self.bits), checked_k(k)
        if not len(array) or not state.rows:
            return Answers.of([[]] * len(array))
        return Answers.of(
            [
                [(int(distance), state.rows[at]) for distance, at in zip(near.distances, near.positions, strict=True)]
                for [near] in nearest([state.keys], array, most)
            ]
        )

    def within(self, queries: npt.ArrayLike, distance: int) -> Iterator[RangeAnswer]:
        """Find all items within a distance, exactly; see ``Index.within``."""
        state, array, most = self._state, checked_keys(queries, self.bits), checked_distance(distance)
        return _within(state, array, most)

    def keys(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET) -> Keys:
        """Return the hash keys of items; see ``Index.keys``."""
        items = self._items()
        codes = [items[item_id, subset][1] for item_id in checked_ids(ids)]
        keys: Keys = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), self.bits // 8).copy()
        return keys

    def verify(self) -> Verification:
        """Report no problems: there are no files that could be damaged."""
        return Verification(0, 0, len(self), ())

    def optimize(self) -> Written:
        """Do nothing: there is nothing to merge."""
        return Written(0, 0, 0, 0, len(self))

    def _items(self) -> dict[tuple[str, ...], tuple[ItemRow, bytes]]:
        rows, keys = self._state
        return {(row.id, row.subset): (row, key.tobytes()) for row, key in zip(rows, keys, strict=True)}

    def _become(self, items: dict[tuple[str, ...], tuple[ItemRow, bytes]]) -> None:
        pairs = [items[item] for item in sorted(items)]
        code = b"".join(key for _, key in pairs)
        self._state = _State([row for row, _ in pairs], np.frombuffer(code, np.uint8).reshape(-1, self.bits // 8))


def _within(state: _State, queries: Keys, distance: int) -> Iterator[RangeAnswer]:
    from clipdex_indexes.kernels.ranges import within

    for near in within([state.keys], queries, distance):
        yield RangeAnswer.of(near.distances, (state.rows[position] for position in near.positions.tolist()))
