"""What a page shows, as its address says it, and the request of the engine that it stands for.

An address has the names of the command line: ``text``, ``image`` and ``item``, each also with ``not_``, in the order in
which they were asked, then ``topk``, ``merge`` and so on. An image is the name of an upload. An item is
``DATASET:SUBSET:ID``; a colon or per cent sign in the first two is written as in addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple
from urllib.parse import unquote, urlencode

from clipdex.defaults import ANY, MERGES, PROMPTINGS, STRENGTHS, TOPK
from clipdex.errors import QueryError
from clipdex.search.queries import ImageQuery, ItemQuery, Query, TextQuery
from clipdex.search.request import SearchRequest
from clipdex.wording import shown
from clipdex_indexes import ItemFilter
from clipdex_web.checking import check
from clipdex_web.schema import MOST_FILTERS, MOST_HITS, MOST_QUERIES, MOST_TEXT, UPLOAD_PATTERN

TEXT, IMAGE, ITEM = KINDS = ("text", "image", "item")
AWAY = "not_"
PER_PAGE = 60
MOST_PER_PAGE = 300
MOST_PLACES = 10**12
_MOST_PAGE = 10**9
# What a form sends of a text that is being added, and whether it is to be pushed away.
ADDED, ADDED_AWAY = "add", "away"
FILTERS = tuple(one.name for one in fields(ItemFilter))
# Parameters of filters, by the attribute of ``ItemFilter``: those of the command line, which are in the singular.
FILTER_NAMES = {name: name[:-1] for name in FILTERS}


class ItemName(NamedTuple):
    """What names one item."""

    dataset: str
    subset: str
    id: str

    def __str__(self) -> str:
        """Write it for an address."""
        return ":".join((*(one.replace("%", "%25").replace(":", "%3A") for one in self[:2]), self.id))

    @classmethod
    def of(cls, text: str) -> ItemName:
        """Read it.

        Raises
        ------
        QueryError
            When it is none.
        """
        parts = text.split(":", 2)
        if len(parts) < 3 or not parts[2]:
            raise QueryError(f"item is {shown(text)}, and must be DATASET:SUBSET:ID.")
        return cls(unquote(parts[0]), unquote(parts[1]), parts[2])


@dataclass(frozen=True, slots=True)
class Chip:
    """One query of a page: its kind, its value as an address has it, and whether it is pushed away."""

    kind: str
    value: str
    negative: bool = False

    @property
    def name(self) -> str:
        """The parameter of an address."""
        return f"{AWAY if self.negative else ''}{self.kind}"

    @property
    def item(self) -> ItemName:
        """The item that it asks with."""
        return ItemName.of(self.value)


@dataclass(frozen=True, slots=True)
class State:
    """What a page shows.

    Attributes
    ----------
    chips
        The queries, in order; none where the datasets are looked through.
    filter, topk, merge, rescore, max_distance, min_strength, prompting, exclude_self
        As in a ``SearchRequest``.
    page
        From 1.
    per
        Images on a page.
    """

    chips: tuple[Chip, ...] = ()
    filter: ItemFilter = field(default_factory=ItemFilter)
    topk: int = TOPK
    merge: str = ANY
    rescore: bool = False
    max_distance: int | None = None
    min_strength: str | None = None
    prompting: str = "auto"
    exclude_self: bool = False
    page: int = 1
    per: int = PER_PAGE

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> State:
        """Read the parameters of an address. What is empty, as forms send it, counts as not there.

        Raises
        ------
        QueryError
            When a parameter is unknown, or its value is not as described.
        """
        chips: list[Chip] = []
        filters: dict[str, list[str]] = {}
        values: dict[str, object] = {}
        away = any(name == ADDED_AWAY for name, _ in pairs)
        for name, value in pairs:
            if name == ADDED_AWAY or not value.strip():
                continue
            check(value, {"type": "string", "maxLength": MOST_TEXT}, {}, name)
            if name == ADDED:
                chips.append(Chip(TEXT, value.strip(), away))
            elif name.removeprefix(AWAY) in KINDS:
                chips.append(_chip(name, value))
            elif f"{name}s" in FILTERS:
                filters.setdefault(f"{name}s", []).append(value)
            elif name in _SETTINGS:
                values[name] = _SETTINGS[name](name, value)
            else:
                raise QueryError(f"the address has the unknown parameter {shown(name)}.")
        if len(chips) > MOST_QUERIES:
            raise QueryError(f"the address has {len(chips)} queries, and may have at most {MOST_QUERIES}.")
        if sum(map(len, filters.values())) > MOST_FILTERS:
            raise QueryError(f"the address has more than {MOST_FILTERS} filters.")
        try:
            wanted = ItemFilter(**{name: tuple(dict.fromkeys(many)) for name, many in filters.items()})
        except ValueError as error:
            raise QueryError(str(error)) from error
        return cls(tuple(dict.fromkeys(chips)), wanted, **values)  # type: ignore[arg-type]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the address, without those that have their default."""
        return [
            *((chip.name, chip.value) for chip in self.chips),
            *self.filter_pairs(),
            *(
                (name, str(int(value) if isinstance(value, bool) else value))
                for name in _SETTINGS
                if (value := getattr(self, name)) != getattr(_PLAIN, name)
            ),
        ]

    def filter_pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the filter."""
        return [(FILTER_NAMES[name], value) for name in FILTERS for value in getattr(self.filter, name)]

    @property
    def query(self) -> str:
        """The parameters, as an address has them after its question mark."""
        return urlencode(self.pairs())

    @property
    def url(self) -> str:
        """The address of the page, relative to the others."""
        return f"./?{self.query}" if self.pairs() else "./"

    def at(self, page: int) -> State:
        """Return the same at another page."""
        return replace(self, page=page)

    def adding(self, kind: str, value: str, *, negative: bool = False) -> State:
        """Return the state with one query more; one that is there already is not there twice."""
        return replace(self, chips=tuple(dict.fromkeys((*self.chips, Chip(kind, value, negative)))), page=1)

    def like(self, item: ItemName) -> State:
        """Return the state that asks for images like one item instead of what is asked now."""
        return replace(self, chips=(Chip(ITEM, str(item)),), page=1)

    def without(self, chip: Chip) -> State:
        """Return the state without a query."""
        return replace(self, chips=tuple(one for one in self.chips if one != chip), page=1)

    def turned(self, chip: Chip) -> State:
        """Return the state where a query is negative that was not, or the other way round."""
        other = replace(chip, negative=not chip.negative)
        return replace(self, chips=tuple(dict.fromkeys(other if one == chip else one for one in self.chips)), page=1)

    def cleared(self) -> State:
        """Return the state without queries, and without what only answers to them have."""
        return replace(self, chips=(), max_distance=None, min_strength=None, page=1)

    def without_filter(self, name: str, value: str) -> State:
        """Return the state without one value of a filter; ``name`` as addresses have it."""
        pairs = [pair for pair in self.at(1).pairs() if pair != (name, value)]
        return State.of(pairs)

    def request(self, uploaded: Callable[[str], bytes]) -> SearchRequest:
        """Return the question to the engine.

        Parameters
        ----------
        uploaded
            Returns the bytes of an upload.

        Raises
        ------
        QueryError
            When it cannot be asked: nothing is searched for, an upload is not there any more.
        """
        if self.chips and all(chip.negative for chip in self.chips):
            raise QueryError("everything is pushed away: say what to search for, too.")

        def query(chip: Chip) -> Query:
            if chip.kind == TEXT:
                return TextQuery(chip.value)
            if chip.kind == IMAGE:
                return ImageQuery(uploaded(chip.value), f"upload {chip.value[:12]}")
            return ItemQuery(chip.item.id, (chip.item.subset,), chip.item.dataset)

        return SearchRequest(
            tuple(query(chip) for chip in self.chips if not chip.negative),
            tuple(query(chip) for chip in self.chips if chip.negative),
            topk=self.topk,
            merge=self.merge,
            rescore=self.rescore,
            filter=self.filter,
            max_distance=self.max_distance,
            min_strength=self.min_strength,
            prompting=self.prompting,
            exclude_self=self.exclude_self,
        )


_PLAIN = State()


def _chip(name: str, value: str) -> Chip:
    chip = Chip(name.removeprefix(AWAY), value, name.startswith(AWAY))
    if chip.kind == IMAGE:
        check(value, {"type": "string", "pattern": UPLOAD_PATTERN}, {}, name)
    if chip.kind == ITEM:
        ItemName.of(value)
    return chip


def whole_number(least: int, most: int) -> Callable[[str, str], int]:
    """Return what reads a parameter (its name, its value) that is a whole number within bounds."""

    def read(name: str, value: str) -> int:
        if re.fullmatch("[0-9]{1,15}", value) is None or not least <= int(value) <= most:
            raise QueryError(f"{name} is {shown(value)}, and must be a whole number from {least} to {most:,}.")
        return int(value)

    return read


Pairs = Sequence[tuple[str, str]]


def apart(
    pairs: Pairs, known: Mapping[str, Callable[[str, str], int]], needed: Collection[str] | None = None
) -> tuple[dict[str, int], Pairs]:
    """Take the numbers that a page alone knows out of an address, and return them and the rest.

    Raises
    ------
    QueryError
        When one of them is there twice, is needed (by default all are) and not there, or is no such number.
    """
    found: dict[str, int] = {}
    for name, value in pairs:
        if name in known:
            if name in found:
                raise QueryError(f"the address has {name} twice.")
            found[name] = known[name](name, value)
    for name in known if needed is None else needed:
        if name not in found:
            raise QueryError(f"the address has no {name}.")
    return found, [pair for pair in pairs if pair[0] not in known]


def _one_of(known: Iterable[str]) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in known:
            raise QueryError(f"{name} is {shown(value)}, and must be one of {', '.join(known)}.")
        return value

    return read


def _switch(name: str, value: str) -> bool:
    return _one_of(("0", "1"))(name, value) == "1"


_SETTINGS: dict[str, Callable[[str, str], object]] = {
    "topk": whole_number(1, MOST_HITS),
    "merge": _one_of(MERGES),
    "rescore": _switch,
    "max_distance": whole_number(0, 1 << 20),
    "min_strength": _one_of(STRENGTHS),
    "prompting": _one_of(PROMPTINGS),
    "exclude_self": _switch,
    "page": whole_number(1, _MOST_PAGE),
    "per": whole_number(1, MOST_PER_PAGE),
}
