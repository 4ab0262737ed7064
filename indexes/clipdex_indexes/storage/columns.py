"""Columns of an item table in memory: which subset and which labels each row has.

A table stores each subset and each list of labels once, under a number, and a row has the numbers. Here the numbers of
all rows are an array, in as few bytes as they take, so that counting the rows of a selection by name takes milliseconds
for a million rows. Names are read when they are first asked for, and so are rows, which takes longer. A table never
changes, so both are then kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from clipdex_indexes.arrays import Bools, Ints
from clipdex_indexes.storage.table import TableReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TableCounts:
    """How many items there are.

    Attributes
    ----------
    subsets, labels
        By name, in the order of names; only names that an item has. An item counts once for each of its labels.
    items, unlabelled
        Of all items, and of those without a label.
    """

    subsets: dict[str, int]
    labels: dict[str, int]
    items: int = 0
    unlabelled: int = 0


def summed(counts: Iterable[TableCounts]) -> TableCounts:
    """Add counts of different items up."""
    every = list(counts)
    return TableCounts(
        added([one.subsets for one in every]),
        added([one.labels for one in every]),
        sum(one.items for one in every),
        sum(one.unlabelled for one in every),
    )


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts by name up, in the order of names."""
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items()))


class NamedLists:
    """Lists of names, each under a number.

    Parameters
    ----------
    lists
        The names of each list, by its number.

    Attributes
    ----------
    names
        Every name that is in a list, once.
    numbers
        The numbers of the lists, int64 ``[lists]``, ascending.
    """

    def __init__(self, lists: Mapping[int, tuple[str, ...]]) -> None:
        self.numbers: Ints = np.array(sorted(lists), np.int64)
        known: dict[str, int] = {}
        members: list[int] = []
        sizes = np.zeros(len(lists), np.int64)
        for at, number in enumerate(self.numbers.tolist()):
            names = set(lists[number])
            sizes[at] = len(names)
            members += [known.setdefault(name, len(known)) for name in names]
        self.names = tuple(known)
        self._members = np.array(members, np.int32)  # numbers of the names of each list, one list after the other
        self._sizes = sizes

    def having(self, is_wanted: Callable[[str], bool]) -> Bools:
        """Return which lists have a name that is wanted, bool ``[lists]``."""
        wanted = np.fromiter(map(is_wanted, self.names), np.bool_, len(self.names))
        has = np.zeros(len(self.numbers), np.bool_)
        has[np.repeat(np.arange(len(self._sizes)), self._sizes)[wanted[self._members]]] = True
        return has

    def count(self, rows: Ints) -> dict[str, int]:
        """Return how many rows have each name, without names that none has.

        ``rows`` are numbers of rows of each list, int64 ``[lists]``.
        """
        counts = np.zeros(len(self.names), np.int64)
        np.add.at(counts, self._members, np.repeat(rows, self._sizes))
        return {name: count for name, count in zip(self.names, counts.tolist(), strict=True) if count}

    @property
    def empty(self) -> Bools:
        """Which lists have no name, bool ``[lists]``."""
        none: Bools = self._sizes == 0
        return none


class Columns:
    """Subsets and labels of the rows of a table.

    Parameters
    ----------
    table
        An open item table.

    Raises
    ------
    IndexCorrupt
        From every attribute and method, when a row has the number of no subset, or of no list of labels.
    """

    def __init__(self, table: TableReader) -> None:
        self._table = table

    @functools.cached_property
    def subsets(self) -> NamedLists:
        """The subsets, each as a list of one name."""
        return NamedLists({number: (name,) for number, name in self._table.subsets().items()})

    @functools.cached_property
    def labels(self) -> NamedLists:
        """The lists of labels."""
        return NamedLists(self._table.label_lists())

    @functools.cached_property
    def _rows(self) -> tuple[Ints, Ints]:
        """Where the subset and the labels of each row are in ``numbers`` of their lists, each unsigned ``[items]``."""
        subsets, labels = self._table.numbers()
        return self._places(subsets, self.subsets), self._places(labels, self.labels)

    def _places(self, numbers: Ints, lists: NamedLists) -> Ints:
        places = np.searchsorted(lists.numbers, numbers)
        if len(numbers) and (int(places.max()) == len(lists.numbers) or (lists.numbers[places] != numbers).any()):
            raise self._table.corrupt("a row has a subset or labels that are not in the table")
        smallest: Ints = places.astype(np.min_scalar_type(max(len(lists.numbers) - 1, 0)))
        return smallest

    def rows_with(self, lists: NamedLists, has: Bools) -> Bools | None:
        """Return which rows have the lists that are marked, bool ``[items]``; None where rows were not read yet.

        ``lists`` is ``subsets`` or ``labels``, and ``has`` is bool ``[lists]``.
        """
        if "_rows" not in self.__dict__:
            return None
        selected: Bools = has[self._rows[0 if lists is self.subsets else 1]]
        return selected

    def count(self, selected: Bools | None) -> TableCounts:
        """Count the selected rows, bool ``[items]``; None for all."""
        by_subset, by_labels = (
            np.bincount(rows if selected is None else rows[selected], minlength=len(lists.numbers))
            for rows, lists in zip(self._rows, (self.subsets, self.labels), strict=True)
        )
        return TableCounts(
            dict(sorted(self.subsets.count(by_subset).items())),
            dict(sorted(self.labels.count(by_labels).items())),
            int(by_subset.sum()),
            int(by_labels[self.labels.empty].sum()),
        )
