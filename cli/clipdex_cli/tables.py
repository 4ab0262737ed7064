"""Tables of text: as wide as the terminal, or with bounded columns where there is none."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence

from clipdex.wording import printable

_GAP = "  "
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# In cells of a terminal: the widest column that is cut, where the output is no terminal; the alignment that very long
# names do not widen; and what columns keep on a narrow terminal.
_MOST = 60
_MOST_ALIGNED = 100
_LEAST = 12


def table(
    columns: Mapping[str, Sequence[str]],
    *,
    numbers: Collection[str] = (),
    names: Collection[str] = (),
    prose: str = "",
    taken: int = 0,
) -> str:
    """Lay out columns of text.

    Parameters
    ----------
    columns
        The cells of each column, by its title. All columns have the same number of cells. Control characters in them
        are shown as escapes.
    numbers
        Columns that are set to the right, and never cut.
    names
        Columns that are never cut. What follows a very long name in its line moves to the right.
    prose
        The last column, when it holds sentences: they are wrapped at words.
    taken
        How many columns of the terminal are not for the table.

    Returns
    -------
    Lines, each with its end. All other columns are cut, with an ellipsis, to fit the terminal; or to 60 cells where the
    output is no terminal.
    """
    columns = {title: [*map(printable, cells)] for title, cells in columns.items()}
    terminal = _columns() - taken if sys.stdout.isatty() else None
    widths = {title: max(map(width_of, (title, *cells))) for title, cells in columns.items()}
    cut = [title for title in columns if title not in numbers and title not in names and title != prose]
    _bound(widths, cut, names, prose, terminal)

    def cell(title: str, text: str) -> str:
        shown = _shortened(text, widths[title]) if title in cut else text
        space = " " * (widths[title] - width_of(shown))
        return space + shown if title in numbers else shown + space

    lines = [_GAP.join(cell(title, title) for title in columns).rstrip()]
    for row in zip(*columns.values(), strict=True):
        parts = _wrapped(dict(zip(columns, row, strict=True)), prose, widths if terminal else None)
        lines += [_GAP.join(cell(title, text) for title, text in part.items()).rstrip() for part in parts]
    return "".join(f"{line}\n" for line in lines)


def _columns() -> int:
    """Return how wide the terminal is."""
    import shutil  # late: it brings all that archives need

    return shutil.get_terminal_size().columns


def _bound(
    widths: dict[str, int], cut: Sequence[str], names: Collection[str], prose: str, terminal: int | None
) -> None:
    """Bound the widths of columns, in place."""
    if terminal is None:
        bounds = {**dict.fromkeys(cut, _MOST), **dict.fromkeys(names, _MOST_ALIGNED)}
        widths.update({title: min(widths[title], most) for title, most in bounds.items()})
        return
    flexible = [*cut, *([prose] if prose else [])]
    left = terminal - len(_GAP) * (len(widths) - 1)
    left -= sum(width for title, width in widths.items() if title not in flexible and title not in names)
    least = sum(min(widths[title], _LEAST) for title in flexible)
    for title in names:
        widths[title] = min(widths[title], max(left - least, _LEAST))
        left -= widths[title]
    # The narrow ones stay as they are, and the others share what is left.
    waiting = sorted(flexible, key=widths.__getitem__)
    for number, title in enumerate(waiting):
        share = max(left // (len(waiting) - number), min(widths[title], _LEAST))
        widths[title] = min(widths[title], share)
        left -= widths[title]


def _wrapped(row: dict[str, str], prose: str, widths: Mapping[str, int] | None) -> Iterator[dict[str, str]]:
    """Yield a row, and below it the rest of its prose."""
    if not prose or widths is None:
        yield row
        return
    import textwrap

    lines = textwrap.wrap(row[prose], widths[prose], break_long_words=False, break_on_hyphens=False) or [""]
    for line in lines:
        yield {**row, prose: line}
        row = dict.fromkeys(row, "")


def width_of(text: str) -> int:
    """Return how wide a text is on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _shortened(text: str, width: int) -> str:
    if width_of(text) <= width:
        return text
    if text.isascii():
        return text[: width - 1] + _ELLIPSIS
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1).rstrip() + _ELLIPSIS
