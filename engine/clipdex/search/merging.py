"""Merging the answers to a list of queries into one: by what they are compared, and the rules that need little.

One kind: an item's distance is its best over the queries, and the k nearest items win. Texts and images (or items,
which are images) are on different scales: the distances of a text query are all larger, so by distance only the image's
hits would be seen. In a list of both, an item's place in each query's own answer is compared instead: its best place
counts, and equal places go in the order of the queries. That gives each query its share (Fagin, Kumar, Sivakumar 2003,
"Efficient similarity search and classification via rank aggregation", call merging by place rank aggregation).

Both are exact from the k nearest of each query alone: an item among the k best of the list is among the k best of the
query that put it there, because whatever is before it in that query's answer is before it in the merged one. Rules that
compare the distances to all queries are in ``clipdex.search.ranking``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clipdex.defaults import ALL, ANY, RANK

BY_DISTANCE = "distance"
BY_RANK = "rank"
# The best again, on scales that make what is taken off for negative queries comparable.
CALIBRATED = "calibrated"
BY_MEAN = "mean"
BY_FUSION = "fusion"


class ItemKey(NamedTuple):
    """Identifies an item among several datasets; sorts in the order that breaks ties."""

    dataset: int
    id: str
    subset: str


class Merged(NamedTuple):
    """One item of a merged answer.

    Attributes
    ----------
    item
        Which item.
    distance
        Its distance to the query that it matched best: a whole number for Hamming distances.
    query
        Number of that query, from 0.
    place
        Its place in the answer to that query, from 1.
    """

    item: ItemKey
    distance: float
    query: int
    place: int


def mixed(kinds: Sequence[str]) -> bool:
    """Return whether there are texts and others, whose distances are on different scales."""
    return len({kind == "text" for kind in kinds}) > 1


def rule_for(kinds: Sequence[str], mode: str = ANY, *, negatives: bool = False) -> str:
    """Return how the answers to queries of these kinds are compared.

    Parameters
    ----------
    kinds
        Of the queries that are not negative.
    mode
        One of ``defaults.MERGES``.
    negatives
        Whether there are negative queries too.
    """
    if len(kinds) == 1 and not negatives:
        return BY_DISTANCE
    if mode == ALL:
        return BY_MEAN
    if mode == RANK:
        return BY_FUSION
    if negatives:
        return CALIBRATED
    return BY_RANK if mixed(kinds) else BY_DISTANCE


def merge(answers: Sequence[Sequence[tuple[ItemKey, float]]], rule: str, k: int) -> list[Merged]:
    """Merge the nearest items of each query into the k best, each item once.

    Parameters
    ----------
    answers
        For each query at least its k nearest items with their distances, nearest first, ties in order of the items.
    rule
        ``distance`` or ``rank``.
    k
        How many items to return at most.
    """
    best: dict[ItemKey, tuple[tuple[float, int], Merged]] = {}
    for query, answer in enumerate(answers):
        for place, (item, distance) in enumerate(answer, start=1):
            score = (distance if rule == BY_DISTANCE else place, query)
            if item not in best or score < best[item][0]:
                best[item] = (score, Merged(item, distance, query, place))
    if rule == BY_DISTANCE:
        ordered = sorted(best.values(), key=lambda scored: (scored[1].distance, scored[1].item))
    else:
        ordered = sorted(best.values(), key=lambda scored: scored[0])
    return [merged for _, merged in ordered[:k]]
