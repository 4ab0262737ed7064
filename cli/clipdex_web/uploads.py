"""Images that were uploaded to ask with: kept by the SHA-256 of their bytes, so that an address can name them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from clipdex.errors import ImageError, OutputError, QueryImageError
from clipdex.media.decoding import image_format, load_image
from clipdex_web.kept import KeptFiles

MOST_BYTES = 20_000_000
MOST_KEPT = 512 << 20


class Uploads:
    """The uploaded images of this user.

    Parameters
    ----------
    folder
        Where they are kept.
    max_pixels
        Images of more pixels are refused before they are decoded.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._files = KeptFiles(folder, MOST_KEPT)
        self._max_pixels = max_pixels

    def add(self, content: bytes) -> str:
        """Keep an image, and return its name.

        Raises
        ------
        QueryImageError
            When it is no image that a query can use.
        OutputError
            When it cannot be kept.
        """
        if len(content) > MOST_BYTES:
            raise QueryImageError(f"the upload has more than {MOST_BYTES // 1_000_000} MB: make the image smaller.")
        try:
            if image_format(io.BytesIO(content)) is None:
                raise ImageError("not an image in a format that can be read")
            load_image(io.BytesIO(content), max_pixels=self._max_pixels, enough=512)
        except ImageError as error:
            raise QueryImageError(f"the upload cannot be used: {error}.") from error
        name = hashlib.sha256(content).hexdigest()
        if not self._files.write(name, content):
            raise OutputError(f"the upload cannot be kept in {self._files.path(name).parent}: is the disk full?")
        return name

    def read(self, name: str) -> bytes:
        """Return the bytes of an image.

        Raises
        ------
        QueryImageError
            When it is not kept any more, or was changed.
        """
        content = self._files.read(name)
        if content is None or hashlib.sha256(content).hexdigest() != name:
            raise QueryImageError(f"the upload {name[:12]} is not kept any more: upload the image again.")
        return content

    def path(self, name: str) -> Path:
        """Return the file of an image, for a command line."""
        return self._files.path(name)
