"""From an image file to upright RGB pixels.

The number of pixels is checked before anything is decoded. Then the EXIF orientation is applied, transparent pixels are
composited on a background, and every mode becomes RGB. What cannot be decoded as it is gets a second attempt
(``mending``).
"""

from __future__ import annotations

import contextlib
import functools
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from clipdex.defaults import MAX_PIXELS
from clipdex.errors import ImageError
from clipdex.media.files import open_regular
from clipdex.media.mending import Mended, mended
from clipdex.media.orientations import BY_EXIF, WHOLE, Sides, oriented_sides

Pixels = npt.NDArray[np.uint8]

# Raster formats only: EPS would start an interpreter, ICO is decoded when it is opened, before its size can be checked,
# and the rest are hardly ever images of a dataset.
# Pillow imports the common ones for every image, and all others, which takes as long as decoding ten photographs, for
# the first image that needs one of them.
_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_FORMATS = (*_COMMON_FORMATS, "WEBP", "TIFF", "DIB", "TGA", "PCX", "JPEG2000")
# These are there only with some builds of Pillow, or after a plugin was registered.
_OPTIONAL_FORMATS = ("AVIF", "HEIF")
_LARGEST_OF_12_BITS = (1 << 12) - 1
# Of a JPEG that lacks its end, decoders make the missing part grey. If less than this of it is there, it shows nothing.
_LEAST_SHOWN = 0.01
_GREY = 128
# EXIF orientations from here on lie on their side.
_FIRST_ON_ITS_SIDE = 5


class _PillowLimit:
    """Pillow's limit on the number of pixels, one for the whole process: off as long as somebody needs it off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: int | None = None

    def off(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._users += 1

    def on(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                Image.MAX_IMAGE_PIXELS = self._before


_pillow_limit = _PillowLimit()


@contextlib.contextmanager
def own_pixel_limit() -> Iterator[None]:
    """Switch off Pillow's limit on the number of pixels, which cannot be set per image; ours takes its place.

    Uses may overlap, in several threads too: the limit is on again when the last one ends.
    """
    _pillow_limit.off()
    try:
        yield
    finally:
        _pillow_limit.on()


class Decoded(NamedTuple):
    """An upright RGB image of a file.

    Attributes
    ----------
    image
        The image.
    damage
        What is wrong with the file, as the end of a sentence; empty where nothing is.
    beyond
        The part of a pixel by which ``image`` reaches beyond the picture on each side. It is 0 but where a JPEG was
        decoded at a lower resolution that does not divide its size.
    """

    image: Image.Image
    damage: str = ""
    beyond: Sides = WHOLE


def load_image(
    source: Path | IO[bytes],
    background: tuple[int, int, int] = (255, 255, 255),
    *,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
) -> Image.Image:
    """Decode an image to RGB, upright; of a JPEG that lacks its end, as far as it goes.

    Parameters
    ----------
    source
        The image file.
    background
        Colour under transparent pixels.
    max_pixels
        An image of more pixels is not decoded.
    enough
        Short side in pixels that is enough for the caller: a JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves as
        much. None decodes all pixels.

    Raises
    ------
    ImageError
        When it is no image, is damaged, or is too large; the message gives the reason without the name of the file.
    """
    return decode(source, background, max_pixels=max_pixels, enough=enough).image


def decode(
    source: Path | IO[bytes],
    background: tuple[int, int, int] = (255, 255, 255),
    *,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
    divisor: int = 8,
) -> Decoded:
    """Decode an image as ``load_image`` does, and say what is wrong with its file.

    ``divisor`` is 2, 4 or 8, the most by which the resolution of a JPEG is divided.
    """

    def attempt(file: Path | IO[bytes], damage: str = "") -> Decoded:
        with _open(file) as image:
            _check_size(image, max_pixels)
            beyond = _lower(image, enough, divisor) if enough is not None else WHOLE
            image.load()
            orientation = _make_upright(image)
            return Decoded(to_rgb(image, background), damage, oriented_sides(beyond, orientation))

    with own_pixel_limit(), _image_errors():
        # Opening a pipe would wait for somebody to write to it.
        if isinstance(source, Path) and not stat.S_ISREG(source.stat().st_mode):
            raise ImageError("not a regular file")
        try:
            return attempt(source)
        except (ImageError, MemoryError, FileNotFoundError):
            raise
        except Exception:
            with contextlib.ExitStack() as opened:
                file = opened.enter_context(open_regular(source)) if isinstance(source, Path) else source
                second = _second_attempt(file)
                if second is None:
                    raise
                decoded = attempt(second.file, second.damage)
            if second.damage and _shows_nothing(decoded.image):
                raise
            return decoded


def _second_attempt(file: IO[bytes]) -> Mended | None:
    second = mended(file)
    # A decoder may have been registered.
    _formats.cache_clear()
    return second


def _shows_nothing(image: Image.Image) -> bool:
    small = np.asarray(image.reduce(max(1, min(image.size) // 64)), np.int16)
    return bool((np.abs(small - _GREY).max(axis=-1) > 1).mean() < _LEAST_SHOWN)


def image_format(file: IO[bytes]) -> str | None:
    """Return Pillow's name of the format of an open file, from its header; None where it is no image.

    Nothing is decoded.
    """
    try:
        with own_pixel_limit(), _image_errors():
            try:
                with _open(file) as image:
                    return image.format
            except Exception:
                if (second := _second_attempt(file)) is None:
                    raise
                with _open(second.file) as image:
                    return image.format
    except ImageError:
        return None


def size_of(file: IO[bytes]) -> tuple[int, int]:
    """Return width and height in pixels of the image in an open file, upright, from its header.

    Raises
    ------
    ImageError
        When it is no image.
    """
    with own_pixel_limit(), _image_errors(), _open(file) as image:
        width, height = image.size
        with contextlib.suppress(Exception):  # damaged EXIF data says nothing of the pixels
            if image.getexif().get(ExifTags.Base.Orientation, 1) >= _FIRST_ON_ITS_SIDE:
                return height, width
        return width, height


def from_memory(
    image: Image.Image, background: tuple[int, int, int] = (255, 255, 255), *, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Bring an image that a caller has opened to what ``load_image`` would have made of its file.

    Raises
    ------
    ImageError
        As for ``load_image``: a file that was opened need not be decoded yet.
    """
    with _image_errors():
        _check_size(image, max_pixels)
        image.load()
        # The caller's image stays as it is.
        with contextlib.suppress(Exception):
            image = ImageOps.exif_transpose(image)
        return to_rgb(image, background)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"{width} x {height} pixels are more than {max_pixels:,}; raise the limit with --max-pixels")


