"""An index, open for reading: a snapshot of its segments that stays as it was while others write."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.files import require_utf8
from clipdex_indexes.hamming import Candidates, Masks, candidates
from clipdex_indexes.manifest import Manifest, read_manifest, rebuild_advice
from clipdex_indexes.segment import Segment
from clipdex_indexes.table import ItemRow, TableCounts, TableReader

SEGMENTS_FOLDER = "segments"
_ATTEMPTS = 5

Keys = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


class Location(NamedTuple):
    """Where an item is in an open index: number of the segment, and position in it."""

    segment: int
    position: int


class Found(NamedTuple):
    """One neighbour: number of the index in the list that was searched, location in it, distance in bits."""

    distance: int
    index: int  # type: ignore[assignment]  # hides a method of tuples
    location: Location


_new_location: Callable[[Iterable[Any]], Location] = functools.partial(tuple.__new__, Location)
_new_found: Callable[[Iterable[Any]], Found] = functools.partial(tuple.__new__, Found)


class Index:
    """A snapshot of an index on disk.

    Parameters
    ----------
    folder
        The index folder.

    Raises
    ------
    IndexNotFound, IndexTooNew, IndexCorrupt
        When there is none, or it cannot be read. All files are checked against the checksums in the manifest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest, self.segments = _open(folder)

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.manifest.items

    def close(self) -> None:
        """Close the files."""
        for segment in self.segments:
            segment.close()

    def key(self, location: Location) -> Keys:
        """Return a copy of the hash key at ``location``, uint8 ``[bits / 8]``."""
        key: Keys = self.segments[location.segment].keys[location.position].copy()
        return key

    def rows(self, locations: Sequence[Location]) -> list[ItemRow]:
        """Return the items at ``locations``, in the order given."""
        by_segment: dict[int, list[int]] = {}
        for segment, position in locations:
            by_segment.setdefault(segment, []).append(position)
        rows = {number: iter(self.segments[number].table.rows(here)) for number, here in by_segment.items()}
        return [next(rows[segment]) for segment, _ in locations]

    def items(self) -> Iterator[tuple[Location, ItemRow]]:
        """Yield every item with its location, in item order, in bounded memory."""
        streams = [_rows_of(number, segment) for number, segment in enumerate(self.segments)]
        yield from heapq.merge(*streams, key=lambda found: found[1][:2])

    def find(self, item_id: str) -> list[tuple[Location, ItemRow]]:
        """Return the items whose id is ``item_id`` or, if there are none, ``item_id`` plus an extension; in order."""
        for lookup in (TableReader.find, TableReader.find_without_extension):
            found = [
                (Location(number, position), row)
                for number, segment in enumerate(self.segments)
                for position, row in lookup(segment.table, item_id)
            ]
            if found:
                return sorted(found, key=lambda pair: pair[1][:2])
        return []

    def ids_like(self, item_id: str, limit: int = 2000) -> list[str]:
        """Return ids that may be meant by a mistyped ``item_id``: candidates, not ranked."""
        return [found for segment in self.segments for found in segment.table.ids_like(item_id, limit)]

    def counts(self) -> TableCounts:
        """Count the items of each subset and of each label."""
        total = TableCounts({}, {})
        for segment in self.segments:
            counts = segment.table.counts()
            for into, part in ((total.subsets, counts.subsets), (total.labels, counts.labels)):
                for name, count in part.items():
                    into[name] = into.get(name, 0) + count
        return total

    def size_on_disk(self) -> int:
        """Return the bytes of all segment files."""
        return sum(segment.keys.size + segment.table.size for segment in self.manifest.segments)


def search(
    indexes: Sequence[Index], queries: Keys, k: int, selections: Sequence[Masks] | None = None
) -> list[list[Found]]:
    """Find the exact Hamming top-k over several indexes at once.

    Parameters
    ----------
    indexes
        Open indexes with hash keys of the same length.
    queries
        uint8 ``[q, bits / 8]``.
    k
        At least 1; more than there are items gives all of them.
    selections
        For each index and segment which items may be found, bool ``[items]``; None for all.

    Returns
    -------
    list of list of Found
        For each query at most k neighbours, by distance, then order of the indexes, then item order: the same
        whatever the segments and threads.
    """
    places, arrays, masks = searched(indexes, selections)
    return [_in_item_order(indexes, places, found, k) for found in candidates(arrays, queries, k, masks)]


def searched(
    indexes: Sequence[Index], selections: Sequence[Masks] | None = None
) -> tuple[list[tuple[int, int]], list[Keys], list[Bools | None]]:
    """Return number of the index and of the segment, hash keys, and items that count, of each segment to search."""
    places = [(number, part) for number, index in enumerate(indexes) for part in range(len(index.segments))]
    arrays, masks = [], []
    for number, part in places:
        segment = indexes[number].segments[part]
        live: Bools | None = getattr(segment, "live", None)
        selected = selections[number][part] if selections is not None else None
        arrays.append(segment.keys)
        masks.append(live if selected is None else selected if live is None else live & selected)
    return places, arrays, masks


def _in_item_order(indexes: Sequence[Index], places: list[tuple[int, int]], found: Candidates, k: int) -> list[Found]:
    """Return the k nearest: positions are in item order within a segment, and rows say the order between segments."""
    owners = np.array(places, np.int64).reshape(-1, 2)[found.arrays]
    numbers, segments = owners[:, 0], owners[:, 1]
    begins = np.flatnonzero(np.diff(found.distances, prepend=-1) | np.diff(numbers, prepend=-1))
    ends = np.append(begins[1:], len(numbers))[: len(begins)]
    mixed = (segments[begins] != segments[ends - 1]) & (begins < k)
    # Without a call into Python for each of ten thousand neighbours.
    locations = map(_new_location, zip(segments.tolist(), found.positions.tolist(), strict=True))
    everything = list(map(_new_found, zip(found.distances.tolist(), numbers.tolist(), locations, strict=True)))
    groups = list(zip(begins[mixed].tolist(), ends[mixed].tolist(), strict=True))
    for number, index in enumerate(indexes):
        tied = [(begin, end) for begin, end in groups if everything[begin].index == number]
        rows = iter(index.rows([one.location for begin, end in tied for one in everything[begin:end]]))
        for begin, end in tied:
            of_group = sorted(zip(itertools.islice(rows, end - begin), everything[begin:end], strict=True), key=_item)
            everything[begin:end] = [one for _, one in of_group]
    return everything[:k]


def _item(pair: tuple[ItemRow, Found]) -> tuple[str, ...]:
    return pair[0][:2]


def _rows_of(number: int, segment: Segment) -> Iterator[tuple[Location, ItemRow]]:
    for position, row in enumerate(segment.table.iterate()):
        yield Location(number, position), row


def _open(folder: Path) -> tuple[Manifest, list[Segment]]:
    manifest = read_manifest(folder)
    require_utf8(folder)
    for _ in range(_ATTEMPTS):
        segments: list[Segment] = []
        try:
            for stamp in manifest.segments:
                segments.append(Segment(folder / SEGMENTS_FOLDER, stamp, manifest.model.bits))  # noqa: PERF401
            return manifest, segments
        except BaseException as error:
            for segment in segments:
                segment.close()
            if not isinstance(error, FileNotFoundError):
                raise
        # A writer may have replaced the segments between our reading of the manifest and of them.
        newer = read_manifest(folder)
        if newer == manifest:
            break
        manifest = newer
    raise IndexCorrupt(f"a file of the index in {folder} is missing. {rebuild_advice(folder)}")
