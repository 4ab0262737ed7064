"""How a dataset differs from its index, item by item."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from clipdex.readers import ReadItem, UnreadableItem
from clipdex.readers.base import AWAY, Unchanged
from clipdex_indexes import ItemRow, Location


class Change(Enum):
    """How an item of a dataset differs from the index."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    GONE = "gone"
    UNREADABLE = "unreadable"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Difference:
    """How one item differs.

    Attributes
    ----------
    change
        The kind of difference.
    item
        The item as it was read; None where it is gone or kept. Of ``Unchanged``, so many items.
    location, known
        Where the index has it, and its row there; None where the index does not have it, and for ``Unchanged``.
    """

    change: Change
    item: ReadItem | UnreadableItem | Unchanged | None
    location: Location | None
    known: ItemRow | None = None


def compare(
    items: Iterable[ReadItem | UnreadableItem | Unchanged], indexed: Iterable[tuple[Location, ItemRow]]
) -> Iterator[Difference]:
    """Compare a dataset with its index, item by item, in bounded memory.

    Both come in item order, so one pass over both is enough. An item is unchanged when the index has the same size,
    modification time, labels and path of its media, and the same content where the reader knows it. An item that is
    missing in a place that nobody can look at, or whose disk is away, is kept.

    Parameters
    ----------
    items
        The items of the dataset, in item order.
    indexed
        The items of its index with their locations, in item order, without those that ``Unchanged`` counts.
    """
    unseen: dict[str, UnreadableItem] = {}
    # What is away is no news before the index turns out to have items there.
    silent: set[str] = set()

    def missed(location: Location, row: ItemRow) -> Iterator[Difference]:
        place = _unseen_place(row.id, unseen)
        if place is None:
            yield Difference(Change.GONE, None, location, row)
            return
        if place in silent:
            silent.remove(place)
            yield Difference(Change.UNREADABLE, unseen[place], None)
        yield Difference(Change.KEPT, None, location, row)

    known = iter(indexed)
    old = next(known, None)
    for item in items:
        if isinstance(item, UnreadableItem):
            if item.unseen:
                unseen[item.id] = item
            if item.kind == AWAY:
                silent.add(item.id)
                continue
            yield Difference(Change.UNREADABLE, item, None)
            continue
        order = (item.folder, "") if isinstance(item, Unchanged) else item.order
        while old is not None and (old_order := old[1].order) < order:
            yield from missed(*old)
            old = next(known, None)
        if isinstance(item, Unchanged):
            yield Difference(Change.UNCHANGED, item, None)
            continue
        if old is None or old_order != order:
            yield Difference(Change.NEW, item, None)
            continue
        row = old[1]
        same = row.labels == item.labels and row.has_media_of(item) and item.content in (0, row.content)
        yield Difference(Change.UNCHANGED if same else Change.CHANGED, item, *old)
        old = next(known, None)
    while old is not None:
        yield from missed(*old)
        old = next(known, None)


def _unseen_place(item_id: str, unseen: Collection[str]) -> str | None:
    """Return the item itself, or a folder that it is in, if it could not be looked at."""
    if not unseen:
        return None
    path = PurePosixPath(item_id)
    return next((place for folder in (path, *path.parents) if (place := str(folder)) in unseen), None)
