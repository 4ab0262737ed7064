"""The state of an index at one moment, open for reading: what every other module of the package reads.

A snapshot keeps its files open: the hash keys are mapped, the item tables are open, the marks of removed items are in
memory. Where the system allows deleting open files, a snapshot stays readable after a writer has deleted its files.
Readers take no lock, so they also work where locks and writing do not. A reader that misses a file while it opens the
index reads the manifest again, because a writer may have replaced the segments in between.

Opening takes the same time whatever the number of items. It reads the manifest, a sample and a few pages of each file,
and the marks of removed items (one bit an item).
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from clipdex_indexes.arrays import Bools, Keys, Masks
from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.storage.files import require_utf8
from clipdex_indexes.storage.fingerprints import fingerprints_path
from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER, Manifest, read_manifest, rebuild_advice
from clipdex_indexes.storage.segment import Segment
from clipdex_indexes.storage.table import ItemRow, TableReader
from clipdex_indexes.storage.tagged import Located, Tags, located

if TYPE_CHECKING:
    from clipdex_indexes.storage.columns import TableCounts

_Snapshot = TypeVar("_Snapshot", bound="Snapshot")


class Location(NamedTuple):
    """Where a snapshot has an item: the number of the segment, and the position of the item in it."""

    segment: int
    position: int


class State(NamedTuple):
    """A manifest and its open segments."""

    manifest: Manifest
    segments: list[Segment]


class Snapshot:
    """An index on disk as it was when it was opened, whatever others write. Any number of threads can read it.

    Parameters
    ----------
    folder
        The index folder.

    Attributes
    ----------
    tags
        The tags of its items, as they are now.

    Raises
    ------
    IndexNotFound, IndexTooNew, IndexCorrupt
        When there is no index, or it cannot be read. Opening checks the checksum of the manifest, and the size, the
        header and a sample of every file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = open_state(folder)
        self.tags = Tags(folder)
        self._closed = False

    def __enter__(self: _Snapshot) -> _Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.manifest.items

    def __repr__(self) -> str:
        name, closed = type(self).__name__, ", closed" if self._closed else ""
        return f"<{name} {str(self.folder)!r}: {len(self):,} keys of {self.bits} bits{closed}>"

    @property
    def manifest(self) -> Manifest:
        """The manifest of this state."""
        return self._state.manifest

    @property
    def segments(self) -> list[Segment]:
        """The open segments; ``Location.segment`` is a number in this list."""
        return self._state.segments

    @property
    def bits(self) -> int:
        """Length of a hash key."""
        return self.manifest.model.bits

    def close(self) -> None:
        """Close the files; every later call that needs them raises ``ValueError``."""
        self._closed = True
        for segment in self.segments:
            segment.close()

    def locate(self, item_id: str, subset: str) -> Location | None:
        """Return where the item is; None when there is no such item."""
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
        rows = {number: iter(self.segments[number].table.rows(positions)) for number, positions in by_segment.items()}
        return [next(rows[segment]) for segment, _ in locations]

    def items(self, selected: Masks | None = None, begin: str = "") -> Iterator[tuple[Location, ItemRow]]:
        """Yield every item, or those selected, with its location, in item order, in bounded memory.

        Parameters
        ----------
        selected
            For each segment the items to yield, bool ``[items]``; None for all.
        begin
            The id to begin with, or the first one after it.
        """
        masks = [None] * len(self.segments) if selected is None else selected
        streams = [
            _located_rows(number, segment, mask, begin)
            for number, (segment, mask) in enumerate(zip(self.segments, masks, strict=True))
        ]
        yield from heapq.merge(*streams, key=lambda item: item[1][:2])

    def find(self, item_id: str) -> list[tuple[Location, ItemRow]]:
        """Return the items with this id; when there are none, those with this id plus an extension. In item order."""
        for lookup in (TableReader.find, TableReader.find_without_extension):
            items = [
                (Location(number, position), row)
                for number, segment in enumerate(self.segments)
                for position, row in lookup(segment.table, item_id)
            ]
            if items:
                return sorted(items, key=lambda item: item[1][:2])
        return []

    def ids_like(self, item_id: str, limit: int = 2000) -> list[str]:
        """Return ids that a mistyped ``item_id`` may have meant: candidates, not ranked; ``limit`` for each segment."""
        return [similar for segment in self.segments for similar in segment.table.ids_like(item_id, limit)]

    def require_whole(self, segment: int) -> None:
        """Read every byte of the files of a segment: opening compares a sample only.

        Raises
        ------
        IndexCorrupt
            When a checksum is not the one in the manifest.
        """
        from clipdex_indexes.storage.verifying import require_whole

        require_whole(self.folder / SEGMENTS_FOLDER, self.segments[segment].stamp)

    def selected(self, masks: Masks | None = None) -> list[Bools | None]:
        """Return for each segment the items that a mask selects and that are not removed, bool ``[items]``.

        None stands for all items of a segment, and for all segments.
        """
        lives = [segment.live for segment in self.segments]
        if masks is None:
            return lives
        return [
            live if mask is None else mask if live is None else mask & live
            for mask, live in zip(masks, lives, strict=True)
        ]

    def counts(self, masks: Masks | None = None) -> TableCounts:
        """Count the items of each subset and of each label.

        Parameters
        ----------
        masks
            For each segment the items that count, bool ``[items]``; None for all.
        """
        from clipdex_indexes.storage.columns import summed

        return summed(
            segment.columns.count(selected)
            for segment, selected in zip(self.segments, self.selected(masks), strict=True)
        )

    def tag_names(self) -> list[str]:
        """Return the names of the tags that items have, also those that are gone, in order.

        Raises
        ------
        TagsFailure
            When the tags cannot be read.
        """
        return self.tags.names(self.segments)

    def tag_counts(self, masks: Masks | None = None) -> dict[str, int]:
        """Count the items that have each tag, in the order of names; the parameter is that of ``counts``.

        Raises
        ------
        TagsFailure
            When the tags cannot be read.
        """
        return self.tags.count(self.segments, self.selected(masks))

    def look_up(self, items: Sequence[tuple[str, str]]) -> Located:
        """Return where items are that are named by id and subset, and are in item order."""
        return located(self.segments, items)

    def tagged(self, tag: str) -> Located:
        """Return the items that have a tag.

        Raises
        ------
        TagsFailure
            When the tags cannot be read.
        """
        return self.tags.located(self.segments, tag)

    def size_on_disk(self) -> int:
        """Return the bytes of all segment files, with those of the fingerprints that are kept."""
        copies = 0
        for stamp in self.manifest.segments:
            with contextlib.suppress(OSError):
                copies += fingerprints_path(self.folder / SEGMENTS_FOLDER, stamp.name).stat().st_size
        return copies + sum(stamp.size for stamp in self.manifest.segments)


