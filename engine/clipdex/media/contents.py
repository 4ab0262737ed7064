"""The hash of what a file holds, by which the same content is known again under another name."""

from __future__ import annotations

import hashlib
import io
from typing import IO

from clipdex.errors import ImageError

# A file that is larger than this is read twice, for its hash and to decode it, and not kept in memory between.
_WHOLE_BYTES = 64 << 20
_BLOCK = 1 << 20


def content_of(file: IO[bytes]) -> tuple[int, IO[bytes]]:
    """Return the hash of a file's content, as an index keeps it, and the file to decode, set to its beginning.

    Raises
    ------
    ImageError
        When it cannot be read to its end.
    """
    try:
        data = file.read(_WHOLE_BYTES + 1)
        digest = hashlib.blake2b(data, digest_size=8)
        image: IO[bytes] = io.BytesIO(data)
        if len(data) > _WHOLE_BYTES:
            while data := file.read(_BLOCK):
                digest.update(data)
            file.seek(0)
            image = file
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return int.from_bytes(digest.digest(), "little", signed=True), image
