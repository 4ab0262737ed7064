"""Changing an index: add, remove, commit. One writer at a time; readers are never disturbed.

A commit

1. writes the new items into a segment;
2. asks ``storage.policy`` which segments to rewrite, and merges those, without their removed items, with the new items;
3. writes a bitmap for every other segment that lost items;
4. replaces the manifest;
5. deletes the files that the manifest does not name.

Every file is written under a temporary name, synced and renamed. So the manifest on disk names complete files at every
moment: a reader sees the old index or the new one. A writer that is killed leaves files that the next commit deletes.

A checkpoint is a commit in the middle of the work. It does not touch the older segments, so that locations in them stay
valid, merges only its own segments, and marks the index as not complete. A removal and the addition that replaces the
item are always in the same commit.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np

from clipdex_indexes.arrays import Bools
from clipdex_indexes.errors import ClipdexError, IndexNotFound, IndexWriteFailed
from clipdex_indexes.snapshot import Location, Snapshot
from clipdex_indexes.storage.files import TEMPORARY_PREFIX, require_utf8, step
from clipdex_indexes.storage.fingerprints import fingerprints_path
from clipdex_indexes.storage.lock import WriterLock
from clipdex_indexes.storage.manifest import (
    FILE_NAME,
    SEGMENTS_FOLDER,
    Manifest,
    ModelStamp,
    SegmentStamp,
    read_manifest,
    write_manifest,
)
from clipdex_indexes.storage.policy import Extent, to_rewrite
from clipdex_indexes.storage.segment import Segment, delete_files, files_of, write_removed, write_segment
from clipdex_indexes.storage.table import ItemRow

_OWN_FILE = re.compile(
    rf"(?:{re.escape(TEMPORARY_PREFIX)})?[0-9a-f]{{32}}(?:-[0-9a-f]{{32}})?"
    r"\.(?:faiss|sqlite|removed|fingerprints)(?:-journal)?"
)
_OWN_TEMPORARY = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{32}}\.json")


def require_index_folder(folder: Path) -> None:
    """Refuse a folder in which no index can be.

    That is one that holds other files, or links that lead out of the index, or that cannot be made, because something
    else is in its place.

    Raises
    ------
    IndexWriteFailed
        When it is such a folder, or nobody may look at it.
    IndexFailure
        When its name is not valid UTF-8.
    """
    require_utf8(folder)
    segments = folder / SEGMENTS_FOLDER
    try:
        if segments.is_symlink() or (folder / FILE_NAME).is_symlink():
            raise IndexWriteFailed(f"{folder} holds links in the place of an index, which lead elsewhere.")
        if segments.is_dir():
            return
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not there.is_dir():
            what = "a link that leads to nothing: is a disk away?" if there.is_symlink() else "no folder."
            raise IndexWriteFailed(
                f"cannot make the index folder {folder}: {there} is {what} Name a folder that can be written with "
                "--index."
            )
        if there != folder:
            return
    except OSError as error:
        raise IndexWriteFailed(
            f"{folder} cannot be looked at: {error.strerror or error}. Name a folder that can be written with --index."
        ) from error
    with contextlib.suppress(OSError):
        others = sorted(path.name for path in folder.iterdir())
        if others and others != ["lock"]:
            raise IndexWriteFailed(
                f"{folder} is no index and has something in it ({others[0]}): name an empty folder, or one that is "
                "not there yet."
            )


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did.

    Attributes
    ----------
    added, removed
        Numbers of items.
    items
        Number of items that the index has now.
    changed
        Whether anything was written.
    """

    added: int
    removed: int
    items: int
    changed: bool


