"""Numbers of an answer or of all items: facets, and histograms of distances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clipdex.errors import QueryError
from clipdex.search.facets import Facets
from clipdex.search.request import SearchRequest
from clipdex.wording import counted
from clipdex_web.chart import chart_of
from clipdex_web.facets import KINDS
from clipdex_web.openapi import JSON
from clipdex_web.reading import MOST_JSON, as_json, body_of, checked, parameters_of
from clipdex_web.requested import filters_of, read_request, request_of
from clipdex_web.room import Room
from clipdex_web.schema import FACETS_PARAMETERS, FILTER_PARAMETERS
from clipdex_web.state import State

_NAMES_OF_AN_ANSWER = 1000


class InsightRoutes(Room):
    """The answers in numbers."""

    def pages(self) -> list[Route]:
        """Return where each page is."""
        return [Route("/histogram", self._chart)]

    def api(self) -> list[Route]:
        """Return where each answer of the API is."""
        return [
            Route("/facets", self._facets),
            Route("/facets", self._facets_of_hits, methods=["POST"]),
            Route("/histogram", self._histogram, methods=["POST"]),
        ]

    async def _chart(self, request: Request) -> Response:
        state = State.of(request.query_params.multi_items())
        if not state.chips:
            raise QueryError("there are no distances: ask for something first.")
        return await self._site.asking.run(request, self._written_chart, state)

    def _written_chart(self, state: State) -> Response:
        result = self._collection.answer(state)
        histogram = self._collection.explorer.histogram(state.request(self._collection.uploads.read))
        return self._page(
            "histogram.html",
            state=state,
            chart=chart_of(histogram, [hit.distance for hit in result.hits]),
            bits=len(histogram.distances) - 1,
            items=counted(histogram.items, "image"),
            hits=len(result.hits),
            by_distance=histogram.scores is None and result.merge == "distance",
        )

    async def _facets(self, request: Request) -> Response:
        wanted, rest = filters_of(request)
        values = checked(rest, FACETS_PARAMETERS, (*FACETS_PARAMETERS, *FILTER_PARAMETERS))
        found = await self._site.asking.run(request, self._collection.facets, wanted)
        if found is None:
            return Response(as_json({"counting": "images", "done": 0, "total": 0}), 202, {"Retry-After": "1"}, JSON)
        return Response(as_json(_facets_as_answer(found, values)), media_type=JSON)

    async def _facets_of_hits(self, request: Request) -> Response:
        return await self._asked(
            request, lambda asked: _facets_as_answer(self._collection.explorer.search(asked).facets(), {})
        )

    async def _histogram(self, request: Request) -> Response:
        return await self._asked(request, lambda asked: self._collection.explorer.histogram(asked).to_dict())

    async def _asked(self, request: Request, answer: Callable[[SearchRequest], Mapping[str, Any]]) -> Response:
        parameters_of(request, {})
        body = await body_of(request, MOST_JSON)

        def written() -> str:
            return as_json(answer(request_of(self._collection, read_request(body))))

        return Response(await self._site.asking.run(request, written), media_type=JSON)


def _facets_as_answer(found: Facets, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first names of each kind, of those that hold a text whatever the case."""
    part, limit = values.get("find", "").casefold(), values.get("limit", _NAMES_OF_AN_ANSWER)
    answer: dict[str, Any] = {"items": found.items, "unlabelled": found.unlabelled, "problems": list(found.problems)}
    for kind in (f"{kind}s" for kind in KINDS):
        if values.get("kind", kind) == kind:
            counts: dict[str, int] = getattr(found, kind)
            names = [name for name in counts if part in name.casefold()] if part else list(counts)
            names.sort(key=lambda name: name.casefold() != part)
            first = [{"name": name, "items": counts[name]} for name in names[:limit]]
            answer[kind] = {"total": len(names), "first": first}
    return answer
