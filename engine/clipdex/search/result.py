"""Results: hits with everything that made them, as Python objects and as JSON."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from clipdex.datasets.record import DatasetRecord
from clipdex.defaults import ANY, STRENGTHS
from clipdex.errors import IndexCorrupt, OutputError, QueryError
from clipdex.search.hit import Hit
from clipdex.search.request import SearchRequest
from clipdex.search.tables import frame
from clipdex.showing import Showable
from clipdex.wording import counted, printable, shortened, shown, with_article
from clipdex_indexes import valid_item_id
from clipdex_indexes.storage.files import read_text

if TYPE_CHECKING:
    import pandas
    from PIL import Image

    from clipdex.search.facets import Facets
    from clipdex.search.histogram import Histogram

SCHEMA = 1
_MAX_BYTES = 1 << 30
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """One query as it was asked.

    Attributes
    ----------
    kind
        ``text``, ``image`` or ``item``.
    value
        The text, the path as it was given, or the id of the item.
    path
        Absolute path of the image or of the item's file; empty for a text or an image in memory.
    encoded
        What the text tower was given, after the prompt; empty for other kinds.
    ensemble
        All texts whose embeddings were averaged, where that was asked for; ``encoded`` is the first.
    truncated
        Whether the text was cut to the length that the model takes.
    dataset, subset
        Of an item.
    negative
        Whether items like it were pushed away.
    unread
        Words and symbols of a text that the model does not read, such as those in another script.
    """

    kind: str
    value: str
    path: str = ""
    encoded: str = ""
    ensemble: tuple[str, ...] = ()
    truncated: bool = False
    dataset: str = ""
    subset: str = ""
    negative: bool = False
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Result(Showable, Sequence[Hit]):
    """The hits of a query, best first; a sequence of ``Hit``. A notebook shows it with small pictures.

    Attributes
    ----------
    topk
        Number of hits that were wanted.
    merge
        The rule that merged the answers: ``distance``, ``rank``, ``calibrated``, ``mean`` or ``fusion``.
    queries, datasets, hits
        In order; negative queries are the last.
    images
        Images of queries that are in no file, by number of the query; not part of the JSON.
    warnings
        Sentences on what to know before the hits are believed: words that the model does not read, a text that was cut,
        that probably nothing fits.
    filter
        The values of the ``ItemFilter``, by name; empty without a filter.
    max_distance
        Greatest distance of a hit, in bits; None without a limit.
    min_strength
        Least strength of a hit; None without a limit.
    mode
        The merge mode: ``any``, ``all`` or ``rank``.
    rescored
        Whether candidates were ordered by asymmetric distance.
    request
        What was asked; ``Explorer.search`` answers it again. None where the file of a result does not hold it: an older
        clipdex saved it, or an image was only in memory. Results are compared without it.
    histogram
        How many items are at each distance; None where ``Explorer.search`` was not asked for it.
    """

    topk: int
    merge: str
    queries: tuple[QueryRecord, ...]
    datasets: tuple[DatasetRecord, ...]
    hits: tuple[Hit, ...]
    images: Mapping[int, Image.Image] = field(default_factory=dict, compare=False, repr=False)
    filter: Mapping[str, list[str]] = field(default_factory=dict)
    max_distance: int | None = None
    min_strength: str | None = None
    mode: str = ANY
    rescored: bool = False
    warnings: tuple[str, ...] = ()
    request: SearchRequest | None = field(default=None, compare=False)
    histogram: Histogram | None = None

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def facets(self) -> Facets:
        """Count the hits of each label, subset, dataset and tag."""
        from clipdex.search.facets import facets_of_hits

        return facets_of_hits(self.hits, [dataset.name for dataset in self.datasets])

    def __repr__(self) -> str:
        asked = ", ".join(f"not {query.value!r}" if query.negative else repr(query.value) for query in self.queries)
        places = printable(", ".join(dataset.name for dataset in self.datasets))
        nearest = f"; nearest {self.hits[0].id!r} at {counted(self.hits[0].distance, 'bit')}" if self.hits else ""
        return f"<Result: {counted(len(self.hits), 'hit')} for {shortened(asked)} in {shortened(places)}{nearest}>"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the hits as a table of pandas: a row for each hit, with the attributes of ``Hit`` as columns.

        Raises
        ------
        ExtraMissing
            When pandas is not installed; the message says how to install it.
        """
        return frame([plain(hit) for hit in self.hits], Hit.__slots__)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "schema": SCHEMA,
            "topk": self.topk,
            "merge": self.merge,
            **({"filter": dict(self.filter)} if self.filter else {}),
            **({"max_distance": self.max_distance} if self.max_distance is not None else {}),
            **({"min_strength": self.min_strength} if self.min_strength is not None else {}),
            "mode": self.mode,
            "rescored": self.rescored,
            **({"warnings": list(self.warnings)} if self.warnings else {}),
            **({"request": self.request.to_dict()} if self.request is not None and not self.images else {}),
            **({"histogram": self.histogram.to_dict()} if self.histogram is not None else {}),
            "queries": [_query_dict(query) for query in self.queries],
            "datasets": [dataset.to_dict() for dataset in self.datasets],
            "hits": [_hit_dict(hit) for hit in self.hits],
        }

    def to_json(self) -> str:
        """Return the documented JSON, one hit a line."""
        body = self.to_dict()
        hits = ",\n  ".join(json.dumps(hit, ensure_ascii=False) for hit in body.pop("hits"))
        head = json.dumps(body, ensure_ascii=False, indent=1)[:-2]
        return f'{head},\n "hits": [\n  {hits}\n ]\n}}' if hits else f'{head},\n "hits": []\n}}'


