"""clipdex: find images like this one, or like these words, in image datasets.

``build`` makes an index, and ``plan_build`` says what it would do. ``Explorer`` searches it, ``save_result`` saves
pictures of a ``Result``, ``save_html`` a page of it, and ``save_map`` a map. ``join`` makes one index of several,
``open_project`` reads a project. Every error is a ``ClipdexError``; ``clipdex.errors`` lists them.

Importing this package is fast: the first call that needs NumPy, FAISS or OpenVINO imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clipdex.version import VERSION as __version__

if TYPE_CHECKING:
    from clipdex.building.build import BuildReport, build
    from clipdex.building.dry_run import BuildPlan, plan_build
    from clipdex.building.events import BuildEvents, BuildProgress
    from clipdex.building.hash_keys import ExportReport, ImportReport, export_hash_keys, import_hash_keys
    from clipdex.building.joining import join
    from clipdex.building.settings import BuildSettings
    from clipdex.errors import ClipdexError
    from clipdex.mapping.dataset_map import DatasetMap
    from clipdex.projects.reading import open_project
    from clipdex.report.html_page import save_html
    from clipdex.report.map_saving import save_map
    from clipdex.report.save import save_result
    from clipdex.search.duplicate_settings import DuplicateSettings
    from clipdex.search.duplicates import find_duplicates
    from clipdex.search.duplicates_result import DuplicatesResult
    from clipdex.search.explorer import Explorer
    from clipdex.search.facets import Facets
    from clipdex.search.histogram import Histogram
    from clipdex.search.hit import Hit
    from clipdex.search.queries import DatasetItem, ImageQuery, ItemQuery, TextQuery
    from clipdex.search.request import SearchRequest
    from clipdex.search.result import Result, read_result
    from clipdex.search.tagging import Tag, Tagging
    from clipdex_indexes import ItemFilter

_LAZY = {
    "Explorer": "search.explorer",
    "DatasetItem": "search.queries",
    "build": "building.build",
    "plan_build": "building.dry_run",
    "BuildPlan": "building.dry_run",
    "BuildEvents": "building.events",
    "BuildProgress": "building.events",
    "BuildReport": "building.build",
    "BuildSettings": "building.settings",
    "join": "building.joining",
    "open_project": "projects.reading",
    "export_hash_keys": "building.hash_keys",
    "import_hash_keys": "building.hash_keys",
    "ExportReport": "building.hash_keys",
    "ImportReport": "building.hash_keys",
    "TextQuery": "search.queries",
    "ImageQuery": "search.queries",
    "ItemQuery": "search.queries",
    "ItemFilter": "search.filtering",
    "Facets": "search.facets",
    "Histogram": "search.histogram",
    "Tag": "search.tagging",
    "Tagging": "search.tagging",
    "SearchRequest": "search.request",
    "Result": "search.result",
    "Hit": "search.hit",
    "read_result": "search.result",
    "find_duplicates": "search.duplicates",
    "DuplicateSettings": "search.duplicate_settings",
    "DuplicatesResult": "search.duplicates_result",
    "save_html": "report.html_page",
    "save_result": "report.save",
    "DatasetMap": "mapping.dataset_map",
    "save_map": "report.map_saving",
    "ClipdexError": "errors",
}

__all__ = [
    "Explorer",
    "DatasetItem",
    "TextQuery",
    "ImageQuery",
    "ItemQuery",
    "ItemFilter",
    "SearchRequest",
    "Facets",
    "Histogram",
    "Tag",
    "Tagging",
    "Result",
    "Hit",
    "read_result",
    "find_duplicates",
    "DuplicateSettings",
    "DuplicatesResult",
    "save_result",
    "save_html",
    "DatasetMap",
    "save_map",
    "build",
    "BuildSettings",
    "BuildEvents",
    "BuildProgress",
    "BuildReport",
    "plan_build",
    "BuildPlan",
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
