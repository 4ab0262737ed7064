"""A picture as characters for a terminal."""

from __future__ import annotations

from typing import NamedTuple

# The most cells that a picture takes.
COLUMNS, ROWS = 20, 9


class Drawn(NamedTuple):
    """A picture as characters.

    Attributes
    ----------
    columns, rows
        How many cells it takes.
    sequence
        What is written where its upper left corner is to be. It may move the cursor.
    lines
        The text of each row, where the picture is made of text; otherwise empty: the sequence draws it.
    """

    columns: int
    rows: int
    sequence: str = ""
    lines: tuple[str, ...] = ()
