"""The picture of a map: every image as a dot or, where they are few, as itself, with a legend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw

from clipdex.defaults import MAX_PIXELS
from clipdex.report.drawing import (
    ACCENT,
    BACKGROUND,
    DECODING,
    FRAME,
    GAP,
    INK,
    MARGIN,
    QUIET,
    draw_text,
    fitted,
    line_height,
    text_width,
    thumbnail,
    wrapped,
)
from clipdex.report.map_points import Colouring, MapPoints
from clipdex.wording import counted

# Of so few images, the images themselves are drawn.
MOST_PICTURES = 200
_PLOT, _LEGEND = 960, 300
_LOWEST = 480
_EDGE = 48
# Dots are drawn larger and scaled down, so that their edges are smooth.
_FINE = 2
_MOST_RINGS = 200
_NUMBERED = 9
# How far outside, in which colour and how wide the lines around a hit are, and around one that may be noise.
_SURE = ((3, BACKGROUND, 6), (2, INK, 3))
_WEAK = ((2, BACKGROUND, 3), (1, QUIET, 1))

_Box = tuple[float, float, float, float]
Doubles = npt.NDArray[np.float64]


def draw_map(
    points: MapPoints, colour_by: str | None = None, *, note: str = "", max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Draw a map.

    Parameters
    ----------
    points
        What to draw. Where it names all of at most 200 images, those are drawn; otherwise each is a dot, and the more
        dots lie on each other, the stronger is the colour.
    colour_by
        ``label``, ``tag``, ``subset`` or ``dataset``; None takes what tells most.
    note
        A line below the legend: how the map was made.
    max_pixels
        Images of more pixels are drawn as dots.
    """
    by = points.coloured_by(colour_by)
    colouring = points.colourings[by]
    head = line_height(22) + GAP
    plot = _Plot.of(points.places)
    sheet = Image.new("RGB", (3 * MARGIN + _PLOT + _LEGEND, 2 * MARGIN + head + plot.height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    title = f"Map of {counted(len(points.places), 'image')} in {points.title}"
    draw_text(draw, (MARGIN, MARGIN - 4), fitted(title, 18, sheet.width - 2 * MARGIN), 18, INK)
    corner = (MARGIN, MARGIN + head)
    at = plot.pixels(points.places)
    _draw_dots(sheet, corner, plot, at, colouring)
    pictures: _Pictures = {}
    if len(points.named) == len(points.places) <= MOST_PICTURES:
        pictures = _pictures(points, colouring, at, corner, plot, max_pixels)
    hits = {one.number for one in points.found}
    for number, picture in pictures.items():
        if number not in hits:
            picture.draw_on(sheet)
    draw.rectangle((corner[0] - 1, corner[1] - 1, corner[0] + _PLOT, corner[1] + plot.height), outline=FRAME)
    _draw_found(sheet, corner, plot, points, pictures)
    _draw_legend(draw, (2 * MARGIN + _PLOT, corner[1]), points, by, note)
    return sheet


class _Plot(NamedTuple):
    """The part of the plane that is drawn: its middle, pixels for a step of 1, and its height in pixels."""

    x: float
    y: float
    scale: float
    height: int

    @classmethod
    def of(cls, places: npt.NDArray[np.float32]) -> _Plot:
        """Fit the extent of points into the width of a plot, or into its greatest height."""
        low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.zeros(2))
        (x, y), (width, height) = ((low + high) / 2).tolist(), np.maximum(high - low, 1e-3).tolist()
        scale = (_PLOT - 2 * _EDGE) / max(width, height)
        return cls(x, y, scale, max(_LOWEST, round(height * scale) + 2 * _EDGE))

    def pixels(self, places: npt.NDArray[np.float32]) -> Doubles:
        """Return where points are in the plot, float64 ``[n, 2]``, y downwards."""
        middle = np.array([_PLOT / 2, self.height / 2])
        return middle + (places.astype(np.float64) - [self.x, self.y]) * [self.scale, -self.scale]


def _radius(count: int) -> float:
    return float(np.clip(7.0 - 1.05 * np.log10(max(count, 1)), 0.75, 6.0))


def _draw_dots(sheet: Image.Image, corner: tuple[int, int], plot: _Plot, at: Doubles, colouring: Colouring) -> None:
    """Mix the colours of all dots of a pixel, and cover the paper the more, the more dots there are."""
    side, height, radius = _PLOT * _FINE, plot.height * _FINE, _radius(len(at)) * _FINE
    reach = int(np.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    disc = [(x, y) for x in steps.tolist() for y in steps.tolist() if x * x + y * y <= radius * radius]
    cells = np.clip((at * _FINE).astype(np.int64), reach, [side - reach - 1, height - reach - 1])
    colours = np.array([ImageColor.getrgb(colour) for colour in colouring.colours], np.float64)
    counts, sums = np.zeros(side * height), np.zeros((3, side * height))
    for group in range(len(colours)):
        mine = cells[colouring.codes == group]
        middle = np.bincount(mine[:, 1] * side + mine[:, 0], minlength=side * height)
        used = np.flatnonzero(middle)
        for x, y in disc:
            places = used + y * side + x
            counts[places] += middle[used]
            for channel in range(3):
                sums[channel, places] += middle[used] * colours[group, channel]
    inked = np.flatnonzero(counts)
    # A single dot is seen well; a hundred on each other are full.
    cover = np.clip(0.72 + 0.28 * np.log10(counts[inked]) / 2, 0, 1) if len(inked) else counts[inked]
    picture = np.full((side * height, 3), 255.0)
    picture[inked] = 255 * (1 - cover[:, None]) + cover[:, None] * (sums[:, inked] / counts[inked]).T
    fine = Image.fromarray(picture.reshape(height, side, 3).astype(np.uint8))
    sheet.paste(fine.resize((_PLOT, plot.height), Image.Resampling.BOX), corner)


class _Picture(NamedTuple):
    """The image of a point: its small picture, the box of it with its frame, and the colour of that."""

    image: Image.Image
    box: _Box
    colour: str

    def draw_on(self, sheet: Image.Image) -> None:
        ImageDraw.Draw(sheet).rectangle(self.box, fill=self.colour, outline=BACKGROUND)
        sheet.paste(self.image, (int(self.box[0]) + 3, int(self.box[1]) + 3))


_Pictures = dict[int, _Picture]


def _pictures(
    points: MapPoints, colouring: Colouring, at: Doubles, corner: tuple[int, int], plot: _Plot, max_pixels: int
) -> _Pictures:
    """Return the images that can be read, by the number of their point."""
    size = int(np.clip(0.5 * _PLOT / np.sqrt(max(len(at), 1)), 36, 84))
    with ThreadPoolExecutor(DECODING) as pool:
        found = list(pool.map(lambda one: thumbnail(one.path, (size, size), max_pixels), points.named))
    pictures = {}
    for number, (picture, (x, y), code) in enumerate(zip(found, at.tolist(), colouring.codes.tolist(), strict=True)):
        if picture is not None:
            width, height = picture.image.size
            left = corner[0] + int(np.clip(x - width / 2, 3, _PLOT - width - 3)) - 3
            top = corner[1] + int(np.clip(y - height / 2, 3, plot.height - height - 3)) - 3
            box = (left, top, left + width + 5, top + height + 5)
            pictures[number] = _Picture(picture.image, box, colouring.colours[code])
    return pictures


def _draw_found(
    sheet: Image.Image, corner: tuple[int, int], plot: _Plot, points: MapPoints, pictures: _Pictures
) -> None:
    """Draw each hit with a ring, or its image with a frame, the best on top, and the ranks of the first ones."""
    draw = ImageDraw.Draw(sheet)
    shown = points.found[:_MOST_RINGS]
    if not shown:
        return
    at = plot.pixels(np.array([[one.x, one.y] for one in shown], np.float32))
    radius = max(7.0, _radius(len(points.places)) + 4)
    for one, (x, y) in reversed(list(zip(shown, at.tolist(), strict=True))):
        x, y = corner[0] + x, corner[1] + y
        picture = pictures.get(one.number)
        box, mark = (x - radius, y - radius, x + radius, y + radius), draw.ellipse
        if picture is not None:
            picture.draw_on(sheet)
            box, mark = picture.box, draw.rectangle
        for more, ink, width in _WEAK if one.weak else _SURE:
            mark((box[0] - more, box[1] - more, box[2] + more, box[3] + more), None, ink, width)
        if one.rank <= _NUMBERED and not one.weak:
            name = str(one.rank)
            left, top = (box[0], box[1]) if picture is not None else (box[2] + 3, y - line_height(13) / 2)
            edge = (left - 2, top - 1, left + text_width(name, 13) + 2, top + line_height(13))
            draw.rectangle(edge, fill=BACKGROUND)
            draw_text(draw, (round(left), round(top)), name, 13, INK)


def _draw_legend(draw: ImageDraw.ImageDraw, corner: tuple[int, int], points: MapPoints, by: str, note: str) -> None:
    left, top = corner
    colouring = points.colourings[by]
    if points.found:
        draw_text(draw, (left, top), fitted(f"nearest to {points.asked}", 15, _LEGEND), 15, ACCENT)
        top += line_height(15) + 4
        weak = sum(one.weak for one in points.found)
        for count, what, (_, ink, width) in ((len(points.found) - weak, "", _SURE[1]), (weak, "weak ", _WEAK[1])):
            if count:
                draw.ellipse((left, top + 1, left + 14, top + 15), outline=ink, width=width)
                text = f"{counted(count, f'{what}hit')}{', which may be noise' if what else ''}"
                draw_text(draw, (left + 24, top), text, 13, QUIET)
                top += line_height(13) + 4
        if len(points.found) > _MOST_RINGS:
            draw_text(draw, (left + 24, top), f"The first {_MOST_RINGS} are marked.", 13, QUIET)
            top += line_height(13)
        top += 2 * GAP
    draw_text(draw, (left, top), f"by {by}", 15, INK)
    top += line_height(15) + GAP
    for name, colour, count in zip(colouring.names, colouring.colours, colouring.counts, strict=True):
        draw.ellipse((left, top + 2, left + 13, top + 15), fill=colour)
        number = f"{count:,}"
        draw_text(draw, (left + 24, top), fitted(name, 14, _LEGEND - 36 - text_width(number, 13)), 14, INK)
        draw_text(draw, (left + _LEGEND - text_width(number, 13), top + 1), number, 13, QUIET)
        top += line_height(14) + 4
    for sentence in filter(None, (colouring.note, note)):
        for line in wrapped(sentence, 12, _LEGEND):
            draw_text(draw, (left, top + GAP), line, 12, QUIET)
            top += line_height(12)
        top += GAP
