"""One answer to a query."""

from __future__ import annotations

from dataclasses import dataclass

from clipdex.showing import notebook_html


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One answer.

    Attributes
    ----------
    rank
        From 1.
    distance
        Hamming distance, in bits, to the query that it matched best.
    query
        Number of that query in the result, from 0.
    query_rank
        Its rank among all items for that query alone, from 1.
    dataset, id, subset, labels
        The item.
    path
        Its file.
    score
        Asymmetric distance to that query, in bits; None without rescoring.
    merged
        The value that orders the hits, lower first; None where distance, score or rank order them.
    chance
        The chance that something as near turns up where nothing fits that query, from 0 to 1; None where the background
        of the model is not known (see ``clipdex.search.strength``).
    strength
        The same in a word: ``weak``, ``fair`` or ``strong``; None where it is not known.
    missing
        Whether the file was not there when the query was answered.
    tags
        The tags that the item had then.
    """

    rank: int
    distance: int
    query: int
    query_rank: int
    dataset: str
    id: str
    subset: str
    path: str
    labels: tuple[str, ...]
    score: float | None = None
    merged: float | None = None
    chance: float | None = None
    strength: str | None = None
    missing: bool = False
    tags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Hit {self.rank}: {self.id!r}, distance {self.distance}>"

    def _repr_html_(self) -> str:
        return notebook_html(self)
