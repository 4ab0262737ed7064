"""The pages: an address becomes a state, the engine is asked, and a template is filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import ClipdexError, ImageError, QueryError
from clipdex.media.decoding import size_of
from clipdex.media.opening import open_media
from clipdex.search.listing import ListedItem
from clipdex_web.equivalents import command_line, python_of
from clipdex_web.exports import FORMATS
from clipdex_web.facets import kinds_of, known_tags
from clipdex_web.pictures import MEDIA_TYPE
from clipdex_web.problems import Refused, status_and_message, title_of
from clipdex_web.room import Room
from clipdex_web.schema import THUMBNAIL
from clipdex_web.state import (
    IMAGE,
    ITEM,
    MOST_PER_PAGE,
    MOST_PLACES,
    ItemName,
    State,
    apart,
    whole_number,
)
from clipdex_web.tiles import PLACE, SHOWN, Shown, Tile, around, chip_views, shown_of, tiles_of_hits
from clipdex_web.uploads import MOST_BYTES

# A page, and the parts of it that another question changes.
PAGE, ANSWER = "grid.html", "answer.html"
_NEIGHBOURS = 12
_A_WHILE = "private, max-age=3600"
_PLACE_WANTED = {PLACE: whole_number(1, MOST_PLACES)}
_TILES_WANTED = {"start": whole_number(0, MOST_PLACES), "count": whole_number(1, MOST_PER_PAGE)}


class Pages(Room):
    """The answers for people."""

    def routes(self) -> list[Route]:
        """Return where each page is."""
        return [
            Route("/", self._grid),
            Route("/", self._upload, methods=["POST"]),
            Route("/answer", self._answer),
            Route("/tiles", self._tiles),
            Route("/item", self._item),
            Route("/upload", self._uploaded),
        ]

    async def _grid(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        state = State.of(pairs)
        if pairs != state.pairs():  # what a form sends, or an address in another order, has one address
            return RedirectResponse(state.url, 303)
        return await self._site.asking.run(request, self._written_grid, state, PAGE)

    async def _answer(self, request: Request) -> Response:
        """Answer with the parts of a page that change, for the script that puts them there.

        They say which address the page has, so what a form sends takes one request.
        """
        state = State.of(request.query_params.multi_items())
        return await self._site.asking.run(request, self._written_grid, state, ANSWER)

    def _written_grid(self, state: State, template: str) -> Response:
        """Ask the engine, and write the page; what cannot be asked stays on the page, with the reason."""
        collection = self._collection
        left = collection.left_of(state)
        state, shown, error, status = left.state, Shown(), "", 200
        start = (state.page - 1) * state.per
        if not left.nothing:
            try:
                shown = shown_of(collection, state, start, state.per)
            except ClipdexError as problem:
                status, error = status_and_message(problem)
        last = max(1, -(-shown.total // state.per))
        chips = chip_views(collection, state)
        return self._page(
            template,
            status,
            title=f"{', '.join(chip.text for chip in chips)} - clipdex" if chips else "clipdex",
            state=state,
            version=collection.version,
            result=shown.result,
            tiles=shown.tiles,
            total=shown.total,
            first=start + 1,
            last_page=last,
            pages=_pages_near(state.page, last),
            error=error,
            chips=chips,
            left=left,
            filters=[(name, value, state.without_filter(name, value).url) for name, value in state.filter_pairs()],
            # What is asked while a text is typed does not wait for counts.
            facets=kinds_of(collection, state, shown.result, wait=not (state.chips and template == ANSWER)),
            known_tags=known_tags(collection, wait=False),
            changed=collection.changed(),
            kept_pairs=[(chip.name, chip.value) for chip in state.chips],
            formats=FORMATS,
            **self._equivalents(state),
        )

    async def _tiles(self, request: Request) -> Response:
        """Answer with some tiles of what a page shows, for the script that puts them there."""
        wanted, rest = apart(request.query_params.multi_items(), _TILES_WANTED)
        return await self._site.asking.run(
            request, self._written_tiles, State.of(rest), wanted["start"], wanted["count"]
        )

    def _written_tiles(self, state: State, start: int, count: int) -> Response:
        shown = shown_of(self._collection, state, start, count)
        return self._page("tile_list.html", state=state, tiles=shown.tiles, total=shown.total)

    def _equivalents(self, state: State) -> dict[str, Any]:
        return {
            "command_line": command_line(self._collection, state),
            "python": python_of(self._collection, state),
        }

    async def _upload(self, request: Request) -> Response:
        """Take an image from the form, and go on with the page that asks with it."""
        try:
            async with request.form(max_files=1, max_fields=4, max_part_size=64 << 10) as form:
                sent, before, away = form.get("upload"), form.get("state", ""), form.get("away", "")
                content = await sent.read(MOST_BYTES + 1) if isinstance(sent, UploadFile) else b""
        except (FormParserError, HTTPException) as error:
            raise QueryError("the form cannot be read.") from error
        if not content:
            raise QueryError("no image was sent: choose one first.")
        state = State.of(parse_qsl(before, keep_blank_values=True)) if isinstance(before, str) else State()
        name = await self._site.drawing.run(request, self._collection.uploads.add, content)
        return RedirectResponse(state.adding(IMAGE, name, negative=bool(away)).url, 303)

    async def _uploaded(self, request: Request) -> Response:
        """Show an image that was uploaded, as a picture that was made of it."""
        state = State.of(request.query_params.multi_items())
        if len(state.chips) != 1 or state.chips[0].kind != IMAGE:
            raise QueryError("the address names no upload.")
        name = state.chips[0].value
        picture = await self._site.drawing.run(
            request, lambda: self._site.pictures.of_upload(self._collection.uploads.read(name), THUMBNAIL)
        )
        return Response(picture, media_type=MEDIA_TYPE, headers={"Cache-Control": _A_WHILE})

    async def _item(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        shown = [value for name, value in pairs if name == SHOWN]
        if len(shown) != 1:
            raise QueryError("the address names no item, or several.")
        place, rest = apart([pair for pair in pairs if pair[0] != SHOWN], _PLACE_WANTED, needed=())
        name, state = ItemName.of(shown[0]), State.of(rest)
        return await self._site.asking.run(request, self._written_item, name, state, place.get(PLACE))

    def _written_item(self, name: ItemName, state: State, place: int | None) -> Response:
        collection = self._collection
        item = collection.item(name)
        alone = State(topk=_NEIGHBOURS, exclude_self=True).like(name)
        near = collection.answer(alone)
        return self._page(
            "item.html",
            state=state,
            tile=Tile(name, item.row.labels, tags=collection.tags_of([name]).get(name, ())),
            known_tags=known_tags(collection),
            here_query=Tile(name, (), place=None if place is None else place - 1).query_of(state),
            item=item,
            there=item.dataset.has_media(item.path),
            pixels=_pixels(item),
            around=None if place is None else around(collection, state, place - 1, name),
            changed=_moment(item.row.mtime_ns),
            key=item.dataset.index.key(item.location).tobytes().hex(),
            bits=item.dataset.index.bits,
            neighbours=tiles_of_hits(near, near.hits, placed=False),
            like=State(filter=state.filter).like(name).url,
            more=state.adding(ITEM, str(name)).url,
            less=state.adding(ITEM, str(name), negative=True).url,
            **self._equivalents(alone),
        )

    def problem(self, error: Exception, path: str = "/") -> Response:
        """Return the page that says what went wrong at a path, which may have any depth."""
        if isinstance(error, HTTPException):
            error = Refused(error.status_code, "there is no such page.")
        status, message = status_and_message(error)
        return self._page(
            "problem.html", status, title=title_of(status), message=message, up="../" * (path.count("/") - 1)
        )


def _pages_near(page: int, last: int) -> list[int]:
    """Return the numbers of pages to offer: the first, the last, and those around the one that is shown."""
    return sorted({1, last, *(number for number in range(page - 2, page + 3) if 1 <= number <= last)})


def _pixels(item: ListedItem) -> tuple[int, int] | None:
    """Return width and height of an image; None where it cannot be read."""
    try:
        with open_media(item.path) as content:
            return size_of(content)
    except ImageError:
        return None


def _moment(nanoseconds: int) -> str:
    """Write a time for people; an index may hold any number."""
    try:
        return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "unknown"