@contextlib.contextmanager
def _image_errors() -> Iterator[None]:
    """Turn whatever a decoder raises into ``ImageError``."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not an image in a format that can be read") from error
    except FileNotFoundError as error:
        raise ImageError("no such file") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except OSError as error:
        raise ImageError(f"cannot be decoded: {error.strerror or error}") from error
    except Exception as error:
        # Pillow's decoders raise nearly anything on damaged files: SyntaxError, struct.error, zlib.error, IndexError.
        raise ImageError(f"cannot be decoded: {error or type(error).__name__}") from error


def _open(file: Path | IO[bytes]) -> Image.Image:
    """Read the header of an image; raise ``UnidentifiedImageError`` where it is of none of the formats."""
    if not _formats.cache_info().currsize:
        with contextlib.suppress(UnidentifiedImageError):
            return Image.open(file, formats=_COMMON_FORMATS)
    return Image.open(file, formats=_formats())


@functools.cache
def _formats() -> list[str]:
    Image.init()
    return [*_FORMATS, *(name for name in _OPTIONAL_FORMATS if name in Image.OPEN)]


def _lower(image: Image.Image, enough: int, divisor: int) -> Sides:
    """Make a JPEG that was opened decode at the lowest resolution that leaves ``enough`` pixels of its short side.

    Returns
    -------
    tuple
        By how much the decoded image will reach beyond the picture on each side, as it lies in the file.
    """
    while divisor > 1 and min(image.size) < enough * divisor:
        divisor //= 2
    if divisor == 1 or image.format not in ("JPEG", "MPO"):
        return WHOLE
    if (drafted := image.draft(None, (image.width // divisor, image.height // divisor))) is None:
        return WHOLE
    _, (_, _, width, height) = drafted
    return 0, 0, image.width - width, image.height - height


def _make_upright(image: Image.Image) -> int:
    """Apply the EXIF orientation, in place, and return it, as ``oriented`` takes it.

    Damaged EXIF data says nothing of the pixels, and is passed over.
    """
    orientation = 0
    with contextlib.suppress(Exception):
        orientation = BY_EXIF.get(image.getexif().get(ExifTags.Base.Orientation, 1), 0)
        ImageOps.exif_transpose(image, in_place=True)
    return orientation


def to_rgb(image: Image.Image, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Bring a decoded image of any mode to RGB.

    Transparency (of any kind) is composited on ``background``. Modes of more than 8 bits are scaled, not cut off:
    16 bits from their full range, 32-bit and float from 0 to 255 or 0 to 1 where they keep to it, otherwise from their
    own lowest to their highest value. Integers that need no more than 12 bits are what a camera or scanner of 12 bits
    wrote, and are scaled from their own range too, or from 0 to 255 where they keep to it.
    """
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        canvas = Image.new("RGB", image.size, background)
        # The image is its own mask: no copy is made but the result.
        canvas.paste(image, mask=image)
        return canvas
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_8_bits(np.asarray(image), sixteen=image.mode.startswith("I;16")))
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(values: npt.NDArray[np.generic], *, sixteen: bool) -> Pixels:
    if sixteen and (int(values.max()) > _LARGEST_OF_12_BITS or values.min() == values.max()):
        return (np.asarray(values, np.uint32) * 255 // 65535).astype(np.uint8)
    largest = float(np.finfo(np.float32).max)
    wide = np.nan_to_num(np.asarray(values, np.float64), posinf=largest, neginf=-largest)
    low, high = float(wide.min()), float(wide.max())
    if low >= 0 and high <= 1 and np.issubdtype(values.dtype, np.floating):
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and _LARGEST_OF_12_BITS < high <= 65535 and np.issubdtype(values.dtype, np.integer):
        low, high = 0.0, 65535.0
    # An image of one value has no range of its own.
    return np.round((wide - low) * (255.0 / ((high - low) or 1.0))).astype(np.uint8)
