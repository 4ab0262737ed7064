"""Saying of each hit how strong it is, and of all of them whether anything fits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from clipdex.defaults import WEAK
from clipdex.encoder.background import Background, read_background
from clipdex.encoder.model import Model
from clipdex.errors import ModelCorrupt, ModelError, QueryError
from clipdex.search.ranking import Question, Ranked
from clipdex.search.request import SearchRequest
from clipdex.search.strength import chances, is_at_least, rounded, strength_of

NOTHING_FITS = "Probably nothing here fits: no hit is more than weak."


class Judged(NamedTuple):
    """The hits that are strong enough, each with its chance, and sentences on all of them."""

    hits: list[tuple[Ranked, float | None]]
    warnings: tuple[str, ...]


class Judge:
    """Judges the hits of one model.

    Parameters
    ----------
    model
        Called for the first hits; raises ``ModelError`` where the model is not to be had.
    """

    def __init__(self, model: Callable[[], Model]) -> None:
        self._model = model
        self._reading = threading.Lock()
        self._known: _Known | None = None

    def judge(
        self, request: SearchRequest, questions: Sequence[Question], ranked: Sequence[Ranked], items: int
    ) -> Judged:
        """Return the hits that a request wants, with the chance of each for the query that found it.

        Parameters
        ----------
        request
            What was asked.
        questions
            Its queries, ready to search for.
        ranked
            The hits, best first.
        items
            Number of items that were searched: those that the filter lets through.

        Raises
        ------
        QueryError
            When a least strength is asked for, and strengths are not known.
        """
        with self._reading:
            if self._known is None:
                self._known = _known_of(self._model)
            background, why_not, warnings = self._known
        if background is None:
            if request.min_strength is not None:
                raise QueryError(f"how strong the hits are is not known: {why_not} Or leave out the least strength.")
            return Judged([(one, None) for one in ranked], warnings)
        tables = {
            number: chances(background, questions[number].key, questions[number].kind, items)
            for number in {one.query for one in ranked}
        }
        hits = [(one, rounded(tables[one.query][one.distance])) for one in ranked]
        nothing = bool(hits) and all(strength_of(chance) == WEAK for _, chance in hits)
        least = request.min_strength or WEAK
        return Judged(
            [(one, chance) for one, chance in hits if is_at_least(strength_of(chance), least)],
            (NOTHING_FITS,) if nothing else (),
        )


class _Known(NamedTuple):
    """The background of a model or, where there is none, why not; and what to warn of."""

    background: Background | None
    why_not: str = ""
    warnings: tuple[str, ...] = ()


def _known_of(model: Callable[[], Model]) -> _Known:
    try:
        found = model()
    except ModelError as error:  # an item can be asked for without its model
        return _Known(None, error.message)
    try:
        background = read_background(found)
    except ModelCorrupt as error:
        return _Known(None, error.message, (f"How strong the hits are is not known: {error.message}",))
    if background is None:
        return _Known(
            None,
            f"the model {found.name!r} has no background, as when an older clipdex installed it. Remove it and add it "
            "again: its indexes stay as they are.",
        )
    return _Known(background)
