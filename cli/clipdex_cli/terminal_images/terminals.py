"""Which protocol of pictures a terminal has, as far as the environment says it, and the size of its cells."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple

AUTO, KITTY, ITERM2, SIXEL, BLOCKS, NONE = KINDS = ("auto", "kitty", "iterm2", "sixel", "blocks", "none")

# What names itself comes first: a terminal inside another one inherits the other variables.
_PROGRAMS = {
    "ghostty": KITTY,
    "kitty": KITTY,
    "iTerm.app": ITERM2,
    "WezTerm": ITERM2,
    "mintty": SIXEL,
    "vscode": BLOCKS,
    "Apple_Terminal": BLOCKS,
}
_TERMS = {"xterm-kitty": KITTY, "xterm-ghostty": KITTY, "wezterm": ITERM2, "foot": SIXEL, "mlterm": SIXEL}
_CELL = (10, 20)
# As its variable writes 22.04. It has Sixel, too, with a white line below pictures whose height is no multiple of 6.
_KONSOLE_WITH_PICTURES = 220400


class Terminal(NamedTuple):
    """How pictures are drawn on a terminal.

    Attributes
    ----------
    kind
        ``kitty``, ``iterm2``, ``sixel``, ``blocks`` or ``none``.
    multiplexed
        Whether tmux is between, which passes on only what is marked for it.
    colours
        Whether it has all colours, and not only 256.
    cell
        Width and height of a cell in pixels.
    """

    kind: str
    multiplexed: bool = False
    colours: bool = True
    cell: tuple[int, int] = _CELL


def terminal_of(asked: str, environment: Mapping[str, str], cell: tuple[int, int] = _CELL) -> Terminal:
    """Return how pictures are drawn.

    Parameters
    ----------
    asked
        One of ``KINDS``; ``auto`` takes what the environment says.
    environment
        Variables of the environment.
    cell
        Width and height of a cell in pixels.
    """
    # SSH passes on nothing but the kind of the terminal, which is that of tmux there.
    multiplexed = "TMUX" in environment or environment.get("TERM", "").startswith(("tmux", "screen"))
    kind = _detected(environment, multiplexed=multiplexed) if asked == AUTO else asked
    colours = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return Terminal(kind, multiplexed, colours, cell)


def _detected(environment: Mapping[str, str], *, multiplexed: bool) -> str:
    term = environment.get("TERM", "")
    if term in ("", "dumb"):
        return NONE
    if multiplexed:
        # Whether pictures get through depends on its settings.
        return BLOCKS
    program = environment.get("TERM_PROGRAM", "")
    if program in _PROGRAMS:
        return _PROGRAMS[program]
    for beginning, kind in _TERMS.items():
        if term == beginning or term.startswith(f"{beginning}-"):
            return kind
    if "KITTY_WINDOW_ID" in environment:
        return KITTY
    if environment.get("LC_TERMINAL") == "iTerm2":  # which SSH passes on
        return ITERM2
    version = environment.get("KONSOLE_VERSION", "")
    return KITTY if version.isdecimal() and int(version) >= _KONSOLE_WITH_PICTURES else BLOCKS


def cell_size() -> tuple[int, int]:
    """Return the width and height in pixels of a cell of the terminal on stdout; usual ones where they are unknown."""
    if sys.platform == "win32":
        return _CELL
    import fcntl
    import struct
    import termios

    try:
        answer = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
    except (OSError, ValueError):
        return _CELL
    rows, columns, width, height = struct.unpack("HHHH", answer)
    cell = (width // columns, height // rows) if rows and columns else (0, 0)
    return cell if min(cell) >= 2 and max(cell) <= 200 else _CELL