class IndexWriter:
    """Changes to the index in a folder, made visible all at once by ``checkpoint`` and ``commit``.

    Parameters
    ----------
    folder
        The index folder; made when it does not exist. Also an attribute.
    fresh
        Start a new index. Its commit replaces the index that is there, readable or not.
    wait, waiting
        Whether to wait while another process is writing, and what to call then (see ``WriterLock``).

    Attributes
    ----------
    base
        The index as it was on entering, open until the writer is left; None when there was none, or ``fresh``.

    Raises
    ------
    IndexLocked
        On entering, when another process is writing and ``wait`` is off.
    IndexCorrupt, IndexTooNew
        On entering, when there is an index that cannot be read (and not ``fresh``).
    IndexWriteFailed
        When the operating system refuses; the index is then as it was.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fresh: bool = False,
        wait: bool = False,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self._segments_folder = folder / SEGMENTS_FOLDER
        self._fresh = fresh
        self._manifest: Manifest | None = None
        # Of the segments of ``base``, by number: their stamps now; the items left in those that lost some here; and the
        # numbers of those whose marks are still to be written.
        self._old: dict[int, SegmentStamp] = {}
        self._live: dict[int, Bools] = {}
        self._dirty: set[int] = set()
        # Segments of this writer that the manifest names already, and those that it does not name yet.
        self._own: list[SegmentStamp] = []
        self._added: list[SegmentStamp] = []
        self._written: list[Path] = []
        self._additions = self._removals = 0
        self._replacing = self._committed = False
        self._lock = WriterLock(folder, wait=wait, waiting=waiting)
        self.base: Snapshot | None = None

    def __enter__(self) -> IndexWriter:
        require_index_folder(self.folder)
        try:
            self._segments_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexWriteFailed(
                f"cannot make the index folder {self.folder}: {error.strerror or error}. "
                "Name a folder that can be written with --index."
            ) from error
        self._lock.__enter__()
        try:
            if not self._fresh:
                with contextlib.suppress(IndexNotFound):
                    self.base = Snapshot(self.folder)
                    self._manifest = self.base.manifest
                    self._old = dict(enumerate(self._manifest.segments))
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.base is not None:
                self.base.close()
            self._discard()
        finally:
            self._lock.__exit__(kind, error, trace)

    def start(
        self,
        model: ModelStamp,
        source_format: str,
        writer: str,
        root: str = "",
        source_options: Mapping[str, str] | None = None,
    ) -> None:
        """Set what a new index will hold; only where there is no ``base``.

        Parameters
        ----------
        model
            What hashes the items.
        source_format
            Format of the dataset, kept for information.
        writer
            Name and version of the program that writes.
        root
            Root of the dataset, absolute, where the index is not beside it.
        source_options
            How the dataset is read, for its reader.
        """
        self._manifest = Manifest(model, source_format, 0, (), writer, root, dict(source_options or {}))

    def remove(self, location: Location) -> None:
        """Remove the item at ``location`` in ``base``."""
        if location.segment not in self._live:
            segment = self._segments_of_base[location.segment]
            self._live[location.segment] = (
                segment.live.copy() if segment.live is not None else np.ones(segment.stamp.items, np.bool_)
            )
        live = self._live[location.segment]
        self._removals += int(live[location.position])
        live[location.position] = False
        self._dirty.add(location.segment)

    def add(self, rows: Iterable[tuple[ItemRow, bytes]]) -> int:
        """Write new items, in item order, with their hash keys, and return their number.

        Where ``base`` has an item of the same id and subset, remove that one too.
        """
        stamp = write_segment(self._segments_folder, self._started().model.bits, rows)
        if stamp is None:
            return 0
        self._added.append(stamp)
        self._additions += stamp.items
        self._written.extend(files_of(self._segments_folder, stamp))
        return stamp.items

    def checkpoint(self) -> Commit:
        """Make the changes so far visible, in an index that is marked as not complete.

        ``base`` and the locations in it stay valid. Only segments of this writer are merged.
        """
        return self._publish(complete=False, last=False)

    def commit(self, *, optimize: bool = False, completes: bool = True) -> Commit:
        """Make all changes visible at once, then delete the files that the manifest no longer names.

        A writer commits once. Further changes need another writer, because ``base`` is then out of date.

        Parameters
        ----------
        optimize
            Write all items into one segment, without the removed ones.
        completes
            Mark the index as complete: it now has all items of its dataset. Off: leave the mark as it is.
        """
        done = self._publish(complete=completes or self._started().complete, last=True, optimize=optimize)
        self._committed = True
        return done

    @property
    def _segments_of_base(self) -> Sequence[Segment]:
        return self.base.segments if self.base is not None else ()

    def _started(self) -> Manifest:
        if self._committed:
            raise ValueError("a writer commits once: enter another for more changes")
        if self._manifest is None:
            raise ValueError("start() says what a new index holds, before items are added")
        return self._manifest

    def _publish(self, *, complete: bool, last: bool, optimize: bool = False) -> Commit:
        manifest = self._started()
        now = (*self._old.values(), *self._own)
        pending = self._added or self._dirty or now != manifest.segments
        if pending or optimize or (last and self._own) or complete > manifest.complete or manifest.generation == 0:
            now = self._settled(manifest.model.bits, with_base=last, everything=optimize)
        done = Commit(self._additions, self._removals, sum(stamp.live_items for stamp in now), changed=True)
        if now == manifest.segments and complete <= manifest.complete and manifest.generation:
            self._collect_garbage(manifest)
            return replace(done, added=0, removed=0, changed=False)
        step("segments settled")
        self._replacing = True
        following = manifest.following(now, complete)
        write_manifest(self.folder, following)
        self._manifest = following
        self._replacing = False
        self._written.clear()
        self._additions = self._removals = 0
        step("committed")
        self._collect_garbage(following)
        step("collected")
        return done

    def _settled(self, bits: int, *, with_base: bool, everything: bool) -> tuple[SegmentStamp, ...]:
        """Write the segments and bitmaps that the changes so far need, and return the segments of the index."""
        left = {number: self._left(number) for number in self._old}
        old = [number for number in self._old if left[number]]
        candidates = [Extent(self._old[number].items, left[number]) for number in old if with_base]
        candidates += [Extent(stamp.items, stamp.items) for stamp in self._own]
        chosen = to_rewrite(candidates, sum(stamp.items for stamp in self._added))
        if everything:
            chosen = set(range(len(candidates)))
        rewritten = [number for choice, number in enumerate(old if with_base else ()) if choice in chosen]
        first_own = len(candidates) - len(self._own)
        own = [stamp for choice, stamp in enumerate(self._own, first_own) if choice in chosen] + self._added
        whole = len(rewritten) + len(own) == 1 and all(left[number] == self._old[number].items for number in rewritten)
        if not whole and (rewritten or len(own) > 1):
            self._own = [stamp for stamp in self._own if stamp not in own] + self._merged(rewritten, own, bits)
            old = [number for number in old if number not in rewritten]
        else:
            self._own = [stamp for stamp in self._own if stamp not in own] + own
            rewritten = []
        self._added = []
        for number in self._dirty.intersection(old):
            self._old[number] = write_removed(self._segments_folder, self._old[number], self._live[number])
            self._written.extend(files_of(self._segments_folder, self._old[number])[2:])
        self._dirty.clear()
        self._old = {number: self._old[number] for number in old}
        return (*self._old.values(), *self._own)

    def _left(self, number: int) -> int:
        """Count the items that segment ``number`` of ``base`` has left."""
        return int(self._live[number].sum()) if number in self._live else self._old[number].live_items

    def _merged(self, old: list[int], own: list[SegmentStamp], bits: int) -> list[SegmentStamp]:
        """Write segments of ``base`` and of this writer into one, or into none when no items are left."""
        with contextlib.ExitStack() as stack:
            streams = [_rows(self._segments_of_base[number], self._live.get(number)) for number in old]
            for stamp in own:
                segment = Segment(self._segments_folder, stamp, bits)
                stack.callback(segment.close)
                streams.append(_rows(segment, None))
            merged = write_segment(self._segments_folder, bits, heapq.merge(*streams, key=lambda pair: pair[0][:2]))
        if merged is None:
            return []
        self._written.extend(files_of(self._segments_folder, merged))
        return [merged]

    def _discard(self) -> None:
        """Delete the files that were written and not committed."""
        live: set[Path] = set()
        if self._replacing:
            # The interruption may have come just after the new manifest was in place.
            try:
                live = self._files_of(read_manifest(self.folder))
            except IndexNotFound:
                pass
            except ClipdexError:
                return  # the next commit collects it
        delete_files(path for path in self._written if path not in live)

    def _files_of(self, manifest: Manifest) -> set[Path]:
        return {path for stamp in manifest.segments for path in files_of(self._segments_folder, stamp)}

    def _collect_garbage(self, manifest: Manifest) -> None:
        live = self._files_of(manifest) | set(self._written)
        live |= {fingerprints_path(self._segments_folder, stamp.name) for stamp in manifest.segments}
        for folder, pattern in ((self._segments_folder, _OWN_FILE), (self.folder, _OWN_TEMPORARY)):
            with contextlib.suppress(OSError):
                delete_files(path for path in folder.iterdir() if pattern.fullmatch(path.name) and path not in live)


def _rows(segment: Segment, live: Bools | None) -> Iterator[tuple[ItemRow, bytes]]:
    for position, row in segment.table.iterate():
        if live is None or live[position]:
            yield row, segment.keys[position].tobytes()
