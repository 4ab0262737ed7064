"""Facets: how many items have each label, each tag, each subset and each dataset, of all items or of some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from clipdex.datasets.dataset import Dataset
from clipdex.errors import TagsFailure
from clipdex_indexes.arrays import Masks
from clipdex_indexes.storage.columns import added, summed


class _Hit(Protocol):
    @property
    def dataset(self) -> str: ...
    @property
    def subset(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Facets:
    """Exact numbers of items, by name; the most frequent names first, equally frequent ones in the order of names.

    Attributes
    ----------
    items
        The number of all items that were counted.
    datasets, subsets, labels
        The number of items of each. An item counts once for each of its labels. Datasets without an item are there too.
    unlabelled
        The number of items without a label.
    tags
        The number of items of each tag.
    problems
        Sentences on tags that could not be counted, because the file that holds them cannot be read.
    """

    items: int
    datasets: dict[str, int]
    subsets: dict[str, int]
    labels: dict[str, int]
    unlabelled: int
    tags: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the facets as plain values, for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def facets_of(datasets: Sequence[Dataset], selections: Sequence[Masks] | None) -> Facets:
    """Count items of datasets.

    Parameters
    ----------
    datasets
        Open datasets.
    selections
        For each dataset and segment of its index the items that count, bool ``[items]``; None for all.
    """
    counts, tags, problems = [], [], []
    for number, dataset in enumerate(datasets):
        masks = None if selections is None else selections[number]
        counts.append(dataset.index.counts(masks))
        try:
            tags.append(dataset.index.tag_counts(masks))
        except TagsFailure as error:
            problems.append(error.message)
    total = summed(counts)
    return Facets(
        total.items,
        _ordered({dataset.name: one.items for dataset, one in zip(datasets, counts, strict=True)}),
        _ordered(total.subsets),
        _ordered(total.labels),
        total.unlabelled,
        _ordered(added(tags)),
        tuple(problems),
    )


def facets_of_hits(hits: Iterable[_Hit], datasets: Iterable[str]) -> Facets:
    """Count the hits of an answer, over datasets of these names."""
    every = list(hits)
    return Facets(
        len(every),
        _ordered({**dict.fromkeys(datasets, 0), **Counter(hit.dataset for hit in every)}),
        _ordered(Counter(hit.subset for hit in every)),
        _ordered(Counter(label for hit in every for label in set(hit.labels))),
        sum(not hit.labels for hit in every),
        _ordered(Counter(tag for hit in every for tag in hit.tags)),
    )


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
