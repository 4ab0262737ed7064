"""From queries to ranked items: search, merge and, where it is wanted, rescore."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex.search.calibration import fusion_scores, places, tail_scores, z_scores
from clipdex.search.merging import (
    BY_DISTANCE,
    BY_FUSION,
    BY_MEAN,
    BY_RANK,
    CALIBRATED,
    ItemKey,
    merge,
    mixed,
    rule_for,
)
from clipdex.search.rescoring import asymmetric_distances, weights_of
from clipdex_indexes import ItemRow, Location, Snapshot, search
from clipdex_indexes.arrays import Masks
from clipdex_indexes.kernels.distances import distances_to

if TYPE_CHECKING:
    # Only lists that are merged by all distances need these.
    from clipdex_indexes.kernels.costs import Group, Joining

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Rescoring compares this many candidates for each hit that is wanted.
CANDIDATES = 10
# Tables hold whole multiples of 1 / fraction, so that sums are exact. Ranks among tens of millions of items need the
# finer fraction.
_FRACTION = 2.0**32
_FUSION_FRACTION = 2.0**50


@dataclass(frozen=True, slots=True)
class Question:
    """A query, ready to search for.

    Attributes
    ----------
    key
        Hash key, uint8 ``[bytes]``.
    kind
        ``text``, ``image`` or ``item``.
    embedding
        Centred embedding, float32 ``[bits]``; None where only the bits are known, as for an item.
    negative
        Whether items like this are pushed away.
    """

    key: Keys
    kind: str
    embedding: npt.NDArray[np.float32] | None = None
    negative: bool = False


class Ranked(NamedTuple):
    """One item of an answer.

    Attributes
    ----------
    item, row
        The item.
    distance
        Hamming distance to the query that it matched best.
    query
        Number of that query.
    place
        Its rank for that query alone, from 1.
    score
        Asymmetric distance to that query, in bits; None without rescoring.
    merged
        The value that orders the items, lower first; None where distance, score or rank order them.
    """

    item: ItemKey
    row: ItemRow
    distance: int
    query: int
    place: int
    score: float | None
    merged: float | None


class _Candidate(NamedTuple):
    item: ItemKey
    row: ItemRow
    location: Location


class _Searched(NamedTuple):
    """One search: the same for every way of ranking."""

    indexes: Sequence[Snapshot]
    questions: Sequence[Question]
    excluded: Collection[ItemKey]
    selections: Sequence[Masks] | None
    max_distance: int | None

    def is_near(self, distance: int) -> bool:
        """Tell whether an item may be found whose distance to the query that it matches best is this."""
        return self.max_distance is None or distance <= self.max_distance

    @property
    def keys(self) -> Keys:
        return np.stack([question.key for question in self.questions])

    def candidates(self, places_found: Collection[tuple[int, Location]]) -> dict[tuple[int, Location], _Candidate]:
        """Read the items at these locations, without the excluded ones."""
        found = {}
        for number, index in enumerate(self.indexes):
            here = [location for owner, location in places_found if owner == number]
            for location, row in zip(here, index.rows(here), strict=True):
                item = ItemKey(number, row.id, row.subset)
                if item not in self.excluded:
                    found[number, location] = _Candidate(item, row, location)
        return found

    def keys_of(self, candidates: Sequence[_Candidate]) -> Keys:
        """Return the hash keys of candidates, uint8 ``[n, bytes]``."""
        keys = [self.indexes[one.item.dataset].key(one.location) for one in candidates]
        return np.stack(keys) if keys else np.empty((0, self.keys.shape[1]), np.uint8)

    def scores(self, keys: Keys) -> Floats:
        """Return the asymmetric distances of every query to keys, float64 ``[q, n]``."""
        return np.stack(
            [asymmetric_distances(one.key, weights_of(one.embedding, 8 * len(one.key)), keys) for one in self.questions]
        )


def rank(
    indexes: Sequence[Snapshot],
    questions: Sequence[Question],
    k: int,
    *,
    mode: str,
    rescore: bool = False,
    excluded: Collection[ItemKey] = (),
    selections: Sequence[Masks] | None = None,
    max_distance: int | None = None,
) -> tuple[str, list[Ranked]]:
    """Return the rule that merges the answers to several queries, and the k best items by that rule.

    The answer is exact: every item is considered, and ties come in the order of the indexes, then in item order. With
    ``rescore``, the ``10 * k`` best by Hamming distance are ordered again by the same rule with asymmetric distances.

    Parameters
    ----------
    indexes
        Open, with hash keys of the same length.
    questions
        At least one that is not negative.
    k
        At least 1.
    mode
        One of ``defaults.MERGES``.
    rescore
        Whether to order candidates by asymmetric distance.
    excluded
        Items to leave out.
    selections
        For each index and segment the items that may be found, bool ``[items]``; None for all. Scores of distances are
        counted over all items.
    max_distance
        Greatest distance, in bits, of an item to the query that it matches best.
    """
    searched = _Searched(indexes, questions, excluded, selections, max_distance)
    rule = rule_of(questions, mode)
    by = _by_best if rule in (BY_DISTANCE, BY_RANK) else _by_costs
    return rule, by(searched, rule, k, rescore)


def _by_best(searched: _Searched, rule: str, k: int, rescore: bool) -> list[Ranked]:
    """Rank by the best distance or the best rank, which the nearest items of each query decide."""
    wanted = k * CANDIDATES if rescore else k
    nearest = search(searched.indexes, searched.keys, wanted + len(searched.excluded), searched.selections)
    # Rows of those that are too far need not be read.
    found = [[one for one in answer if searched.is_near(one.distance)] for answer in nearest]
    at = searched.candidates({(one.index, one.location) for answer in found for one in answer})
    answers = [
        [
            (at[one.index, one.location].item, one.distance)
            for one in answer
            if (one.index, one.location) in at
        ][:wanted]
        for answer in found
    ]  # fmt: skip
    by_item = {candidate.item: candidate for candidate in at.values()}
    merged = merge(answers, rule, wanted)
    if not rescore:
        return [
            Ranked(one.item, by_item[one.item].row, int(one.distance), one.query, one.place, None, None)
            for one in merged
        ]
    candidates = [by_item[one.item] for one in merged]
    keys = searched.keys_of(candidates)
    distances = dict(zip([one.item for one in candidates], distances_to(keys, searched.keys).T, strict=True))
    rescored = merge(
        [
            sorted(zip([one.item for one in candidates], row.tolist(), strict=True), key=lambda pair: pair[::-1])
            for row in searched.scores(keys)
        ],
        rule,
        k,
    )
    return [
        Ranked(
            one.item,
            by_item[one.item].row,
            int(distances[one.item][one.query]),
            one.query,
            one.place,
            one.distance,
            None,
        )
        for one in rescored
    ]


def _by_costs(searched: _Searched, rule: str, k: int, rescore: bool) -> list[Ranked]:
    """Rank by a value made of the distances to all queries, over all items."""
    from clipdex_indexes.combining import search_counted

    wanted = k * CANDIDATES if rescore else k
    counts, found = search_counted(
        searched.indexes,
        searched.keys,
        lambda counts: [group for _, group in costs_of(counts, searched.questions, rule).groups],
        wanted + len(searched.excluded),
        searched.selections,
    )
    tables, fraction, groups = costs_of(counts, searched.questions, rule)
    at = searched.candidates({(one.index, one.location) for one in found})
    places_found = [(one.index, one.location) for one in found]
    candidates = [at[place] for place in places_found if place in at][:wanted]
    keys = searched.keys_of(candidates)
    distances = distances_to(keys, searched.keys)
    compared = searched.scores(keys) if rescore else distances
    costs = np.stack([_looked_up(table, row) for table, row in zip(tables, compared, strict=True)])
    total = np.zeros(len(candidates), np.int64)
    for members, group in groups:
        total += group.combine(costs[members])
    positive = [number for number, question in enumerate(searched.questions) if not question.negative]
    matched = np.array(positive)[np.argmin(costs[positive], axis=0)]
    order = sorted(range(len(candidates)), key=lambda number: (total[number], candidates[number].item))
    ranked = []
    for number in order[:k]:
        query = int(matched[number])
        distance = int(distances[query, number])
        if not searched.is_near(distance):
            continue
        ranked.append(
            Ranked(
                candidates[number].item,
                candidates[number].row,
                distance,
                query,
                int(places(counts[query])[distance]),
                float(compared[query, number]) if rescore else None,
                float(total[number] / fraction),
            )
        )
    return ranked


class Costs(NamedTuple):
    """How a rule makes one cost of the distances of an item to all queries.

    Attributes
    ----------
    tables
        The cost of each distance to each query, int64 ``[q, bits + 1]``.
    fraction
        A cost divided by it is the value that orders the hits.
    groups
        Queries whose costs are combined: their numbers, and how. The costs of the groups are added.
    """

    tables: Ints
    fraction: float
    groups: list[tuple[list[int], Group]]


def costs_of(counts: Ints, questions: Sequence[Question], rule: str) -> Costs:
    """Return the costs of a rule other than ``distance`` and ``rank``.

    ``counts`` says how many items are at each distance from each query, int64 ``[q, bits + 1]``.
    """
    tables, fraction = _tables(questions, rule, counts)
    return Costs(tables, fraction, _groups(questions, rule, tables))


def rule_of(questions: Sequence[Question], mode: str) -> str:
    """Return the rule that merges the answers to these questions."""
    positive = [question.kind for question in questions if not question.negative]
    return rule_for(positive, mode, negatives=len(positive) < len(questions))


def _tables(questions: Sequence[Question], rule: str, counts: Ints) -> tuple[Ints, float]:
    """Return the cost of each distance to each query, int64 ``[q, bits + 1]``, and the fraction that is its unit."""
    if rule == BY_FUSION:
        tables = np.stack([fusion_scores(one) for one in counts])
        negative = [question.negative for question in questions]
        return _whole(np.where(np.array(negative)[:, None], -tables, tables), _FUSION_FRACTION), _FUSION_FRACTION
    kinds = [question.kind for question in questions if not question.negative]
    scale = tail_scores if rule == CALIBRATED and mixed(kinds) else z_scores
    # Queries of one kind share a scale, so that the item nearest to any of them stays first.
    pooled = counts[[not question.negative for question in questions]].sum(axis=0)
    tables = np.stack(
        [
            np.maximum(0, -scale(own)) if question.negative
            else scale(pooled) if rule == CALIBRATED and not mixed(kinds)
            else scale(own) / (len(kinds) if rule == BY_MEAN else 1)
            for question, own in zip(questions, counts, strict=True)
        ]
    )  # fmt: skip
    return _whole(tables, _FRACTION), _FRACTION


def _groups(questions: Sequence[Question], rule: str, tables: Ints) -> list[tuple[list[int], Group]]:
    """Return groups of queries whose costs are combined: the numbers of the queries, and how to combine them."""
    from clipdex_indexes.kernels.costs import Group

    groups = []
    for negative in (False, True):
        members = [number for number, question in enumerate(questions) if question.negative == negative]
        joined: Joining = "sum" if rule == BY_FUSION else "max" if negative else "min" if rule == CALIBRATED else "sum"
        if members:
            keys = np.stack([questions[number].key for number in members])
            groups.append((members, Group(keys, tables[members], joined)))
    return groups


def _whole(values: Floats, fraction: float) -> Ints:
    return np.rint(values * fraction).astype(np.int64)


def _looked_up(table: Ints, distances: npt.NDArray[np.int32] | Floats) -> Ints:
    """Return the costs of distances, int64 ``[n]``, interpolated between whole distances."""
    lower = np.floor(distances).astype(np.int64)
    upper = np.minimum(lower + 1, len(table) - 1)
    return table[lower] + np.rint((table[upper] - table[lower]) * (distances - lower)).astype(np.int64)
