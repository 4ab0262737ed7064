"""The HTTP API: JSON in, JSON out. ``openapi`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clipdex.errors import ImageError, QueryError
from clipdex.media.decoding import image_format
from clipdex.media.opening import open_media
from clipdex.search.listing import ListedItem
from clipdex_indexes import ItemFilter
from clipdex_web.openapi import JSON, document
from clipdex_web.pictures import MEDIA_TYPE
from clipdex_web.reading import MOST_JSON, as_json, attachment, body_of, checked, cursor_of, parameters_of, place_of
from clipdex_web.requested import filters_of, read_request, request_of
from clipdex_web.schema import (
    FILTER_PARAMETERS,
    ITEM_PARAMETERS,
    PAGE_PARAMETERS,
    SIZE_PARAMETER,
    THUMBNAIL,
    Object,
)
from clipdex_web.site import Site
from clipdex_web.state import PER_PAGE, ItemName
from clipdex_web.translating import described_info, described_item
from clipdex_web.uploads import MOST_BYTES

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
        self._document = as_json(document())

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
        parameters_of(request, {})
        return Response(await self._site.asking.run(request, self._described), media_type=JSON)

    def _described(self) -> str:
        return as_json(described_info(self._site.collection))

    async def _search(self, request: Request) -> Response:
        parameters_of(request, {})
        body = await body_of(request, MOST_JSON)
        return Response(await self._site.asking.run(request, self._searched, body), media_type=JSON)

    def _searched(self, body: bytes) -> str:
        asked = read_request(body)
        result = self._site.collection.explorer.search(request_of(self._site.collection, asked))
        return as_json({**result.to_dict(), "request": asked})

    async def _upload(self, request: Request) -> Response:
        parameters_of(request, {})
        body = await body_of(request, MOST_BYTES)
        name = await self._site.drawing.run(request, self._site.collection.uploads.add, body)
        return Response(as_json({"kind": "upload", "value": name}), 201, media_type=JSON)

    async def _items(self, request: Request) -> Response:
        wanted, rest = filters_of(request)
        values = checked(rest, PAGE_PARAMETERS, (*PAGE_PARAMETERS, *FILTER_PARAMETERS))
        start = place_of(values["cursor"]) if "cursor" in values else 0
        return Response(
            await self._site.asking.run(request, self._listed, wanted, start, values.get("limit", PER_PAGE)),
            media_type=JSON,
        )

    def _listed(self, wanted: ItemFilter, start: int, limit: int) -> str:
        listing = self._site.collection.listing(wanted)
        items = listing.page(start, limit)
        end = start + len(items)
        after = {"next": cursor_of(end)} if items and end < len(listing) else {}
        return as_json({"total": len(listing), "items": [described_item(item) for item in items], **after})

    async def _item(self, request: Request) -> Response:
        name, _ = _named(request)
        return Response(await self._site.asking.run(request, self._one_item, name), media_type=JSON)

    def _one_item(self, name: ItemName) -> str:
        item = self._site.collection.item(name)
        index = item.dataset.index
        return as_json(
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


def _named(request: Request, more: Mapping[str, Object] | None = None) -> tuple[ItemName, dict[str, Any]]:
    """Return the item that an address names, and what else it says."""
    values = parameters_of(request, {**ITEM_PARAMETERS, **(more or {})})
    for name in ITEM_PARAMETERS:
        if name not in values:
            raise QueryError(f"the address has no {name}: an item is named by {', '.join(ITEM_PARAMETERS)}.")
    return ItemName(*(values.pop(name) for name in ITEM_PARAMETERS)), values