def plain(record: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the attributes of a record, by name."""
    return {name: getattr(record, name) for name in record.__slots__}


def _query_dict(query: QueryRecord) -> dict[str, Any]:
    always = ("kind", "value")
    values = {**plain(query), "ensemble": list(query.ensemble), "unread": list(query.unread)}
    return {name: value for name, value in values.items() if name in always or value}


def _hit_dict(hit: Hit) -> dict[str, Any]:
    values = {**plain(hit), "labels": list(hit.labels), "tags": list(hit.tags)}
    only_set = ("missing", "tags")
    return {name: value for name, value in values.items() if value is not None and (name not in only_set or value)}


def read_result(path: Path) -> Result:
    """Read a result that was saved as JSON.

    A request that this clipdex does not understand is left out; ``read_request`` says what is wrong with it.

    Raises
    ------
    OutputError
        When the file is not there, or is no result.
    """
    with _reading(path):
        return _from_dict(_json(path))


def read_request(path: Path) -> SearchRequest:
    """Read what a result that was saved as JSON had asked.

    Raises
    ------
    OutputError
        When the file is not there, or does not hold a request.
    """
    with _reading(path):
        body = _json(path)
        if "request" not in body:
            raise OutputError(
                f"{path} does not say what was asked so that it can be asked again: an image came from standard input "
                "or from memory, and only a saved folder keeps that; or an older clipdex made it."
            )
        try:
            return SearchRequest.from_dict(body["request"])
        except QueryError as error:
            raise OutputError(f"what {path} asked cannot be asked again: {error.message}") from error


def _json(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(read_text(path, _MAX_BYTES))
    return body


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what is wrong with the file of a result into ``OutputError``."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"the result {path} cannot be read: {error.strerror or error}.") from error
    except IndexCorrupt as error:
        raise OutputError(f"the result cannot be read: {error}") from error
    except KeyError as error:
        raise OutputError(f"{path} is not a result of a query: it does not say {error}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OutputError(f"{path} is not a result of a query: it is not JSON.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise OutputError(f"{path} is not a result of a query: {error}.") from error


def _request_or_none(body: dict[str, Any]) -> SearchRequest | None:
    try:
        return SearchRequest.from_dict(body["request"]) if "request" in body else None
    except QueryError:  # of a later clipdex: the hits can be read all the same
        return None


def _path(value: object) -> str:
    """Return a text that can be a path."""
    text = _typed(value, str)
    if "\0" in text or os.fsdecode(os.fsencode(text)) != text:
        raise ValueError(f"{shown(text)} is no path")
    return text


def _part(value: object) -> str:
    """Return a text that can be the part of a dataset."""
    text = _path(value)
    if text and not valid_item_id(text.removesuffix("/")):
        raise ValueError(f"{shown(text)} is no part of a dataset")
    return text


def _from_dict(body: dict[str, Any]) -> Result:
    if body["schema"] != SCHEMA:
        raise ValueError(f"its schema is {shown(body['schema'])}, and this clipdex reads schema {SCHEMA}")
    queries = tuple(
        QueryRecord(
            kind=_typed(query["kind"], str),
            value=_typed(query["value"], str),
            path=_typed(query.get("path", ""), str),
            encoded=_typed(query.get("encoded", ""), str),
            ensemble=_all_typed(query.get("ensemble", [])),
            truncated=bool(query.get("truncated", False)),
            dataset=_typed(query.get("dataset", ""), str),
            subset=_typed(query.get("subset", ""), str),
            negative=bool(query.get("negative", False)),
            unread=_all_typed(query.get("unread", [])),
        )
        for query in body["queries"]
    )
    datasets = tuple(
        DatasetRecord(
            name=_typed(dataset["name"], str),
            root=_path(dataset["root"]),
            items=_number(dataset["items"]),
            model=_typed(dataset["model"], str),
            model_digest=_typed(dataset.get("model_digest", ""), str),
            bits=_number(dataset.get("bits", 0)),
            index=_path(dataset.get("index", "")),
            part=_part(dataset.get("part", "")),
        )
        for dataset in body["datasets"]
    )
    hits = tuple(_hit(hit, len(queries)) for hit in _typed(body["hits"], list))
    return Result(
        _number(body["topk"]),
        _typed(body.get("merge", "distance"), str),
        queries,
        datasets,
        hits,
        filter={name: list(_all_typed(values)) for name, values in _typed(body.get("filter", {}), dict).items()},
        max_distance=_number(body["max_distance"]) if "max_distance" in body else None,
        min_strength=_strength(body.get("min_strength")),
        mode=_typed(body.get("mode", ANY), str),
        rescored=bool(body.get("rescored", False)),
        warnings=_all_typed(body.get("warnings", [])),
        request=_request_or_none(body),
        histogram=_histogram(body["histogram"], len(queries)) if "histogram" in body else None,
    )


def _histogram(body: dict[str, Any], queries: int) -> Histogram:
    from clipdex.search.histogram import Histogram, Scores

    scores = body.get("scores")
    found = Histogram(
        _numbers(body["distances"]),
        tuple(_numbers(counts) for counts in _typed(body["queries"], list)),
        Scores(tuple(map(_real, _typed(scores["edges"], list))), _numbers(scores["counts"])) if scores else None,
    )
    if len(found.queries) != queries or any(len(counts) != len(found.distances) for counts in found.queries):
        raise ValueError("its histogram is not of its queries")
    if found.scores is not None and found.scores.counts and len(found.scores.edges) != len(found.scores.counts) + 1:
        raise ValueError("its histogram has not as many scores as edges")
    return found


def _hit(hit: dict[str, Any], queries: int) -> Hit:
    number = _number(hit["query"])
    if number >= queries:
        raise ValueError(f"a hit is of query {number}, and there are {queries}")
    return Hit(
        rank=_number(hit["rank"]),
        distance=_number(hit["distance"]),
        query=number,
        query_rank=_number(hit.get("query_rank", hit["rank"])),
        dataset=_typed(hit["dataset"], str),
        id=_typed(hit["id"], str),
        subset=_typed(hit["subset"], str),
        path=_typed(hit["path"], str),
        labels=_all_typed(hit["labels"]),
        score=_real_or_none(hit.get("score")),
        merged=_real_or_none(hit.get("merged")),
        chance=_real_or_none(hit.get("chance")),
        strength=_strength(hit.get("strength")),
        missing=bool(hit.get("missing", False)),
        tags=_all_typed(hit.get("tags", [])),
    )


def _typed(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise ValueError(f"{shown(value)} is not {with_article(kind.__name__)}")
    return value


def _all_typed(values: object) -> tuple[str, ...]:
    """Return the texts of a list of texts."""
    return tuple(_typed(value, str) for value in _typed(values, list))


def _numbers(values: object) -> tuple[int, ...]:
    return tuple(map(_number, _typed(values, list)))


def _real_or_none(value: object) -> float | None:
    return None if value is None else _real(value)


def _real(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{shown(value)} is not a number")
    return float(value)


def _strength(value: object) -> str | None:
    """Return the word for a strength; None for one of a later clipdex."""
    return None if value is None or _typed(value, str) not in STRENGTHS else str(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{shown(value)} is not a number of things")
    return value
