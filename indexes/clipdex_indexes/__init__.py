"""Exact Hamming search over hash keys, kept on disk with the items they belong to.

This package knows bytes, bits and item tables, and nothing of images or models. Importing it is cheap: NumPy is
imported when an index is first opened, FAISS when searches compare many keys.

From top to bottom, each module uses only those below it:

- ``index`` is the face: create, open, add, remove, search. ``memory`` has the same interface without files.
- ``writer`` changes an index. ``searching``, ``combining`` and ``filters`` find items in it. ``answers`` checks the
  arguments of the face and holds its answers.
- ``snapshot`` is the open state of an index that all of these read.
- ``kernels`` compares arrays of keys and knows nothing of files. ``storage`` writes and reads files and compares
  nothing.
- ``arrays`` names the types of arrays, ``errors`` has the errors.

Items are in *item order* throughout: by id, then subset, compared by code points. Rows of a segment are in item order,
so an id is found by bisection, and a dataset is compared with its index in one pass over both, in bounded memory.

An index may come from elsewhere, so it is untrusted input. ``storage.manifest``, ``storage.segment`` and
``storage.table`` check what they read, in bounded time and memory. Whatever is wrong ends in an error of ``errors``.
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
    TagsFailure,
)

if TYPE_CHECKING:
    from clipdex_indexes.answers import Answers, RangeAnswer, Written
    from clipdex_indexes.filters import ItemFilter
    from clipdex_indexes.index import Index
    from clipdex_indexes.memory import MemoryIndex
    from clipdex_indexes.searching import Found, search
    from clipdex_indexes.snapshot import Location, Snapshot
    from clipdex_indexes.storage.columns import TableCounts
    from clipdex_indexes.storage.manifest import Manifest, ModelStamp, read_manifest
    from clipdex_indexes.storage.table import ItemRow, valid_item_id
    from clipdex_indexes.storage.verifying import Verification
    from clipdex_indexes.writer import Commit, IndexWriter

_LAZY = {
    "Index": "index",
    "ItemFilter": "filters",
    "Snapshot": "snapshot",
    "Location": "snapshot",
    "Found": "searching",
    "search": "searching",
    "Manifest": "storage.manifest",
    "ModelStamp": "storage.manifest",
    "read_manifest": "storage.manifest",
    "ItemRow": "storage.table",
    "TableCounts": "storage.columns",
    "valid_item_id": "storage.table",
    "MemoryIndex": "memory",
    "Answers": "answers",
    "RangeAnswer": "answers",
    "Written": "answers",
    "Verification": "storage.verifying",
    "Commit": "writer",
    "IndexWriter": "writer",
}

__all__ = [
    "Index",
    "Snapshot",
    "MemoryIndex",
    "Answers",
    "RangeAnswer",
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
    "TagsFailure",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        return getattr(importlib.import_module(f"clipdex_indexes.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
