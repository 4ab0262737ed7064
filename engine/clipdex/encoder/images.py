"""Preparing a decoded image for an image tower: scaling and cropping."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from clipdex.defaults import MAX_PIXELS
from clipdex.encoder.model import ImageSettings
from clipdex.media.decoding import Decoded, Pixels, decode
from clipdex.media.orientations import WHOLE, Sides

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_FILTER_REACH = 3  # in pixels of the smaller image; that of lanczos, the widest filter
# A JPEG is decoded at half its resolution where that leaves this many times the pixels that the model needs along the
# short side. Then no more bits of its hash key change than by saving it once more; at 1/4, more do, and little time is
# saved (benchmarks/draft.py).
_MARGIN = 7.5
_DIVISOR = 2


def decode_to_hash(source: Path | IO[bytes], settings: ImageSettings, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the file of an image for its hash key, in builds and queries alike.

    Very large JPEGs are decoded at half their resolution. Give ``image`` and ``beyond`` of the result to ``prepare``.

    Raises
    ------
    ImageError
        As from ``decoding.decode``.
    """
    enough = math.ceil(_MARGIN * settings.resize_size)
    return decode(source, settings.background, max_pixels=max_pixels, enough=enough, divisor=_DIVISOR)


def prepare(image: Image.Image, settings: ImageSettings, beyond: Sides = WHOLE) -> Pixels:
    """Scale and crop an RGB image to the input of the model: uint8 ``[size, size, 3]``.

    The pixels equal those of the image processors of ``transformers`` within 1 of 255 (within 2 for one pixel in a
    million). The short side is scaled to ``resize_size``. The long side keeps the proportions, rounded down. The crop
    begins at a whole pixel, rounded down. Only the pixels that the crop needs are computed.

    Pillow 13 and later choose for each image whether to scale rows or columns first, which changes pixels beside hard
    edges. This function always scales rows first, as older versions did and as the models were trained.

    Parameters
    ----------
    image
        The image.
    settings
        Of the model.
    beyond
        The part of a pixel by which ``image`` reaches beyond the picture on each side (``decoding.Decoded``). Without
        it, a picture of an odd number of pixels would be scaled wrongly by a part of a pixel, which changes bits.
    """
    width, height = image.width - beyond[0] - beyond[2], image.height - beyond[1] - beyond[3]
    size = settings.size
    wide = high = size
    if settings.resize == "short-side":
        short, long = sorted((width, height))
        scaled = int(settings.resize_size * long / short)
        wide, high = (settings.resize_size, scaled) if width <= height else (scaled, settings.resize_size)
    left, right = (beyond[0] + place for place in _span(width, wide, size))
    top, bottom = (beyond[1] + place for place in _span(height, high, size))
    # The widest filter reads this many rows beyond the crop.
    reach = math.ceil(_FILTER_REACH * max(1.0, height / high)) + 1
    first, last = max(0, int(top) - reach), min(image.height, math.ceil(bottom) + reach)
    resample = _FILTERS[settings.interpolation]
    # Without cropping first, Pillow would filter along the columns, too, where nothing is to be scaled.
    rows = image.crop((0, first, image.width, last))
    rows = rows.resize((size, last - first), resample, box=(left, 0, right, last - first))
    return np.asarray(rows.resize((size, size), resample, box=(0, top - first, size, bottom - first)))


def _span(side: float, scaled: int, size: int) -> tuple[float, float]:
    """Return where the central ``size`` of ``scaled`` pixels begin and end on the unscaled side."""
    start = (scaled - size) // 2
    return start * side / scaled, min((start + size) * side / scaled, side)
