"""How a dataset differs from its index, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from clipdex.readers import Reader, ReadItem, UnreadableItem
from clipdex.readers.ordering import in_item_order
from clipdex_indexes import Index, ItemRow, Location


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
    """One item: how it differs, as it was read (not when gone), and where and how the index has it (not when new)."""

    change: Change
    item: ReadItem | UnreadableItem | None
    location: Location | None
    known: ItemRow | None = None


def compare(reader: Reader, index: Index | None) -> Iterator[Difference]:
    """Compare a dataset with its index, item by item, in bounded memory: both come in item order.

    An item is unchanged when size, modification time, labels and place of its media are those of the index, and its
    content, where the reader knows it. One that is not found where nobody can look is kept.
    """
    unseen: set[str] = set()

    def missed(location: Location, row: ItemRow) -> Difference:
        return Difference(Change.KEPT if _is_unseen(row.id, unseen) else Change.GONE, None, location, row)

    known = iter(index.items()) if index is not None else iter(())
    old = next(known, None)
    for item in in_item_order(reader):
        if isinstance(item, UnreadableItem):
            if item.unseen:
                unseen.add(item.id)
            yield Difference(Change.UNREADABLE, item, None)
            continue
        while old is not None and old[1][:2] < item[:2]:
            yield missed(*old)
            old = next(known, None)
        if old is None or old[1][:2] != item[:2]:
            yield Difference(Change.NEW, item, None)
            continue
        same = old[1][2:6] == item[2:6] and item.content in (0, old[1].content)
        yield Difference(Change.UNCHANGED if same else Change.CHANGED, item, *old)
        old = next(known, None)
    while old is not None:
        yield missed(*old)
        old = next(known, None)


def _is_unseen(item_id: str, unseen: set[str]) -> bool:
    """Tell whether an item, or a folder that it is in, is among what could not be looked at."""
    if not unseen:
        return False
    path = PurePosixPath(item_id)
    return any(str(one) in unseen for one in (path, *path.parents))
