"""Builds that run elsewhere: whether an index has changed, and the page that shows the new one."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import QueryError
from clipdex_web.openapi import JSON
from clipdex_web.site import Site
from clipdex_web.state import State


class Upkeep:
    """The answers about changes of the indexes.

    Parameters
    ----------
    site
        What is served.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return where they are."""
        return [Route("/changed", self._changed), Route("/refresh", self._refresh, methods=["POST"])]

    async def _changed(self, request: Request) -> Response:
        changed = await self._site.asking.run(request, self._site.collection.changed)
        return Response(json.dumps({"changed": changed}), media_type=JSON)

    async def _refresh(self, request: Request) -> Response:
        try:
            async with request.form(max_files=0, max_fields=4) as form:
                before = form.get("state", "")
        except (FormParserError, HTTPException) as error:
            raise QueryError("the form cannot be read.") from error
        state = State.of(parse_qsl(before, keep_blank_values=True)) if isinstance(before, str) else State()
        await self._site.asking.run(request, self._site.refresh)
        return RedirectResponse(state.url, 303)
