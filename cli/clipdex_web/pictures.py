"""Pictures for a browser: small, upright, without metadata, and always made anew: no byte of a file is served."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from clipdex.errors import ImageError
from clipdex.media.decoding import load_image
from clipdex.media.locators import split_locator
from clipdex.media.opening import open_media
from clipdex.search.listing import ListedItem
from clipdex_web.kept import KeptFiles

MEDIA_TYPE = "image/webp"
MOST_KEPT = 512 << 20
_QUALITY = 82
# Goes into the name of each picture: another way of making them makes other names.
_MAKING = "1"


class Picture(NamedTuple):
    """A picture as WebP, and the name of what it shows, which another content changes."""

    content: bytes
    name: str


class Pictures:
    """Makes pictures of items, and keeps them by the content of their images.

    Parameters
    ----------
    folder
        Where they are kept.
    max_pixels
        Images of more pixels are not decoded.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._files = KeptFiles(folder, MOST_KEPT)
        self.max_pixels = max_pixels

    def of_item(self, item: ListedItem, size: int) -> Picture:
        """Return the picture of an item, whose longer side has at most ``size`` pixels.

        Raises
        ------
        ImageError
            When its image is not there, or cannot be decoded.
        """
        if not item.dataset.has_media(item.path):
            raise ImageError("no such file")
        name = _name_of(item, size)
        kept = self._files.read(name)
        if kept is None:
            with open_media(item.path) as content:
                kept = _encoded(load_image(content, max_pixels=self.max_pixels, enough=2 * size), size)
            self._files.write(name, kept)
        return Picture(kept, name)

    def of_upload(self, content: bytes, size: int) -> bytes:
        """Return the picture of an image that was uploaded.

        Raises
        ------
        ImageError
            When it cannot be decoded.
        """
        return _encoded(load_image(io.BytesIO(content), max_pixels=self.max_pixels, enough=2 * size), size)


def _name_of(item: ListedItem, size: int) -> str:
    """Return a name that is another one where the content is: by its hash where the file is as it was hashed."""
    path, member = split_locator(item.path)
    try:
        status = path.stat()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    row = item.row
    as_hashed = row.content and (member or (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns))
    what = (row.content, row.size) if as_hashed else (item.path, status.st_size, status.st_mtime_ns, row.content)
    return hashlib.sha256(repr((_MAKING, size, what)).encode(errors="backslashreplace")).hexdigest()


def _encoded(image: Image.Image, size: int) -> bytes:
    if max(image.size) > size:
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    # A copy of the pixels alone: whatever else the file said stays behind.
    Image.frombytes("RGB", image.size, image.tobytes()).save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue()
