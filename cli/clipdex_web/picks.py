"""The images of an answer that somebody picked: their places, from 0, as runs such as ``0-4,7``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from clipdex.errors import QueryError
from clipdex.wording import counted, shown
from clipdex_web.state import MOST_PLACES

MOST_RUNS = 50_000
PICKED = "picked"
_RUN = re.compile(r"([0-9]{1,12})(?:-([0-9]{1,12}))?")
_Value = TypeVar("_Value")


class Picks:
    """Places in ascending order, each once, whatever their number.

    Parameters
    ----------
    runs
        Each the first place and the one after the last.
    """

    def __init__(self, runs: Iterable[tuple[int, int]]) -> None:
        self.runs: list[tuple[int, int]] = []
        for first, end in sorted(runs):
            if self.runs and first <= self.runs[-1][1]:
                first, last = self.runs.pop()
                end = max(end, last)
            self.runs.append((first, end))

    def __len__(self) -> int:
        return sum(end - first for first, end in self.runs)

    @classmethod
    def of(cls, texts: Iterable[str], total: int) -> Picks:
        """Read what a form sends, of an answer with so many places.

        Raises
        ------
        QueryError
            When it is not as described, is empty, or names a place that is not there.
        """
        runs = []
        for text in (one for whole in texts for one in whole.split(",") if one):
            found = _RUN.fullmatch(text)
            if found is None:
                raise QueryError(f"pick is {shown(text)}, and must be places such as 0-4,7.")
            first, last = int(found[1]), int(found[2] or found[1])
            if not first <= last < min(total, MOST_PLACES):
                raise QueryError(f"pick names the places {shown(text)}, and there are {counted(total, 'image')}.")
            runs.append((first, last + 1))
            if len(runs) > MOST_RUNS:
                raise QueryError(f"the selection has more than {MOST_RUNS:,} pieces: select fewer.")
        if not runs:
            raise QueryError("no image is selected: select some first, or take all.")
        return cls(runs)

    def of_sequence(self, values: Sequence[_Value]) -> Iterator[_Value]:
        """Yield the values at the places."""
        for first, end in self.runs:
            yield from values[first:end]

    def pieces(self, most: int, near: int) -> Iterator[list[tuple[int, int]]]:
        """Yield the runs, cut where they are longer than ``most``, in groups that are read at once.

        A group spans at most ``most`` places, and at most ``near`` places are between two of its runs.
        """
        group: list[tuple[int, int]] = []
        for first, end in self.runs:
            for begin in range(first, end, most):
                run = begin, min(begin + most, end)
                if group and (run[1] - group[0][0] > most or begin - group[-1][1] > near):
                    yield group
                    group = []
                group.append(run)
        if group:
            yield group


class Picking(NamedTuple):
    """What a form says of what is picked.

    Attributes
    ----------
    places
        As ``Picks.of`` reads them; None for all.
    total
        How many places there were when they were picked; empty where that is not known.
    """

    places: Sequence[str] | None = None
    total: str = ""

    @classmethod
    def of_form(cls, pairs: Sequence[tuple[str, str]]) -> Picking:
        """Read the fields of a form."""
        one = dict(pairs)
        picked = one.get("what") == PICKED
        return cls([value for name, value in pairs if name == "pick"] if picked else None, one.get("total", ""))

    def of(self, total: int) -> Picks:
        """Return the places of so many that are wanted.

        Raises
        ------
        QueryError
            When none is picked, or they are of another answer.
        """
        if self.places is None:
            return Picks([(0, total)] if total else [])
        if self.total not in ("", str(total)):
            raise QueryError(
                f"what is shown has changed meanwhile, and has {counted(total, 'image')} now: load the page again."
            )
        return Picks.of(self.places, total)
