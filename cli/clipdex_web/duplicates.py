"""Duplicates as an address asks for them, and the groups that the engine finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from clipdex.errors import QueryError
from clipdex.search.duplicate_settings import DuplicateSettings
from clipdex.search.duplicates import distance_of, duplicates_of
from clipdex.search.duplicates_result import DuplicatesResult
from clipdex.search.explorer import Explorer
from clipdex.search.marking import with_marked
from clipdex.wording import shown
from clipdex_web.checking import from_text
from clipdex_web.long_work import Count, LongWork
from clipdex_web.schema import DUPLICATES_PARAMETERS, MOST_MARKED
from clipdex_web.state import ItemName

PAGE = "page"
MARKED = "kept"
GROUPS_ON_A_PAGE = 20
_MOST_PAGE = 10**9


@dataclass(frozen=True, slots=True)
class DuplicatesState:
    """What the page of duplicates shows: what is asked, and the page, from 1."""

    settings: DuplicateSettings = field(default_factory=DuplicateSettings)
    page: int = 1

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> DuplicatesState:
        """Read an address; empty values of a form are left out.

        Raises
        ------
        QueryError
            When it cannot be read.
        """
        values: dict[str, Any] = {}
        page = 1
        for name, value in pairs:
            if not value.strip():
                continue
            if name == PAGE:
                page = _page(value)
            elif name not in DUPLICATES_PARAMETERS:
                raise QueryError(f"the address has the unknown parameter {shown(name)}.")
            elif name in values:
                raise QueryError(f"the address has {name} twice.")
            else:
                values[name] = from_text(value, DUPLICATES_PARAMETERS[name], name)
        return cls(DuplicateSettings(**values), page)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the address, without those that have their default."""
        plain = DuplicateSettings()
        found = [
            (name, str(value).lower() if isinstance(value, bool) else str(value))
            for name in DUPLICATES_PARAMETERS
            if (value := getattr(self.settings, name)) != getattr(plain, name)
        ]
        return [*found, *([(PAGE, str(self.page))] if self.page != 1 else [])]

    @property
    def query(self) -> str:
        """The parameters, as an address has them after its question mark."""
        return urlencode(self.pairs())

    @property
    def url(self) -> str:
        """The address of the page, relative to the others."""
        return f"duplicates?{self.query}" if self.pairs() else "duplicates"

    def at(self, page: int) -> DuplicatesState:
        """Return the same at another page."""
        return DuplicatesState(self.settings, page)


def _page(value: str) -> int:
    return int(str(from_text(value, {"type": "integer", "minimum": 1, "maximum": _MOST_PAGE}, PAGE)))


async def found_duplicates(work: LongWork, explorer: Explorer, settings: DuplicateSettings) -> DuplicatesResult | Count:
    """Return the groups, or how far the search is where it takes longer than a page should wait.

    Raises
    ------
    QueryError
        When it cannot be asked.
    """
    distance = distance_of(explorer.datasets, settings)
    return await work.ask(
        question_of(settings),
        lambda progress: duplicates_of(explorer.datasets, distance, settings, progress=progress),
    )


def question_of(settings: DuplicateSettings) -> tuple[str, DuplicateSettings]:
    """Return what the work is called by."""
    return ("duplicates", settings)


def as_marked(explorer: Explorer, result: DuplicatesResult, marked: Iterable[str]) -> DuplicatesResult:
    """Return groups that keep the marked items, named as in addresses, with their files as they are now.

    Raises
    ------
    QueryError
        When a name is none, or too many are marked.
    """
    names = {tuple(ItemName.of(one)) for one in marked}
    if len(names) > MOST_MARKED:
        raise QueryError(f"{len(names):,} images are marked, and may be at most {MOST_MARKED:,}.")
    return with_marked(explorer.datasets, result, names)  # type: ignore[arg-type]
