"""Lines of text with a picture to the left of each."""

from __future__ import annotations

from clipdex_cli.terminal_images.drawn import COLUMNS, Drawn

_GAP = 2
# How many columns of the terminal are not for the text.
TAKEN = COLUMNS + _GAP


def indented(line: str) -> str:
    """Return a line without a picture, below the same column as those with one."""
    return f"{' ' * TAKEN}{line}\n"


def with_reason(reason: str, line: str) -> str:
    """Return a line with the reason why it has no picture."""
    short = reason if len(reason) <= COLUMNS else f"{reason[: COLUMNS - 1]}…"
    return f"{short:<{TAKEN}}{line}\n\n"


def with_picture(drawn: Drawn, line: str, *, fits: bool) -> str:
    """Return a line of text with a picture to its left, and an empty line below; one that is too long is above it."""
    if not fits:
        return indented(line) + with_picture(drawn, "", fits=True)
    if drawn.lines:
        space = " " * (TAKEN - drawn.columns)
        first, *rest = drawn.lines
        return "".join([drawn.sequence, f"{first}{space}{line}".rstrip(" "), "\n", *(f"{row}\n" for row in rest), "\n"])
    # The lines are made first: a picture at the lower end of the screen would be cut, or scroll it.
    up, down = f"\x1b[{drawn.rows}A", f"\r\x1b[{drawn.rows}B"
    return f"{chr(10) * drawn.rows}{up}\x1b7{drawn.sequence}\x1b8\x1b[{TAKEN}C{line}{down}\n"
