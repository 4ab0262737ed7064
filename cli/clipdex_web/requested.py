"""Requests of the API as requests of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from clipdex.errors import QueryError
from clipdex.search.queries import DatasetItem, ImageQuery, Query
from clipdex.search.request import SearchRequest, query_from_dict
from clipdex_indexes import ItemFilter
from clipdex_web.checking import check, from_text
from clipdex_web.collection import Collection
from clipdex_web.reading import read_json
from clipdex_web.schema import DEFINITIONS, FILTER_PARAMETERS, MOST_FILTERS


def read_request(body: bytes) -> dict[str, Any]:
    """Return the request in a body, which fits its schema.

    Raises
    ------
    QueryError
        When it does not.
    """
    asked: dict[str, Any] = read_json(body)
    check(asked, DEFINITIONS["SearchRequest"], DEFINITIONS)
    return asked


def request_of(collection: Collection, asked: Mapping[str, Any]) -> SearchRequest:
    """Return what a request asks of the engine.

    Raises
    ------
    QueryError
        When it cannot be asked.
    """

    def query(one: Mapping[str, Any]) -> Query | DatasetItem:
        if one["kind"] == "upload":
            name = one["value"]
            return ImageQuery(collection.uploads.read(name), f"upload {name[:12]}")
        return query_from_dict(one)

    queries, negative = (tuple(map(query, asked.get(name, ()))) for name in ("queries", "negative"))
    settings = {name: value for name, value in asked.items() if name not in ("schema", "queries", "negative")}
    if "filter" in settings:
        settings["filter"] = _filter(settings["filter"])
    return SearchRequest(queries, negative, **settings)


def filters_of(request: Request) -> tuple[ItemFilter, list[tuple[str, str]]]:
    """Return the filter that an address has, and its other parameters.

    Raises
    ------
    QueryError
        When it cannot be read.
    """
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
    return _filter(filters), rest


def _filter(values: Mapping[str, Sequence[str]]) -> ItemFilter:
    try:
        return ItemFilter(**{name: tuple(many) for name, many in values.items()})
    except ValueError as error:
        raise QueryError(str(error)) from error
