"""Histograms of an answer: how many items are at each distance, beside the few that are its hits.

Every item that may be found is counted, whatever ``topk`` and the greatest distance are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clipdex.search.merging import BY_DISTANCE, BY_RANK
from clipdex.search.ranking import Question, costs_of, rule_of
from clipdex_indexes import Snapshot
from clipdex_indexes.arrays import Masks
from clipdex_indexes.combining import cost_range_in, count_costs_in, count_in
from clipdex_indexes.kernels.costs import Group

_BINS = 64


@dataclass(frozen=True, slots=True)
class Scores:
    """How many items have which merged value, the one that orders the hits of a list; lower is better.

    Attributes
    ----------
    edges
        Bounds of the bins, ascending, ``[n + 1]`` with n at most 64. A lower bound belongs to its bin.
    counts
        Items of each bin, ``[n]``.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many items are at each distance from the queries of a request. All items that may be found are counted.

    Attributes
    ----------
    distances
        Items by their distance, from 0 to the bits of a hash key, to the nearest query that is not negative,
        ``[bits + 1]``. Where the rule that merges is ``distance``, these are the distances of the hits.
    queries
        The same for each query alone, ``[queries][bits + 1]``.
    scores
        Items by merged value, where the rule is ``calibrated``, ``mean`` or ``fusion``; None for other rules.
    """

    distances: tuple[int, ...]
    queries: tuple[tuple[int, ...], ...]
    scores: Scores | None = None

    @property
    def items(self) -> int:
        """The number of items that were counted."""
        return sum(self.distances)

    def to_dict(self) -> dict[str, Any]:
        """Return the histogram as plain values, for JSON."""
        values = asdict(self)
        return {name: value for name, value in values.items() if value is not None}


def histogram_of(
    indexes: Sequence[Snapshot], questions: Sequence[Question], mode: str, selections: Sequence[Masks] | None
) -> Histogram:
    """Count items by their distance from questions.

    Parameters
    ----------
    indexes
        Open, with hash keys of the same length.
    questions
        At least one that is not negative.
    mode
        One of ``defaults.MERGES``.
    selections
        For each index and segment the items that count, bool ``[items]``; None for all.
    """
    keys = np.stack([question.key for question in questions])
    queries = count_in(indexes, keys, selections)
    positive = [number for number, question in enumerate(questions) if not question.negative]
    if len(positive) == 1:
        distances = queries[positive[0]]
    else:
        every = np.arange(queries.shape[1] + 1)
        nearest = Group(keys[positive], np.tile(every[:-1], (len(positive), 1)), "min")
        distances = count_costs_in(indexes, [nearest], every, selections)
    return Histogram(
        tuple(distances.tolist()),
        tuple(map(tuple, queries.tolist())),
        _scores(indexes, questions, rule_of(questions, mode), selections),
    )


def _scores(
    indexes: Sequence[Snapshot], questions: Sequence[Question], rule: str, selections: Sequence[Masks] | None
) -> Scores | None:
    if rule in (BY_DISTANCE, BY_RANK):
        return None
    costs = costs_of(count_in(indexes, np.stack([question.key for question in questions])), questions, rule)
    groups = [group for _, group in costs.groups]
    ends = cost_range_in(indexes, groups, selections)
    if ends is None:
        return Scores((), ())
    lowest, highest = ends
    width = (highest - lowest) // _BINS + 1
    edges = np.arange(lowest, highest + width + 1, width, dtype=np.int64)
    counts = count_costs_in(indexes, groups, edges, selections)
    return Scores(tuple((edges / costs.fraction).tolist()), tuple(counts.tolist()))
