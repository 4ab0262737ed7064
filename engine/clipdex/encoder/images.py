"""From a decoded image to the pixels that an image tower takes."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from clipdex.encoder.model import ImageSettings
from clipdex.media.decoding import Pixels

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_FILTER_REACH = 3  # pixels of the smaller image, of lanczos


def prepare(image: Image.Image, settings: ImageSettings) -> Pixels:
    """Scale and crop an RGB image as the model wants it: uint8 ``[size, size, 3]``.

    The pixels are those of the image processors of ``transformers``, within 1 of 255 (2 for one in a million): the
    short side becomes ``resize_size``, the long side as much longer as it was, rounded down, and the crop begins at a
    whole pixel, rounded down. Only what the crop needs is computed.

    Pillow 13 and later choose for each image whether to scale rows or columns first, which changes pixels beside hard
    edges. Here it is always each row first, as in older versions, and as the models were trained.
    """
    width, height = image.size
    size = settings.size
    wide = high = size
    if settings.resize == "short-side":
        short, long = sorted((width, height))
        scaled = int(settings.resize_size * long / short)
        wide, high = (settings.resize_size, scaled) if width <= height else (scaled, settings.resize_size)
    left, right = _span(width, wide, size)
    top, bottom = _span(height, high, size)
    # Rows beyond the crop that the widest filter reaches.
    reach = math.ceil(_FILTER_REACH * max(1.0, height / high)) + 1
    first, last = max(0, int(top) - reach), min(height, math.ceil(bottom) + reach)
    resample = _FILTERS[settings.interpolation]
    rows = image.resize((size, last - first), resample, box=(left, first, right, last))
    return np.asarray(rows.resize((size, size), resample, box=(0, top - first, size, bottom - first)))


def _span(side: int, scaled: int, size: int) -> tuple[float, float]:
    """Where the central ``size`` pixels of a side that is scaled to ``scaled`` pixels begin and end before scaling."""
    start = (scaled - size) // 2
    return start * side / scaled, min((start + size) * side / scaled, side)
