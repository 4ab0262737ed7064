"""Second attempts at images that could not be decoded as they are.

A JPEG that lacks its end gets one. Texts and colour profiles that are too large are taken out of a PNG: they say
nothing of its pixels. For HEIC, the decoder of the extra is registered with Pillow. Intact images never get here.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import zlib
from typing import IO, NamedTuple

from PIL import Image

from clipdex.errors import ExtraMissing, ImageError, ImageNeedsExtra
from clipdex.extras import optional
from clipdex.media.kinds import READ_BY_EXTRA

_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"},
)
_START = 12
# Larger files are not copied into memory to be mended.
_MOST_BYTES = 256 << 20
_MOST_TEXT = 1 << 20

_END_OF_JPEG = b"\xff\xd9"
# The end of compressed pixels: a marker that is no stuffed byte, no fill byte and no restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# Texts that may say how an image is turned.
_TURNING = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")

_registering = threading.Lock()


# What lies in the place of images that were not downloaded.
_START_OF_TEXT = 128
_STAND_INS = (
    (
        re.compile(rb"version https://git-lfs\.github\.com/"),
        "a pointer of Git LFS, not the image itself; to download the images: git lfs pull",
    ),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)(?=[\s>])", re.IGNORECASE),
        "a web page, not an image; its download may have failed",
    ),
)


class Mended(NamedTuple):
    """What to decode instead, and what is wrong with the image, as the end of a sentence; empty where nothing is."""

    file: IO[bytes]
    damage: str = ""


def mended(file: IO[bytes]) -> Mended | None:
    """Return what to decode instead of a file that could not be decoded; None where nothing can be done.

    Raises
    ------
    ImageError
        When the file is empty, or of a kind that often lies in the place of an image.
    ImageNeedsExtra
        When the image is HEIC, and the extra that reads it is not installed.
    """
    file.seek(0)
    start = file.read(_START_OF_TEXT)
    if not start:
        raise ImageError("the file is empty")
    if start.startswith(_PNG):
        return _without_texts(file)
    if start.startswith(b"\xff\xd8\xff"):
        return _ended(file)
    if _is_heif(start) and _register_heif():
        return Mended(file)
    if (stand_in := next((said for known, said in _STAND_INS if known.match(start)), None)) is not None:
        raise ImageError(stand_in)
    return None


def require_decoder(file: IO[bytes]) -> None:
    """Refuse an image that needs an extra, from its first bytes; the file is set to its beginning.

    Raises
    ------
    ImageNeedsExtra
        When the extra is not installed.
    """
    try:
        start = file.read(_START)
        file.seek(0)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if _is_heif(start):
        _register_heif()


def has_decoder(suffix: str) -> bool:
    """Tell whether what decodes the files of an extension is installed."""
    try:
        if suffix in READ_BY_EXTRA:
            _register_heif()
    except ImageNeedsExtra:
        return False
    return True


def _is_heif(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _register_heif() -> bool:
    """Register the decoder of HEIC with Pillow; return whether it was not registered before.

    Raises
    ------
    ImageNeedsExtra
        When the extra is not installed.
    """
    with _registering:
        Image.init()
        if "HEIF" in Image.OPEN:
            return False
        try:
            optional("pillow_heif", "heif", "reading HEIC").register_heif_opener()
        except ExtraMissing as error:
            raise ImageNeedsExtra(error.message.rstrip(".")) from error
        return True


def _ended(file: IO[bytes]) -> Mended | None:
    """Return a JPEG up to its last whole part, with an end; None where it has one, or ends before its pixels begin."""
    file.seek(0)
    data = file.read(_MOST_BYTES + 1)
    at, has_pixels = 2, False
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xD9:
            return None
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD7:
            at += 1 if kind == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            break
        at = end
        if kind == 0xDA:
            has_pixels = True
            marker = _MARKER.search(data, at)
            at = marker.start() if marker is not None else len(data)
    if not has_pixels or len(data) > _MOST_BYTES or data[at : at + 2] == _END_OF_JPEG:
        return None
    return Mended(io.BytesIO(data[:at] + _END_OF_JPEG), "it lacks its end")


def _without_texts(file: IO[bytes]) -> Mended | None:
    """Return a PNG without the texts and profiles that are too large; None where it has none."""
    file.seek(0)
    kept = io.BytesIO(file.read(len(_PNG)))
    kept.seek(0, io.SEEK_END)
    left_out = False
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _TEXTS and length > _MOST_TEXT:
            file.seek(length + 4, io.SEEK_CUR)
            left_out = True
            continue
        if kept.tell() + length > _MOST_BYTES:
            return None
        body = file.read(length + 4)
        if kind in _TEXTS and not _is_small_text(kind, body[:-4]):
            left_out = True
            continue
        kept.write(head + body)
        if kind == b"IEND" or len(body) < length + 4:
            break
    return Mended(kept) if left_out else None


def _is_small_text(kind: bytes, body: bytes) -> bool:
    """Tell whether a text may say how the image is turned, and stays small when it is unpacked."""
    if not body.startswith(_TURNING):
        return False
    rest = body.partition(b"\0")[2]
    if kind == b"tEXt" or (kind == b"iTXt" and not rest.startswith(b"\1")):
        return True
    if kind != b"zTXt":
        return False
    try:
        return len(zlib.decompressobj().decompress(rest[1:], _MOST_TEXT + 1)) <= _MOST_TEXT
    except zlib.error:
        return False
