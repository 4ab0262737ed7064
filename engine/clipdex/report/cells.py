"""CSV whose cells no spreadsheet takes for formulas, which could read other cells and send them away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TextIO

# What begins a formula, also in the wide letters of East Asia ("CSV Injection", OWASP).
_BEGINS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SKIPPED = " \t\r\n\v\f\0\u00a0\u3000\ufeff\"'"


def as_text(text: str) -> str:
    """Return a cell that a spreadsheet takes for text: with an apostrophe before what would begin a formula."""
    return f"'{text}" if text.lstrip(_SKIPPED).startswith(_BEGINS) or text[:1] in ("\t", "\r", "\n") else text


def as_it_is(text: str) -> str:
    """Return a cell unchanged."""
    return text


def row_writer(stream: TextIO, cell: Callable[[str], str] = as_text) -> Callable[[Iterable[object]], None]:
    """Return a function that writes a row of CSV.

    Parameters
    ----------
    stream
        Where to, opened with ``newline=""``.
    cell
        Makes the cell of each value that is a text; numbers stay.
    """
    import csv  # late: a table needs none

    writer = csv.writer(stream, lineterminator="\n")

    def write(values: Iterable[object]) -> None:
        writer.writerow([cell(value) if isinstance(value, str) else value for value in values])

    return write
