"""An index, open for reading: a snapshot of its segments that stays as it was while others write."""

from __future__ import annotations

import copy
import functools
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex_indexes.answers import (
    SUBSET,
    Answers,
    Texts,
    Written,
    checked_bits,
    checked_ids,
    checked_k,
    checked_keys,
    checked_rows,
)
from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.kernels.hamming import Candidates, Masks, candidates
from clipdex_indexes.storage.files import require_utf8
from clipdex_indexes.storage.manifest import Manifest, ModelStamp, read_manifest, rebuild_advice
from clipdex_indexes.storage.segment import Segment
from clipdex_indexes.storage.table import ItemRow, TableCounts, TableReader
from clipdex_indexes.storage.verifying import Verification, verify_segments

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


class _State(NamedTuple):
    manifest: Manifest
    segments: list[Segment]


class Index:
    """A snapshot of an index on disk, which any number of threads can read.

    It stays as it is while others write; ``refresh``, and writing through it, make it see what there is then.

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
        self._state = _open(folder)
        self._closed = False

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Index:
        """Open the index in ``folder``."""
        return cls(Path(folder))

    @classmethod
    def create(cls, folder: str | os.PathLike[str], bits: int, *, model: ModelStamp | None = None) -> Index:
        """Make an empty index, and open it.

        Parameters
        ----------
        folder
            A folder that is empty or not there yet.
        bits
            Length of a hash key, a multiple of 8.
        model
            What makes the keys, where that is to be remembered.

        Raises
        ------
        IndexWriteFailed
            When there is something in the folder, or it cannot be written.
        """
        from clipdex_indexes.changing import create

        create(Path(folder), model or ModelStamp("keys", "", checked_bits(bits), ""))
        return cls(Path(folder))

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.manifest.items

    def __repr__(self) -> str:
        return (
            f"<Index {str(self.folder)!r}: {len(self):,} keys of {self.bits} bits{', closed' if self._closed else ''}>"
        )

    @property
    def manifest(self) -> Manifest:
        """What the index says of itself, in this snapshot."""
        return self._state.manifest

    @property
    def segments(self) -> list[Segment]:
        """The open segments of this snapshot; a ``Location`` counts in it."""
        return self._state.segments

    @property
    def bits(self) -> int:
        """Length of a hash key."""
        return self.manifest.model.bits

    def close(self) -> None:
        """Close the files; whatever is asked of the index after that raises ``ValueError``."""
        self._closed = True
        for segment in self.segments:
            segment.close()

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError(f"the index in {self.folder} was closed: open it again.")

    def refresh(self) -> bool:
        """See the index as it is on disk now; return whether that is another one.

        Locations of before are no longer valid. Threads that are reading go on with what they began with.

        Raises
        ------
        IndexNotFound, IndexTooNew, IndexCorrupt
            When it cannot be read any more; what was open stays open.
        """
        self._require_open()
        state = _open(self.folder, self._state)
        changed = state.manifest != self.manifest
        self._state = state
        return changed

    def snapshot(self) -> Index:
        """Return this index as it is now: ``refresh`` changes neither through the other. It shares the open files."""
        self._require_open()
        other = copy.copy(self)
        other._state = self._state
        return other

    def add(
        self,
        ids: Sequence[str] | Texts,
        keys: npt.ArrayLike,
        *,
        subset: str = SUBSET,
        labels: Sequence[Sequence[str]] | None = None,
        wait: bool = True,
    ) -> Written:
        """Add items, or give those that are there another key and labels; committed, and seen here, when it returns.

        Parameters
        ----------
        ids
            ``n`` texts like relative paths, each once.
        keys
            uint8 ``[n, bits / 8]``, as ``numpy.packbits`` makes them.
        subset
            Subset of all of them: an item is an id in a subset.
        labels
            ``n`` lists of names.
        wait
            Wait while another process is writing.

        Raises
        ------
        ValueError
            When an argument is not as described; nothing is written.
        IndexLocked, IndexWriteFailed
            When another process is writing and ``wait`` is off; when it cannot be written.
        """
        from clipdex_indexes.changing import add

        self._require_open()
        return self._changed(add(self.folder, checked_rows(ids, keys, self.bits, subset, labels), wait=wait))

    def remove(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET, wait: bool = True) -> Written:
        """Remove items; ids that no item of the subset has are counted as missing."""
        from clipdex_indexes.changing import remove

        self._require_open()
        return self._changed(remove(self.folder, checked_ids(ids), subset, wait=wait))

    def optimize(self, *, wait: bool = True) -> Written:
        """Write everything into one segment, without removed items."""
        from clipdex_indexes.changing import optimize

        self._require_open()
        return self._changed(optimize(self.folder, wait=wait))

    def _changed(self, written: Written) -> Written:
        self.refresh()
        return written

    def search(self, queries: npt.ArrayLike, k: int = 10) -> Answers:
        """Find the items whose keys are nearest, exactly.

        Parameters
        ----------
        queries
            uint8 ``[q, bits / 8]``, or one key.
        k
            How many, at least 1; more than there are items gives all of them.

        Returns
        -------
        Answers
            By distance, then item order (id, subset), which decides at the k-th place too.
        """
        here, array, most = self.snapshot(), checked_keys(queries, self.bits), checked_k(k)
        if not len(array):
            return Answers.of([])
        answers = search([here], array, most)
        rows = here.rows([one.location for answer in answers for one in answer])
        following = iter(rows)
        return Answers.of([[(one.distance, next(following)) for one in answer] for answer in answers])

    def keys(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET) -> Keys:
        """Return the hash keys of items, uint8 ``[n, bits / 8]``.

        Raises
        ------
        KeyError
            When no item has such an id; it holds id and subset.
        """
        here = self.snapshot()
        keys = np.empty((len(ids), self.bits // 8), np.uint8)
        for number, one in enumerate(checked_ids(ids)):
            location = here.locate(one, subset)
            if location is None:
                raise KeyError((one, subset))
            keys[number] = here.key(location)
        return keys

    def verify(self, progress: Callable[[str, int, int], None] | None = None) -> Verification:
        """Check every byte of the files of this snapshot, and what they say; opening checks a sample.

        Parameters
        ----------
        progress
            Called with what is counted (``bytes``, then ``items``), how many are done, and of how many.
        """
        self._require_open()
        return verify_segments(self.folder / SEGMENTS_FOLDER, self.segments, progress)

    def locate(self, item_id: str, subset: str) -> Location | None:
        """Return where the item is, if it is."""
        for number, segment in enumerate(self.segments):
            for position, row in segment.table.find(item_id):
                if row.subset == subset:
                    return Location(number, position)
        return None

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
        return sum(segment.size for segment in self.manifest.segments)


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
    arrays: list[Keys] = []
    masks: list[Bools | None] = []
    for number, part in places:
        segment = indexes[number].segments[part]
        live = segment.live
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
    for begin, end in groups:
        tables = [segment.table for segment in indexes[everything[begin].index].segments]
        everything[begin:end] = sorted(
            everything[begin:end], key=lambda one: tables[one.location.segment].names(one.location.position)
        )
    return everything[:k]


def _rows_of(number: int, segment: Segment) -> Iterator[tuple[Location, ItemRow]]:
    for position, row in segment.table.iterate():
        yield Location(number, position), row


def _open(folder: Path, before: _State | None = None) -> _State:
    """Open an index, taking over the segments of ``before`` that are still as they were."""
    manifest = read_manifest(folder)
    require_utf8(folder)
    known = {segment.stamp: segment for segment in before.segments} if before is not None else {}
    for _ in range(_ATTEMPTS):
        segments: list[Segment] = []
        try:
            for stamp in manifest.segments:
                segments.append(  # noqa: PERF401
                    known.get(stamp) or Segment(folder / SEGMENTS_FOLDER, stamp, manifest.model.bits)
                )
            return _State(manifest, segments)
        except BaseException as error:
            for segment in segments:
                if segment.stamp not in known:
                    segment.close()
            if not isinstance(error, FileNotFoundError):
                raise
        # A writer may have replaced the segments between our reading of the manifest and of them.
        newer = read_manifest(folder)
        if newer == manifest:
            break
        manifest = newer
    raise IndexCorrupt(f"a file of the index in {folder} is missing. {rebuild_advice(folder)}")
