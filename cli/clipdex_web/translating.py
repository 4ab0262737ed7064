"""From checked JSON to what the engine takes, and from what it gives to JSON: the same for HTTP and for MCP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clipdex import __version__
from clipdex.errors import QueryError
from clipdex.search.listing import ListedItem
from clipdex.search.queries import DatasetItem, Query
from clipdex.search.request import SearchRequest
from clipdex_indexes import ItemFilter
from clipdex_web.collection import Collection
from clipdex_web.schema import Object


def request_of(asked: Mapping[str, Any], query_of: Callable[[Mapping[str, Any]], Query | DatasetItem]) -> SearchRequest:
    """Return a request.

    Parameters
    ----------
    asked
        A ``SearchRequest`` of the schemas.
    query_of
        Makes each of its queries.

    Raises
    ------
    QueryError
        When it cannot be asked.
    """
    queries, negative = (tuple(map(query_of, asked.get(name, ()))) for name in ("queries", "negative"))
    settings = {name: value for name, value in asked.items() if name not in ("schema", "queries", "negative")}
    if "filter" in settings:
        settings["filter"] = filter_of(settings["filter"])
    return SearchRequest(queries, negative, **settings)


def filter_of(values: Mapping[str, Sequence[str]]) -> ItemFilter:
    """Return a filter.

    Raises
    ------
    QueryError
        When it contradicts itself.
    """
    try:
        return ItemFilter(**{name: tuple(many) for name, many in values.items()})
    except ValueError as error:
        raise QueryError(str(error)) from error


def described_info(collection: Collection) -> Object:
    """Return an ``Info`` of the schemas."""
    datasets = collection.explorer.datasets
    return {
        "version": __version__,
        "items": sum(map(len, datasets)),
        "model": collection.model,
        "datasets": [dataset.record.to_dict() for dataset in datasets],
    }


def described_item(item: ListedItem) -> Object:
    """Return an ``Item`` of the schemas, without its hash key."""
    row = item.row
    return {
        "dataset": item.dataset.name,
        "subset": row.subset,
        "id": row.id,
        "labels": list(row.labels),
        "path": item.path,
        "bytes": row.size,
    }
