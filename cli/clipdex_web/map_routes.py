"""The map of what is open, as a page."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import ClipdexError, QueryError
from clipdex.mapping.area import Area
from clipdex.mapping.dataset_map import DatasetMap
from clipdex.mapping.making import kept_version
from clipdex.report.map_page import MOST_POINTS, map_assets, page_data
from clipdex.report.map_points import COLOURINGS, LABEL, MapPoints, passing, points_of, with_hits, with_tags
from clipdex.wording import counted, shown
from clipdex_web.long_work import Count, Progress
from clipdex_web.openapi import JSON
from clipdex_web.problems import Refused, status_and_message
from clipdex_web.reading import as_json, parameters_of
from clipdex_web.rendering import Rendering
from clipdex_web.room import Room
from clipdex_web.schema import MOST_TEXT
from clipdex_web.site import Site
from clipdex_web.state import ItemName, State
from clipdex_web.tiles import SHOWN

AREA = "area"
# What of the map is looked at, beside the item that is chosen.
BY, ONLY, VIEW, FIND = "by", "only", "view", "find"
_LOOKED = (BY, ONLY, VIEW, FIND, SHOWN)
_QUESTION = "map"
# Middle and scale of what the canvas shows.
_VIEW = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?,-?[0-9]{1,3}(\.[0-9]{1,6})?,[0-9]{1,3}(\.[0-9]{1,6})?")
_NOT_MADE = "there is no map yet: the page of the map makes one, and so does clipdex map."


class _Made(NamedTuple):
    """A map, its points, and what changes when another program keeps another map."""

    map: DatasetMap
    points: MapPoints
    version: tuple[int, ...] | None


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
        work, datasets = self._site.long_work, self._explorer.datasets
        if not (begin or work.knows(_QUESTION) or kept_version(datasets) is not None):
            return None
        made = await work.ask(_QUESTION, self._making)
        if isinstance(made, _Made) and made.version != kept_version(datasets):
            work.forget(_QUESTION)
            made = await work.ask(_QUESTION, self._making)
        return made

    def _making(self, progress: Progress) -> _Made:
        made = self._explorer.map(progress=progress)
        version = kept_version(self._explorer.datasets)
        points = points_of(self._explorer.datasets, made, most_named=MOST_POINTS, progress=progress)
        return _Made(made, points, version)

    async def _map(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        looked = _looked([pair for pair in pairs if pair[0] in _LOOKED])
        areas = [Area.of(value) for name, value in pairs if name == AREA]
        state = State.of([pair for pair in pairs if pair[0] not in (AREA, *_LOOKED)])
        made = await self._made()
        return await self._site.asking.run(request, self._written, state, areas, looked, made)

    def _written(
        self, state: State, areas: Sequence[Area], looked: dict[str, str], made: _Made | Count | None
    ) -> Response:
        if not isinstance(made, _Made):
            return self._page("map_making.html", 200 if made is None else 202, count=made)
        datasets = self._explorer.datasets
        points, error, status = with_tags(made.points, datasets), "", 200
        notes, pale = [*made.map.notes, *points.problems], ""
        try:
            if state.chips:
                result = self._collection.answer(state)
                points = with_hits(points, datasets, made.map, result)
                notes += result.warnings
            if state.filter:
                listing = self._collection.listing(state.filter)
                flags = passing(points, datasets, listing.masks)[[one.number for one in points.named]]
                pale = base64.b64encode(flags.tobytes()).decode()
                notes.append(f"Pale is what does not pass the filter; {counted(len(listing), 'image')} pass.")
        except ClipdexError as problem:
            status, error = status_and_message(problem)
        if len(points.named) < len(points.places):
            notes.append(
                f"Drawn are {len(points.named):,} of {counted(len(points.places), 'image')}, evenly; counts and areas "
                "are of all."
            )
        if any(area.layout != made.map.layout for area in areas):
            notes.append("The area in the address was drawn on another map, and is not shown: draw it again.")
        by = looked.get(BY) if looked.get(BY) in points.colourings else None
        kept = [*looked.items(), *((AREA, str(area)) for area in areas)]
        return self._page(
            "map_page.html",
            status,
            state=state,
            total=counted(len(points.places), "image"),
            body=self._body,
            data={
                **page_data(points, points.named, (), points.coloured_by(by)),
                "layout": list(made.map.layout),
                "passing": pale,
            },
            asked=points.asked or ", ".join(chip.value for chip in state.chips),
            filters=state.filter_pairs(),
            plain=f"map?{urlencode([*state.cleared().filter_pairs(), *kept])}",
            unfiltered=f"map?{urlencode([*((chip.name, chip.value) for chip in state.chips), *kept])}",
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


def _looked(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return what of the map is looked at, by parameter.

    Raises
    ------
    QueryError
        When one is there twice, or not as described.
    """
    looked = dict(pairs)
    if len(looked) < len(pairs) or max(map(len, looked.values()), default=0) > MOST_TEXT:
        raise QueryError(f"the address has one of {', '.join(_LOOKED)} twice, or very long.")
    if looked.get(BY, LABEL) not in COLOURINGS:
        raise QueryError(f"the map is coloured by one of {', '.join(COLOURINGS)}.")
    if VIEW in looked and _VIEW.fullmatch(looked[VIEW]) is None:
        raise QueryError(f"view is {shown(looked[VIEW])}, and must be X,Y,SCALE.")
    if SHOWN in looked:
        ItemName.of(looked[SHOWN])
    return looked
