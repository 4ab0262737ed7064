"""Preparing a decoded image for an image tower: scaling and cropping."""

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
_FILTER_REACH = 3  # in pixels of the smaller image; that of lanczos, the widest filter


def prepare(image: Image.Image, settings: ImageSettings) -> Pixels:
    """Scale and crop an RGB image to the input of the model: uint8 ``[size, size, 3]``.

    The pixels equal those of the image processors of ``transformers`` within 1 of 255 (within 2 for one pixel in a
    million). The short side is scaled to ``resize_size``. The long side keeps the proportions, rounded down. The crop
    begins at a whole pixel, rounded down. Only the pixels that the crop needs are computed.

    Pillow 13 and later choose for each image whether to scale rows or columns first, which changes pixels beside hard
    edges. This function always scales rows first, as older versions did and as the models were trained.
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
    # The widest filter reads this many rows beyond the crop.
    reach = math.ceil(_FILTER_REACH * max(1.0, height / high)) + 1
    first, last = max(0, int(top) - reach), min(height, math.ceil(bottom) + reach)
    resample = _FILTERS[settings.interpolation]
    rows = image.resize((size, last - first), resample, box=(left, first, right, last))
    return np.asarray(rows.resize((size, size), resample, box=(0, top - first, size, bottom - first)))


def _span(side: int, scaled: int, size: int) -> tuple[float, float]:
    """Return where the central ``size`` of ``scaled`` pixels begin and end on the unscaled side."""
    start = (scaled - size) // 2
    return start * side / scaled, min((start + size) * side / scaled, side)
