"""Merging the answers to a list of queries into one answer.

In a list of one kind, the least distance of an item counts. Texts and images are on different scales: a text is farther
from every image than an image is, so a merge by distance would show the hits of the image only. A list of both kinds is
therefore merged by rank: the best rank of an item among the answers counts, and equal ranks come in the order of the
queries. So each query gets its share (rank aggregation: Fagin, Kumar, Sivakumar 2003, "Efficient similarity search and
classification via rank aggregation").

Both rules need only the k nearest items of each query, and are exact: what precedes an item in the answer to one query
precedes it in the merged answer too. Rules that need the distances to all queries are in ``clipdex.search.ranking``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clipdex.defaults import ALL, ANY, RANK

BY_DISTANCE = "distance"
BY_RANK = "rank"
# The best value of an item again, on a scale that values for negative queries can be taken off from.
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
        Distance to the query that it matched best; a whole number for Hamming distances.
    query
        Number of that query, from 0.
    place
        Its rank in the answer to that query, from 1.
    """

    item: ItemKey
    distance: float
    query: int
    place: int


def mixed(kinds: Sequence[str]) -> bool:
    """Tell whether a list has texts and other queries, whose distances are on different scales."""
    return len({kind == "text" for kind in kinds}) > 1


def rule_for(kinds: Sequence[str], mode: str = ANY, *, negatives: bool = False) -> str:
    """Return the rule that merges the answers to queries of these kinds.

    Parameters
    ----------
    kinds
        Kinds of the queries that are not negative.
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
        For each query at least its k nearest items with their distances: nearest first, ties in item order.
    rule
        ``distance`` or ``rank``.
    k
        Greatest number of items to return.
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
