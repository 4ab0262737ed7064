"""The choices of the filter panel: names with exact numbers of items, of all that is open and of what is shown."""

from __future__ import annotations

from typing import NamedTuple

from clipdex.errors import ClipdexError
from clipdex.search.facets import Facets
from clipdex.search.result import Result
from clipdex_web.collection import Collection
from clipdex_web.state import AWAY, State

KINDS = ("label", "tag", "subset", "dataset")
# Of these, a page lists so many of each kind; others are searched, or typed.
_SHOWN = 40


class Choice(NamedTuple):
    """A name: how many items have it, how many of those shown (None where these are not counted), and its state."""

    name: str
    items: int
    found: int | None
    chosen: bool
    negated: bool


class Kind(NamedTuple):
    """The choices of one kind: those chosen first, then the most frequent; ``more`` are not listed."""

    name: str
    choices: list[Choice]
    more: int


def kinds_of(collection: Collection, state: State, result: Result | None, *, wait: bool = True) -> list[Kind] | None:
    """Return the kinds that tell items apart; None until all items are counted.

    Parameters
    ----------
    collection
        What is open.
    state
        What is shown.
    result
        The answer, where something was asked.
    wait
        Whether to wait for a moment until they are counted.
    """
    every = collection.facets(wait=wait)
    if every is None:
        return None
    found = _found(collection, state, result)
    kinds = []
    for name in KINDS:
        counts: dict[str, int] = getattr(every, f"{name}s")
        chosen, negated = (set(getattr(state.filter, f"{begin}{name}s")) for begin in ("", AWAY))
        asked = chosen | negated
        if len(counts) > (name != "tag") or asked:
            here = None if found is None else getattr(found, f"{name}s")
            order = sorted(counts, key=lambda one: (one not in asked, -here.get(one, 0))) if here else list(counts)
            order.sort(key=lambda one: one not in asked)
            known = [
                Choice(one, counts[one], None if here is None else here.get(one, 0), one in chosen, one in negated)
                for one in order[: max(_SHOWN, len(asked))]
            ]
            gone = [Choice(one, 0, None, one in chosen, one in negated) for one in sorted(asked - counts.keys())]
            kinds.append(Kind(name, [*gone, *known], len(counts) - len(known)))
    return kinds


def _found(collection: Collection, state: State, result: Result | None) -> Facets | None:
    """Return the numbers of what is shown; None where that is everything, or where they are not counted yet."""
    if result is not None:
        return result.facets()
    if state.chips or not state.filter:
        return None
    try:
        return collection.facets(state.filter)
    except ClipdexError:
        return None  # the page says why


def known_tags(collection: Collection, *, wait: bool = True) -> list[str]:
    """Return the names of the tags, to be offered, if they are counted."""
    every = collection.facets(wait=wait)
    return [] if every is None else sorted(every.tags)
