"""Small pictures inside HTML: as many bytes as there is room for, or the reason why there is none."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from clipdex.errors import ImageError
from clipdex.report.drawing import DECODING, Picture, fit, fitted_picture

# Longest sides in pixels with qualities of WebP, best first: the first that has room is taken.
_ATTEMPTS = ((320, 80), (320, 60), (240, 60), (160, 60), (96, 50))
# WebP's effort from 0 to 6.
_EFFORT = 2
# More bytes than this make no small picture better.
_MOST_BYTES = 40 << 10


class Thumbnail(NamedTuple):
    """A small picture as a ``data:`` address, its size in pixels, and whether the ends of a long image were cut off."""

    address: str
    width: int
    height: int
    cut: bool


# An image at a locator (a text), in a file (a path) or in memory; None where there is none.
ImageSource = str | Path | Image.Image | None


def thumbnails(sources: Sequence[ImageSource], *, most_bytes: int, max_pixels: int) -> list[Thumbnail | str]:
    """Return a small picture of each image; where there is none, the reason, such as ``no such file``.

    Parameters
    ----------
    sources
        The images.
    most_bytes
        Number of bytes that all addresses together may take. Each gets an equal share, at most 40 KiB.
    max_pixels
        Images of more pixels are not read.
    """
    share = min(_MOST_BYTES, most_bytes // max(1, len(sources)))

    def one(source: ImageSource) -> Thumbnail | str:
        if source is None or source == "":
            return "no such file"
        side = _ATTEMPTS[0][0]
        box = (side, side)
        try:
            found = fit(source, box) if isinstance(source, Image.Image) else fitted_picture(source, box, max_pixels)
        except ImageError as error:
            return error.message
        return _encoded(found, share)

    with ThreadPoolExecutor(DECODING) as pool:
        return list(pool.map(one, sources))


def _encoded(picture: Picture, most_bytes: int) -> Thumbnail:
    """Return a picture in the best quality that has room or, where none has, in the least."""
    image = picture.image
    for side, quality in _ATTEMPTS:
        if max(image.size) > side:
            image = image.copy()
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=quality, method=_EFFORT)
        address = f"data:image/webp;base64,{base64.b64encode(stream.getbuffer()).decode()}"
        if len(address) <= most_bytes:
            break
    return Thumbnail(address, image.width, image.height, picture.cut)
