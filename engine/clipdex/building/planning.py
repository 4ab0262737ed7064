"""What a build has to do: one pass over a dataset and its index, before anything is hashed or written.

A spool keeps what differs, in a temporary file where it is long. An item whose file is gone may have been moved: its
content is looked for among the new files only where so much is gone that a build should ask first.
"""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, TypeVar, cast

from clipdex.building.losses import Guard, Loss, Losses
from clipdex.building.moved_files import MovedFiles
from clipdex.building.spool import Plain, Spool
from clipdex.building.taking_over import Offer, OtherIndexes
from clipdex.datasets.comparing import Change, Difference, compare
from clipdex.datasets.failures import Failure, of_item
from clipdex.errors import ImageError
from clipdex.media.contents import content_of
from clipdex.media.opening import open_media
from clipdex.readers import Reader, ReadItem, UnreadableItem
from clipdex.readers.base import DAMAGED, Unchanged
from clipdex_indexes import ItemRow, Location, Snapshot
from clipdex_indexes.arrays import Masks
from clipdex_indexes.kernels.threads import available_threads
from clipdex_indexes.known import KnownItems

# Images read, or being read, ahead of what uses them: enough to smooth out a few large ones.
_LOOK_AHEAD = 32
_ROWS_AT_ONCE = 10_000
_YIELDED = (ReadItem, UnreadableItem, Unchanged)
_T = TypeVar("_T")
_W = TypeVar("_W")


