"""The pipeline of a build: compare, read, decode, hash, and commit as it goes.

First, one pass over the dataset and the index finds what differs. A spool keeps it, in a temporary file where it is
long. Then the pipeline pulls: the index asks for rows, the encoder makes them from pixels, and threads decode the next
images ahead, a bounded number of them, because Pillow releases the GIL. The order of the items is kept throughout.

Each file is read once. The hash of its content tells whether the index has that content already, under the same id (the
item was touched) or another one (renamed); then nothing is decoded. A file that cannot be read is listed with the
reason and left out; one that is damaged, and decoded as far as it goes, is listed too. What was hashed is committed
every few seconds, and on ``KeyboardInterrupt``.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from clipdex.building.events import BuildProgress, Progress
from clipdex.building.moved_files import MovedFiles
from clipdex.building.spool import Plain, Spool
from clipdex.datasets.comparing import Change, Difference, compare
from clipdex.datasets.failures import Failure, needing_extra, write_failures
from clipdex.encoder import Encoder, prepare
from clipdex.errors import ImageError, ImageNeedsExtra
from clipdex.media.decoding import decode
from clipdex.media.kinds import READ_BY_EXTRA, suffix_of
from clipdex.media.mending import require_decoder
from clipdex.media.opening import open_media
from clipdex.readers import Reader, ReadItem, UnreadableItem
from clipdex.readers.base import DAMAGED, NEEDS_EXTRA
from clipdex_indexes import IndexWriter, ItemRow, Location
from clipdex_indexes.kernels.threads import available_threads

# Images decoded, or being decoded, ahead of the encoder: enough to smooth out a few large ones.
_LOOK_AHEAD = 32
# A file that is larger than this is read twice, for its hash and to decode it, and not kept in memory between.
_WHOLE_BYTES = 64 << 20
_BLOCK = 1 << 20
_ROWS_A_SEGMENT = 50_000

Pixels = npt.NDArray[np.uint8]


class _Work(NamedTuple):
    """One item that differs from the index.

    Attributes
    ----------
    item
        The item as the reader found it.
    old
        Where the index has it; None for a new item.
    content
        Hash of the content that the index has of it, if the size is the same; otherwise 0.
    as_is
        Whether only the labels differ, and the file need not be read.
    """

    item: ReadItem
    old: Location | None
    content: int
    as_is: bool

    @classmethod
    def of(cls, item: ReadItem, known: ItemRow | None, location: Location | None) -> _Work:
        """Compare an item with what the index has of it."""
        if known is None or location is None:
            return cls(item, None, 0, False)
        as_is = known.has_media_of(item) and item.content in (0, known.content)
        comparable = as_is or known.size == item.size
        return cls(item, location, known.content if comparable else 0, as_is)

    def to_plain(self) -> Plain:
        """Return it as a spool keeps it."""
        return tuple(self.item), None if self.old is None else tuple(self.old), self.content, self.as_is

    @classmethod
    def from_plain(cls, plain: Plain) -> _Work:
        """Return it from what a spool kept."""
        item, old, content, as_is = cast("tuple[Any, tuple[int, int] | None, int, bool]", plain)
        return cls(ReadItem(*item), Location(*old) if old is not None else None, content, as_is)


@dataclass(frozen=True, slots=True)
class _Read:
    """An item that was read: the hash of its content, and its pixels, or where the index has its hash key.

    ``damage`` is what is wrong with the file of the pixels; empty where nothing is.
    """

    content: int
    pixels: Pixels | None = None
    known: Location | None = None
    damage: str = ""


@dataclass(slots=True)
class Counts:
    """How many items a build found, of each kind."""

    added: int = 0
    changed: int = 0
    touched: int = 0
    renamed: int = 0
    unchanged: int = 0
    removed: int = 0
    kept: int = 0

    @property
    def written(self) -> int:
        """Number of rows that were written."""
        return self.added + self.changed + self.touched + self.renamed


class Run:
    """One build in progress.

    Parameters
    ----------
    reader
        The dataset.
    encoder
        The model that hashes.
    writer
        The writer of the index, entered.
    max_pixels
        Images of more pixels are not decoded, and fail.
    checkpoint_seconds
        Seconds between commits; None commits only at the end.
    progress
        Called now and then, from this thread.
    before
        What the last build listed: an item that is not read again is damaged as it was.

    Attributes
    ----------
    counts
        Numbers of items of each outcome.
    failed, damaged, needing_extra
        Items that failed; that are in the index as far as their files go; that an optional package would read.
    passed_over
        What was passed over, as ``Reader.passed_over`` has it, and the items that need an extra.
    """

    def __init__(
        self,
        reader: Reader,
        encoder: Encoder,
        writer: IndexWriter,
        max_pixels: int,
        checkpoint_seconds: float | None,
        progress: Progress | None,
        before: Sequence[Failure] = (),
    ) -> None:
        self._reader = reader
        self._encoder = encoder
        self._writer = writer
        self._max_pixels = max_pixels
        self._seconds = checkpoint_seconds
        self._progress = progress
        self._moved = MovedFiles()
        self._rows: list[tuple[ItemRow, bytes]] = []
        self._committed = time.monotonic()
        self._total = self._unreadable = 0
        # Where a write was interrupted, there is nothing complete to commit.
        self._writing = False
        self.counts = Counts()
        self._damaged_before = {failure.id: failure for failure in before if failure.kind == DAMAGED}
        self.failed: list[Failure] = []
        self.damaged: list[Failure] = []
        self.needing_extra: list[Failure] = []

    @property
    def listed(self) -> list[Failure]:
        """All items that ``failed.json`` names."""
        return [*self.failed, *self.damaged, *self.needing_extra]

    @property
    def passed_over(self) -> Counter[str]:
        """What the reader passed over, and the images that need an extra, by extension."""
        return self._reader.passed_over + needing_extra(self.needing_extra)

    def run(self, items: Iterable[ReadItem | UnreadableItem]) -> None:
        """Write what differs to the index; the caller makes the last commit.

        On ``KeyboardInterrupt``, what was hashed is committed first.

        Parameters
        ----------
        items
            The items of the dataset, in item order.
        """
        with Spool() as todo:
            self._plan(items, todo)
            self._total = len(todo)
            if self._total:
                self._committed = time.monotonic()
                try:
                    self._hash(map(_Work.from_plain, todo))
                    self._flush()
                except KeyboardInterrupt:
                    if self._seconds is not None and not self._writing:
                        self._flush()
                        self._checkpoint()
                    raise
        for location in self._moved.left():
            self._writer.remove(location)

    def _plan(self, items: Iterable[ReadItem | UnreadableItem], todo: Spool) -> None:
        """Compare the dataset with the index: collect what to read, and what the index has of files that are gone."""
        for number, difference in enumerate(compare(items, self._writer.base)):
            if isinstance(difference.item, UnreadableItem):
                self.failed.append(Failure(difference.item.id, difference.item.reason, kind=difference.item.kind))
                self._unreadable += 1
            elif difference.change is Change.UNCHANGED:
                self.counts.unchanged += 1
                if self._damaged_before and difference.item is not None:
                    self._still_damaged(difference.item, difference.item.id)
            elif difference.change is Change.KEPT:
                self.counts.kept += 1
            elif difference.item is None:
                self.counts.removed += 1
                self._leave(difference)
            else:
                todo.append(_Work.of(difference.item, difference.known, difference.location).to_plain())
                if difference.known is not None and not difference.known.has_media_of(difference.item):
                    self._leave(difference)
            if number % 1000 == 0:
                self._report("scan", number, None)
        self._moved.settle()

    def _leave(self, difference: Difference) -> None:
        """Note an item that is gone or has other content: its file may turn up under another name."""
        if difference.known is None or difference.location is None:
            return
        gone = difference.change is Change.GONE
        if difference.known.content:
            self._moved.add(difference.known.size, difference.known.content, difference.location, gone=gone)
        elif gone:
            self._writer.remove(difference.location)

    def _hash(self, todo: Iterator[_Work]) -> None:
        pixels = self._to_encode(todo)
        first = next(pixels, None)
        if first is None:
            return
        for (work, content), key in self._encoder.image_keys(itertools.chain([first], pixels)):
            if work.old is None:
                self.counts.added += 1
            else:
                self.counts.changed += 1
            self._add(work, content, key.tobytes())

    def _to_encode(self, todo: Iterator[_Work]) -> Iterator[tuple[tuple[_Work, int], Pixels]]:
        """Yield what has to be hashed, with its pixels, in order. Write the other items, and collect failures."""
        for work, result in self._ahead(todo):
            if isinstance(result, ImageNeedsExtra):
                listed = Failure(work.item.id, result.message, work.item.size, work.item.mtime_ns, NEEDS_EXTRA)
                self.needing_extra.append(listed)
                # Its hash key was made where the extra is installed.
                self.counts.kept += work.old is not None
                self._hashed()
            elif isinstance(result, ImageError):
                self.failed.append(Failure(work.item.id, result.message, work.item.size, work.item.mtime_ns))
                if work.old is not None:
                    self._writer.remove(work.old)
                self._hashed()
            elif result.pixels is not None:
                if result.damage:
                    self._list_damaged(work.item, f"{result.damage}, and is indexed as far as it goes")
                yield (work, result.content), result.pixels
            elif result.known is not None:
                self._reuse(work, result.content, result.known)

    def _list_damaged(self, item: ReadItem, reason: str) -> None:
        self.damaged.append(Failure(item.id, reason, item.size, item.mtime_ns, DAMAGED))

    def _still_damaged(self, item: ReadItem, old_id: str) -> None:
        """List an item again that is not decoded again, and was damaged under the id that it had."""
        before = self._damaged_before.get(old_id)
        if before is not None and before.size == item.size:
            self._list_damaged(item, before.reason)

    def _reuse(self, work: _Work, content: int, known: Location) -> None:
        if self._damaged_before and self._writer.base is not None:
            self._still_damaged(work.item, self._writer.base.rows([known])[0].id)
        if work.old == known:
            self.counts.touched += 1
        elif work.old is not None:
            self.counts.renamed += 1
        elif (before := self._moved.take(work.item.size, content)) is not None:
            self._writer.remove(before)
            self.counts.renamed += 1
            self.counts.removed -= 1
        else:  # a second copy of a file that was renamed, or that is still there under another name
            self.counts.added += 1
        base = self._writer.base
        if base is not None:
            self._add(work, content, base.key(known).tobytes())

    def _add(self, work: _Work, content: int, key: bytes) -> None:
        if work.old is not None:
            self._writer.remove(work.old)
        self._rows.append((work.item._replace(content=work.item.content or content), key))
        self._hashed()
        due = self._seconds is not None and time.monotonic() - self._committed >= self._seconds
        if due or len(self._rows) >= _ROWS_A_SEGMENT:
            self._flush()
        if due:
            self._checkpoint()

    def _flush(self) -> None:
        self._writing = True
        # Rows that need no encoder overtake those that wait for it.
        self._writer.add(sorted(self._rows, key=lambda pair: pair[0].order))
        self._rows.clear()
        self._writing = False

    def _checkpoint(self) -> None:
        self._writing = True
        self._writer.checkpoint()
        # The next build does not decode again what this one has written.
        write_failures(self._writer.folder, self.listed, self._reader.passed_over)
        self._committed = time.monotonic()
        self._writing = False

    def _ahead(self, todo: Iterator[_Work]) -> Iterator[tuple[_Work, _Read | ImageError]]:
        """Read and decode in threads, a bounded number of items ahead; yield the results in order."""
        pool = ThreadPoolExecutor(available_threads(), thread_name_prefix="clipdex-decode")

        def submit(work: _Work) -> tuple[_Work, Future[_Read]]:
            return work, pool.submit(self._read, work)

        try:
            ahead = deque(submit(work) for work in itertools.islice(todo, _LOOK_AHEAD))
            while ahead:
                work, future = ahead.popleft()
                try:
                    yield work, future.result()
                except ImageError as error:
                    yield work, error
                ahead.extend(submit(work) for work in itertools.islice(todo, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, work: _Work) -> _Read:
        """Read an item once, in any thread, and decode it unless the index has its content."""
        if work.as_is:
            return _Read(work.content, known=work.old)
        source = self._reader.open(work.item)
        with open_media(str(source)) if isinstance(source, Path) else source as file:
            if work.old is None and suffix_of(work.item.id) in READ_BY_EXTRA:
                require_decoder(file)
            content, image = _content(file)
            if work.content and content == work.content:
                return _Read(content, known=work.old)
            if (known := self._moved.find(work.item.size, content)) is not None:
                return _Read(content, known=known)
            settings = self._encoder.model.image
            decoded = decode(image, settings.background, max_pixels=self._max_pixels)
            return _Read(content, prepare(decoded.image, settings), damage=decoded.damage)

    def _hashed(self) -> None:
        done = self.counts.written + len(self.failed) + len(self.needing_extra) - self._unreadable
        self._report("hash", done, self._total)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(BuildProgress(phase, done, total, len(self.failed)))


def _content(file: IO[bytes]) -> tuple[int, IO[bytes]]:
    """Return the hash of a file's content, as an index keeps it, and the file to decode, set to its beginning.

    Raises
    ------
    ImageError
        When it cannot be read to its end.
    """
    try:
        data = file.read(_WHOLE_BYTES + 1)
        digest = hashlib.blake2b(data, digest_size=8)
        image: IO[bytes] = io.BytesIO(data)
        if len(data) > _WHOLE_BYTES:
            while data := file.read(_BLOCK):
                digest.update(data)
            file.seek(0)
            image = file
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return int.from_bytes(digest.digest(), "little", signed=True), image
