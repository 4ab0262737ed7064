"""The files and folders of a dataset at a glance, to tell its format: a bounded number of names and bytes."""

from __future__ import annotations

import fnmatch
import itertools
import os
from collections.abc import Collection
from pathlib import Path

from clipdex.readers.encodings import text_bytes

# Of a folder no more names are looked at, of what a pattern matches no more paths, and of a file no more bytes.
_MOST_NAMES = 2000
_MOST_PATHS = 50
_MOST_BYTES = 4096


class Layout:
    """The files and folders below a location, listed when they are needed; empty where they cannot be read.

    Parameters
    ----------
    location
        The folder, or the file.
    without
        Extensions, in lower case, of files that are not listed, so that very many of them hide nothing else.
    """

    def __init__(self, location: Path, without: Collection[str] = ()) -> None:
        self.location = location
        self._without = without
        self._listed: dict[str, list[os.DirEntry[str]]] = {}

    def entries(self, folder: str = "") -> list[os.DirEntry[str]]:
        """Return the entries of a folder below the location by name, without hidden ones."""
        if folder not in self._listed:
            try:
                with os.scandir(self.location / folder) as entries:
                    wanted = entries if not self._without else filter(self._is_listed, entries)
                    first = itertools.islice(wanted, _MOST_NAMES)
                    listed = [entry for entry in first if not entry.name.startswith(".")]
            except (OSError, ValueError):
                listed = []
            self._listed[folder] = sorted(listed, key=lambda entry: entry.name)
        return self._listed[folder]

    def _is_listed(self, entry: os.DirEntry[str]) -> bool:
        return os.path.splitext(entry.name)[1].lower() not in self._without  # noqa: PTH122 - for each name

    def has(self, path: str) -> bool:
        """Tell whether there is something at a path."""
        return os.path.lexists(self.location / path)

    def find(self, pattern: str, most: int = _MOST_PATHS) -> list[str]:
        """Return the first ``most`` paths that a pattern matches, part by part; ``*`` matches no slash."""
        paths = [""]
        for part in pattern.split("/"):
            paths = [f"{folder}/{name}" if folder else name for folder in paths for name in self._matches(folder, part)]
            paths = paths[:most]
        return paths

    def _matches(self, folder: str, part: str) -> list[str]:
        if "*" not in part:
            return [part] if self.has(f"{folder}/{part}" if folder else part) else []
        return [entry.name for entry in self.entries(folder) if fnmatch.fnmatchcase(entry.name, part)]

    def is_empty(self, path: str) -> bool:
        """Tell whether a file has no bytes, or is not there."""
        try:
            return (self.location / path).stat().st_size == 0
        except (OSError, ValueError):
            return True

    def start(self, path: str) -> str:
        """Return the beginning of a file, as text, without a byte order mark."""
        try:
            target = self.location / path if path else self.location
            if not target.is_file():
                return ""
            with target.open("rb") as handle:
                return text_bytes(handle.read(_MOST_BYTES)).decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""