class Work(NamedTuple):
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
    offer
        What another index has of the file; None where none has anything.
    """

    item: ReadItem
    old: Location | None
    content: int
    as_is: bool
    offer: Offer | None = None

    @classmethod
    def of(cls, item: ReadItem, known: ItemRow | None, location: Location | None) -> Work:
        """Compare an item with what the index has of it."""
        if known is None or location is None:
            return cls(item, None, 0, False)
        as_is = known.has_media_of(item) and item.content in (0, known.content)
        comparable = as_is or known.size == item.size
        return cls(item, location, known.content if comparable else 0, as_is)

    def to_plain(self) -> Plain:
        """Return it as a spool keeps it."""
        old, offer = (None if one is None else tuple(one) for one in (self.old, self.offer))
        return tuple(self.item), old, self.content, self.as_is, offer

    @classmethod
    def from_plain(cls, plain: Plain) -> Work:
        """Return it from what a spool kept."""
        item, old, content, as_is, offer = cast("tuple[Any, tuple[int, int] | None, int, bool, Any]", plain)
        return cls(
            ReadItem(*item),
            Location(*old) if old is not None else None,
            content,
            as_is,
            Offer(*offer) if offer is not None else None,
        )

    def offered(self, offer: Offer | None) -> Work:
        """Return it with what another index has of the file; the content is known then, where that is the same file."""
        if offer is None or self.as_is:
            return self
        item = self.item._replace(content=offer.content) if offer.same else self.item
        return self._replace(item=item, offer=offer)


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


class Plan:
    """What a build has to do. Enter it, call ``compare``, then look at it.

    Parameters
    ----------
    reader
        The dataset.
    base
        Its index; None where it has none.
    before
        What the last build listed: an item that is not read again is damaged as it was.
    others
        Other indexes that may have hash keys of the dataset, entered; None where nothing is taken over.

    Attributes
    ----------
    base
        As given.
    counts
        How many items are unchanged, removed and kept. Who carries the plan out counts the others.
    failed
        What cannot be read at all.
    damaged
        Items that were damaged, and are not read again.
    todo
        What to read, as ``Work.from_plain`` takes it.
    moved
        What the index has of files that are gone or have other content.
    seen
        Number of images of the dataset.
    """

    def __init__(
        self,
        reader: Reader,
        base: Snapshot | None,
        before: Sequence[Failure] = (),
        others: OtherIndexes | None = None,
    ) -> None:
        self._reader = reader
        self.base = base
        self._others = others
        self._losses = Losses()
        # Items that are gone and whose content is not known, so that they cannot be found again.
        self._lost = array("q")
        self.counts = Counts()
        self.failed: list[Failure] = []
        self.damaged: list[Failure] = []
        self._damaged_before = {failure.id: failure for failure in before if failure.kind == DAMAGED}
        self.todo: Spool
        self.moved = MovedFiles()
        self.seen = 0

    def __enter__(self) -> Plan:
        self.todo = Spool()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.todo.__exit__(kind, error, trace)

    def compare(
        self,
        items: Iterable[ReadItem | UnreadableItem | Unchanged],
        scanned: Callable[[int], None] | None = None,
        known: KnownItems | None = None,
    ) -> None:
        """Compare the dataset with the index.

        Parameters
        ----------
        items
            The items of the dataset, in item order.
        scanned
            Called now and then with the number of items that were looked at.
        known
            What ticks items of the index off while ``items`` are taken; None where ``items`` are all.
        """
        counted = items if scanned is None else _counting(items, scanned)
        if self.base is None or known is None:
            self._note_all(counted, None)
        else:
            # All are read before the first is compared: then it is known which items of the index are left.
            with Spool() as unlike:
                for item in counted:
                    unlike.append(_to_plain(item))
                self._note_all(map(_from_plain, unlike), known.left())
        self.moved.settle()

    def _note_all(self, items: Iterable[ReadItem | UnreadableItem | Unchanged], left: Masks | None) -> None:
        for difference in compare(items, self.base.items(left) if self.base is not None else ()):
            self._note(difference)

    def _note(self, difference: Difference) -> None:
        item, known = difference.item, difference.known
        if isinstance(item, UnreadableItem):
            self.failed.append(of_item(item))
            return
        if isinstance(item, Unchanged):
            self.seen += item.count
            self.counts.unchanged += item.count
            self._losses.see_unchanged(*item)
            return
        self.seen += item is not None
        if known is not None:
            self._losses.see(known, gone=difference.change is Change.GONE)
        if difference.change is Change.UNCHANGED:
            self.counts.unchanged += 1
            if item is not None:
                self.still_damaged(item, lambda: item.id)
        elif difference.change is Change.KEPT:
            self.counts.kept += 1
        elif item is None:
            self.counts.removed += 1
            self._leave(difference)
        else:
            work = Work.of(item, known, difference.location)
            if self._others is not None and not work.as_is:
                work = work.offered(self._others.offer(item))
            self.todo.append(work.to_plain())
            if known is not None and not known.has_media_of(item):
                self._leave(difference)

    def still_damaged(self, item: ReadItem, old_id: Callable[[], str]) -> None:
        """List an item that is not decoded again, if it was damaged under the id that it had."""
        if not self._damaged_before:
            return
        before = self._damaged_before.get(old_id())
        if before is not None and before.size == item.size:
            self.damaged.append(Failure(item.id, before.reason, item.size, item.mtime_ns, DAMAGED))

    def _leave(self, difference: Difference) -> None:
        """Note an item that is gone or has other content: its file may turn up under another name."""
        if difference.known is None or difference.location is None:
            return
        gone = difference.change is Change.GONE
        if difference.known.content:
            self.moved.add(difference.known.size, difference.known.content, difference.location, gone=gone)
        elif gone:
            self._lost.extend(difference.location)

    def gone(self) -> Iterator[Location]:
        """Yield the items that are gone, but for those that ``moved.take`` returned."""
        yield from self.moved.left()
        lost = iter(self._lost)
        yield from map(Location, lost, lost)

    def works(self) -> Iterator[Work]:
        """Yield what to read."""
        return map(Work.from_plain, self.todo)

    def require_little_loss(self, guard: Guard, *, keeps: bool = True) -> None:
        """Refuse what would drop much of the index.

        Parameters
        ----------
        guard
            What refuses.
        keeps
            Whether the index keeps the items that could not be looked at; a new index does not have them.

        Raises
        ------
        DatasetEmpty
            When no image was seen, and the index has some that nothing keeps.
        DatasetShrunk
            When more than half of the index is gone, or all of a folder, and was not moved.
        """
        if not self.seen and (self.counts.removed or (self.counts.kept and not keeps)):
            guard.refuse_none_seen(self._losses.known)
        if self.counts.kept and not keeps:
            guard.refuse_unseen(self.counts.kept)
        if self._losses.all_gone().is_large:
            self._find_moved()
            guard.refuse_if_large(self.loss())
            self.moved.put_back()

    def require_replaceable(self, guard: Guard, *, as_before: bool) -> None:
        """Refuse to replace the index by a new one with much less, which does not keep what could not be looked at.

        Parameters
        ----------
        guard
            What refuses.
        as_before
            Whether the dataset is read as it was for the index, so that the two can be compared.

        Raises
        ------
        DatasetEmpty, DatasetShrunk
            As from ``require_little_loss``.
        """
        if as_before:
            self.require_little_loss(guard, keeps=False)
        elif not self.seen and self._losses.known:
            guard.refuse_none_seen(self._losses.known)

    def loss(self, others: int = 0) -> Loss:
        """Return what would be dropped: what ``gone`` yields, and a number of other items."""
        return self._losses.of(self.rows_gone(), others)

    def rows_gone(self) -> Iterator[ItemRow]:
        """Yield what the index has of the items that ``gone`` yields."""
        gone = self.gone()
        while self.base is not None and (some := list(itertools.islice(gone, _ROWS_AT_ONCE))):
            yield from self.base.rows(some)

    def _find_moved(self) -> None:
        """Take from ``moved`` what is among the new files, and note their content, so that they are read only once."""
        sizes = self.moved.sizes()

        def content(work: Work) -> int:
            if work.old is not None or work.item.content or work.item.size not in sizes:
                return work.item.content
            return read_content(self._reader, work.item)

        found = Spool()
        for work, result in ahead(self.works(), content):
            known = 0 if isinstance(result, ImageError) else result
            if work.old is None and known:
                self.moved.take(work.item.size, known)
                work = work._replace(item=work.item._replace(content=known))
            found.append(work.to_plain())
        self.todo.__exit__(None, None, None)
        self.todo = found


def _counting(items: Iterable[_T], scanned: Callable[[int], None]) -> Iterator[_T]:
    """Yield items, and tell about every thousandth how many there were."""
    number, told = 0, -1
    for item in items:
        if number // 1000 > told:
            scanned(number)
            told = number // 1000
        yield item
        number += item.count if isinstance(item, Unchanged) else 1


def _to_plain(item: ReadItem | UnreadableItem | Unchanged) -> Plain:
    """Return what a reader yields as a spool keeps it."""
    values = astuple(item) if isinstance(item, UnreadableItem) else tuple(item)
    return _YIELDED.index(type(item)), values


def _from_plain(plain: Plain) -> ReadItem | UnreadableItem | Unchanged:
    """Return it from what a spool kept."""
    kind, values = cast("tuple[int, tuple[Any, ...]]", plain)
    return _YIELDED[kind](*values)


def ahead(works: Iterator[_W], read: Callable[[_W], _T]) -> Iterator[tuple[_W, _T | ImageError]]:
    """Call a function in threads, a bounded number of items ahead; yield the results, or what it raised, in order."""
    pool = ThreadPoolExecutor(available_threads(), thread_name_prefix="clipdex-decode")

    def submit(work: _W) -> tuple[_W, Future[_T]]:
        return work, pool.submit(read, work)

    try:
        waiting = deque(submit(work) for work in itertools.islice(works, _LOOK_AHEAD))
        while waiting:
            work, future = waiting.popleft()
            try:
                yield work, future.result()
            except ImageError as error:
                yield work, error
            waiting.extend(submit(work) for work in itertools.islice(works, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def opened(reader: Reader, item: ReadItem) -> IO[bytes]:
    """Open the media of an item.

    Raises
    ------
    ImageError
        When it is not there.
    """
    source = reader.open(item)
    return open_media(str(source)) if isinstance(source, Path) else source


def read_content(reader: Reader, item: ReadItem) -> int:
    """Return the hash of an item's content; errors as of ``content_of``."""
    with opened(reader, item) as file:
        return content_of(file)[0]
