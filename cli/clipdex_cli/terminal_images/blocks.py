"""Pictures of half blocks: each character is two pixels, one above the other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from clipdex_cli.terminal_images.drawn import Drawn

if TYPE_CHECKING:
    from PIL import Image

_UPPER = "\N{UPPER HALF BLOCK}"
_LEVELS = np.array((0, 95, 135, 175, 215, 255))
_CUBE = 16  # the number of its first colour


def draw(image: Image.Image, *, colours: bool = True) -> Drawn:
    """Draw a picture: a pixel is as wide as a cell and half as high. Without all colours, it has those of 256."""
    pixels = np.asarray(image.convert("RGB"), np.int16)
    rows = [*pixels, *([None] if len(pixels) % 2 else [])]
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = []
        for column in range(image.width):
            above = f"38;{_code(upper[column], colours)}"
            # Below the last row of an odd number is the background.
            below = "49" if lower is None else f"48;{_code(lower[column], colours)}"
            cells.append(f"{above};{below}")
        runs = ((style, len(list(same))) for style, same in itertools.groupby(cells))
        lines.append("".join(f"\x1b[{style}m{_UPPER * count}" for style, count in runs) + "\x1b[0m")
    return Drawn(image.width, len(lines), lines=tuple(lines))


def _code(pixel: np.ndarray, colours: bool) -> str:
    if colours:
        red, green, blue = pixel.tolist()
        return f"2;{red};{green};{blue}"
    red, green, blue = np.abs(pixel[:, None] - _LEVELS).argmin(axis=1).tolist()
    return f"5;{_CUBE + 36 * red + 6 * green + blue}"