def open_state(folder: Path, before: State | None = None) -> State:
    """Open the index in ``folder``, reusing the segments of ``before`` that have not changed.

    Raises
    ------
    IndexNotFound, IndexTooNew, IndexCorrupt
        As ``Snapshot`` does; ``before`` stays open.
    """
    manifest = read_manifest(folder)
    require_utf8(folder)
    known = {segment.stamp: segment for segment in before.segments} if before is not None else {}
    while True:
        segments: list[Segment] = []
        try:
            for stamp in manifest.segments:
                segments.append(  # noqa: PERF401
                    known.get(stamp) or Segment(folder / SEGMENTS_FOLDER, stamp, manifest.model.bits)
                )
            return State(manifest, segments)
        except BaseException as error:
            for segment in segments:
                if segment.stamp not in known:
                    segment.close()
            if not isinstance(error, FileNotFoundError):
                raise
        newer = read_manifest(folder)
        if newer == manifest:
            raise IndexCorrupt(f"a file of the index in {folder} is missing. {rebuild_advice(folder)}")
        manifest = newer


def _located_rows(number: int, segment: Segment, mask: Bools | None, begin: str) -> Iterator[tuple[Location, ItemRow]]:
    for position, row in segment.table.iterate(mask, begin):
        yield Location(number, position), row
