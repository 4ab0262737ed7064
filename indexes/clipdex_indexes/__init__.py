"""Exact Hamming search over hash keys, kept on disk with the items they belong to.

This package knows bytes, bits and item tables, and nothing of images or models. Importing it is cheap: FAISS is
imported when an index is first opened or written.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clipdex_indexes.errors import (
    ClipdexError,
    IndexCorrupt,
    IndexFailure,
    IndexLocked,
    IndexNotFound,
    IndexTooNew,
    IndexWriteFailed,
)

if TYPE_CHECKING:
    from clipdex_indexes.answers import Answers, Written
    from clipdex_indexes.filters import ItemFilter
    from clipdex_indexes.index import Found, Index, Location, search
    from clipdex_indexes.memory import MemoryIndex
    from clipdex_indexes.storage.manifest import Manifest, ModelStamp, read_manifest
    from clipdex_indexes.storage.table import ItemRow, TableCounts, valid_item_id
    from clipdex_indexes.storage.verifying import Verification
    from clipdex_indexes.writer import Commit, IndexWriter

_LAZY = {
    "Index": "index",
    "ItemFilter": "filters",
    "Found": "index",
    "Location": "index",
    "search": "index",
    "Manifest": "storage.manifest",
    "ModelStamp": "storage.manifest",
    "read_manifest": "storage.manifest",
    "ItemRow": "storage.table",
    "TableCounts": "storage.table",
    "valid_item_id": "storage.table",
    "MemoryIndex": "memory",
    "Answers": "answers",
    "Written": "answers",
    "Verification": "storage.verifying",
    "Commit": "writer",
    "IndexWriter": "writer",
}

__all__ = [
    "Index",
    "MemoryIndex",
    "Answers",
    "Written",
    "Verification",
    "IndexWriter",
    "search",
    "ItemFilter",
    "Found",
    "Location",
    "ItemRow",
    "TableCounts",
    "Commit",
    "Manifest",
    "ModelStamp",
    "read_manifest",
    "valid_item_id",
    "ClipdexError",
    "IndexFailure",
    "IndexNotFound",
    "IndexCorrupt",
    "IndexTooNew",
    "IndexLocked",
    "IndexWriteFailed",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        return getattr(importlib.import_module(f"clipdex_indexes.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
