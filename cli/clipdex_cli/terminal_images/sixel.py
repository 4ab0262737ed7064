"""Sixels, the graphics of DEC's VT340, which many terminals have: https://vt100.net/docs/vt3xx-gp/chapter14.html.

A sixel is a column of six pixels. A picture is written in bands of six rows, each band once for each of its colours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex_cli.terminal_images.drawn import Drawn
from clipdex_cli.terminal_images.passing import passed

if TYPE_CHECKING:
    from PIL import Image

_COLOURS = 64
_BAND = 6
_FIRST = 63  # the character of a sixel without pixels
_FEWEST_REPEATED = 4


def draw(image: Image.Image, columns: int, rows: int, *, multiplexed: bool = False) -> Drawn:
    """Draw a picture of at most 64 colours, pixel by pixel."""
    palette_of = image.convert("RGB").quantize(_COLOURS)
    # With a palette, Pillow spreads the errors of colours over the neighbours.
    few = image.convert("RGB").quantize(palette=palette_of)
    # Two dimensions, row by row.
    pixels = np.asarray(few)
    palette = few.getpalette() or []
    colours = "".join(_colour(number, palette[3 * number : 3 * number + 3]) for number in np.unique(pixels).tolist())
    bands = "-".join(_band(pixels[top : top + _BAND]) for top in range(0, image.height, _BAND))
    sequence = f'\x1bP0;1q"1;1;{image.width};{image.height}{colours}{bands}\x1b\\'
    return Drawn(columns, rows, passed(sequence, multiplexed=multiplexed))


def _colour(number: int, colour: list[int]) -> str:
    """Define a colour: red, green and blue are percents."""
    red, green, blue = (round(100 * part / 255) for part in colour)
    return f"#{number};2;{red};{green};{blue}"


def _band(pixels: npt.NDArray[np.uint8]) -> str:
    weights = 1 << np.arange(len(pixels))
    layers = []
    for number in np.unique(pixels).tolist():
        sixels = ((pixels == number) * weights[:, None]).sum(axis=0) + _FIRST
        layers.append(f"#{number}{''.join(_repeated(sixels.tolist()))}")
    return "$".join(layers)


def _repeated(sixels: list[int]) -> Iterator[str]:
    for sixel, same in itertools.groupby(sixels):
        count = len(list(same))
        yield f"!{count}{chr(sixel)}" if count >= _FEWEST_REPEATED else chr(sixel) * count
