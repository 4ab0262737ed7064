"""Where formats come from: clipdex itself, installed packages, folders of plugins, Datumaro."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar

from clipdex.errors import ClipdexError, DatasetError
from clipdex.readers import plugins
from clipdex.readers.base import Reader


class Provider(ABC):
    """A source of formats. A format is imported when it is needed."""

    @abstractmethod
    def known(self) -> Collection[str]:
        """Return the names of its formats."""

    @abstractmethod
    def origin(self, name: str) -> str:
        """Return where a format comes from, in a word or two."""

    @abstractmethod
    def reader_class(self, name: str) -> type[Reader]:
        """Return the reader of one of its formats.

        Raises
        ------
        DatasetError
            When it cannot be imported.
        ExtraMissing
            When a package that it needs is not installed.
        """

    def about(self, name: str) -> str:
        """Describe one of its formats in a few words."""
        return self.reader_class(name).about

    def detect(self, location: Path, problems: list[str]) -> dict[str, str]:
        """Return why each of its formats may fit, by name; add a sentence to ``problems`` for a format that fails."""
        found = {}
        for name in self.known():
            try:
                why = self.reader_class(name).detect(location)
            except ClipdexError as error:
                problems.append(error.message)
            except Exception as error:  # noqa: BLE001 - may be code of others
                problems.append(
                    f"the format {name} ({self.origin(name)}) was left out: {type(error).__name__}: {error}."
                )
            else:
                if why:
                    found[name] = why
        return found

    def tried(self) -> list[str]:
        """Return the names of what ``detect`` looks for."""
        return list(self.known())

    def problems(self) -> list[str]:
        """Return sentences on what was left out, and why."""
        return []


class Core(Provider):
    """The formats of clipdex itself."""

    _READERS: ClassVar[Mapping[str, tuple[str, str]]] = {
        "folder": ("folder", "FolderReader"),
        "glob": ("globs", "GlobReader"),
        "list": ("path_lists", "PathListReader"),
        "csv": ("tables", "CsvReader"),
        "jsonl": ("tables", "JsonLinesReader"),
        "zip": ("archives", "ZipReader"),
        "tar": ("archives", "TarReader"),
        "coco": ("annotated.coco", "CocoReader"),
        "parquet": ("parquet", "ParquetReader"),
        "voc": ("annotated.voc", "VocReader"),
        "yolo": ("annotated.yolo", "YoloReader"),
        "cvat": ("annotated.cvat", "CvatReader"),
        "merged": ("merged", "MergedReader"),
    }

    def known(self) -> Collection[str]:
        """Return the names, in the order of the documentation."""
        return self._READERS

    def origin(self, name: str) -> str:
        """Return ``core``."""
        return "core"

    def reader_class(self, name: str) -> type[Reader]:
        """Import the reader of a format."""
        module, attribute = self._READERS[name]
        return plugins.checked_reader(getattr(importlib.import_module(f"clipdex.readers.{module}"), attribute), name)


class Installed(Provider):
    """The formats of installed packages, except those whose names are taken."""

    def __init__(self, taken: Collection[str]) -> None:
        points = plugins.installed()
        self._points = {name: point for name, point in points.items() if name not in taken}
        self._refused = {name: point for name, point in points.items() if name in taken}
        self._loaded: dict[str, type[Reader]] = {}

    def known(self) -> Collection[str]:
        """Return the names of the entry points."""
        return self._points

    def origin(self, name: str) -> str:
        """Return the package."""
        return f"package {plugins.package_of(self._points[name])}"

    def reader_class(self, name: str) -> type[Reader]:
        """Import the reader of an entry point."""
        if name not in self._loaded:
            self._loaded[name] = plugins.load_installed(self._points[name])
        return self._loaded[name]

    def problems(self) -> list[str]:
        """Return the formats that cannot be imported, and those whose names are taken."""
        found = [
            f"the format {name} of the package {plugins.package_of(point)} was left out: clipdex has one of that name."
            for name, point in self._refused.items()
        ]
        for name in self._points:
            try:
                self.reader_class(name)
            except ClipdexError as error:
                found.append(error.message)
        return found


class Folder(Provider):
    """The formats of a folder of plugins, except those whose names are taken."""

    def __init__(self, loaded: plugins.FolderPlugins, taken: Collection[str]) -> None:
        self.folder = loaded.folder
        self._readers = {name: reader for name, reader in loaded.readers.items() if name not in taken}
        refused = (name for name in loaded.readers if name in taken)
        self._problems = [
            *loaded.problems,
            *(f"the format {name} of {loaded.folder} was left out: clipdex has one of that name." for name in refused),
        ]

    def known(self) -> Collection[str]:
        """Return the names of its formats."""
        return self._readers

    def origin(self, name: str) -> str:
        """Return the folder."""
        return f"plugins in {self.folder}"

    def reader_class(self, name: str) -> type[Reader]:
        """Return the reader of a format."""
        return self._readers[name]

    def problems(self) -> list[str]:
        """Return what was left out."""
        return self._problems


class Datumaro(Provider):
    """The formats that Datumaro reads; it is imported when one of them is read.

    A format whose name clipdex has itself is called ``datumaro:NAME``, and is never found by looking.

    Parameters
    ----------
    taken
        Names of formats of clipdex.
    """

    PREFIX = "datumaro:"
    _MODULE = "clipdex.readers.datumaro.formats"

    def __init__(self, taken: Collection[str]) -> None:
        names: Mapping[str, str] = importlib.import_module(self._MODULE).names()
        self._names = {self.PREFIX + name if name in taken else name: about for name, about in names.items()}

    def known(self) -> Collection[str]:
        """Return the names, whether Datumaro is installed or not."""
        return self._names

    def origin(self, name: str) -> str:
        """Return ``datumaro``."""
        return "datumaro"

    def about(self, name: str) -> str:
        """Describe a format without importing anything."""
        return self._names[name]

    def reader_class(self, name: str) -> type[Reader]:
        """Return the reader of a format."""
        reader: type[Reader] = importlib.import_module(self._MODULE).reader_class(name.removeprefix(self.PREFIX), name)
        return reader

    def detect(self, location: Path, problems: list[str]) -> dict[str, str]:
        """Return why each format may fit, by name."""
        try:
            found = dict(importlib.import_module(self._MODULE).detect(location))
        except DatasetError as error:
            problems.append(error.message)
            return {}
        return {name: why for name, why in found.items() if name in self._names}

    def tried(self) -> list[str]:
        """Return one phrase for all: they are too many to name."""
        return ["the formats of Datumaro"] if self._names else []
