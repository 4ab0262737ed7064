"""Whole changes to an index on disk: each takes the lock, commits, and says what it did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipdex_indexes.answers import Written
from clipdex_indexes.errors import IndexNotFound, IndexWriteFailed
from clipdex_indexes.index import Index, Location
from clipdex_indexes.storage.manifest import ModelStamp
from clipdex_indexes.storage.table import ItemRow
from clipdex_indexes.writer import IndexWriter

_FORMAT, _WRITER = "keys", "clipdex_indexes"
# Looking an id up takes as long as reading so many rows.
_ROWS_A_LOOKUP = 64


def create(folder: Path, model: ModelStamp) -> None:
    """Make an empty index; raises ``IndexWriteFailed`` where there is one already."""
    with IndexWriter(folder) as writer:
        if writer.base is not None:
            raise IndexWriteFailed(f"there is an index in {folder} already: open it, or name another folder.")
        writer.start(model, _FORMAT, _WRITER)
        writer.commit()


def add(folder: Path, pairs: list[tuple[ItemRow, bytes]], *, wait: bool) -> Written:
    """Add items, in item order, or replace those of the same id and subset."""
    with IndexWriter(folder, wait=wait) as writer:
        base = _base(writer, folder)
        replaced = _locations(base, {(row.id, row.subset) for row, _ in pairs})
        for location in replaced:
            writer.remove(location)
        added = writer.add(pairs) - len(replaced)
        return Written(added, len(replaced), 0, 0, writer.commit(completes=False).items)


def remove(folder: Path, ids: list[str], subset: str, *, wait: bool) -> Written:
    """Remove the items of these ids."""
    with IndexWriter(folder, wait=wait) as writer:
        found = _locations(_base(writer, folder), {(one, subset) for one in ids})
        for location in found:
            writer.remove(location)
        return Written(0, 0, len(found), len(ids) - len(found), writer.commit(completes=False).items)


def optimize(folder: Path, *, wait: bool, waiting: Callable[[str], None] | None = None) -> Written:
    """Write everything into one segment, without removed items."""
    with IndexWriter(folder, wait=wait, waiting=waiting) as writer:
        _base(writer, folder)
        return Written(0, 0, 0, 0, writer.commit(optimize=True, completes=False).items)


def _base(writer: IndexWriter, folder: Path) -> Index:
    if writer.base is None:
        raise IndexNotFound(f"there is no index in {folder}.")
    return writer.base


def _locations(base: Index, wanted: set[tuple[str, str]]) -> list[Location]:
    if len(wanted) * _ROWS_A_LOOKUP > len(base):
        return [location for location, row in base.items() if (row.id, row.subset) in wanted]
    found = [base.locate(item_id, subset) for item_id, subset in wanted]
    return [location for location in found if location is not None]
