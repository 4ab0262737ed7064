"""The contact sheet: one picture of a query and its hits."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from clipdex.defaults import MAX_PIXELS
from clipdex.encoder.images import load_image
from clipdex.errors import ImageError
from clipdex.media import open_media
from clipdex.result import Hit, Result

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_CELL = 196
_PICTURE = (180, 150)
_QUERY_PICTURE = (220, 180)
_GAP = 8
_MARGIN = 20
_FEWEST_COLUMNS, _MOST_COLUMNS = 4, 8
_MOST_QUERIES = 5
_MOST_HITS = 400
# Images that are in memory at their full size at the same time.
_DECODING = 2
_BACKGROUND = "#ffffff"
_INK, _QUIET, _FRAME, _ACCENT = "#1b1f24", "#667085", "#e4e7ec", "#1f5fbf"
_AWAY = "#b42318"
_HIDDEN = str.maketrans(dict.fromkeys([*range(32), 127], "�"))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONT), size)


def draw_sheet(result: Result, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Draw the queries and the hits of a result, with rank, distance, id and labels under each picture.

    Pictures keep their proportions. A picture that cannot be read, or has more than ``max_pixels`` pixels, is drawn as
    an empty frame that says so. Of more than 400 hits the first 400 are drawn.
    """
    hits = result.hits[:_MOST_HITS]
    columns = min(_MOST_COLUMNS, max(_FEWEST_COLUMNS, len(hits), len(result.queries[:_MOST_QUERIES])))
    queries = range(len(result.queries[:_MOST_QUERIES]))
    with ThreadPoolExecutor(_DECODING) as pool:
        pictures = list(pool.map(lambda hit: _thumbnail(hit.path, _PICTURE, max_pixels), hits))
        asked = list(pool.map(lambda number: _query_picture(result, number, max_pixels), queries))
    line = _line_height(13)
    cell_height = _PICTURE[1] + 3 * line + 2 * _GAP
    rows = -(-len(hits) // columns)
    head = _line_height(22) + _QUERY_PICTURE[1] + line + 4 * _GAP
    width = 2 * _MARGIN + columns * _CELL
    sheet = Image.new("RGB", (width, 2 * _MARGIN + head + rows * cell_height + _GAP), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_head(sheet, draw, result, asked)
    top = _MARGIN + head
    several = sum(not query.negative for query in result.queries) > 1
    draw.line([(_MARGIN, top - _GAP), (width - _MARGIN, top - _GAP)], fill=_FRAME, width=2)
    for number, (hit, picture) in enumerate(zip(hits, pictures, strict=True)):
        left, upper = _MARGIN + (number % columns) * _CELL, top + (number // columns) * cell_height
        _draw_hit(sheet, draw, hit, picture, (left, upper), several=several)
    return sheet


def _draw_head(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, result: Result, asked: Sequence[Image.Image | None]
) -> None:
    names = ", ".join(dataset.name for dataset in result.datasets)
    shown = min(len(result.hits), _MOST_HITS)
    count = _counted(len(result.hits), "hit")
    if shown < len(result.hits):
        count += f" (the first {shown} shown)"
    items = _counted(sum(dataset.items for dataset in result.datasets), "image")
    title = f"{count} in {names}  ({items})"
    room = sheet.width - 2 * _MARGIN
    draw.text((_MARGIN, _MARGIN - 4), _fitted(title, 18, room), font=_font(18), fill=_INK)
    top = _MARGIN + _line_height(22) + _GAP
    step = min(_QUERY_PICTURE[0] + 2 * _GAP, room // max(1, len(asked)))
    box = (min(_QUERY_PICTURE[0], step - _GAP), _QUERY_PICTURE[1])
    for number, (query, picture) in enumerate(zip(result.queries, asked, strict=False)):
        left = _MARGIN + number * step
        colour = _AWAY if query.negative else _ACCENT
        if query.kind == "text":
            _draw_text_query(draw, query.value, (left, top), box)
        else:
            _draw_picture(sheet, draw, picture, (left, top), box)
        corners = (left, top, left + box[0] - 1, top + box[1] - 1)
        draw.rectangle(corners, outline=colour, width=2)
        if query.negative:
            draw.line(corners, fill=colour, width=3)
        kind = f"query {number + 1}: {query.kind}" if len(result.queries) > 1 else f"query: {query.kind}"
        if query.negative:
            kind = f"not like this {query.kind}"
        name = {"text": "", "image": Path(query.value).name}.get(query.kind, query.value)
        text = f"{kind} {name}".rstrip()
        draw.text((left, top + box[1] + 2), _fitted(text, 13, box[0]), font=_font(13), fill=colour)
    if len(result.queries) > len(asked):
        more = f"+ {len(result.queries) - len(asked)} more"
        draw.text((_MARGIN + len(asked) * step, top + box[1] // 2), more, font=_font(13), fill=_QUIET)


def _draw_text_query(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], box: tuple[int, int]) -> None:
    left, top = corner
    draw.rectangle((left, top, left + box[0] - 1, top + box[1] - 1), fill="#f2f6fc")
    inner = box[0] - 4 * _GAP
    for size in (24, 18, 14):
        lines = _wrapped(text, size, inner)
        if len(lines) * _line_height(size) <= box[1] - 2 * _GAP:
            break
    room = max(1, (box[1] - 2 * _GAP) // _line_height(size))
    if len(lines) > room:
        lines = [*lines[: room - 1], _fitted(lines[room - 1] + " ...", size, inner)]
    start = top + (box[1] - len(lines) * _line_height(size)) // 2
    for number, line in enumerate(lines):
        x = left + (box[0] - _width(line, size)) // 2
        draw.text((x, start + number * _line_height(size)), line, font=_font(size), fill=_INK)


def _draw_hit(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    hit: Hit,
    picture: Image.Image | None,
    corner: tuple[int, int],
    *,
    several: bool,
) -> None:
    left, top = corner
    _draw_picture(sheet, draw, picture, corner, _PICTURE)
    line = _line_height(13)
    rank = f"{hit.rank}."
    below = top + _PICTURE[1] + 3
    draw.text((left, below), rank, font=_font(13), fill=_INK)
    score = "" if hit.score is None else f" ({hit.score:.1f})"
    distance = f"distance {hit.distance}{score}" + (f"  query {hit.query + 1}" if several else "")
    draw.text((left + _width(rank + " ", 13), below), distance, font=_font(13), fill=_ACCENT)
    draw.text((left, below + line), _fitted(hit.id, 13, _PICTURE[0]), font=_font(13), fill=_INK)
    draw.text((left, below + 2 * line), _fitted(", ".join(hit.labels), 13, _PICTURE[0]), font=_font(13), fill=_QUIET)


def _draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Image.Image | None,
    corner: tuple[int, int],
    box: tuple[int, int],
) -> None:
    left, top = corner
    if picture is None:
        draw.rectangle((left, top, left + box[0] - 1, top + box[1] - 1), outline=_FRAME, width=2)
        text = "cannot be read"
        draw.text((left + (box[0] - _width(text, 13)) // 2, top + box[1] // 2 - 8), text, font=_font(13), fill=_QUIET)
        return
    picture = _fit(picture, box)
    sheet.paste(picture, (left + (box[0] - picture.width) // 2, top + (box[1] - picture.height) // 2))


def _query_picture(result: Result, number: int, max_pixels: int) -> Image.Image | None:
    if number in result.images:
        return result.images[number]
    path = result.queries[number].path
    return _thumbnail(path, _QUERY_PICTURE, max_pixels) if path else None


def _thumbnail(path: str, box: tuple[int, int], max_pixels: int) -> Image.Image | None:
    try:
        with open_media(path) as content:
            return _fit(load_image(content, max_pixels=max_pixels, enough=max(box) // 2), box)
    except ImageError:
        return None


def _fit(image: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Scale an image, keeping its proportions, to the largest that fits the box (small ones up to four times)."""
    scale = min(box[0] / image.width, box[1] / image.height, 4.0)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _line_height(size: int) -> int:
    return round(size * 1.35)


def _width(text: str, size: int) -> int:
    return round(_font(size).getlength(text))


def _fitted(text: str, size: int, room: int) -> str:
    """Shorten a text in the middle, where paths differ least, until it fits ``room`` pixels."""
    text = text.translate(_HIDDEN)[:2000]
    if _width(text, size) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        keep = (low + high + 1) // 2
        if _width(_middle_out(text, keep), size) <= room:
            low = keep
        else:
            high = keep - 1
    return _middle_out(text, low)


def _middle_out(text: str, keep: int) -> str:
    end = (keep * 2 + 2) // 3
    return f"{text[: keep - end]}…{text[len(text) - end :]}"


def _wrapped(text: str, size: int, room: int) -> list[str]:
    lines: list[str] = []
    for word in text.translate(_HIDDEN)[:2000].split(" "):
        if lines and _width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(_fitted(word, size, room))
    return lines
