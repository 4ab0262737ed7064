"""The hash keys of several datasets as one sequence, and the items that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex_indexes import ItemRow, Location

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Member:
    """One item: where it is in the sequence, the number of its dataset, and its row."""

    position: int
    dataset: int
    row: ItemRow

    @property
    def order(self) -> tuple[int, str, str]:
        """What sorts items: their dataset, then id and subset."""
        return self.dataset, self.row.id, self.row.subset


class AllKeys:
    """The keys of all segments of all datasets as one sequence. A position counts in that sequence.

    Parameters
    ----------
    datasets
        Open datasets.
    read_at_once
        Number of items that are read at a time.
    """

    def __init__(self, datasets: Sequence[Dataset], read_at_once: int) -> None:
        self.datasets = datasets
        self._read_at_once = read_at_once
        self._parts = [
            (number, part) for number, dataset in enumerate(datasets) for part in range(len(dataset.index.segments))
        ]
        segments = [datasets[number].index.segments[part] for number, part in self._parts]
        self.arrays = [segment.keys for segment in segments]
        self._tables = [segment.table for segment in segments]
        self._live = [mask for dataset in datasets for mask in dataset.live]
        self.starts = np.concatenate([[0], np.cumsum([len(keys) for keys in self.arrays], dtype=np.int64)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def live(self, without: Ints | None = None) -> list[Bools | None]:
        """Return, for each array, which of its keys are of items that are there; None where all are.

        Parameters
        ----------
        without
            Positions that do not count either.
        """
        if without is None or not len(without):
            return list(self._live)
        masks: list[Bools | None] = []
        for live, keys, start in zip(self._live, self.arrays, self.starts, strict=False):
            mask = np.ones(len(keys), np.bool_) if live is None else live.copy()
            mask[without[(without >= start) & (without < start + len(keys))] - start] = False
            masks.append(mask)
        return masks

    def contents(self) -> tuple[Ints, Ints, Bools]:
        """Return the sizes and the content hashes of all items by position, and which of the items are there."""
        read = [table.contents() for table in self._tables]
        empty = np.empty(0, np.int64)
        live = [
            np.ones(len(keys), np.bool_) if live is None else live
            for live, keys in zip(self._live, self.arrays, strict=True)
        ]
        return (
            np.concatenate([empty, *(sizes for sizes, _ in read)]),
            np.concatenate([empty, *(contents for _, contents in read)]),
            np.concatenate([empty.astype(np.bool_), *live]),
        )

    def of(self, positions: Ints) -> Keys:
        """Return the keys at these positions, uint8 ``[n, bytes]``."""
        keys = np.empty((len(positions), self.arrays[0].shape[1] if self.arrays else 0), np.uint8)
        parts = self._parts_of(positions)
        for part in np.unique(parts).tolist():
            here = parts == part
            keys[here] = self.arrays[part][positions[here] - self.starts[part]]
        return keys

    def members(self, positions: Ints) -> list[Member]:
        """Return the items at these positions, in the order of the positions."""
        located: dict[int, list[tuple[int, Location]]] = {}
        ascending = np.sort(positions)
        for position, at in zip(ascending.tolist(), self._parts_of(ascending).tolist(), strict=True):
            number, part = self._parts[at]
            located.setdefault(number, []).append((position, Location(part, position - int(self.starts[at]))))
        return [
            Member(position, number, row)
            for number, found in located.items()
            for (position, _), row in zip(
                found, self.datasets[number].index.rows([location for _, location in found]), strict=True
            )
        ]

    def blocks(self, positions: Ints) -> Iterator[list[Member]]:
        """Yield the items at these positions, a bounded number at a time, in the order of the positions."""
        ascending = np.sort(positions)
        for start in range(0, len(ascending), self._read_at_once):
            yield self.members(ascending[start : start + self._read_at_once])

    def blocks_of(self, groups: Iterable[Ints]) -> Iterator[Iterable[list[Member]]]:
        """Yield, for each group of positions, its items in blocks; small groups are read together.

        The blocks of a group must be taken before the next group is.
        """
        waiting: list[Ints] = []
        for group in groups:
            if sum(map(len, waiting)) + len(group) > self._read_at_once:
                yield from self._together(waiting)
                waiting = []
            if len(group) > self._read_at_once:
                yield self.blocks(group)
            else:
                waiting.append(group)
        yield from self._together(waiting)

    def _together(self, groups: Sequence[Ints]) -> Iterator[Iterable[list[Member]]]:
        if groups:
            members = {member.position: member for member in self.members(np.concatenate(groups))}
            for group in groups:
                yield [[members[position] for position in group.tolist()]]

    def in_item_order(self, positions: Ints) -> Ints:
        """Return the positions in the order of the items."""
        orders = [(member.order, member.position) for block in self.blocks(positions) for member in block]
        return np.array([position for _, position in sorted(orders)], np.int64)

    def _parts_of(self, positions: Ints) -> Ints:
        return np.searchsorted(self.starts, positions, "right") - 1
