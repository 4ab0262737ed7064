"""Filters of a query: their names are checked, and turned into masks for the search."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.search.finding import nearest_names
from clipdex.search.merging import ItemKey
from clipdex_indexes import ItemFilter
from clipdex_indexes.arrays import Bools, Masks
from clipdex_indexes.filters import is_among, names_of, select
from clipdex_indexes.paging import count_passing

_MOST_LISTED = 5


def selections_of(datasets: Sequence[Dataset], wanted: ItemFilter | None) -> list[Masks] | None:
    """Return the items of each dataset and segment that are searched and pass a filter; None where all do.

    Raises
    ------
    QueryError
        When the filter has a name that no dataset, subset, label or tag has.
    """
    if wanted:
        _require_names(datasets, wanted)
    elif all(dataset.selected is None for dataset in datasets):
        return None
    chosen = wanted or ItemFilter()
    areas = _areas_of(datasets, chosen)
    return [
        _both(select(dataset.index, chosen, dataset.name, held), dataset.selected)
        for dataset, held in zip(datasets, areas, strict=True)
    ]


def count_selected(datasets: Sequence[Dataset], selections: Sequence[Masks] | None) -> int:
    """Count the items that selections, as ``selections_of`` makes them, let be found."""
    masks: Sequence[Masks | None] = selections or [dataset.selected for dataset in datasets]
    return sum(
        count_passing(dataset.index, dataset.index.selected(mask))
        for dataset, mask in zip(datasets, masks, strict=True)
    )


def without(
    datasets: Sequence[Dataset], selections: Sequence[Masks] | None, items: Iterable[ItemKey]
) -> list[list[Bools | None]]:
    """Return selections, as ``selections_of`` makes them, without some items."""
    left = [list(masks) for masks in (selections or [[None] * len(dataset.index.segments) for dataset in datasets])]
    for item in items:
        index = datasets[item.dataset].index
        location = index.locate(item.id, item.subset)
        if location is not None:
            mask = left[item.dataset][location.segment]
            mask = np.ones(index.segments[location.segment].table.items, np.bool_) if mask is None else mask.copy()
            mask[location.position] = False
            left[item.dataset][location.segment] = mask
    return left


def _areas_of(datasets: Sequence[Dataset], wanted: ItemFilter) -> Sequence[Mapping[str, Sequence[Bools]] | None]:
    """Return for each dataset, area of a filter and segment the items that are in the area."""
    if not (wanted.areas or wanted.not_areas):
        return [None] * len(datasets)
    from clipdex.search.areas import held_by  # only few filters need what maps need

    return held_by(datasets, (*wanted.areas, *wanted.not_areas))


def _both(masks: Masks, part: Sequence[Bools] | None) -> Masks:
    if part is None:
        return masks
    return [of_part if mask is None else mask & of_part for mask, of_part in zip(masks, part, strict=True)]


def _require_names(datasets: Sequence[Dataset], wanted: ItemFilter) -> None:
    _require(
        "dataset", (*wanted.datasets, *wanted.not_datasets), [dataset.name for dataset in datasets], _parts(datasets)
    )
    subsets, labels = (*wanted.subsets, *wanted.not_subsets), (*wanted.labels, *wanted.not_labels)
    if subsets or labels:
        known_subsets, known_labels = names_of(dataset.index for dataset in datasets)
        _require("subset", subsets, known_subsets)
        _require("label", labels, known_labels)
    if tags := (*wanted.tags, *wanted.not_tags):
        _require("tag", tags, {name for dataset in datasets for name in dataset.index.tag_names()})


def _parts(datasets: Sequence[Dataset]) -> str:
    """Say how to filter by a part of a merged dataset; empty where no dataset is merged."""
    from clipdex.readers.merged import FORMAT as MERGED

    merged = [dataset.name for dataset in datasets if dataset.index.manifest.source_format == MERGED]
    return (
        f" {merged[0]} is merged of several: those are chosen by their ids, as with --path 'NAME/'." if merged else ""
    )


def _require(kind: str, names: Sequence[str], known: Collection[str], more: str = "") -> None:
    for name in names:
        if not is_among(name, known):
            close = nearest_names(name, sorted(known))
            if close:
                hint = f" Nearest: {', '.join(close)}."
            elif not known:
                hint = f" There is no {kind} at all."
            else:
                hint = f" The {kind}s are: {', '.join(sorted(known))}." if len(known) <= _MOST_LISTED else ""
            what = "there is no dataset called" if kind == "dataset" else f"no item has the {kind}"
            raise QueryError(f"{what} {name!r}.{hint}{more}")
