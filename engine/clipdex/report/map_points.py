"""What is drawn of a map: the points, what colours them, and the names of as many as a page can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex.defaults import WEAK
from clipdex.errors import TagsFailure
from clipdex.mapping.dataset_map import DatasetMap
from clipdex.search.result import Result
from clipdex_indexes.arrays import Bools, Ints, Masks
from clipdex_indexes.storage.columns import added

LABEL, TAG, SUBSET, DATASET = "label", "tag", "subset", "dataset"
COLOURINGS = (LABEL, TAG, SUBSET, DATASET)
OTHERS = "other"
NONE = {LABEL: "no label", TAG: "no tag"}
# Colours that can be told apart on white and on black, also by most of those who see colours in another way.
PALETTE = (
    *("#4477aa", "#ee7733", "#228833", "#cc3311", "#aa3377", "#33a6cc"),
    *("#b8930b", "#7755cc", "#e76f9c", "#887744", "#44aa88", "#99aa22"),
)
_GREY, _PALE = "#8b93a1", "#b9bec7"
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
    note
        What the counts say where an image can have several of the names; otherwise empty.
    """

    names: tuple[str, ...]
    colours: tuple[str, ...]
    counts: tuple[int, ...]
    codes: Codes
    note: str = ""


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
    """A hit of a query on the map: its rank, distance and item, and where it is.

    ``number`` is that of its point. ``weak`` says that it may be noise.
    """

    rank: int
    distance: int
    weak: bool
    number: int
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
    rows
        The row of each point, int64 ``[n]``: in the coordinates of all datasets of the map, one after the other.
    colourings
        By ``label``, ``tag``, ``subset`` and ``dataset``; without tags where those cannot be read.
    named
        Points that can be looked at, evenly drawn where they are not all.
    asked
        What was searched for; empty without a query.
    found
        Its hits.
    problems
        Sentences on what could not be read.
    """

    title: str
    places: npt.NDArray[np.float32]
    rows: Ints
    colourings: Mapping[str, Colouring]
    named: tuple[Named, ...]
    asked: str
    found: tuple[Found, ...]
    problems: tuple[str, ...] = ()

    def numbers_of(self, rows: Ints) -> Ints:
        """Return the number of the point of each of some rows, int64 ``[m]``; -1 where it has none."""
        known = np.full(int(max(self.rows.max(initial=-1), rows.max(initial=-1))) + 1, -1, np.int64)
        known[self.rows] = np.arange(len(self.rows))
        return known[rows]

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

    Memory is about 30 bytes an item, and the names of at most ``most_named``.

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
    coordinates = np.concatenate([mapped.coordinates for mapped in dataset_map.datasets])
    rows = np.empty(count, np.int64)
    of_labels, of_subsets, of_datasets = (np.empty(count, np.int32) for _ in range(3))
    labels: dict[tuple[str, ...], int] = {}
    subsets: dict[str, int] = {}
    chosen = np.zeros(count, np.bool_)
    chosen[np.arange(min(most_named, count)) * count // max(1, min(most_named, count))] = True
    named, number, before = [], 0, 0
    for place, (dataset, mapped) in enumerate(zip(datasets, dataset_map.datasets, strict=True)):
        for location, row in dataset.items():
            rows[number] = before + mapped.starts[location.segment] + location.position
            of_labels[number] = labels.setdefault(row.labels, len(labels))
            of_subsets[number] = subsets.setdefault(row.subset, len(subsets))
            of_datasets[number] = place
            if chosen[number]:
                named.append(Named(number, row.id, row.subset, dataset.name, row.labels, dataset.media(row)))
            number += 1
            if progress is not None and not number % _ITEMS_A_REPORT:
                progress("percent of the names read", 100 * number // count, 100)
        before += len(mapped.coordinates)
    colourings = {
        LABEL: _by_labels(list(labels), of_labels),
        SUBSET: _by_names(list(subsets), of_subsets),
        DATASET: _by_names([dataset.name for dataset in datasets], of_datasets),
    }
    names = ", ".join(dataset.name for dataset in datasets)
    points = with_tags(MapPoints(names, coordinates[rows], rows, colourings, tuple(named), "", ()), datasets)
    return points if result is None else with_hits(points, datasets, dataset_map, result)


def with_hits(points: MapPoints, datasets: Sequence[Dataset], dataset_map: DatasetMap, result: Result) -> MapPoints:
    """Return the points with the hits of a query."""
    starts = np.cumsum([0, *(len(mapped.coordinates) for mapped in dataset_map.datasets)]).tolist()
    numbers = {dataset.name: number for number, dataset in enumerate(datasets)}
    hits, rows = [], []
    for hit in result.hits:
        number = numbers[hit.dataset]
        location = datasets[number].index.locate(hit.id, hit.subset)
        if location is not None:
            hits.append(hit)
            rows.append(starts[number] + dataset_map.datasets[number].starts[location.segment] + location.position)
    found = [
        Found(
            hit.rank,
            hit.distance,
            hit.strength == WEAK,
            number,
            hit.id,
            hit.subset,
            hit.dataset,
            *points.places[number].tolist(),
        )
        for hit, number in zip(hits, points.numbers_of(np.array(rows, np.int64)).tolist(), strict=True)
        if number >= 0
    ]
    return replace(points, asked=", ".join(query.value for query in result.queries), found=tuple(found))


def passing(points: MapPoints, datasets: Sequence[Dataset], masks: Sequence[Masks]) -> Bools:
    """Tell which points pass a filter, bool ``[n]``, by masks as ``Listing.masks`` are."""
    every = [
        np.ones(segment.table.items, np.bool_) if mask is None else mask
        for dataset, some in zip(datasets, masks, strict=True)
        for segment, mask in zip(dataset.index.segments, some, strict=True)
    ]
    return np.concatenate([np.empty(0, np.bool_), *every])[points.rows]


def with_tags(points: MapPoints, datasets: Sequence[Dataset]) -> MapPoints:
    """Return the points with the tags that their items have now."""
    others = {name: one for name, one in points.colourings.items() if name != TAG}
    try:
        tags = _by_tags(datasets, points.rows)
    except TagsFailure as error:
        return replace(points, colourings=others, problems=(error.message,))
    every = {**others, TAG: tags}
    return replace(points, colourings={name: every[name] for name in COLOURINGS}, problems=())


def _by_names(names: Sequence[str], codes: npt.NDArray[np.int32]) -> Colouring:
    return _colouring(list(names), np.bincount(codes, minlength=len(names)).tolist(), codes)


def _by_labels(lists: Sequence[tuple[str, ...]], codes: npt.NDArray[np.int32]) -> Colouring:
    """Colour by label. Of several labels, the rarest of those that have a colour counts: it says most."""
    images = np.bincount(codes, minlength=len(lists)).tolist()
    having: Counter[str] = Counter()
    for names, count in zip(lists, images, strict=True):
        for name in set(names):
            having[name] += count
    order = [*_coloured(having), OTHERS, NONE[LABEL]]
    places = {name: number for number, name in enumerate(order[:-2])}
    groups = [
        max((places[name] for name in names if name in places), default=len(order) - (2 if names else 1))
        for names in lists
    ]
    recoded = np.array(groups or [0], np.uint8)[codes]
    return _of_names(LABEL, order, recoded, several=any(len(set(names)) > 1 for names in lists))


def _by_tags(datasets: Sequence[Dataset], rows: Ints) -> Colouring:
    """Colour by tag, as by label."""

    def having(names: Sequence[str]) -> Bools:
        masks = [mask for dataset in datasets for mask in dataset.index.tags.masks(dataset.index.segments, names)]
        return np.concatenate(masks)[rows] if masks else np.zeros(len(rows), np.bool_)

    counts = added(dataset.index.tag_counts(dataset.selected) for dataset in datasets)
    coloured = _coloured(counts)
    order = [*coloured, OTHERS, NONE[TAG]]
    codes = np.full(len(rows), len(order) - 1, np.uint8)
    codes[having([name for name in counts if name not in set(coloured)])] = len(order) - 2
    for number, name in enumerate(coloured):
        codes[having([name])] = number
    tagged = int(np.count_nonzero(codes != len(order) - 1))
    return _of_names(TAG, order, codes, several=sum(counts.values()) > tagged)


def _coloured(counts: Mapping[str, int]) -> list[str]:
    """Return the names that have a colour: the most frequent ones, in that order."""
    frequent = sorted(counts, key=lambda name: (-counts[name], name))
    return frequent[: len(PALETTE) if len(frequent) <= len(PALETTE) else len(PALETTE) - 1]


def _of_names(kind: str, order: Sequence[str], codes: Codes, *, several: bool) -> Colouring:
    """Return the colouring of points by names, of which the last two are the others and none.

    The groups are in the order of their counts; without names that no point has the colour of.
    """
    counts = np.bincount(codes, minlength=len(order))
    used = np.array(
        sorted(np.flatnonzero(counts).tolist(), key=lambda one: (one >= len(order) - 2, -counts[one], one)), np.int64
    )
    recode = np.zeros(len(order), np.uint8)
    recode[used] = np.arange(len(used))
    greys = {len(order) - 2: _GREY, len(order) - 1: _PALE}
    note = f"An image with several {kind}s has the colour of its rarest one, and counts only there." if several else ""
    names = tuple(order[number] for number in used.tolist())
    tints = tuple(greys.get(number, PALETTE[place % len(PALETTE)]) for place, number in enumerate(used.tolist()))
    return Colouring(names, tints, tuple(counts[used].tolist()), recode[codes], note)


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
        colours.append(_GREY)
        totals.append(sum(counts[number] for number in order[room:]))
    return Colouring(tuple(shown), tuple(colours), tuple(totals), recode[codes])
