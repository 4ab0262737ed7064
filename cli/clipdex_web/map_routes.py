"""The map of what is open as a page, and the images of an area of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

import numpy as np
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import ClipdexError, QueryError
from clipdex.mapping.dataset_map import DatasetMap
from clipdex.mapping.making import has_map
from clipdex.report.map_page import MOST_POINTS, map_assets, page_data
from clipdex.report.map_points import COLOURINGS, MapPoints, found_on, points_of
from clipdex.wording import counted
from clipdex_web.area import area_of, inside
from clipdex_web.collection import name_of
from clipdex_web.facets import known_tags
from clipdex_web.long_work import Count, Progress
from clipdex_web.openapi import JSON
from clipdex_web.problems import Refused, status_and_message
from clipdex_web.reading import as_json, body_of, parameters_of
from clipdex_web.rendering import Rendering
from clipdex_web.room import Room
from clipdex_web.schema import MOST_TAGGED
from clipdex_web.site import Site
from clipdex_web.state import PER_PAGE, ItemName, State, apart, whole_number
from clipdex_web.tags_routes import ADD, REMOVE, changed
from clipdex_web.tiles import Tile

AREA, BY, PAGE = "area", "by", "page"
_QUESTION = "map"
_MOST_FORM = 64 << 10
_MOST_PAGE = 10**9
_BLOCK = 10_000
_NOT_MADE = "there is no map yet: the page of the map makes one, and so does clipdex map."


class _Made(NamedTuple):
    """A map, and its points."""

    map: DatasetMap
    points: MapPoints


class MapRoutes(Room):
    """The answers on the map."""

    def __init__(self, site: Site, rendering: Rendering) -> None:
        super().__init__(site, rendering)
        self._body, self._style, self._script = map_assets()

    def pages(self) -> list[Route]:
        """Return where each page is."""
        return [
            Route("/map", self._map),
            Route("/map", self._make, methods=["POST"]),
            Route("/area", self._area),
            Route("/area", self._tag, methods=["POST"]),
            Route("/map.js", self._as_script),
            Route("/map.css", self._as_style),
        ]

    def api(self) -> list[Route]:
        """Return where each answer of the API is."""
        return [Route("/map", self._answer)]

    async def _as_script(self, request: Request) -> Response:
        return Response(self._script, media_type="text/javascript")

    async def _as_style(self, request: Request) -> Response:
        return Response(self._style, media_type="text/css")

    async def _made(self, *, begin: bool = False) -> _Made | Count | None:
        """Return the map, how far it is, or None where there is none and none is wanted."""
        if not (begin or self._site.long_work.knows(_QUESTION) or has_map(self._explorer.datasets)):
            return None
        return await self._site.long_work.ask(_QUESTION, self._making)

    def _making(self, progress: Progress) -> _Made:
        made = self._explorer.map(progress=progress)
        return _Made(made, points_of(self._explorer.datasets, made, most_named=MOST_POINTS, progress=progress))

    async def _map(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        by = [value for name, value in pairs if name == BY]
        area = [value for name, value in pairs if name == AREA]
        if len(by) > 1 or len(area) > 1 or not set(by) <= set(COLOURINGS):
            raise QueryError(f"the map is coloured by one of {', '.join(COLOURINGS)}, and has at most one area.")
        for one in area:
            area_of(one)
        state = State.of([pair for pair in pairs if pair[0] not in (BY, AREA)])
        found = await self._made()
        return await self._site.asking.run(request, self._written, state, by[0] if by else None, found)

    def _written(self, state: State, by: str | None, made: _Made | Count | None) -> Response:
        if not isinstance(made, _Made):
            return self._page("map_making.html", 200 if made is None else 202, count=made)
        points, error, status = made.points, "", 200
        if state.chips:
            try:
                result = self._collection.answer(state)
                asked, found = found_on(self._explorer.datasets, made.map, result)
                points = replace(points, asked=asked, found=found)
            except ClipdexError as problem:
                status, error = status_and_message(problem)
        notes = list(made.map.notes)
        if len(points.named) < len(points.places):
            notes.append(
                f"Drawn are {len(points.named):,} of {counted(len(points.places), 'image')}, evenly; an area holds all."
            )
        return self._page(
            "map_page.html",
            status,
            state=state,
            total=counted(len(points.places), "image"),
            body=self._body,
            data=page_data(points, points.named, (), points.coloured_by(by)),
            notes=notes,
            error=error,
        )

    async def _make(self, request: Request) -> Response:
        await self._made(begin=True)
        return RedirectResponse("map", 303)

    async def _answer(self, request: Request) -> Response:
        parameters_of(request, {})
        made = await self._made()
        if made is None:
            raise Refused(404, _NOT_MADE)
        if isinstance(made, Count):
            counting = {"counting": made.what, "done": made.done, "total": made.total}
            return Response(as_json(counting), 202, {"Retry-After": "1"}, JSON)
        known = {"items": len(made.map), "method": made.map.method, "landmarks": made.map.landmarks}
        return Response(as_json({**known, "notes": list(made.map.notes)}), media_type=JSON)

    async def _area(self, request: Request) -> Response:
        wanted, rest = apart(request.query_params.multi_items(), {PAGE: whole_number(1, _MOST_PAGE)}, needed=())
        if [name for name, _ in rest] != [AREA]:
            raise QueryError("the address names no area, or more than that.")
        area = rest[0][1]
        area_of(area)
        made = await self._made()
        if not isinstance(made, _Made):
            return RedirectResponse("map", 303)
        return await self._site.asking.run(request, self._written_area, area, wanted.get(PAGE, 1), made)

    def _written_area(self, area: str, page: int, made: _Made) -> Response:
        numbers = inside(area_of(area), made.points.places)
        start = (page - 1) * PER_PAGE
        names = self._names(numbers[start : start + PER_PAGE])
        tags = self._collection.tags_of(names)
        labels = {name: self._collection.item(name).row.labels for name in names}
        return self._page(
            "area.html",
            area=area,
            total=len(numbers),
            tiles=[Tile(name, labels[name], tags=tags.get(name, ())) for name in names],
            first=start + 1,
            page=page,
            last_page=max(1, -(-len(numbers) // PER_PAGE)),
            state=State(),
            known_tags=known_tags(self._collection),
        )

    def _names(self, numbers: np.ndarray) -> list[ItemName]:
        """Return the items at some numbers of the map, which has them in the order of a listing of all."""
        if len(numbers) > MOST_TAGGED:
            raise QueryError(f"the area has {len(numbers):,} images, and at most {MOST_TAGGED:,} are tagged at once.")
        listing = self._collection.listing(State().filter)
        # Many are read block by block, few one by one.
        block = 1 if len(numbers) <= PER_PAGE else _BLOCK
        names = []
        for start in np.unique(numbers // block * block).tolist():
            items = listing.page(start, block)
            wanted = numbers[(numbers >= start) & (numbers < start + block)] - start
            names += [name_of(items[number]) for number in wanted.tolist()]
        return names

    async def _tag(self, request: Request) -> Response:
        """Tag all images of an area, and go on with those of the tag."""
        body = await body_of(request, _MOST_FORM)
        try:
            values = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10))
        except ValueError as error:
            raise QueryError("the form cannot be read.") from error
        action, tag, area = values.get("do", ""), values.get("tag", "").strip(), values.get(AREA, "")
        corners = area_of(area)
        if action not in (ADD, REMOVE):
            raise QueryError(f"the form does nothing: do must be {ADD} or {REMOVE}.")
        made = await self._made()
        if not isinstance(made, _Made):
            raise QueryError(_NOT_MADE)

        def tagged() -> None:
            changed(self._collection, action, tag, self._names(inside(corners, made.points.places)))

        await self._site.asking.run(request, tagged)
        if action == ADD:
            return RedirectResponse(State.of([("tag", tag)]).url, 303)
        return RedirectResponse(f"area?{urlencode({AREA: area})}", 303)
