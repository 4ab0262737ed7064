"""The HTTP API: JSON in, JSON out. ``openapi`` describes it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clipdex.errors import ImageError, QueryError
from clipdex.media.decoding import image_format
from clipdex.media.opening import open_media
from clipdex.search.listing import ListedItem
from clipdex.search.queries import DatasetItem, ImageQuery, Query
from clipdex.search.request import query_from_dict
from clipdex_indexes import ItemFilter
from clipdex_web.checking import check, from_text
from clipdex_web.openapi import JSON, document
from clipdex_web.pictures import MEDIA_TYPE
from clipdex_web.problems import Refused
from clipdex_web.schema import (
    DEFINITIONS,
    FILTER_PARAMETERS,
    ITEM_PARAMETERS,
    MOST_FILTERS,
    PAGE_PARAMETERS,
    SIZE_PARAMETER,
    THUMBNAIL,
    Object,
)
from clipdex_web.site import Site
from clipdex_web.state import PER_PAGE, ItemName
from clipdex_web.translating import described_info, described_item, filter_of, request_of
from clipdex_web.uploads import MOST_BYTES

_MOST_JSON = 2 << 20
_A_WHILE = "private, max-age=600"
_BLOCK = 1 << 20


class Api:
    """The answers of the API.

    Parameters
    ----------
    site
        What is served.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._document = _json(document())

    def routes(self) -> list[Route]:
        """Return where each answer is."""
        return [
            Route("/openapi.json", self._openapi),
            Route("/info", self._info),
            Route("/search", self._search, methods=["POST"]),
            Route("/uploads", self._upload, methods=["POST"]),
            Route("/items", self._items),
            Route("/item", self._item),
            Route("/thumbnail", self._thumbnail),
            Route("/original", self._original),
        ]

    async def _openapi(self, request: Request) -> Response:
        return Response(self._document, media_type=JSON)

    async def _info(self, request: Request) -> Response:
        _parameters(request, {})
        return Response(await self._site.asking.run(request, self._described), media_type=JSON)

    def _described(self) -> str:
        return _json(described_info(self._site.collection))

    async def _search(self, request: Request) -> Response:
        _parameters(request, {})
        body = await _body(request, _MOST_JSON)
        return Response(await self._site.asking.run(request, self._searched, body), media_type=JSON)

    def _searched(self, body: bytes) -> str:
        asked = _read_json(body)
        check(asked, DEFINITIONS["SearchRequest"], DEFINITIONS)
        result = self._site.collection.explorer.search(request_of(asked, self._query))
        return _json({**result.to_dict(), "request": asked})

    def _query(self, asked: Mapping[str, Any]) -> Query | DatasetItem:
        if asked["kind"] == "upload":
            name = asked["value"]
            return ImageQuery(self._site.collection.uploads.read(name), f"upload {name[:12]}")
        return query_from_dict(asked)

    async def _upload(self, request: Request) -> Response:
        _parameters(request, {})
        body = await _body(request, MOST_BYTES)
        name = await self._site.drawing.run(request, self._site.collection.uploads.add, body)
        return Response(_json({"kind": "upload", "value": name}), 201, media_type=JSON)

    async def _items(self, request: Request) -> Response:
        filters: dict[str, list[str]] = {}
        rest: list[tuple[str, str]] = []
        for name, value in request.query_params.multi_items():
            if name in FILTER_PARAMETERS:
                from_text(value, FILTER_PARAMETERS[name], name)
                filters.setdefault(name, []).append(value)
            else:
                rest.append((name, value))
        if sum(map(len, filters.values())) > MOST_FILTERS:
            raise QueryError(f"the address has more than {MOST_FILTERS} filters.")
        values = _checked(rest, PAGE_PARAMETERS, (*PAGE_PARAMETERS, *FILTER_PARAMETERS))
        start = _place(values["cursor"]) if "cursor" in values else 0
        return Response(
            await self._site.asking.run(
                request, self._listed, filter_of(filters), start, values.get("limit", PER_PAGE)
            ),
            media_type=JSON,
        )

    def _listed(self, wanted: ItemFilter, start: int, limit: int) -> str:
        listing = self._site.collection.listing(wanted)
        items = listing.page(start, limit)
        end = start + len(items)
        after = {"next": _cursor(end)} if items and end < len(listing) else {}
        return _json({"total": len(listing), "items": [described_item(item) for item in items], **after})

    async def _item(self, request: Request) -> Response:
        name, _ = _named(request)
        return Response(await self._site.asking.run(request, self._one_item, name), media_type=JSON)

    def _one_item(self, name: ItemName) -> str:
        item = self._site.collection.item(name)
        index = item.dataset.index
        return _json(
            {
                **described_item(item),
                "hash_key": index.key(item.location).tobytes().hex(),
                "model_digest": index.manifest.model.digest,
            }
        )

    async def _thumbnail(self, request: Request) -> Response:
        name, values = _named(request, {"size": SIZE_PARAMETER})
        size = values.get("size", THUMBNAIL)
        picture = await self._site.drawing.run(
            request, lambda: self._site.pictures.of_item(self._site.collection.item(name), size)
        )
        headers = {"ETag": f'"{picture.name}"', "Cache-Control": _A_WHILE}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(picture.content, media_type=MEDIA_TYPE, headers=headers)

    async def _original(self, request: Request) -> Response:
        name, _ = _named(request)
        item, content = await self._site.drawing.run(request, lambda: _opened(self._site.collection.item(name)))

        def blocks() -> Any:  # noqa: ANN401
            with content:
                while block := content.read(_BLOCK):
                    yield block

        return StreamingResponse(
            blocks(),
            media_type="application/octet-stream",
            headers={"Content-Disposition": attachment(item.row.id.rpartition("/")[2])},
        )


