"""``--preview``: small pictures to the left of the lines of a table. Never where the output is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from clipdex.wording import printable
from clipdex_cli.printing import say, write, write_as_it_is
from clipdex_cli.tables import width_of
from clipdex_cli.terminal_images.beside import TAKEN, indented, with_picture, with_reason
from clipdex_cli.terminal_images.terminals import NONE, Terminal, cell_size, terminal_of

if TYPE_CHECKING:
    from clipdex_cli.terminal_images.drawn import Drawn

# Images that are in memory at their full size at the same time.
_DECODING = 2


def terminal_for(asked: str | None, output: str) -> Terminal | None:
    """Return how ``--preview`` draws pictures; None where there are to be none, and say why on stderr.

    Raises
    ------
    UsageError
        When what is printed is no table.
    """
    if asked in (None, NONE):
        return None
    if output != "table":
        raise click.UsageError("--preview goes with --output table.")
    if not sys.stdout.isatty():
        say("--preview shows no pictures: the output is no terminal.")
        return None
    terminal = terminal_of(str(asked), os.environ, cell_size())
    if terminal.kind == NONE:
        say("--preview shows no pictures: the terminal is not known to have any. --preview=blocks tries.")
        return None
    return terminal


def write_with_pictures(lines: Sequence[str], paths: Sequence[str], terminal: Terminal, max_pixels: int) -> None:
    """Print the lines of a table, of which the first is its head, with the images at ``paths`` beside the others.

    Parameters
    ----------
    lines
        The head, then a line for each path.
    paths
        Locators of the images.
    terminal
        How pictures are drawn.
    max_pixels
        An image of more pixels is not drawn.
    """
    import shutil
    from concurrent.futures import ThreadPoolExecutor

    from clipdex.errors import ImageError
    from clipdex.report.drawing import fitted_picture
    from clipdex_cli.terminal_images.drawing import box_of, draw

    box = box_of(terminal)
    room = shutil.get_terminal_size().columns - TAKEN

    def drawn(path: str) -> Drawn | str:
        try:
            return draw(fitted_picture(path, box, max_pixels).image, terminal)
        except ImageError as error:
            return printable(error.message)

    head, *rows = lines
    write(indented(head), head=True)
    with ThreadPoolExecutor(_DECODING) as pool:
        for line, one in zip(rows, pool.map(drawn, paths), strict=True):
            write_as_it_is(
                with_reason(one, line) if isinstance(one, str) else with_picture(one, line, fits=width_of(line) <= room)
            )
