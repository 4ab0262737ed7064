"""The items of an index whose files are gone or have other content now, by content.

The same content may be in the dataset under another name: then the index has its hash key already.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from clipdex_indexes import Location


class MovedFiles:
    """A table of such items, about 40 bytes each. Add all of them, call ``settle``, then look for them.

    Several threads may call ``find`` at once.
    """

    def __init__(self) -> None:
        self._columns = tuple(array("q") for _ in range(5))
        self._taken: dict[int, int] = {}
        self.settle()

    def add(self, size: int, content: int, location: Location, *, gone: bool) -> None:
        """Add an item.

        Parameters
        ----------
        size, content
            Size in bytes and hash of the content that the index has of it.
        location
            Where the index has it.
        gone
            Whether the dataset has no item of its id any more; otherwise that item has other content now.
        """
        for column, value in zip(self._columns, (content, size, not gone, *location), strict=True):
            column.append(value)

    def settle(self) -> None:
        """Sort what was added: by content, and of equal content what is gone first."""
        contents, sizes, there, segments, positions = (np.array(column, np.int64) for column in self._columns)
        order = np.lexsort((there, sizes, contents))
        self._contents, self._sizes, self._gone = contents[order], sizes[order], there[order] == 0
        self._segments, self._positions = segments[order], positions[order]
        self._columns = tuple(array("q") for _ in range(5))

    def find(self, size: int, content: int) -> Location | None:
        """Return where the index has an item of this content."""
        first = self._first(size, content)
        return None if first is None else self._location(first)

    def take(self, size: int, content: int) -> Location | None:
        """Return an item of this content that is gone; each item is returned once."""
        first = self._first(size, content)
        if first is None:
            return None
        number = first + self._taken.get(first, 0)
        if number == len(self._gone) or not self._gone[number] or not self._has(number, size, content):
            return None
        self._taken[first] = number + 1 - first
        return self._location(number)

    @property
    def taken(self) -> int:
        """Number of items that ``take`` returned."""
        return sum(self._taken.values())

    def put_back(self) -> None:
        """Forget what ``take`` returned."""
        self._taken.clear()

    def sizes(self) -> set[int]:
        """Return the sizes of the items, in bytes."""
        return set(np.unique(self._sizes).tolist())

    def left(self) -> Iterator[Location]:
        """Yield the items that are gone and that ``take`` did not return."""
        left = self._gone.copy()
        for first, count in self._taken.items():
            left[first : first + count] = False
        return (self._location(number) for number in np.flatnonzero(left).tolist())

    def _first(self, size: int, content: int) -> int | None:
        begin, end = (int(np.searchsorted(self._contents, content, side)) for side in ("left", "right"))
        first = begin + int(np.searchsorted(self._sizes[begin:end], size))
        return first if first < end and self._has(first, size, content) else None

    def _has(self, number: int, size: int, content: int) -> bool:
        return bool(self._contents[number] == content and self._sizes[number] == size)

    def _location(self, number: int) -> Location:
        return Location(int(self._segments[number]), int(self._positions[number]))
