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
    Picture,
    begun,
    draw_picture,
    draw_text,
    fit,
    fitted,
    line_height,
    text_width,
    thumbnail,
    wrapped,
)
from clipdex.search.hit import Hit
from clipdex.search.result import QueryRecord, Result
from clipdex.wording import counted

_CARD = (220, 180)
_CARD_STEP = (_CARD[0] + 2 * GAP, _CARD[1] + line_height(13) + 2 * GAP)
_QUERY_PICTURE = (_CARD[0] - 2 * GAP, _CARD[1] - 2 * GAP)
_FEWEST_COLUMNS, _MOST_COLUMNS = 4, 8
_MOST_QUERIES = 40
MOST_DRAWN = 400
_AWAY = "#b42318"


class _Names(NamedTuple):
    """What has to be said of each hit, because the hits differ in it."""

    query: bool
    dataset: bool
    subset: bool


def draw_sheet(
    result: Result, *, max_pixels: int = MAX_PIXELS, copies: Sequence[Path | None] | None = None
) -> Image.Image:
    """Draw the queries and the hits of a result, with rank, distance, strength, id and labels under each picture.

    Pictures keep their proportions; of one that is longer than three times its short side, the middle is drawn. A
    picture that cannot be read, or has more than ``max_pixels`` pixels, is drawn as an empty frame that says so. Of
    more than 400 hits the first 400 are drawn, and of more than 40 queries the first 40.

    Parameters
    ----------
    result
        What to draw. Of one without queries, no distances.
    max_pixels
        Images of more pixels are not drawn.
    copies
        For each hit the copy of its image, which is drawn; None where the image cannot be read. Without ``copies``, the
        images themselves are drawn.
    """
    hits = result.hits[:MOST_DRAWN]
    queries = range(len(result.queries[:_MOST_QUERIES]))
    columns = min(_MOST_COLUMNS, max(_FEWEST_COLUMNS, len(hits), -(-len(queries) * _CARD_STEP[0] // CELL)))
    sources = [hit.path for hit in hits] if copies is None else copies[:MOST_DRAWN]
    with ThreadPoolExecutor(DECODING) as pool:
        pictures = list(pool.map(lambda source: thumbnail(source, PICTURE, max_pixels), sources))
        asked = list(pool.map(lambda number: _query_picture(result, number, max_pixels), queries))
    names = _Names(
        query=sum(not query.negative for query in result.queries) > 1,
        dataset=len(result.datasets) > 1,
        subset=len({hit.subset for hit in hits}) > 1,
    )
    cell_height = PICTURE[1] + (4 if names.query else 3) * line_height(13) + 2 * GAP
    rows = -(-len(hits) // columns)
    width = 2 * MARGIN + columns * CELL
    head = line_height(22) + -(-len(queries) // _cards_in_row(width)) * _CARD_STEP[1] + 2 * GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + head + rows * cell_height + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_head(sheet, draw, result, asked)
    top = MARGIN + head
    draw.line([(MARGIN, top - GAP), (width - MARGIN, top - GAP)], fill=FRAME, width=2)
    for number, (hit, picture) in enumerate(zip(hits, pictures, strict=True)):
        corner = (MARGIN + (number % columns) * CELL, top + (number // columns) * cell_height)
        draw_picture(sheet, draw, picture, corner, PICTURE, "missing" if hit.missing else "cannot be read")
        _draw_caption(draw, hit, result.queries, (corner[0], corner[1] + PICTURE[1] + 3), names)
    return sheet


def _cards_in_row(width: int) -> int:
    return (width - 2 * MARGIN + 2 * GAP) // _CARD_STEP[0]


def _draw_head(sheet: Image.Image, draw: ImageDraw.ImageDraw, result: Result, asked: Sequence[Picture | None]) -> None:
    draw_text(draw, (MARGIN, MARGIN - 4), fitted(_title(result), 18, sheet.width - 2 * MARGIN), 18, INK)
    top = MARGIN + line_height(22) + GAP
    for number, (query, picture) in enumerate(zip(result.queries, asked, strict=False)):
        row, column = divmod(number, _cards_in_row(sheet.width))
        left, upper = MARGIN + column * _CARD_STEP[0], top + row * _CARD_STEP[1]
        colour = _AWAY if query.negative else ACCENT
        if query.kind == "text":
            _draw_text_query(draw, query.value, (left, upper))
        else:
            draw_picture(sheet, draw, picture, (left + GAP, upper + GAP), _QUERY_PICTURE)
        corners = (left, upper, left + _CARD[0] - 1, upper + _CARD[1] - 1)
        draw.rectangle(corners, outline=colour, width=2)
        if query.negative:
            draw.line(corners, fill=colour, width=3)
        kind = f"query {number + 1}: {query.kind}" if len(result.queries) > 1 else f"query: {query.kind}"
        if query.negative:
            kind = f"not like this {query.kind}"
        corner = (left, upper + _CARD[1] + 2)
        if query.kind == "text":
            draw_text(draw, corner, kind, 13, colour)
        else:
            _draw_name(draw, f"{kind} ", query, corner, _CARD[0], colour)


def _title(result: Result) -> str:
    names = ", ".join(dataset.name for dataset in result.datasets)
    count = counted(len(result.hits), "hit" if result.queries else "image")
    if len(result.hits) > MOST_DRAWN:
        count += f" (the first {MOST_DRAWN} shown)"
    items = counted(sum(dataset.items for dataset in result.datasets), "image")
    title = f"{count} in {names}  ({items})"
    if len(result.queries) > _MOST_QUERIES:
        title += f"; the first {_MOST_QUERIES} of {len(result.queries)} queries are shown"
    return title


def _draw_name(
    draw: ImageDraw.ImageDraw, before: str, query: QueryRecord, corner: tuple[int, int], room: int, ink: str
) -> None:
    """Write what a query is called, after something else: its text, the name of its file, or the id of its item."""
    indent = text_width(before, 13)
    name = Path(query.value).name if query.kind == "image" else query.value
    shortened = begun if query.kind == "text" else fitted
    draw_text(draw, corner, before, 13, ink)
    draw_text(draw, (corner[0] + indent, corner[1]), shortened(name, 13, room - indent), 13, ink)


def _draw_text_query(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int]) -> None:
    left, top = corner
    draw.rectangle((left, top, left + _CARD[0] - 1, top + _CARD[1] - 1), fill="#f2f6fc")
    inner = _CARD[0] - 4 * GAP
    for size in (24, 18, 14):
        lines = wrapped(text, size, inner)
        room = (_CARD[1] - 2 * GAP) // line_height(size)
        if len(lines) <= room:
            break
    if len(lines) > room:
        lines = [*lines[: room - 1], begun(f"{lines[room - 1]} {lines[room]}", size, inner)]
    start = top + (_CARD[1] - len(lines) * line_height(size)) // 2
    for number, line in enumerate(lines):
        x = left + (_CARD[0] - text_width(line, size)) // 2
        draw_text(draw, (x, start + number * line_height(size)), line, size, INK)


def _draw_caption(
    draw: ImageDraw.ImageDraw, hit: Hit, queries: Sequence[QueryRecord], corner: tuple[int, int], names: _Names
) -> None:
    left, top = corner
    rank = f"{hit.rank}."
    draw_text(draw, corner, rank, 13, INK)
    if queries:
        distance = f"distance {hit.distance}" if hit.score is None else f"{hit.distance}, score {hit.score:.0f}"
        if hit.strength is not None:
            distance += f", {hit.strength}"
        indent = text_width(rank + " ", 13)
        draw_text(draw, (left + indent, top), fitted(distance, 13, PICTURE[0] - indent), 13, ACCENT)
    if names.query:
        top += line_height(13)
        _draw_name(draw, f"query {hit.query + 1}: ", queries[hit.query], (left, top), PICTURE[0], ACCENT)
    where = f"{hit.dataset}: {hit.id}" if names.dataset else hit.id
    labels = ", ".join(hit.labels) + (f"  ({hit.subset})" if names.subset else "")
    for number, (text, ink) in enumerate(((where, INK), (labels.strip(), QUIET)), start=1):
        draw_text(draw, (left, top + number * line_height(13)), fitted(text, 13, PICTURE[0]), 13, ink)


def _query_picture(result: Result, number: int, max_pixels: int) -> Picture | None:
    if number in result.images:
        return fit(result.images[number], _QUERY_PICTURE)
    path = result.queries[number].path
    return thumbnail(path, _QUERY_PICTURE, max_pixels) if path else None