def _opened(item: ListedItem) -> Any:  # noqa: ANN401
    """Return an item and its open file, which is a regular file and an image wherever a link led."""
    content = open_media(item.path)
    try:
        if image_format(content) is None:
            raise ImageError("not an image in a format that can be read")
        content.seek(0)
    except BaseException:
        content.close()
        raise
    return item, content


def attachment(name: str) -> str:
    """Return the header that makes a browser save an answer under a name."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _parameters(request: Request, known: Mapping[str, Object]) -> dict[str, Any]:
    return _checked(request.query_params.multi_items(), known, tuple(known))


def _checked(pairs: Sequence[tuple[str, str]], known: Mapping[str, Object], listed: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            may = f"it may have {', '.join(listed)}" if listed else "it has none"
            raise QueryError(f"the address has the unknown parameter {name[:100]!r}; {may}.")
        if name in values:
            raise QueryError(f"the address has {name} twice.")
        values[name] = from_text(value, known[name], name)
    return values


def _named(request: Request, more: Mapping[str, Object] | None = None) -> tuple[ItemName, dict[str, Any]]:
    """Return the item that an address names, and what else it says."""
    values = _parameters(request, {**ITEM_PARAMETERS, **(more or {})})
    for name in ITEM_PARAMETERS:
        if name not in values:
            raise QueryError(f"the address has no {name}: an item is named by {', '.join(ITEM_PARAMETERS)}.")
    return ItemName(*(values.pop(name) for name in ITEM_PARAMETERS)), values


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"items {place}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        kind, place = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        number = int(place)
    except (ValueError, binascii.Error) as error:
        raise QueryError("the cursor is none of this server: begin again without one.") from error
    if kind != "items" or number < 0 or _cursor(number) != cursor:
        raise QueryError("the cursor is none of this server: begin again without one.")
    return number


async def _body(request: Request, most: int) -> bytes:
    content = bytearray()
    async for block in request.stream():
        content += block
        if len(content) > most:
            raise Refused(413, f"the request has more than {most:,} bytes.")
    return bytes(content)


def _read_json(body: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise QueryError("the request is no JSON in UTF-8.") from error


def _json(value: object) -> str:
    # Escapes: a path need not be valid Unicode.
    return json.dumps(value)
