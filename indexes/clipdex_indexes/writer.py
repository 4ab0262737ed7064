"""Changing an index: add, remove, commit. One writer at a time; readers are never disturbed."""

from __future__ import annotations

import contextlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from clipdex_indexes.errors import ClipdexError, IndexNotFound, IndexWriteFailed
from clipdex_indexes.files import TEMPORARY_PREFIX, require_utf8
from clipdex_indexes.index import SEGMENTS_FOLDER, Index, Location
from clipdex_indexes.lock import WriterLock
from clipdex_indexes.manifest import FILE_NAME, Manifest, ModelStamp, SegmentStamp, read_manifest, write_manifest
from clipdex_indexes.segment import Segment, remove_segment, write_segment
from clipdex_indexes.table import ItemRow

_OWN_FILE = re.compile(rf"(?:{re.escape(TEMPORARY_PREFIX)})?([0-9a-f]{{32}})\.(?:faiss|sqlite)(?:-journal)?")
_OWN_TEMPORARY = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{32}}\.json")

Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did: items added and removed, items there are now, and whether anything was written."""

    added: int
    removed: int
    items: int
    changed: bool


class IndexWriter:
    """Changes to the index in a folder, made visible all at once by ``commit``.

    Parameters
    ----------
    folder
        The index folder; made when it does not exist.
    fresh
        Start a new index, which replaces what is there, readable or not, when it is committed.

    Attributes
    ----------
    base
        The index as it is, open for reading while the writer is entered; None when there is none or ``fresh``.

    Raises
    ------
    IndexLocked
        On entering, when another process is writing.
    IndexCorrupt, IndexTooNew
        On entering, when there is an index that cannot be read (and not ``fresh``).
    IndexWriteFailed
        When the operating system refuses; the index is then as it was.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._folder = folder
        self._fresh = fresh
        self._manifest: Manifest | None = None
        self._removed: dict[int, set[int]] = {}
        self._added: list[SegmentStamp] = []
        self._written: list[str] = []
        self._replacing = self._committed = False
        self._lock = WriterLock(folder)
        self.base: Index | None = None

    def __enter__(self) -> IndexWriter:
        require_utf8(self._folder)
        self._refuse_what_is_not_ours()
        try:
            (self._folder / SEGMENTS_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexWriteFailed(
                f"cannot make the index folder {self._folder}: {error.strerror or error}. "
                "Name a folder that can be written with --index."
            ) from error
        self._lock.__enter__()
        try:
            if not self._fresh:
                with contextlib.suppress(IndexNotFound):
                    self.base = Index(self._folder)
                    self._manifest = self.base.manifest
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
        """Say what a new index will hold; only where there is no ``base``.

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
        """Leave out the item at ``location`` of the base index."""
        self._removed.setdefault(location.segment, set()).add(location.position)

    def add(self, rows: Iterable[tuple[ItemRow, bytes]]) -> int:
        """Write new items, in item order, with their hash keys; return how many there were.

        An item that has the id and subset of one in the base index needs that one removed.
        """
        stamp = write_segment(self._folder / SEGMENTS_FOLDER, self._started().model.bits, rows)
        if stamp is None:
            return 0
        self._added.append(stamp)
        self._written.append(stamp.name)
        return stamp.items

    def commit(self) -> Commit:
        """Make all changes visible at once, then delete the files that no manifest names any more.

        The last thing that a writer does: ``base`` is then out of date, and more changes need another writer.
        """
        manifest = self._started()
        kept = self.base.segments if self.base is not None else []
        added = sum(stamp.items for stamp in self._added)
        removed = sum(len(positions) for positions in self._removed.values())
        if self.base is not None and not added and not removed:
            self._collect_garbage(manifest)
            return Commit(0, 0, manifest.items, changed=False)
        merged = self._to_merge(kept, added)
        if merged or len(self._added) > 1:
            segments = [segment.stamp for number, segment in enumerate(kept) if number not in merged]
            rows = self._merged_rows(kept, merged, manifest.model.bits)
            whole = write_segment(self._folder / SEGMENTS_FOLDER, manifest.model.bits, rows)
            if whole is not None:
                segments.append(whole)
                self._written.append(whole.name)
        else:
            segments = [segment.stamp for segment in kept] + self._added
        manifest = manifest.with_segments(tuple(segments))
        self._replacing = True
        write_manifest(self._folder, manifest)
        self._committed = True
        self._collect_garbage(manifest)
        return Commit(added, removed, manifest.items, changed=True)

    def _started(self) -> Manifest:
        if self._committed:
            raise ValueError("a writer commits once: enter another for more changes")
        if self._manifest is None:
            raise ValueError("start() says what a new index holds, before items are added")
        return self._manifest

    def _to_merge(self, kept: list[Segment], added: int) -> set[int]:
        """Choose the segments to write anew, so that few segments are left.

        Those that lose items and, smallest first, those not clearly larger than what is written anyway. Sizes then at
        least double from one segment to the next.
        """
        merged = {number for number in range(len(kept)) if self._removed.get(number)}
        size = added + sum(len(kept[number]) - len(self._removed[number]) for number in merged)
        for number in sorted(set(range(len(kept))) - merged, key=lambda one: len(kept[one])):
            if len(kept[number]) > 2 * size:
                break
            merged.add(number)
            size += len(kept[number])
        return merged

    def _merged_rows(self, kept: list[Segment], merged: set[int], bits: int) -> Iterator[tuple[ItemRow, bytes]]:
        with contextlib.ExitStack() as stack:
            streams = [_live_rows(kept[number], self._removed.get(number, set())) for number in sorted(merged)]
            for stamp in self._added:
                segment = Segment(self._folder / SEGMENTS_FOLDER, stamp, bits)
                stack.callback(segment.close)
                streams.append(_live_rows(segment, set()))
            yield from heapq.merge(*streams, key=lambda pair: pair[0][:2])

    def _refuse_what_is_not_ours(self) -> None:
        """Refuse a folder of somebody else's files, and links that lead out of the index."""
        segments = self._folder / SEGMENTS_FOLDER
        if segments.is_symlink() or (self._folder / FILE_NAME).is_symlink():
            raise IndexWriteFailed(f"{self._folder} holds links in the place of an index, which lead elsewhere.")
        if segments.is_dir() or not self._folder.is_dir():
            return
        with contextlib.suppress(OSError):
            others = sorted(path.name for path in self._folder.iterdir())
            if others and others != ["lock"]:
                raise IndexWriteFailed(
                    f"{self._folder} is no index and has something in it ({others[0]}): name an empty folder, or one "
                    "that is not there yet."
                )

    def _discard(self) -> None:
        """Delete what was written and not committed."""
        if self._committed:
            return
        live: set[str] = set()
        if self._replacing:
            # What interrupted the commit may have come just after the new manifest was in place.
            try:
                live = {stamp.name for stamp in read_manifest(self._folder).segments}
            except IndexNotFound:
                pass
            except ClipdexError:
                return  # the next commit collects it
        for name in self._written:
            if name not in live:
                remove_segment(self._folder / SEGMENTS_FOLDER, name)

    def _collect_garbage(self, manifest: Manifest) -> None:
        live = {stamp.name for stamp in manifest.segments}
        for folder, pattern in ((self._folder / SEGMENTS_FOLDER, _OWN_FILE), (self._folder, _OWN_TEMPORARY)):
            paths: list[Path] = []
            with contextlib.suppress(OSError):
                paths.extend(folder.iterdir())
            for path in paths:
                match = pattern.fullmatch(path.name)
                if match and not (match.lastindex and match[1] in live):
                    with contextlib.suppress(OSError):
                        path.unlink()


def _live_rows(segment: Segment, removed: set[int]) -> Iterator[tuple[ItemRow, bytes]]:
    for position, row in enumerate(segment.table.iterate()):
        if position not in removed:
            yield row, segment.keys[position].tobytes()
