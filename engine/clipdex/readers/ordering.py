"""Sorting the items of any reader into item order, in bounded memory."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator

from clipdex.readers.base import DUPLICATE, Reader, ReadItem, UnreadableItem
from clipdex.readers.naming import shown
from clipdex_indexes import valid_item_id

_BATCH = 10_000


def in_item_order(
    reader: Reader, items: Iterator[ReadItem | UnreadableItem] | None = None
) -> Iterator[ReadItem | UnreadableItem]:
    """Yield what a reader reads in item order (code points of the id, then of the subset), each item once.

    Parameters
    ----------
    reader
        The reader.
    items
        What its ``read`` returned, where reading has begun already.
    """
    items = reader.read() if items is None else items
    yield from items if reader.in_order else sorted_items(items)


def sorted_items(items: Iterable[ReadItem | UnreadableItem]) -> Iterator[ReadItem | UnreadableItem]:
    """Yield items in item order, each once; what cannot be read comes first.

    A temporary database sorts them; it keeps on disk what does not fit its cache. Of items with the same id and subset
    the first is kept, and the others are reported.
    """
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as database:
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE item(id TEXT, subset TEXT, labels TEXT, size INTEGER, mtime INTEGER, media TEXT,"
            " content INTEGER); BEGIN;"
        )
        batch: list[tuple[object, ...]] = []
        for item in items:
            problem = _problem(item)
            if isinstance(item, UnreadableItem) or problem:
                yield item if isinstance(item, UnreadableItem) else UnreadableItem(shown(item.id), problem)
                continue
            batch.append(
                (item.id, item.subset, json.dumps(item.labels), item.size, item.mtime_ns, item.media, item.content)
            )
            if len(batch) == _BATCH:
                _insert(database, batch)
        _insert(database, batch)
        yield from _each_once(database)


def _problem(item: ReadItem | UnreadableItem) -> str:
    """Return why an index cannot keep an item as the reader gave it; empty where it can."""
    if isinstance(item, UnreadableItem):
        return ""
    if not valid_item_id(item.id):
        return "the id is no relative path of names"
    try:
        "".join((item.id, item.subset, item.media, *item.labels)).encode()
    except UnicodeEncodeError:
        return "a name is not valid UTF-8"
    return "" if "\0" not in item.media else "the path of the media has a NUL in it"


def _insert(database: sqlite3.Connection, batch: list[tuple[object, ...]]) -> None:
    database.executemany("INSERT INTO item VALUES (?,?,?,?,?,?,?)", batch)
    batch.clear()


def _each_once(database: sqlite3.Connection) -> Iterator[ReadItem | UnreadableItem]:
    last: tuple[str, str] | None = None
    # SQLite compares the bytes of UTF-8, which are in the order of code points.
    for item_id, subset, labels, *rest in database.execute("SELECT * FROM item ORDER BY id, subset, rowid"):
        if (item_id, subset) == last:
            yield UnreadableItem(item_id, f"another item of subset {subset} has this id", DUPLICATE)
            continue
        last = (item_id, subset)
        yield ReadItem(item_id, subset, tuple(json.loads(labels)), *rest)
