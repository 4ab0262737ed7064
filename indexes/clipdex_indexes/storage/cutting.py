"""Where the first n items of several item tables end: so that a page of a long list is found without reading the rest.

Rows of one table are in item order, and the tables interleave. The row in the middle of what is still open of a table
is looked for in the others by bisection, and the items before it are counted. Each such step closes half of what is
open of one table at least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipdex_indexes.arrays import Bools
from clipdex_indexes.storage.table import TableReader


def cut(tables: Sequence[TableReader], selected: Sequence[Bools | None], count: int) -> list[int]:
    """Return for each table a position, so that the rows before these are the first items of all tables.

    Parameters
    ----------
    tables
        Item tables.
    selected
        For each table which rows are items, bool ``[rows]``; None for all. No two of them are the same item.
    count
        How many items; all where there are fewer.
    """
    lows, highs = [0] * len(tables), [table.items for table in tables]
    if count <= 0:
        return lows
    while True:
        widest = max(range(len(tables)), key=lambda number: highs[number] - lows[number], default=0)
        if not tables or lows[widest] == highs[widest]:
            return lows
        middle = (lows[widest] + highs[widest]) // 2
        if len(tables) == 1:
            before = [middle]
        else:
            item = tables[widest].names(middle)
            before = [
                middle if number == widest else _first_from(table, item, lows[number], highs[number])
                for number, table in enumerate(tables)
            ]
        found = sum(map(_counted, selected, before))
        if found == count:
            return before
        if found > count:
            highs = before
        else:
            lows = before
            lows[widest] = middle + 1


def _first_from(table: TableReader, item: tuple[str, str], low: int, high: int) -> int:
    """Return the first position from ``low`` whose item is not before another one, by id and subset."""
    while low < high:
        middle = (low + high) // 2
        if table.names(middle) < item:
            low = middle + 1
        else:
            high = middle
    return low


def _counted(selected: Bools | None, end: int) -> int:
    return end if selected is None else int(np.count_nonzero(selected[:end]))
