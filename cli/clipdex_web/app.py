"""The application: pages, API and static files, behind the guard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from clipdex.errors import ClipdexError
from clipdex_web.api import Api
from clipdex_web.duplicates_routes import DuplicatesRoutes
from clipdex_web.insight_routes import InsightRoutes
from clipdex_web.map_routes import MapRoutes
from clipdex_web.pages import Pages
from clipdex_web.problems import Refused, problem, status_and_message
from clipdex_web.rendering import STATIC, Rendering
from clipdex_web.safety import API, Guard
from clipdex_web.site import Site
from clipdex_web.tags_routes import TagsRoutes
from clipdex_web.taking import Taking
from clipdex_web.upkeep import Upkeep
from clipdex_web.work import Busy, ClientGone

_VERSION = f"{API}v1"


class _Static(StaticFiles):
    """Files that a browser keeps: it asks whether they have changed, and for the icon not at each new address."""

    def file_response(self, full_path: Any, *rest: Any, **settings: Any) -> Response:  # noqa: ANN401
        response = super().file_response(full_path, *rest, **settings)
        icon = str(full_path).endswith(".png")
        response.headers["Cache-Control"] = "private, max-age=3600" if icon else "private, no-cache"
        return response


def application(site: Site, token: str, hosts: Iterable[str] = (), *, any_address: bool = False) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    site
        What is served.
    token, hosts, any_address
        As ``Guard`` has them.
    """
    rendering = Rendering(site)
    pages = Pages(site, rendering)
    rooms = tuple(room(site, rendering) for room in (DuplicatesRoutes, InsightRoutes, MapRoutes, TagsRoutes))

    def answer(request: Request, error: Exception) -> Response:
        if not request.url.path.startswith(API):
            return pages.problem(error, request.url.path)
        if isinstance(error, HTTPException):
            return problem(error.status_code, "there is no such address, or it takes another method.", error.headers)
        return problem(*status_and_message(error))

    errors = (ClipdexError, Refused, Busy, ClientGone, HTTPException, Exception)
    inner = Starlette(
        routes=[
            Mount(_VERSION, routes=[*Api(site).routes(), *(route for room in rooms for route in room.api())]),
            Mount("/static", _Static(directory=STATIC)),
            *pages.routes(),
            *(route for room in rooms for route in room.pages()),
            *Taking(site).routes(),
            *Upkeep(site).routes(),
        ],
        exception_handlers=dict.fromkeys(errors, answer),
    )
    inner.router.redirect_slashes = False
    return Guard(inner, token, hosts, any_address=any_address)
