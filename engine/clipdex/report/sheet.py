"""The contact sheet: one picture of a query and its hits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from clipdex.defaults import MAX_PIXELS
from clipdex.report.drawing import (
    ACCENT,
    BACKGROUND,
    CELL,
    DECODING,
    FRAME,
    GAP,
    INK,
    MARGIN,
    PICTURE,
    QUIET,
    draw_picture,
    fitted,
    font,
    line_height,
    text_width,
    thumbnail,
    wrapped,
)
from clipdex.search.result import Hit, Result
from clipdex.wording import counted

_QUERY_PICTURE = (220, 180)
_FEWEST_COLUMNS, _MOST_COLUMNS = 4, 8
_MOST_QUERIES = 5
_MOST_HITS = 400
_AWAY = "#b42318"


class _Names(NamedTuple):
    """What has to be said of each hit, because the hits differ in it."""

    query: bool
    dataset: bool
    subset: bool


def draw_sheet(result: Result, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Draw the queries and the hits of a result, with rank, distance, id and labels under each picture.

    Pictures keep their proportions. A picture that cannot be read, or has more than ``max_pixels`` pixels, is drawn as
    an empty frame that says so. Of more than 400 hits the first 400 are drawn.
    """
    hits = result.hits[:_MOST_HITS]
    columns = min(_MOST_COLUMNS, max(_FEWEST_COLUMNS, len(hits), len(result.queries[:_MOST_QUERIES])))
    queries = range(len(result.queries[:_MOST_QUERIES]))
    with ThreadPoolExecutor(DECODING) as pool:
        pictures = list(pool.map(lambda hit: thumbnail(hit.path, PICTURE, max_pixels), hits))
        asked = list(pool.map(lambda number: _query_picture(result, number, max_pixels), queries))
    line = line_height(13)
    cell_height = PICTURE[1] + 3 * line + 2 * GAP
    rows = -(-len(hits) // columns)
    head = line_height(22) + _QUERY_PICTURE[1] + line + 4 * GAP
    width = 2 * MARGIN + columns * CELL
    sheet = Image.new("RGB", (width, 2 * MARGIN + head + rows * cell_height + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_head(sheet, draw, result, asked)
    top = MARGIN + head
    names = _Names(
        query=sum(not query.negative for query in result.queries) > 1,
        dataset=len(result.datasets) > 1,
        subset=len({hit.subset for hit in hits}) > 1,
    )
    draw.line([(MARGIN, top - GAP), (width - MARGIN, top - GAP)], fill=FRAME, width=2)
    for number, (hit, picture) in enumerate(zip(hits, pictures, strict=True)):
        left, upper = MARGIN + (number % columns) * CELL, top + (number // columns) * cell_height
        _draw_hit(sheet, draw, hit, picture, (left, upper), names)
    return sheet


def _draw_head(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, result: Result, asked: Sequence[Image.Image | None]
) -> None:
    names = ", ".join(dataset.name for dataset in result.datasets)
    shown = min(len(result.hits), _MOST_HITS)
    count = counted(len(result.hits), "hit")
    if shown < len(result.hits):
        count += f" (the first {shown} shown)"
    items = counted(sum(dataset.items for dataset in result.datasets), "image")
    title = f"{count} in {names}  ({items})"
    if len(asked) < len(result.queries):
        title += f"; the first {len(asked)} of {len(result.queries)} queries are shown"
    room = sheet.width - 2 * MARGIN
    draw.text((MARGIN, MARGIN - 4), fitted(title, 18, room), font=font(18), fill=INK)
    top = MARGIN + line_height(22) + GAP
    step = min(_QUERY_PICTURE[0] + 2 * GAP, room // max(1, len(asked)))
    box = (min(_QUERY_PICTURE[0], step - GAP), _QUERY_PICTURE[1])
    for number, (query, picture) in enumerate(zip(result.queries, asked, strict=False)):
        left = MARGIN + number * step
        colour = _AWAY if query.negative else ACCENT
        if query.kind == "text":
            _draw_text_query(draw, query.value, (left, top), box)
        else:
            draw_picture(sheet, draw, picture, (left, top), box)
        corners = (left, top, left + box[0] - 1, top + box[1] - 1)
        draw.rectangle(corners, outline=colour, width=2)
        if query.negative:
            draw.line(corners, fill=colour, width=3)
        kind = f"query {number + 1}: {query.kind}" if len(result.queries) > 1 else f"query: {query.kind}"
        if query.negative:
            kind = f"not like this {query.kind}"
        name = {"text": "", "image": Path(query.value).name}.get(query.kind, query.value)
        text = f"{kind} {name}".rstrip()
        draw.text((left, top + box[1] + 2), fitted(text, 13, box[0]), font=font(13), fill=colour)


def _draw_text_query(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], box: tuple[int, int]) -> None:
    left, top = corner
    draw.rectangle((left, top, left + box[0] - 1, top + box[1] - 1), fill="#f2f6fc")
    inner = box[0] - 4 * GAP
    for size in (24, 18, 14):
        lines = wrapped(text, size, inner)
        if len(lines) * line_height(size) <= box[1] - 2 * GAP:
            break
    room = max(1, (box[1] - 2 * GAP) // line_height(size))
    if len(lines) > room:
        lines = [*lines[: room - 1], fitted(lines[room - 1] + " ...", size, inner)]
    start = top + (box[1] - len(lines) * line_height(size)) // 2
    for number, line in enumerate(lines):
        x = left + (box[0] - text_width(line, size)) // 2
        draw.text((x, start + number * line_height(size)), line, font=font(size), fill=INK)


def _draw_hit(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    hit: Hit,
    picture: Image.Image | None,
    corner: tuple[int, int],
    names: _Names,
) -> None:
    left, top = corner
    draw_picture(sheet, draw, picture, corner, PICTURE, "missing" if hit.missing else "cannot be read")
    line = line_height(13)
    rank = f"{hit.rank}."
    below = top + PICTURE[1] + 3
    draw.text((left, below), rank, font=font(13), fill=INK)
    distance = f"distance {hit.distance}" if hit.score is None else f"{hit.distance}, score {hit.score:.0f}"
    distance += f"  query {hit.query + 1}" if names.query else ""
    indent = text_width(rank + " ", 13)
    draw.text((left + indent, below), fitted(distance, 13, PICTURE[0] - indent), font=font(13), fill=ACCENT)
    where = f"{hit.dataset}: {hit.id}" if names.dataset else hit.id
    draw.text((left, below + line), fitted(where, 13, PICTURE[0]), font=font(13), fill=INK)
    labels = ", ".join(hit.labels) + (f"  ({hit.subset})" if names.subset else "")
    draw.text((left, below + 2 * line), fitted(labels.strip(), 13, PICTURE[0]), font=font(13), fill=QUIET)


def _query_picture(result: Result, number: int, max_pixels: int) -> Image.Image | None:
    if number in result.images:
        return result.images[number]
    path = result.queries[number].path
    return thumbnail(path, _QUERY_PICTURE, max_pixels) if path else None
