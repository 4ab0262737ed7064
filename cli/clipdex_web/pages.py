"""The pages: an address becomes a state, the engine is asked, and a template is filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from clipdex import __version__
from clipdex.defaults import MERGES, STRENGTHS
from clipdex.errors import ClipdexError, QueryError
from clipdex.search.result import Result
from clipdex.wording import counted
from clipdex_web import exports
from clipdex_web.api import attachment
from clipdex_web.collection import READY, Collection
from clipdex_web.equivalents import command_line, json_of, python_of
from clipdex_web.pictures import MEDIA_TYPE
from clipdex_web.problems import Refused, headers_of, status_and_message, title_of
from clipdex_web.schema import MOST_HITS, THUMBNAIL
from clipdex_web.site import Site
from clipdex_web.state import AWAY, IMAGE, ITEM, ItemName, State
from clipdex_web.tiles import Tile, chip_views, tiles_of_hits, tiles_of_items
from clipdex_web.uploads import MOST_BYTES

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
# Of these, a page lists so many of each kind; others are typed.
_FACETS_SHOWN = 40
_NEIGHBOURS = 12
_SHOWN = "show"
_A_WHILE = "private, max-age=3600"


class Pages:
    """The answers for people.

    Parameters
    ----------
    site
        What is served.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            version=__version__,
            counted=counted,
            merges=MERGES,
            strengths=STRENGTHS,
            most_hits=MOST_HITS,
            ready=READY,
            away=AWAY,
            item_kind=ITEM,
        )
        self._templates.filters["bytes"] = _bytes

    def routes(self) -> list[Route]:
        """Return where each page is."""
        return [
            Route("/", self._grid),
            Route("/", self._upload, methods=["POST"]),
            Route("/item", self._item),
            Route("/upload", self._uploaded),
            Route("/export", self._export),
        ]

    @property
    def _collection(self) -> Collection:
        return self._site.collection

    async def _grid(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        state = State.of(pairs)
        if pairs != state.pairs():  # what a form sends, or an address in another order, has one address
            return RedirectResponse(state.url, 303)
        return await self._site.asking.run(request, self._written_grid, state)

    def _written_grid(self, state: State) -> Response:
        """Ask the engine, and write the page; what cannot be asked stays on the page, with the reason."""
        result: Result | None = None
        tiles: list[Tile] = []
        total, error, status = 0, "", 200
        start = (state.page - 1) * state.per
        try:
            if state.chips:
                result = self._collection.answer(state)
                total = len(result)
                tiles = tiles_of_hits(result, result.hits[start : start + state.per])
            else:
                listing = self._collection.listing(state.filter)
                total = len(listing)
                tiles = tiles_of_items(listing.page(start, state.per))
        except ClipdexError as problem:
            status, error = status_and_message(problem)
        last = max(1, -(-total // state.per))
        return self._page(
            "grid.html",
            status,
            state=state,
            result=result,
            tiles=tiles,
            total=total,
            first=start + 1,
            last_page=last,
            pages=_pages_near(state.page, last),
            error=error,
            chips=chip_views(self._collection, state),
            filters=[(name, value, state.without_filter(name, value).url) for name, value in state.filter_pairs()],
            facets=self._facets(state),
            kept_pairs=[(chip.name, chip.value) for chip in state.chips],
            formats=exports.FILE_NAMES,
            **self._equivalents(state),
        )

    def _facets(self, state: State) -> list[dict[str, Any]] | None:
        """Return the choices of each kind, those chosen first, then the largest; None until they are counted."""
        facets = self._collection.facets()
        if facets is None:
            return None
        kinds = []
        for kind, counts in (("label", facets.labels), ("subset", facets.subsets), ("dataset", facets.datasets)):
            chosen = set(getattr(state.filter, f"{kind}s"))
            if len(counts) > 1 or chosen:
                first = [(name, count, name in chosen) for name, count in counts if name in chosen]
                first += [(name, count, False) for name, count in counts[:_FACETS_SHOWN] if name not in chosen]
                kinds.append({"name": kind, "choices": first, "more": len(counts) - len(first)})
        return kinds

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
        shown = [value for name, value in pairs if name == _SHOWN]
        if len(shown) != 1:
            raise QueryError("the address names no item, or several.")
        state = State.of([pair for pair in pairs if pair[0] != _SHOWN])
        return await self._site.asking.run(request, self._written_item, ItemName.of(shown[0]), state)

    def _written_item(self, name: ItemName, state: State) -> Response:
        item = self._collection.item(name)
        alone = State(topk=_NEIGHBOURS, exclude_self=True).like(name)
        near = self._collection.answer(alone)
        return self._page(
            "item.html",
            state=state,
            tile=Tile(name, item.row.labels),
            item=item,
            there=item.dataset.has_media(item.path),
            changed=_moment(item.row.mtime_ns),
            key=item.dataset.index.key(item.location).tobytes().hex(),
            bits=item.dataset.index.bits,
            neighbours=tiles_of_hits(near, near.hits),
            like=State(filter=state.filter).like(name).url,
            more=state.adding(ITEM, str(name)).url,
            less=state.adding(ITEM, str(name), negative=True).url,
            **self._equivalents(alone),
        )

    async def _export(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        formats = [value for name, value in pairs if name == "format"]
        if len(formats) != 1 or formats[0] not in exports.NAMES:
            raise QueryError(f"the address has no format, which must be one of {', '.join(exports.NAMES)}.")
        [chosen] = formats
        state = State.of([pair for pair in pairs if pair[0] != "format"])
        if not state.chips:
            raise QueryError("there is no answer to take away: ask for something first.")
        headers = {"Content-Disposition": attachment(exports.FILE_NAMES[chosen])}
        if chosen == exports.ZIP:
            result, data = await self._site.asking.run(request, self._answer_with_data, state)
            return StreamingResponse(exports.images_as_zip(result, data), media_type="application/zip", headers=headers)
        text = await self._site.asking.run(request, self._exported, state, chosen)
        return Response(text, media_type=exports.FORMATS[chosen].media_type, headers=headers)

    def _answer_with_data(self, state: State) -> tuple[Result, str]:
        result = self._collection.answer(state)
        return result, json_of(self._collection, state, result)

    def _exported(self, state: State, chosen: str) -> bytes:
        written = exports.FORMATS[chosen].written(self._collection, state, self._collection.answer(state))
        return written.encode(errors="backslashreplace" if "json" in chosen else "surrogateescape")

    def problem(self, error: Exception) -> Response:
        """Return the page that says what went wrong."""
        if isinstance(error, HTTPException):
            error = Refused(error.status_code, "there is no such page.")
        status, message = status_and_message(error)
        return self._page("problem.html", status, title=title_of(status), message=message)

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
        text = self._templates.get_template(template).render(
            model=self._collection.model,
            datasets=[dataset.record for dataset in self._collection.explorer.datasets],
            **values,
        )
        # A path need not be valid Unicode.
        content = text.encode(errors="backslashreplace")
        return Response(content, status, headers_of(status), "text/html; charset=utf-8")


def _pages_near(page: int, last: int) -> list[int]:
    """Return the numbers of pages to offer: the first, the last, and those around the one that is shown."""
    return sorted({1, last, *(number for number in range(page - 2, page + 3) if 1 <= number <= last)})


def _moment(nanoseconds: int) -> str:
    """Write a time for people; an index may hold any number."""
    try:
        return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _bytes(count: int) -> str:
    """Write a number of bytes for people."""
    if count < 1000:
        return counted(count, "byte")
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"
