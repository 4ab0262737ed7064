"""A question as one object: the same for the command line, stages of projects, and callers in Python.

A request does not name the datasets: it can be asked of any explorer. As JSON it has these keys. Only ``queries`` is
required; other keys are refused::

    {"schema": 1,
     "queries": [{"kind": "text", "value": "a dog"},
                 {"kind": "image", "value": "/photos/a.jpg"},
                 {"kind": "item", "value": "animals/cat.jpg", "subsets": ["train"], "dataset": "photos"}],
     "negative": [{"kind": "text", "value": "snow"}],
     "topk": 50, "merge": "any", "rescore": false, "filter": {"labels": ["animals"]}, "max_distance": 200,
     "min_strength": "fair", "prompting": "auto", "exclude_self": false}
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from clipdex.defaults import ANY, MERGES, PROMPTINGS, STRENGTHS, TOPK
from clipdex.errors import QueryError
from clipdex.paths import expanded
from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, Query, TextQuery, as_negatives, as_queries
from clipdex.wording import shown
from clipdex_indexes import ItemFilter
from clipdex_indexes.filters import describe

SCHEMA = 1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One question to an explorer, checked when it is made.

    Attributes
    ----------
    queries
        What is searched for, in order; at least one. A single query is taken too, and what ``Explorer.explore_topk``
        takes for one.
    negative
        Queries like those: items like these are pushed away.
    topk
        How many hits, at least 1.
    merge
        How a list of queries is merged: ``any``, ``all`` or ``rank``.
    rescore
        Whether the nearest by Hamming distance are put in order by the asymmetric distance.
    filter
        What may be found; None for everything.
    max_distance
        Greatest distance of a hit, in bits; None for no limit.
    min_strength
        Least strength of a hit: ``weak``, ``fair`` or ``strong``. Hits below it are left out of the ``topk`` best, so
        there may be fewer. None for no limit.
    prompting
        How texts are put into the prompt of the model, where a ``TextQuery`` leaves it at ``auto``.
    exclude_self
        Whether the items that are asked with are left out.

    Raises
    ------
    QueryError
        When one of them is not as described.
    """

    queries: tuple[Query | DatasetItem, ...]
    negative: tuple[Query | DatasetItem, ...] = ()
    topk: int = TOPK
    merge: str = ANY
    rescore: bool = False
    filter: ItemFilter | None = None
    max_distance: int | None = None
    min_strength: str | None = None
    prompting: str = "auto"
    exclude_self: bool = False

    def __post_init__(self) -> None:
        checked = {
            "topk": checked_topk(self.topk),
            "merge": _one_of("merge", self.merge, MERGES),
            "queries": tuple(as_queries(self.queries)),
            "negative": tuple(as_negatives(self.negative)),
            "rescore": _checked_switch("rescore", self.rescore),
            "filter": _checked_filter(self.filter),
            "max_distance": _checked_distance(self.max_distance),
            "min_strength": (
                None if self.min_strength is None else _one_of("min_strength", self.min_strength, STRENGTHS)
            ),
            "prompting": _one_of("prompting", self.prompting, PROMPTINGS),
            "exclude_self": _checked_switch("exclude_self", self.exclude_self),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def both(self) -> tuple[Query | DatasetItem, ...]:
        """Every query: the positive ones, then the negative ones."""
        return (*self.queries, *self.negative)

    @property
    def asked(self) -> list[tuple[Query | DatasetItem, bool]]:
        """Every query with whether it is negative: the positive ones first, texts with the prompting of the request."""
        return [(self._prompted(query), False) for query in self.queries] + [
            (self._prompted(query), True) for query in self.negative
        ]

    def _prompted(self, query: Query | DatasetItem) -> Query | DatasetItem:
        if isinstance(query, TextQuery) and query.prompting == "auto":
            return replace(query, prompting=self.prompting)
        return query

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain values, for JSON; paths of images are absolute.

        Raises
        ------
        QueryError
            When a query is an image in memory, which is in no file.
        """
        return {
            "schema": SCHEMA,
            "queries": [_query_to_dict(query) for query in self.queries],
            **({"negative": [_query_to_dict(query) for query in self.negative]} if self.negative else {}),
            "topk": self.topk,
            "merge": self.merge,
            "rescore": self.rescore,
            **({"filter": describe(self.filter)} if self.filter else {}),
            **({"max_distance": self.max_distance} if self.max_distance is not None else {}),
            **({"min_strength": self.min_strength} if self.min_strength is not None else {}),
            "prompting": self.prompting,
            "exclude_self": self.exclude_self,
        }

    @classmethod
    def from_dict(cls, body: object) -> SearchRequest:
        """Return the request of a JSON object.

        Raises
        ------
        QueryError
            When it is no JSON object, a key is unknown, or a value is not as described.
        """
        known = ("schema", *(field.name for field in fields(cls)))
        values = _table(body, "a request", known)
        if "queries" not in values:
            raise QueryError("a request has no queries.")
        if (schema := values.pop("schema", SCHEMA)) != SCHEMA:
            raise QueryError(f"the schema of a request is {shown(schema)}, and this clipdex reads schema {SCHEMA}.")
        for name in ("queries", "negative"):
            if name in values:
                values[name] = tuple(query_from_dict(query) for query in _typed(values[name], list, name))
        if "filter" in values:
            values["filter"] = _filter_from_dict(values["filter"])
        return cls(**values)


def _query_to_dict(query: Query | DatasetItem) -> dict[str, Any]:
    if isinstance(query, TextQuery):
        prompting = {"prompting": query.prompting} if query.prompting != "auto" else {}
        return {"kind": "text", "value": query.text, **prompting}
    if isinstance(query, ImageQuery):
        if not isinstance(query.image, Path):
            raise QueryError("a query is an image in memory, which JSON cannot hold: save it, and ask with its file.")
        return {"kind": "image", "value": str(expanded(query.image).absolute())}
    if isinstance(query, ItemQuery):
        subsets = {"subsets": list(query.subsets)} if query.subsets else {}
        return {"kind": "item", "value": query.id, **subsets, **({"dataset": query.dataset} if query.dataset else {})}
    return {
        "kind": "hashed_item",
        "value": query.id,
        "subset": query.subset,
        "labels": list(query.labels),
        "dataset": query.dataset,
        "path": str(query.path),
        "hash_key": query.hash_key.tobytes().hex(),
        "model_digest": query.model_digest,
    }


def query_from_dict(body: object) -> Query | DatasetItem:
    """Return the query of a JSON object.

    Raises
    ------
    QueryError
        When it is no JSON object, a key is unknown, or a value is not as described.
    """
    kind = body.get("kind") if isinstance(body, dict) else None
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise QueryError(f"a query is {shown(body)}, and must be a table with a kind: {', '.join(_READERS)}.")
    return read(body)


def _text_from_dict(body: object) -> TextQuery:
    values = _table(body, "a text query", ("kind", "value", "prompting"))
    return TextQuery(_text(values, "value"), _text(values, "prompting", "auto"))


def _image_from_dict(body: object) -> ImageQuery:
    values = _table(body, "an image query", ("kind", "value"))
    return ImageQuery(Path(_text(values, "value")))


def _item_from_dict(body: object) -> ItemQuery:
    values = _table(body, "an item query", ("kind", "value", "subsets", "dataset"))
    return ItemQuery(_text(values, "value"), _texts(values, "subsets"), _text(values, "dataset", "") or None)


def _hashed_item_from_dict(body: object) -> DatasetItem:
    import numpy as np

    keys = ("kind", "value", "subset", "labels", "dataset", "path", "hash_key", "model_digest")
    values = _table(body, "a query with a hash key", keys)
    try:
        key = np.frombuffer(bytes.fromhex(_text(values, "hash_key")), np.uint8)
    except ValueError as error:
        raise QueryError(f"the hash_key of a query is {shown(values['hash_key'])}, and must be hexadecimal.") from error
    return DatasetItem(
        _text(values, "value"),
        _text(values, "subset"),
        _texts(values, "labels"),
        _text(values, "dataset"),
        Path(_text(values, "path")),
        key,
        _text(values, "model_digest"),
    )


_READERS: Mapping[str, Callable[[object], Query | DatasetItem]] = {
    "text": _text_from_dict,
    "image": _image_from_dict,
    "item": _item_from_dict,
    "hashed_item": _hashed_item_from_dict,
}


def _filter_from_dict(body: object) -> ItemFilter:
    names = tuple(field.name for field in fields(ItemFilter))
    values = _table(body, "a filter", names)
    try:
        return ItemFilter(**{name: _texts(values, name) for name in values})
    except ValueError as error:
        raise QueryError(str(error)) from error


def _table(body: object, what: str, known: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a JSON object that has no other keys than those known."""
    if not isinstance(body, dict):
        raise QueryError(f"{what} is {shown(body)}, and must be a JSON object.")
    for key in body:
        if key not in known:
            raise QueryError(f"{what} has the unknown key {shown(key)}; it may have {', '.join(known)}.")
    return dict(body)


def _typed(value: object, kind: type[_T], what: str) -> _T:
    if not isinstance(value, kind):
        raise QueryError(f"{what} is {shown(value)}, and must be a {kind.__name__}.")
    return value


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    if name not in values and default is None:
        raise QueryError(f"a query of kind {values['kind']} has no {name}.")
    return _typed(values.get(name, default), str, name)


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_typed(value, str, f"one of {name}") for value in _typed(values.get(name, []), list, name))


def checked_topk(topk: int) -> int:
    """Return a number of hits; raises ``QueryError`` when it is none, or below 1."""
    number = _whole(topk)
    if number is None or number < 1:
        raise QueryError(f"topk is {shown(topk)}, and must be a whole number of at least 1.")
    return number


def _checked_distance(max_distance: int | None) -> int | None:
    if max_distance is None:
        return None
    number = _whole(max_distance)
    if number is None or number < 0:
        raise QueryError(f"max_distance is {shown(max_distance)}, and must be a whole number of bits, at least 0.")
    return number


def _whole(value: object) -> int | None:
    """Return a whole number; None for what is none, such as ``True`` or 1.5."""
    try:
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise QueryError(f"{name} is {shown(value)}, and must be one of {', '.join(known)}.")
    return value


def _checked_switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise QueryError(f"{name} is {shown(value)}, and must be true or false.")
    return value


def _checked_filter(wanted: object) -> ItemFilter | None:
    if wanted is not None and not isinstance(wanted, ItemFilter):
        raise QueryError(f"filter is {shown(wanted)}, and must be an ItemFilter.")
    return wanted or None
