"""Turning a search request into a stage of a project, and back.

A stage has the options of the query command by their long names, so that the command line and the file use the same
words. The values of a stage are checked here, and messages name its line.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn, TypeVar

from clipdex.defaults import ANY, MAX_PIXELS, MERGES, STRENGTHS, TOPK
from clipdex.encoder.devices import AUTO, PRECISIONS
from clipdex.errors import ProjectFileInvalid, QueryError
from clipdex.paths import expanded
from clipdex.projects.model import OptionValue, Project, Stage
from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, Query, TextQuery
from clipdex.search.request import SearchRequest
from clipdex.search.result import Result
from clipdex_indexes import ItemFilter

_Default = TypeVar("_Default", int, None)
_TEXTS, _IMAGES, _ITEMS = ("text", "not-str"), ("image", "not-img-path"), ("item", "not-item-id")
_KINDS = (*_TEXTS, *_IMAGES, *_ITEMS)
_SUBSETS = "query-item-subset"
# All kinds of a filter: a stage that left one out would ask for something else.
_FILTERS = {kind.name.removesuffix("s").replace("_", "-"): kind.name for kind in fields(ItemFilter)}


@dataclass(frozen=True, slots=True)
class StageSettings:
    """The settings of a stage beside its request: the precision of the model, and the largest images in pixels."""

    precision: str = AUTO
    max_pixels: int = MAX_PIXELS


def stage_of(project: Project, targets: tuple[str, ...], result: Result, settings: StageSettings) -> Stage | None:
    """Return the stage of a result, which searches these sources of a project (none: all).

    Return None where a stage cannot express the request: an image in memory, an item of a dataset outside the project,
    or settings that the queries do not share.
    """
    request = result.request
    if request is None or len(_promptings(request)) > 1 or len(_subsets(request)) > 1:
        return None
    queries = []
    for negative, asked in ((False, request.queries), (True, request.negative)):
        for query in asked:
            value = _as_recorded(project, query, result)
            if value is None:
                return None
            queries.append((_kind(query, negative), value))
    return Stage(tuple(queries), targets, _options_of(request, settings))


def _kind(query: Query | DatasetItem, negative: bool) -> str:
    return {"text": _TEXTS, "image": _IMAGES, "item": _ITEMS}[query.kind][negative]


def _as_recorded(project: Project, query: Query | DatasetItem, result: Result) -> str | None:
    if isinstance(query, TextQuery):
        return query.text
    if isinstance(query, ImageQuery):
        return project.relative(expanded(query.image)) if isinstance(query.image, Path) else None
    if isinstance(query, DatasetItem):
        return f"{query.dataset}:{query.id}" if any(one.name == query.dataset for one in result.datasets) else None
    if query.dataset is not None:
        return f"{query.dataset}:{query.id}"
    return query.id


def _promptings(request: SearchRequest) -> set[str]:
    return {query.prompting for query, _ in request.asked if isinstance(query, TextQuery)}


def _subsets(request: SearchRequest) -> set[tuple[str, ...]]:
    return {query.subsets for query, _ in request.asked if isinstance(query, ItemQuery)}


def _options_of(request: SearchRequest, settings: StageSettings) -> dict[str, OptionValue]:
    wanted = request.filter or ItemFilter()
    prompting = next(iter(_promptings(request)), "auto")
    values: dict[str, tuple[OptionValue, OptionValue]] = {  # the value, and the default that is not recorded
        _SUBSETS: (next(iter(_subsets(request)), ()), ()),
        "merge": (request.merge, ANY),
        "rescore": (request.rescore, False),
        "topk": (request.topk, 0),
        "no-prompt": (prompting == "none", False),
        "prompt-ensemble": (prompting == "ensemble", False),
        "exclude-self": (request.exclude_self, False),
        **{name: (getattr(wanted, attribute), ()) for name, attribute in _FILTERS.items()},
        "max-distance": (-1 if request.max_distance is None else request.max_distance, -1),
        "min-strength": (request.min_strength or "", ""),
        "precision": (settings.precision, AUTO),
        "max-pixels": (settings.max_pixels, MAX_PIXELS),
    }
    return {name: value for name, (value, nothing) in values.items() if value != nothing}


def request_of(project: Project, stage: Stage) -> tuple[SearchRequest, StageSettings]:
    """Return the request and the settings of a stage.

    Raises
    ------
    ProjectFileInvalid
        When the stage is not a valid request; the message names its line.
    """
    read = _StageReader(project, stage)
    request = read.request()
    settings = StageSettings(
        read.one_of("precision", AUTO, (AUTO, *PRECISIONS)), read.whole("max-pixels", MAX_PIXELS, least=1)
    )
    return request, settings


class _StageReader:
    def __init__(self, project: Project, stage: Stage) -> None:
        self._project = project
        self._stage = stage

    def request(self) -> SearchRequest:
        # A person may write a query beside the list of queries, or the subsets of items in it.
        asked = [*self._stage.queries, *((name, text) for name in _KINDS for text in self.texts(name))]
        subsets = (*(value for kind, value in asked if kind == _SUBSETS), *self.texts(_SUBSETS))
        asked = [(kind, value) for kind, value in asked if kind != _SUBSETS]
        for name in (*(kind for kind, _ in asked if kind not in _KINDS), *self._stage.options):
            if name not in (*_KINDS, *_OPTIONS):
                self._refuse(f"{name!r} means nothing in a stage.")
        if subsets and not any(kind in _ITEMS for kind, _ in asked):
            self._refuse(f"{_SUBSETS} goes with items.")
        none, ensemble = self.switch("no-prompt"), self.switch("prompt-ensemble")
        if none and ensemble:
            self._refuse("no-prompt and prompt-ensemble exclude each other.")
        topk = self.whole("topk", TOPK)
        if topk < 1:
            self._refuse(f"-k is {topk}, and must be at least 1.")
        try:
            queries, negative = (
                tuple(self._query(kind, value, subsets) for kind, value in asked if kind.startswith("not-") == away)
                for away in (False, True)
            )
            return SearchRequest(
                queries,
                negative,
                topk=topk,
                merge=self.one_of("merge", ANY, MERGES),
                rescore=self.switch("rescore"),
                filter=ItemFilter(**{attribute: self.texts(name) for name, attribute in _FILTERS.items()}),
                max_distance=self.whole("max-distance", None),
                min_strength=self.one_of("min-strength", "", STRENGTHS)
                if "min-strength" in self._stage.options
                else None,
                prompting="none" if none else "ensemble" if ensemble else "auto",
                exclude_self=self.switch("exclude-self"),
            )
        except (QueryError, ValueError) as error:
            self._refuse(str(error))

    def _query(self, kind: str, value: str, subsets: tuple[str, ...]) -> Query:
        if kind in _TEXTS:
            return TextQuery(value)
        if kind in _IMAGES:
            return ImageQuery(self._project.absolute(value))
        return ItemQuery(value, subsets)

    def switch(self, name: str) -> bool:
        value = self._stage.options.get(name, False)
        if not isinstance(value, bool):
            self._refuse(f"{name} is {value!r}, and must be true or false.")
        return value

    def whole(self, name: str, default: _Default, *, least: int = 0) -> int | _Default:
        if name not in self._stage.options:
            return default
        value = self._stage.options[name]
        try:
            number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None:
            self._refuse(f"{name}: {value!r} is not a valid integer.")
        if number < least:
            self._refuse(f"{name} is {number}, and must be at least {least}.")
        return number

    def one_of(self, name: str, default: str, known: tuple[str, ...]) -> str:
        value = self._stage.options.get(name, default)
        if value not in known:
            self._refuse(f"{name} is {value!r}, and must be one of {', '.join(known)}.")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._stage.options.get(name, ())
        return tuple(str(one) for one in (value if isinstance(value, tuple) else (value,)))

    def _refuse(self, what: str) -> NoReturn:
        raise ProjectFileInvalid(f"{self._project.file}, line {self._stage.line}: {what}")


_OPTIONS = frozenset(
    {_SUBSETS, "merge", "rescore", "topk", "no-prompt", "prompt-ensemble", "exclude-self", *_FILTERS}
    | {"max-distance", "min-strength", "precision", "max-pixels"}
)
