"""Requests of the API as requests of the engine."""

from __future__ import annotations

from collections.abc import Mapping
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
from clipdex_web.translating import filter_of
from clipdex_web.translating import request_of as translated


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

    return translated(asked, query)


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
    return filter_of(filters), rest
