"""The page of duplicates, what can be taken away from it, and the same for programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clipdex.errors import ClipdexError, QueryError
from clipdex.report.html_groups import title_of_groups
from clipdex.report.repeating import repeating
from clipdex.report.rows import csv_of_groups
from clipdex.search.duplicate_settings import DATASETS, LINKAGES, SUBSETS, DuplicateSettings
from clipdex.search.duplicates import default_distance
from clipdex.search.duplicates_result import DuplicateGroup, DuplicateItem, DuplicatesResult
from clipdex.search.keeping import RULES
from clipdex.wording import counted
from clipdex_web.duplicates import (
    GROUPS_ON_A_PAGE,
    MARKED,
    DuplicatesState,
    as_marked,
    found_duplicates,
    question_of,
)
from clipdex_web.long_work import Count
from clipdex_web.openapi import JSON
from clipdex_web.problems import status_and_message
from clipdex_web.reading import as_json, attachment, body_of, cursor_of, parameters_of, place_of
from clipdex_web.room import Room
from clipdex_web.schema import DUPLICATES_PARAMETERS, LARGE, PAGE_PARAMETERS, THUMBNAIL
from clipdex_web.state import ItemName
from clipdex_web.tiles import picture_url

# Images of one group on a page; there may be any number.
_SHOWN_OF_A_GROUP = 24
_MOST_BODY = 8 << 20
_GROUPS_OF_AN_ANSWER = 100
_PROBLEMS = {
    "missing": "the file is not there",
    "changed": "the file has changed since the build",
    "far": "far from what is kept",
}
_FILES = {
    "paths": ("duplicates-to-delete.txt", "text/plain; charset=utf-8"),
    "csv": ("duplicates.csv", "text/csv; charset=utf-8"),
    "json": ("duplicates.json", JSON),
}


@dataclass(frozen=True, slots=True)
class _Tile:
    """One image of a group on a page."""

    name: ItemName
    item: DuplicateItem
    where: str

    @property
    def picture(self) -> str:
        return picture_url(self.name, THUMBNAIL)

    @property
    def large(self) -> str:
        return picture_url(self.name, LARGE)

    @property
    def problem(self) -> str:
        return _PROBLEMS.get(self.item.problem, "")


@dataclass(frozen=True, slots=True)
class _Group:
    """One group on a page."""

    number: int
    group: DuplicateGroup
    tiles: list[_Tile]

    @property
    def more(self) -> int:
        return len(self.group.items) - len(self.tiles)


class DuplicatesRoutes(Room):
    """The answers on duplicates."""

    def pages(self) -> list[Route]:
        """Return where each page is."""
        return [Route("/duplicates", self._groups), Route("/duplicates", self._sent, methods=["POST"])]

    def api(self) -> list[Route]:
        """Return where each answer of the API is."""
        return [Route("/duplicates", self._answer)]

    async def _groups(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        state = DuplicatesState.of(pairs)
        if pairs != state.pairs():  # what a form sends, or an address in another order, has one address
            return RedirectResponse(state.url, 303)
        try:
            found = await found_duplicates(self._site.long_work, self._explorer, state.settings)
        except ClipdexError as problem:
            return await self._site.asking.run(request, self._written, state, None, problem)
        return await self._site.asking.run(request, self._written, state, found, None)

    def _written(
        self, state: DuplicatesState, found: DuplicatesResult | Count | None, problem: ClipdexError | None
    ) -> Response:
        result = found if isinstance(found, DuplicatesResult) else None
        status, error = (200, "") if problem is None else status_and_message(problem)
        last = 1 if result is None else max(1, -(-len(result.groups) // GROUPS_ON_A_PAGE))
        bits = self._explorer.datasets[0].index.manifest.model.bits
        return self._page(
            "duplicates.html",
            202 if isinstance(found, Count) else status,
            state=state,
            error=error,
            count=found if isinstance(found, Count) else None,
            result=result,
            title="" if result is None else title_of_groups(result),
            notes=[] if result is None else list(_notes_of(result)),
            groups=[] if result is None else self._shown(result, state.page),
            last_page=last,
            default_distance=default_distance(bits),
            bits=bits,
            across=(SUBSETS, DATASETS),
            rules=RULES,
            linkages=LINKAGES,
            formats=_FILES,
            again="" if result is None else repeating(result),
        )

    def _shown(self, result: DuplicatesResult, page: int) -> list[_Group]:
        start = (page - 1) * GROUPS_ON_A_PAGE
        groups = result.groups[start : start + GROUPS_ON_A_PAGE]
        several = len(result.datasets) > 1, self._collection.several_subsets
        return [
            _Group(number, group, [_tile(item, *several) for item in group.items[:_SHOWN_OF_A_GROUP]])
            for number, group in enumerate(groups, start=start + 1)
        ]

    async def _sent(self, request: Request) -> Response:
        """Give the list to take away, with what is marked, or count again."""
        body = await body_of(request, _MOST_BODY)
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100_000)
        except ValueError as error:
            raise QueryError("the form cannot be read.") from error
        values = dict(pairs)
        state = DuplicatesState.of(parse_qsl(values.get("state", ""), keep_blank_values=True))
        chosen = values.get("format", "")
        if chosen == "again":
            self._site.long_work.forget(question_of(state.settings))
            return RedirectResponse(state.url, 303)
        if chosen not in _FILES:
            raise QueryError(f"the form has no format, which must be one of {', '.join(_FILES)}.")
        found = await found_duplicates(self._site.long_work, self._explorer, state.settings)
        if isinstance(found, Count):
            return RedirectResponse(state.url, 303)
        marked = [value for name, value in pairs if name == MARKED]
        content = await self._site.asking.run(request, self._exported, found, marked, chosen)
        name, kind = _FILES[chosen]
        return Response(content, media_type=kind, headers={"Content-Disposition": attachment(name)})

    def _exported(self, found: DuplicatesResult, marked: list[str], chosen: str) -> bytes:
        # The files are looked at again: since the page was made, some may have been deleted.
        result = as_marked(self._explorer, found, marked)
        if chosen == "paths":
            return "".join(f"{item.path}\n" for item in result.removable).encode(errors="surrogateescape")
        if chosen == "csv":
            return csv_of_groups(result).encode(errors="surrogateescape")
        return f"{result.to_json()}\n".encode(errors="backslashreplace")

    async def _answer(self, request: Request) -> Response:
        values = parameters_of(request, {**DUPLICATES_PARAMETERS, **PAGE_PARAMETERS})
        start = place_of(values.pop("cursor")) if "cursor" in values else 0
        limit = values.pop("limit", _GROUPS_OF_AN_ANSWER)
        found = await found_duplicates(self._site.long_work, self._explorer, DuplicateSettings(**values))
        if isinstance(found, Count):
            counting = {"counting": found.what, "done": found.done, "total": found.total}
            return Response(as_json(counting), 202, {"Retry-After": "1"}, JSON)
        return Response(await self._site.asking.run(request, _as_answer, found, start, limit), media_type=JSON)


def _as_answer(found: DuplicatesResult, start: int, limit: int) -> str:
    end = start + limit
    answer: dict[str, Any] = replace(found, groups=found.groups[start:end]).to_dict()
    for number, group in enumerate(answer["groups"], start=start + 1):
        group["number"] = number
    return as_json({**answer, **({"next": cursor_of(end)} if end < len(found.groups) else {})})


def _tile(item: DuplicateItem, several_datasets: bool, several_subsets: bool) -> _Tile:
    where = [*([item.dataset] if several_datasets else []), *([item.subset] if several_subsets else [])]
    return _Tile(ItemName(item.dataset, item.subset, item.id), item, ", ".join(where))


def _notes_of(result: DuplicatesResult) -> list[str]:
    """Return what else there is to say of a result."""
    said = (
        (result.total_same_file, "{} the same file as another image: no duplicates, and in no group."),
        (result.total_missing, "{} in the groups: the file is not there."),
        (
            result.total_changed,
            "{} in the groups: the file has changed since the build. clipdex build brings the index up to date.",
        ),
        (result.total_unknown_content, "{} not compared: the index does not know the content."),
    )
    return [sentence.format(counted(count, "image")) for count, sentence in said if count]
