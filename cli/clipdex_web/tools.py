"""The tools of MCP: JSON in, a text of JSON and perhaps a picture out, never more than an assistant can take."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from clipdex.errors import QueryError, QueryImageError
from clipdex.search.duplicate_settings import DuplicateSettings
from clipdex.search.duplicates import distance_of, duplicates_of
from clipdex.search.listing import ListedItem
from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, Query
from clipdex.search.request import SearchRequest, query_from_dict
from clipdex.wording import shortened
from clipdex_web.checking import check
from clipdex_web.schema import SIZES, Object
from clipdex_web.site import Site
from clipdex_web.state import ItemName
from clipdex_web.tool_schemas import SHOWN_GROUPS, SHOWN_ITEMS, SHOWN_PIXELS, TOOL_DEFINITIONS, TOOLS
from clipdex_web.translating import described_info, described_item, request_of

# Of a message, as it is sent.
MOST_BYTES = 1_000_000
_ENVELOPE = 4_000
_MOST_OF_AN_ENTRY = MOST_BYTES // 2
_MOST_OF_LABELS = MOST_BYTES // 100
_MOST_LABELS = 200
_MOST_WARNING = 1_000
_ITEM = ("id", "subset", "dataset")


class Answer(NamedTuple):
    """What a tool answers: JSON, and a picture as WebP."""

    text: str
    picture: bytes = b""


class Tools:
    """The tools over open datasets. They change nothing.

    Parameters
    ----------
    site
        What is open.
    """

    def __init__(self, site: Site) -> None:
        self._collection = site.collection
        self._pictures = site.pictures
        self._tools: Mapping[str, Callable[[Object], Answer]] = {
            "search": self._search,
            "similar": self._similar,
            "duplicates": self._duplicates,
            "info": self._info,
            "thumbnail": self._thumbnail,
        }

    def call(self, name: str, arguments: object) -> Answer:
        """Return the answer of a tool.

        Parameters
        ----------
        name
            A key of ``TOOLS``.
        arguments
            What came as its arguments.

        Raises
        ------
        ClipdexError
            When the arguments are not those of its schema, or the engine cannot answer.
        """
        check(arguments, TOOLS[name].takes, TOOL_DEFINITIONS)
        asked: Any = arguments
        return self._tools[name](dict(asked))

    def _search(self, asked: Object) -> Answer:
        first = asked.pop("from_rank", 1)
        return self._found(request_of(asked, _query_of), first)

    def _similar(self, asked: Object) -> Answer:
        first = asked.pop("from_rank", 1)
        item = self._named(asked)
        rest = {name: value for name, value in asked.items() if name not in _ITEM}
        query = ItemQuery(item.row.id, (item.row.subset,), item.dataset.name)
        return self._found(request_of({**rest, "queries": [{}], "exclude_self": True}, lambda _: query), first)

    def _found(self, request: SearchRequest, first: int) -> Answer:
        if first > request.topk:
            raise QueryError(f"from_rank is {first}, and topk {request.topk}: ask for as many hits as you want to see.")
        result = self._collection.explorer.search(request)
        body = {
            "topk": result.topk,
            "merge": result.merge,
            "queries": [
                {"kind": one.kind, "value": shortened(one.value), **({"negative": True} if one.negative else {})}
                for one in result.queries
            ],
            "warnings": [shortened(sentence, _MOST_WARNING) for sentence in result.warnings],
        }
        hits = [_with_few_labels(hit) for hit in result.to_dict()["hits"][first - 1 :]]
        return _fitting(body, "hits", hits, lambda shown: f"ask again with from_rank {first + shown} for the others")

    def _duplicates(self, asked: Object) -> Answer:
        first = asked.pop("from_group", 1)
        limit = asked.pop("limit", SHOWN_GROUPS)
        most = asked.pop("items_per_group", SHOWN_ITEMS)
        datasets = self._collection.explorer.datasets
        settings = DuplicateSettings(**asked, limit=first - 1 + limit)
        body = duplicates_of(datasets, distance_of(datasets, settings), settings).to_dict()
        del body["same_file"], body["datasets"]
        groups = [_with_few_items(group, most) for group in body.pop("groups")[first - 1 :]]
        last = first - 1 + len(groups)
        if last < body["total_groups"]:
            body["next"] = f"ask again with from_group {last + 1} for the other groups"
        return _fitting(body, "groups", groups, lambda shown: f"ask again with from_group {first + shown}")

    def _info(self, asked: Object) -> Answer:
        body = described_info(self._collection)
        facets = self._collection.facets()
        if facets is None:
            return _fitting({**body, "labels_are": "being counted: ask again in a moment"}, "labels", [], lambda _: "")
        body["subsets"] = dict(facets.subsets[:_MOST_LABELS])
        labels: list[Object] = [{"label": name, "items": count} for name, count in facets.labels[:_MOST_LABELS]]
        body["total_subsets"], body["total_labels"] = len(facets.subsets), len(facets.labels)
        return _fitting(body, "labels", labels, lambda _: "clipdex info --facets on the command line counts all")

    def _thumbnail(self, asked: Object) -> Answer:
        item = self._named(asked)
        wanted = asked.get("size", SHOWN_PIXELS)
        body = _with_few_labels(described_item(item))
        for size in sorted((size for size in SIZES if size <= wanted), reverse=True):
            picture = self._pictures.of_item(item, size).content
            if len(picture) * 4 // 3 + _weight(body) + _ENVELOPE <= MOST_BYTES:
                break
        if size < wanted:
            body["cut"] = f"at most {size} pixels: with {wanted}, the answer would be more than {MOST_BYTES:,} bytes"
        return Answer(_written({**body, "size": size}), picture)

    def _named(self, asked: Object) -> ListedItem:
        found = self._collection.explorer.item(*(asked.get(name) for name in _ITEM))  # type: ignore[arg-type]
        return self._collection.item(ItemName(found.dataset, found.subset, found.id))


def _query_of(asked: Mapping[str, Any]) -> Query | DatasetItem:
    if asked["kind"] != "image":
        return query_from_dict(asked)
    try:
        return ImageQuery(base64.b64decode(asked["value"], validate=True))
    except ValueError as error:
        raise QueryImageError("the image of a query is no base64: send the bytes of its file as base64.") from error


def _with_few_labels(item: Object) -> Object:
    """Return an item as JSON, of which a few thousand labels would leave no room for others."""
    return _shortened(item, "labels", _MOST_OF_LABELS)


def _with_few_items(group: Object, most: int) -> Object:
    total = len(group["items"])
    shown = {**group, "items": [_with_few_labels(item) for item in group["items"][:most]]}
    shown = _shortened(shown, "items", _MOST_OF_AN_ENTRY)
    left_out = total - len(shown["items"])
    return {**shown, "items_left_out": left_out} if left_out else shown


def _shortened(body: Object, name: str, most: int) -> Object:
    """Return an object of whose list only the first entries are left, where all are too much; it counts the others."""
    entries = body[name]
    count = _count_within(entries, most)
    return body if count == len(entries) else {**body, name: entries[:count], f"{name}_left_out": len(entries) - count}


def _fitting(body: Object, name: str, entries: Sequence[Object], more: Callable[[int], str]) -> Answer:
    """Return an answer with as many entries as fit; it says how many were cut, and how to get them."""
    count = _count_within(entries, MOST_BYTES - _ENVELOPE - _weight(body))
    if count < len(entries):
        cut = f"the first {count:,} of {len(entries):,} {name}, as more than {MOST_BYTES:,} bytes are not sent"
        body = {**body, "cut": f"{cut}: {more(count)}"}
    return Answer(_written({**body, name: list(entries[:count])}))


def _count_within(entries: Sequence[object], most: int) -> int:
    room = most
    for count, entry in enumerate(entries):
        room -= _weight(entry)
        if room < 0:
            return count
    return len(entries)


def _weight(value: object) -> int:
    """Return how many bytes a value takes in a message, in which a text of JSON is written as JSON once more."""
    return len(json.dumps(_written(value), ensure_ascii=False).encode())


def _written(value: object) -> str:
    # A path need not be valid Unicode: what is not becomes an escape of JSON.
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.encode(errors="backslashreplace").decode()
