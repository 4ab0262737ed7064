"""clipdex: find images like this one, or like these words, in image datasets.

``build`` makes an index, ``Explorer`` asks it, ``save_result`` saves pictures of a ``Result``, ``join`` makes one index
of several, ``open_project`` reads a project. Every error is a ``ClipdexError``; ``clipdex.errors`` has them all.

Importing this package is cheap: NumPy, FAISS and OpenVINO are imported by the first call that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clipdex.version import VERSION as __version__

if TYPE_CHECKING:
    from clipdex.building import BuildReport, build
    from clipdex.duplicates import DuplicatesResult, find_duplicates
    from clipdex.errors import ClipdexError
    from clipdex.explorer import DatasetItem, Explorer
    from clipdex.hash_keys import ExportReport, ImportReport, export_hash_keys, import_hash_keys
    from clipdex.joining import join
    from clipdex.pipeline import BuildProgress
    from clipdex.projects.reading import open_project
    from clipdex.queries import ImageQuery, ItemQuery, TextQuery
    from clipdex.report.save import save_result
    from clipdex.result import Hit, Result, read_result
    from clipdex_indexes import ItemFilter

_LAZY = {
    "Explorer": "explorer",
    "DatasetItem": "explorer",
    "build": "building",
    "BuildProgress": "pipeline",
    "BuildReport": "building",
    "join": "joining",
    "open_project": "projects.reading",
    "export_hash_keys": "hash_keys",
    "import_hash_keys": "hash_keys",
    "ExportReport": "hash_keys",
    "ImportReport": "hash_keys",
    "TextQuery": "queries",
    "ImageQuery": "queries",
    "ItemQuery": "queries",
    "ItemFilter": "filtering",
    "Result": "result",
    "Hit": "result",
    "read_result": "result",
    "find_duplicates": "duplicates",
    "DuplicatesResult": "duplicates",
    "save_result": "report.save",
    "ClipdexError": "errors",
}

__all__ = [
    "Explorer",
    "DatasetItem",
    "TextQuery",
    "ImageQuery",
    "ItemQuery",
    "ItemFilter",
    "Result",
    "Hit",
    "read_result",
    "find_duplicates",
    "DuplicatesResult",
    "save_result",
    "build",
    "BuildProgress",
    "BuildReport",
    "join",
    "open_project",
    "export_hash_keys",
    "ExportReport",
    "import_hash_keys",
    "ImportReport",
    "ClipdexError",
    "__version__",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        return getattr(importlib.import_module(f"clipdex.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
