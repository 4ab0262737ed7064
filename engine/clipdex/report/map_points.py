"""What is drawn of a map: the points, what colours them, and the names of as many as a page can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex.mapping.dataset_map import DatasetMap
from clipdex.search.result import Result

LABEL, SUBSET, DATASET = "label", "subset", "dataset"
COLOURINGS = (LABEL, SUBSET, DATASET)
OTHERS, NONE = "other", "no label"
# Colours that can be told apart on white and on black, also by most of those who see colours in another way.
PALETTE = (
    *("#4477aa", "#ee7733", "#228833", "#cc3311", "#aa3377", "#33a6cc"),
    *("#b8930b", "#7755cc", "#e76f9c", "#887744", "#44aa88", "#99aa22"),
)
GREYS = {OTHERS: "#8b93a1", NONE: "#b9bec7"}
_ITEMS_A_REPORT = 10_000

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Colouring:
    """One way to colour the points.

    Attributes
    ----------
    names, colours, counts
        The groups: their names, colours, and numbers of points.
    codes
        The number of the group of each point, uint8 ``[n]``.
    """

    names: tuple[str, ...]
    colours: tuple[str, ...]
    counts: tuple[int, ...]
    codes: Codes


@dataclass(frozen=True, slots=True)
class Named:
    """One point that can be looked at: its number, and its item."""

    number: int
    id: str
    subset: str
    dataset: str
    labels: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Found:
    """A hit of a query on the map: its rank, distance and item, and where it is."""

    rank: int
    distance: int
    id: str
    subset: str
    dataset: str
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class MapPoints:
    """The points of a map.

    Attributes
    ----------
    title
        Names of the datasets, and the number of images.
    places
        float32 ``[n, 2]``: dataset by dataset, in item order.
    colourings
        By ``label``, ``subset`` and ``dataset``.
    named
        Points that can be looked at, evenly drawn where they are not all.
    asked
        What was searched for; empty without a query.
    found
        Its hits.
    """

    title: str
    places: npt.NDArray[np.float32]
    colourings: Mapping[str, Colouring]
    named: tuple[Named, ...]
    asked: str
    found: tuple[Found, ...]

    def coloured_by(self, wanted: str | None) -> str:
        """Return the colouring that is wanted, or the first that tells points apart: by dataset, label, subset."""
        if wanted is not None:
            return wanted
        telling = (name for name in (DATASET, LABEL, SUBSET) if len(self.colourings[name].names) > 1)
        return next(telling, DATASET)


def points_of(
    datasets: Sequence[Dataset],
    dataset_map: DatasetMap,
    *,
    most_named: int = 0,
    result: Result | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> MapPoints:
    """Read the items of a map.

    Memory is about 20 bytes an item, and the names of at most ``most_named``.

    Parameters
    ----------
    datasets
        The open datasets that the map is of.
    dataset_map
        Their map.
    most_named
        Number of items whose names are wanted, at most.
    result
        A query of these datasets, whose hits are shown.
    progress
        Called with what is counted, how much is done, and of how much.
    """
    count = len(dataset_map)
    places = np.empty((count, 2), np.float32)
    of_labels, of_subsets, of_datasets = (np.empty(count, np.int32) for _ in range(3))
    labels: dict[tuple[str, ...], int] = {}
    subsets: dict[str, int] = {}
    chosen = np.zeros(count, np.bool_)
    chosen[np.arange(min(most_named, count)) * count // max(1, min(most_named, count))] = True
    named, number = [], 0
    for place, (dataset, mapped) in enumerate(zip(datasets, dataset_map.datasets, strict=True)):
        for location, row in dataset.items():
            places[number] = mapped.coordinates[mapped.starts[location.segment] + location.position]
            of_labels[number] = labels.setdefault(row.labels, len(labels))
            of_subsets[number] = subsets.setdefault(row.subset, len(subsets))
            of_datasets[number] = place
            if chosen[number]:
                named.append(Named(number, row.id, row.subset, dataset.name, row.labels, dataset.media(row)))
            number += 1
            if progress is not None and not number % _ITEMS_A_REPORT:
                progress("percent of the names read", 100 * number // count, 100)
    colourings = {
        LABEL: _by_labels(list(labels), of_labels),
        SUBSET: _by_names(list(subsets), of_subsets),
        DATASET: _by_names([dataset.name for dataset in datasets], of_datasets),
    }
    names = ", ".join(dataset.name for dataset in datasets)
    return MapPoints(
        names,
        places,
        colourings,
        tuple(named),
        "" if result is None else ", ".join(query.value for query in result.queries),
        () if result is None else tuple(_found(datasets, dataset_map, result)),
    )


def _found(datasets: Sequence[Dataset], dataset_map: DatasetMap, result: Result) -> list[Found]:
    numbers = {dataset.name: number for number, dataset in enumerate(datasets)}
    found = []
    for hit in result.hits:
        number = numbers[hit.dataset]
        location = datasets[number].index.locate(hit.id, hit.subset)
        if location is not None:
            x, y = dataset_map.datasets[number].at(location)
            found.append(Found(hit.rank, hit.distance, hit.id, hit.subset, hit.dataset, x, y))
    return found


def _by_names(names: Sequence[str], codes: npt.NDArray[np.int32]) -> Colouring:
    return _colouring(list(names), np.bincount(codes, minlength=len(names)).tolist(), codes)


def _by_labels(lists: Sequence[tuple[str, ...]], codes: npt.NDArray[np.int32]) -> Colouring:
    """Colour by label. Of several labels, the rarest of those that have a colour counts: it says most."""
    images = np.bincount(codes, minlength=len(lists)).tolist()
    having: Counter[str] = Counter()
    for names, count in zip(lists, images, strict=True):
        for name in set(names):
            having[name] += count
    frequent = sorted(having, key=lambda name: (-having[name], name))
    coloured = set(frequent[: len(PALETTE) if len(frequent) <= len(PALETTE) else len(PALETTE) - 1])
    groups = []
    for names in lists:
        known = [name for name in names if name in coloured]
        groups.append(min(known, key=lambda name: (having[name], name)) if known else OTHERS if names else NONE)
    order = [name for name in frequent if name in coloured and name in set(groups)]
    order += [name for name in (OTHERS, NONE) if name in set(groups)]
    places = {name: number for number, name in enumerate(order)}
    recoded = np.array([places[group] for group in groups] or [0], np.uint8)[codes]
    colours = [GREYS.get(name) or PALETTE[number % len(PALETTE)] for number, name in enumerate(order)]
    counts = np.bincount(recoded, minlength=len(order)).tolist()
    return Colouring(tuple(order), tuple(colours), tuple(counts), recoded)


def _colouring(names: list[str], counts: list[int], codes: npt.NDArray[np.int32]) -> Colouring:
    """Give the most frequent names a colour each, and the others one grey."""
    order = sorted(range(len(names)), key=lambda number: (-counts[number], names[number]))
    room = len(PALETTE) if len(names) <= len(PALETTE) else len(PALETTE) - 1
    recode = np.full(len(names) or 1, room, np.uint8)
    for place, number in enumerate(order[:room]):
        recode[number] = place
    shown = [names[number] for number in order[:room]]
    colours = list(PALETTE[: len(shown)])
    totals = [counts[number] for number in order[:room]]
    if len(names) > room:
        shown.append(OTHERS)
        colours.append(GREYS[OTHERS])
        totals.append(sum(counts[number] for number in order[room:]))
    return Colouring(tuple(shown), tuple(colours), tuple(totals), recode[codes])
