"""Readers: each turns a location in one format into the items of a dataset.

A reader is a class with the name of a format. ``formats`` finds it by that name, or finds the format that fits a
location, among the readers of clipdex, of a project's folder, of installed packages and of Datumaro. This room must not
know what becomes of the items: no index, no model, no query.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clipdex.media.opening import add_kind

if TYPE_CHECKING:
    from clipdex.readers.base import Reader, ReadItem, UnreadableItem
    from clipdex.readers.folder import FolderReader
    from clipdex.readers.naming import IGNORE_MARK

# A query reads no dataset.
_LAZY = {
    "IGNORE_MARK": "naming",
    "FolderReader": "folder",
    "ReadItem": "base",
    "Reader": "base",
    "UnreadableItem": "base",
}

__all__ = ["IGNORE_MARK", "FolderReader", "ReadItem", "Reader", "UnreadableItem"]

# It tells its members by their names alone, which files in an archive may have too: so it comes last.
add_kind("clipdex.readers.datumaro.media")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        return getattr(importlib.import_module(f"clipdex.readers.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
