"""What sheets of pictures are drawn with: pictures in boxes, and text that fits."""

from __future__ import annotations

import functools
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from clipdex.errors import ImageError
from clipdex.media.decoding import load_image
from clipdex.media.opening import open_media

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
CELL = 196
PICTURE = (180, 150)
GAP = 8
MARGIN = 20
# Images that are in memory at their full size at the same time.
DECODING = 2
BACKGROUND = "#ffffff"
INK, QUIET, FRAME, ACCENT = "#1b1f24", "#667085", "#e4e7ec", "#1f5fbf"
_HIDDEN = str.maketrans(dict.fromkeys([*range(32), 127], "�"))


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all sheets in one size."""
    return ImageFont.truetype(str(_FONT), size)


def draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Image.Image | None,
    corner: tuple[int, int],
    box: tuple[int, int],
    instead: str = "cannot be read",
) -> None:
    """Draw a picture in the middle of a box or, where there is none, an empty frame that says something instead."""
    left, top = corner
    if picture is None:
        draw.rectangle((left, top, left + box[0] - 1, top + box[1] - 1), outline=FRAME, width=2)
        middle = left + (box[0] - text_width(instead, 13)) // 2
        draw.text((middle, top + box[1] // 2 - 8), instead, font=font(13), fill=QUIET)
        return
    picture = fit(picture, box)
    sheet.paste(picture, (left + (box[0] - picture.width) // 2, top + (box[1] - picture.height) // 2))


def thumbnail(path: str, box: tuple[int, int], max_pixels: int) -> Image.Image | None:
    """Return the media at a locator, scaled to a box; None where it cannot be read."""
    try:
        with open_media(path) as content:
            return fit(load_image(content, max_pixels=max_pixels, enough=max(box) // 2), box)
    except ImageError:
        return None


def fit(image: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Scale an image, keeping its proportions, to the largest that fits the box (small ones up to four times)."""
    scale = min(box[0] / image.width, box[1] / image.height, 4.0)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def line_height(size: int) -> int:
    """Return the height of a line of text, in pixels."""
    return round(size * 1.35)


def text_width(text: str, size: int) -> int:
    """Return the width of a text, in pixels."""
    return round(font(size).getlength(text))


def fitted(text: str, size: int, room: int) -> str:
    """Shorten a text in the middle, where paths differ least, until it fits ``room`` pixels."""
    text = text.translate(_HIDDEN)[:2000]
    if text_width(text, size) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        keep = (low + high + 1) // 2
        if text_width(_middle_out(text, keep), size) <= room:
            low = keep
        else:
            high = keep - 1
    return _middle_out(text, low)


def _middle_out(text: str, keep: int) -> str:
    end = (keep * 2 + 2) // 3
    return f"{text[: keep - end]}…{text[len(text) - end :]}"


def wrapped(text: str, size: int, room: int) -> list[str]:
    """Break a text into lines of at most ``room`` pixels."""
    lines: list[str] = []
    for word in text.translate(_HIDDEN)[:2000].split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(fitted(word, size, room))
    return lines
