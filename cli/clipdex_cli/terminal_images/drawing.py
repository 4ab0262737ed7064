"""Drawing a picture on a terminal, whatever its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipdex_cli.terminal_images import blocks, iterm2, kitty, sixel
from clipdex_cli.terminal_images.drawn import COLUMNS, ROWS, Drawn
from clipdex_cli.terminal_images.terminals import BLOCKS, ITERM2, KITTY, Terminal

if TYPE_CHECKING:
    from PIL import Image


def box_of(terminal: Terminal) -> tuple[int, int]:
    """Return the width and height in pixels of the largest picture."""
    width, height = terminal.cell
    return (COLUMNS, 2 * ROWS) if terminal.kind == BLOCKS else (COLUMNS * width, ROWS * height)


def draw(image: Image.Image, terminal: Terminal) -> Drawn:
    """Draw a picture that is not larger than the box of the terminal."""
    if terminal.kind == BLOCKS:
        return blocks.draw(image, colours=terminal.colours)
    width, height = terminal.cell
    columns, rows = min(COLUMNS, -(-image.width // width)), min(ROWS, -(-image.height // height))
    if terminal.kind == KITTY:
        image = _on_whole_cells(image, columns * width, rows * height)
    protocol = {KITTY: kitty, ITERM2: iterm2}.get(terminal.kind, sixel)
    drawn: Drawn = protocol.draw(image, columns, rows, multiplexed=terminal.multiplexed)
    return drawn


def _on_whole_cells(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture with nothing to its right and below, where it would be stretched over its cells otherwise."""
    whole = image.convert("RGBA")
    # What is beyond the edges of the picture is transparent.
    return whole.crop((0, 0, width, height))
