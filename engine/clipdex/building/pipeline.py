"""The pipeline of a build: compare, read, decode, hash, and commit as it goes.

First, a plan finds what differs (``planning``). Then the pipeline pulls: the index asks for rows, the encoder makes
them from pixels, and threads decode the next images ahead, a bounded number of them, because Pillow releases the GIL.
The order of the items is kept throughout. Last, what is gone is removed.

Each file is read once. The hash of its content tells whether the index has that content already, under the same id (the
item was touched) or another one (renamed); then nothing is decoded. A file that cannot be read is listed with the
reason and left out; one that is damaged, and decoded as far as it goes, is listed too. What was hashed is committed
every few seconds, and on ``KeyboardInterrupt``.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex.building.events import BuildProgress, Progress
from clipdex.building.losses import Guard
from clipdex.building.planning import Plan, Work, ahead, opened
from clipdex.building.taking_over import Offer
from clipdex.datasets.failures import Failure, Listed, needing_extra, of_annotations, write_listed
from clipdex.encoder import Encoder, decode_to_hash, prepare
from clipdex.errors import ImageError, ImageNeedsExtra
from clipdex.media.contents import content_of
from clipdex.media.kinds import READ_BY_EXTRA, suffix_of
from clipdex.media.mending import require_decoder
from clipdex.readers import Reader, ReadItem, UnreadableItem
from clipdex.readers.base import DAMAGED, NEEDS_EXTRA, Unchanged
from clipdex.wording import counted
from clipdex_indexes import IndexWriter, ItemRow, Location
from clipdex_indexes.known import KnownItems

_ROWS_A_SEGMENT = 50_000

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Read:
    """An item that was read: the hash of its content, and its pixels, or where its hash key is.

    ``known`` is where the index has the key, ``offer`` what another index has of it. ``damage`` is what is wrong with
    the file of the pixels; empty where nothing is.
    """

    content: int
    pixels: Pixels | None = None
    known: Location | None = None
    damage: str = ""
    offer: Offer | None = None


class Run:
    """One build in progress.

    Parameters
    ----------
    reader
        The dataset.
    plan
        The plan of the build, not entered.
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
    guard
        What refuses to drop much of the index; None drops it.

    Attributes
    ----------
    counts
        Numbers of items of each outcome.
    failed, damaged, needing_extra
        Items that failed; that are in the index as far as their files go; that an optional package would read.
    broken
        What could not be read or decoded.
    passed_over
        What was passed over, as ``Reader.passed_over`` has it, and the items that need an extra.
    taken_over
        Numbers of items whose hash keys were taken from other indexes, by the dataset of those.
    """

    def __init__(
        self,
        reader: Reader,
        plan: Plan,
        encoder: Encoder,
        writer: IndexWriter,
        max_pixels: int,
        checkpoint_seconds: float | None,
        progress: Progress | None,
        guard: Guard | None = None,
    ) -> None:
        self._reader = reader
        self._encoder = encoder
        self._writer = writer
        self._max_pixels = max_pixels
        self._seconds = checkpoint_seconds
        self._progress = progress
        self._rows: list[tuple[ItemRow, bytes]] = []
        self._committed = time.monotonic()
        self._total = self._unreadable = 0
        # Where a write was interrupted, there is nothing complete to commit.
        self._writing = False
        self._plan = plan
        self._guard = guard
        self.counts = self._plan.counts
        self.failed = self._plan.failed
        self.damaged = self._plan.damaged
        self.needing_extra: list[Failure] = []
        self.broken: list[Work] = []
        self.taken_over: Counter[str] = Counter()

    @property
    def listed(self) -> Listed:
        """All that ``failed.json`` tells."""
        problems = self._reader.annotation_problems
        return Listed(
            [*self.failed, *self.damaged, *self.needing_extra, *of_annotations(problems)],
            self._reader.passed_over,
            problems.count,
            tuple(self._reader.remarks),
        )

    @property
    def passed_over(self) -> Counter[str]:
        """What the reader passed over, and the images that need an extra, by extension."""
        return self._reader.passed_over + needing_extra(self.needing_extra)

    @property
    def unread(self) -> str:
        """A sentence on the files that are there and could not be read or decoded; empty where there are none."""
        failed = self.failed[self._unreadable :]
        if not failed:
            return ""
        are = "is" if len(failed) == 1 else "are"
        example = f"{failed[0].id} ({failed[0].reason})"
        return f" {counted(len(failed), 'file')} {are} there and cannot be read, such as {example}."

    def run(self, items: Iterable[ReadItem | UnreadableItem | Unchanged], known: KnownItems | None = None) -> None:
        """Write what differs to the index; the caller makes the last commit.

        On ``KeyboardInterrupt``, what was hashed is committed first.

        Parameters
        ----------
        items, known
            The items of the dataset, as ``Plan.compare`` takes them.

        Raises
        ------
        DatasetEmpty, DatasetShrunk
            When ``guard`` refuses.
        """
        with self._plan as plan:
            plan.compare(items, lambda number: self._report("scan", number, None), known)
            if self._guard is not None:
                plan.require_little_loss(self._guard)
            self._unreadable = len(plan.failed)
            self._total = len(plan.todo)
            if self._total:
                self._committed = time.monotonic()
                try:
                    self._hash(plan.works())
                    self._flush()
                except KeyboardInterrupt:
                    if self._seconds is not None and not self._writing:
                        self._flush()
                        self._checkpoint()
                    raise
        self._drop()

    def _drop(self) -> None:
        """Remove what is gone, and what cannot be read any more."""
        broken = [work.old for work in self.broken if work.old is not None]
        if broken and self._guard is not None:
            loss = self._plan.loss(len(broken))
            if not self.counts.written and loss.dropped == loss.known:
                self._guard.refuse_none_seen(loss.known, self.unread)
            self._guard.refuse_if_large(loss, self.unread)
        for location in (*broken, *self._plan.gone()):
            self._writer.remove(location)

    def _hash(self, todo: Iterator[Work]) -> None:
        pixels = self._to_encode(todo)
        first = next(pixels, None)
        if first is None:
            return
        for (work, content), key in self._encoder.image_keys(itertools.chain([first], pixels)):
            self._add_new(work, content, key.tobytes())

    def _add_new(self, work: Work, content: int, key: bytes) -> None:
        """Write an item of which the index does not have the content."""
        if work.old is None:
            self.counts.added += 1
        else:
            self.counts.changed += 1
        self._add(work, content, key)

    def _to_encode(self, todo: Iterator[Work]) -> Iterator[tuple[tuple[Work, int], Pixels]]:
        """Yield what has to be hashed, with its pixels, in order. Write the other items, and collect failures."""
        for work, result in ahead(todo, self._read):
            if isinstance(result, ImageNeedsExtra):
                listed = Failure(work.item.id, result.message, work.item.size, work.item.mtime_ns, NEEDS_EXTRA)
                self.needing_extra.append(listed)
                # Its hash key was made where the extra is installed.
                self.counts.kept += work.old is not None
                self._hashed()
            elif isinstance(result, ImageError):
                self.failed.append(Failure(work.item.id, result.message, work.item.size, work.item.mtime_ns))
                self.broken.append(work)
                self._hashed()
            elif result.pixels is not None:
                if result.damage:
                    self._list_damaged(work.item, f"{result.damage}, and is indexed as far as it goes")
                yield (work, result.content), result.pixels
            elif result.known is not None:
                self._reuse(work, result.content, result.known)
            elif result.offer is not None:
                self.taken_over[result.offer.source] += 1
                self._add_new(work, result.content, result.offer.key)

    def _list_damaged(self, item: ReadItem, reason: str) -> None:
        self.damaged.append(Failure(item.id, reason, item.size, item.mtime_ns, DAMAGED))

    def _reuse(self, work: Work, content: int, known: Location) -> None:
        base = self._writer.base
        if base is not None:
            self._plan.still_damaged(work.item, lambda: base.rows([known])[0].id)
        if work.old == known:
            self.counts.touched += 1
        elif work.old is not None:
            self.counts.renamed += 1
        elif (before := self._plan.moved.take(work.item.size, content)) is not None:
            self._writer.remove(before)
            self.counts.renamed += 1
            self.counts.removed -= 1
        else:  # a second copy of a file that was renamed, or that is still there under another name
            self.counts.added += 1
        if base is not None:
            self._add(work, content, base.key(known).tobytes())

    def _add(self, work: Work, content: int, key: bytes) -> None:
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
        write_listed(self._writer.folder, self.listed)
        self._committed = time.monotonic()
        self._writing = False

    def _read(self, work: Work) -> _Read:
        """Read an item once, in any thread, and decode it unless the index has its content."""
        if work.as_is:
            return _Read(work.content, known=work.old)
        offer = work.offer
        is_same = offer is not None and offer.same
        if (is_same or work.old is None) and (content := work.item.content):
            known = self._known(work, content)
            if known is not None:
                return _Read(content, known=known)
        if is_same:
            return _Read(work.item.content, offer=offer)
        with opened(self._reader, work.item) as file:
            if work.old is None and suffix_of(work.item.id) in READ_BY_EXTRA:
                require_decoder(file)
            content, image = content_of(file)
            if (known := self._known(work, content)) is not None:
                return _Read(content, known=known)
            if offer is not None and content == offer.content:
                return _Read(content, offer=offer)
            settings = self._encoder.model.image
            decoded = decode_to_hash(image, settings, self._max_pixels)
            return _Read(content, prepare(decoded.image, settings, decoded.beyond), damage=decoded.damage)

    def _known(self, work: Work, content: int) -> Location | None:
        """Return where the index has the content of an item, under its id or that of a file that was moved."""
        if work.content and content == work.content:
            return work.old
        return self._plan.moved.find(work.item.size, content)

    def _hashed(self) -> None:
        done = self.counts.written + len(self.failed) + len(self.needing_extra) - self._unreadable
        self._report("hash", done, self._total)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(BuildProgress(phase, done, total, len(self.failed)))
