"""An index, open for reading: a snapshot of its segments that stays as it was while others write."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.files import require_utf8
from clipdex_indexes.hamming import Neighbours, nearest
from clipdex_indexes.manifest import Manifest, read_manifest, rebuild_advice
from clipdex_indexes.segment import Segment
from clipdex_indexes.table import ItemRow, TableCounts, TableReader

SEGMENTS_FOLDER = "segments"
_ATTEMPTS = 5

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Location:
    """Where an item is in an open index: number of the segment, and position in it."""

    segment: int
    position: int


@dataclass(frozen=True, slots=True)
class Found:
    """One neighbour: number of the index in the list that was searched, location in it, distance in bits."""

    distance: int
    index: int
    location: Location


class Index:
    """A snapshot of an index on disk.

    Parameters
    ----------
    folder
        The index folder.

    Raises
    ------
    IndexNotFound, IndexTooNew, IndexCorrupt
        When there is none, or it cannot be read. Sizes, headers and a sample of the bytes are checked against the
        manifest, which has a checksum of its own.
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
        rows: dict[Location, ItemRow] = {}
        for number, segment in enumerate(self.segments):
            here = [location for location in locations if location.segment == number]
            rows.update(zip(here, segment.table.rows([location.position for location in here]), strict=True))
        return [rows[location] for location in locations]

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
        return sum(segment.size for segment in self.manifest.segments)


def search(indexes: Sequence[Index], queries: Keys, k: int) -> list[list[Found]]:
    """Find the exact Hamming top-k over several indexes at once.

    Parameters
    ----------
    indexes
        Open indexes with hash keys of the same length.
    queries
        uint8 ``[q, bits / 8]``.
    k
        At least 1; more than there are items gives all of them.

    Returns
    -------
    list of list of Found
        For each query at most k neighbours, by distance, then order of the indexes, then item order: the same
        whatever the segments and threads.
    """
    places = [(number, part) for number, index in enumerate(indexes) for part in range(len(index.segments))]
    segments = [indexes[number].segments[part] for number, part in places]
    # As many more as are removed: the k nearest of what is left are then among them.
    spare = max((segment.stamp.items - len(segment) for segment in segments), default=0)
    found = nearest([segment.keys for segment in segments], queries, k + spare)
    return [
        _merge(indexes, places, [_of_live(part, segment) for part, segment in zip(parts, segments, strict=True)], k)
        for parts in found
    ]


def _of_live(part: Neighbours, segment: Segment) -> Neighbours:
    if segment.live is None:
        return part
    kept = segment.live[part.positions]
    return Neighbours(part.distances[kept], part.positions[kept])


def _merge(indexes: Sequence[Index], places: list[tuple[int, int]], parts: list[Neighbours], k: int) -> list[Found]:
    # Stable, so equal distances stay in order of index and segment; within a segment positions are in item order.
    distances = np.concatenate([part.distances for part in parts] or [np.empty(0, np.int64)])
    positions = np.concatenate([part.positions for part in parts] or [np.empty(0, np.int64)])
    owners = np.repeat(np.arange(len(parts)), [len(part.distances) for part in parts])
    order = np.argsort(distances, kind="stable")
    if len(order) > k:
        order = order[distances[order] <= distances[order[k - 1]]]
    found = [
        Found(int(distances[at]), places[owners[at]][0], Location(places[owners[at]][1], int(positions[at])))
        for at in order
    ]
    answer: list[Found] = []
    for (_, number), group in itertools.groupby(found, key=lambda one: (one.distance, one.index)):
        tied = list(group)
        if len({one.location.segment for one in tied}) > 1:
            rows = indexes[number].rows([one.location for one in tied])
            tied = [one for _, one in sorted(zip(rows, tied, strict=True), key=lambda pair: pair[0][:2])]
        answer.extend(tied)
        if len(answer) >= k:
            break
    return answer[:k]


def _rows_of(number: int, segment: Segment) -> Iterator[tuple[Location, ItemRow]]:
    for position, row in segment.table.iterate():
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
