"""What sheets of pictures are drawn with: pictures in boxes, and text that fits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from clipdex.errors import ImageError
from clipdex.media.decoding import load_image
from clipdex.media.files import open_regular
from clipdex.media.opening import open_media
from clipdex.report import system_fonts

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
CELL = 196
PICTURE = (180, 150)
GAP = 8
MARGIN = 20
# Images that are in memory at their full size at the same time.
DECODING = 2
BACKGROUND = "#ffffff"
INK, QUIET, FRAME, ACCENT = "#1b1f24", "#667085", "#e4e7ec", "#1f5fbf"
_EDGE = "#b4bcc8"
# Of an image that is longer than this many times its short side, only the middle is drawn.
_LONGEST = 3
_TOOTH = 5
_HIDDEN = str.maketrans(dict.fromkeys([*range(32), 127], "�"))
_MOST_TEXT = 2000
# No font has a character of this code: what is drawn for it is drawn for all that a font does not have.
_NO_CHARACTER = "\uffff"
# A glyph of more times the size of its font is not drawn.
_LARGEST_GLYPH = 4


class Picture(NamedTuple):
    """An image that was scaled to a box, and whether its ends were cut off for that."""

    image: Image.Image
    cut: bool


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all sheets in one size."""
    return ImageFont.truetype(str(_FONT), size)


def draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Picture | None,
    corner: tuple[int, int],
    box: tuple[int, int],
    instead: str = "cannot be read",
) -> None:
    """Draw a picture with a frame in the middle of a box or, without one, an empty frame that says something instead.

    The frame is one pixel wide and around the picture. Ends that were cut off are drawn torn.
    """
    left, top = corner
    if picture is None:
        draw.rectangle((left, top, left + box[0] - 1, top + box[1] - 1), outline=FRAME, width=2)
        middle = left + (box[0] - text_width(instead, 13)) // 2
        draw_text(draw, (middle, top + box[1] // 2 - 8), instead, 13, QUIET)
        return
    image = picture.image
    left, top = left + (box[0] - image.width) // 2, top + (box[1] - image.height) // 2
    if not picture.cut:
        sheet.paste(image, (left, top))
        draw.rectangle((left - 1, top - 1, left + image.width, top + image.height), outline=_EDGE)
        return
    outline = _torn(image.width, image.height)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    sheet.paste(image, (left, top), mask)
    draw.line([(left + x, top + y) for x, y in [*outline, outline[0]]], fill=_EDGE)


def _torn(width: int, height: int) -> list[tuple[int, int]]:
    """Return the corners of the outline of a picture whose ends were cut off: teeth at the ends of its long side."""
    if height > width:
        return [(x, y) for y, x in _torn(height, width)]
    steps = [*range(0, height, _TOOTH), height]
    left = [(_TOOTH * (number % 2), y) for number, y in enumerate(steps)]
    right = [(width - 1 - x, y) for x, y in left]
    # The frame is around the picture where that was not cut.
    left[0], right[0] = (0, -1), (width - 1, -1)
    return [*left, *reversed(right)]


def thumbnail(source: str | Path | None, box: tuple[int, int], max_pixels: int) -> Picture | None:
    """Return the image at a locator (a text) or in a file (a path), scaled to a box; None where it cannot be read."""
    if source is None:
        return None
    try:
        return fitted_picture(source, box, max_pixels)
    except ImageError:
        return None


def fitted_picture(source: str | Path, box: tuple[int, int], max_pixels: int) -> Picture:
    """Return the image at a locator (a text) or in a file (a path), scaled to a box as ``fit`` does.

    Raises
    ------
    ImageError
        When it cannot be read, or has more than ``max_pixels`` pixels; the message gives the reason alone.
    """
    with open_regular(source) if isinstance(source, Path) else open_media(source) as content:
        return fit(load_image(content, max_pixels=max_pixels, enough=max(box)), box)


def fit(image: Image.Image, box: tuple[int, int]) -> Picture:
    """Scale an image, keeping its proportions, to the largest that fits the box (small ones up to four times).

    Of an image that is longer than three times its short side, the middle is taken.
    """
    width, height = min(image.width, _LONGEST * image.height), min(image.height, _LONGEST * image.width)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    scale = min(box[0] / width, box[1] / height, 4.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    cut = (width, height) != image.size
    if size == image.size:
        return Picture(image, cut)
    part = (left, top, left + width, top + height)
    return Picture(image.resize(size, Image.Resampling.LANCZOS, box=part), cut)


def draw_text(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, size: int, ink: str) -> None:
    """Write one line of text; ``corner`` is where a line of the font of all sheets would have its left and top."""
    # Fonts have ascents of their own, and are to stand on one base line.
    base = corner[1] + font(size).getmetrics()[0]
    draw.text((corner[0], base), text, font=font_of(text, size), fill=ink, anchor="ls")


def font_of(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Return the font for a text: that of all sheets, unless one of the system has more of the text's characters."""
    if text.isascii():
        return font(size)
    characters = {character for character in text if not character.isspace()}
    best, fewest = font(size), sum(not _has(_FONT, size, character) for character in characters)
    for path in system_fonts.cjk_fonts() if fewest else ():
        missing = sum(not _has(path, size, character) for character in characters)
        if missing < fewest:
            best, fewest = _system_font(path, size), missing
        if not fewest:
            break
    return best


@functools.lru_cache(32)
def _system_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    # Without shaping a text is drawn of the glyphs that were looked at one by one.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(1 << 15)
def _has(path: Path, size: int, character: str) -> bool:
    """Tell whether a font has a character, and can draw it: a damaged font has none."""
    try:
        glyph = _glyph(path, size, character)
        return glyph is not None and glyph != _glyph(path, size, _NO_CHARACTER)
    except (OSError, ValueError):
        return False


def _glyph(path: Path, size: int, character: str) -> tuple[tuple[int, int], bytes] | None:
    face = _system_font(path, size)
    left, top, right, bottom = face.getbbox(character)
    if max(right - left, bottom - top) > _LARGEST_GLYPH * size:
        return None
    mask = face.getmask(character)
    return mask.size, bytes(mask)


def line_height(size: int) -> int:
    """Return the height of a line of text, in pixels."""
    return round(size * 1.35)


def text_width(text: str, size: int) -> int:
    """Return the width of a text, in pixels."""
    return round(font_of(text, size).getlength(text))


def fitted(text: str, size: int, room: int) -> str:
    """Shorten a text in the middle, where paths differ least, until it fits ``room`` pixels."""
    return _shortened(text.translate(_HIDDEN)[:_MOST_TEXT], size, room, _middle_out)


def begun(text: str, size: int, room: int) -> str:
    """Shorten a text at its end until it fits ``room`` pixels."""
    return _shortened(text.translate(_HIDDEN)[:_MOST_TEXT], size, room, lambda text, keep: text[:keep] + "…")


def _shortened(text: str, size: int, room: int, shorter: Callable[[str, int], str]) -> str:
    if text_width(text, size) <= room:
        return text
    return shorter(text, _most(lambda keep: text_width(shorter(text, keep), size) <= room, len(text)))


def _most(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to ``most`` that fits, or 0, by bisection."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _middle_out(text: str, keep: int) -> str:
    end = (keep * 2 + 2) // 3
    return f"{text[: keep - end]}…{text[len(text) - end :]}"


def wrapped(text: str, size: int, room: int) -> list[str]:
    """Break a text into lines of at most ``room`` pixels: between words, and within words that are longer."""
    lines: list[str] = []
    for word in text.translate(_HIDDEN)[:_MOST_TEXT].split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines += _pieces(word, size, room)
    return lines


def _pieces(word: str, size: int, room: int) -> list[str]:
    pieces = []
    rest = word
    while text_width(rest, size) > room:
        end = _beginning(rest, size, room)
        pieces.append(rest[:end])
        rest = rest[end:]
    return [*pieces, rest] if rest or not pieces else pieces


def _beginning(text: str, size: int, room: int) -> int:
    """Return how many characters of a text fit ``room`` pixels, at least 1."""
    # Hardly any character is narrower than a pixel.
    return max(1, _most(lambda end: text_width(text[:end], size) <= room, min(len(text), room)))
