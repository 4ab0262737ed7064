"""Where what a page shows can be taken away, whole or what was picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clipdex.defaults import IDS, RANKED
from clipdex.errors import QueryError
from clipdex_web.exports import FORMATS, SHEET, ZIP, Taken, as_bytes, as_sheet, as_zip, taken_of
from clipdex_web.picks import Picking
from clipdex_web.reading import attachment
from clipdex_web.site import Site
from clipdex_web.state import MOST_PER_PAGE, State

_MOST_FIELD = 1 << 20
_MOST_FIELDS = MOST_PER_PAGE + 20


class _Wanted(NamedTuple):
    """What a form asks for: the format, of which page, what was picked, and the names in an archive."""

    format: str
    state: State
    picking: Picking = Picking()
    save_as: str = RANKED


class Taking:
    """The answers that are files.

    Parameters
    ----------
    site
        What is served.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return where they are."""
        return [Route("/export", self._linked), Route("/export", self._sent, methods=["POST"])]

    async def _linked(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        formats = [value for name, value in pairs if name == "format"]
        state = State.of([pair for pair in pairs if pair[0] != "format"])
        return await self._file(request, _Wanted(_format(formats), state))

    async def _sent(self, request: Request) -> Response:
        try:
            async with request.form(max_files=0, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD) as form:
                sent = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        except (FormParserError, HTTPException) as error:
            raise QueryError("the form cannot be read.") from error
        one = dict(sent)
        state = State.of(parse_qsl(one.get("state", ""), keep_blank_values=True))
        save_as = RANKED if one.get("ranked") else IDS
        formats = [value for name, value in sent if name == "format"]
        return await self._file(request, _Wanted(_format(formats), state, Picking.of_form(sent), save_as))

    async def _file(self, request: Request, wanted: _Wanted) -> Response:
        taken = await self._site.asking.run(request, self._taken, wanted)
        chosen = FORMATS[wanted.format]
        headers = {"Content-Disposition": attachment(chosen.file)}
        if wanted.format == SHEET:
            sheet = await self._site.drawing.run(request, as_sheet, taken, self._site.pictures.max_pixels)
            return Response(sheet, media_type=chosen.media_type, headers=headers)
        blocks = as_zip(taken, wanted.save_as) if wanted.format == ZIP else as_bytes(taken, wanted.format)
        return StreamingResponse(blocks, media_type=chosen.media_type, headers=headers)

    def _taken(self, wanted: _Wanted) -> Taken:
        taken = taken_of(self._site.collection, wanted.state, wanted.picking.of)
        if not len(taken):
            raise QueryError("no image passes: there is nothing to take away.")
        return taken


def _format(given: Sequence[str]) -> str:
    if len(given) != 1 or given[0] not in FORMATS:
        raise QueryError(f"there is no format, which must be one of {', '.join(FORMATS)}.")
    return given[0]
