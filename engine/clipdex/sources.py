"""Sources: datasets as users name them, ``path``, ``path:format`` or a pattern, and how they are opened."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetNotFound
from clipdex.paths import expanded, is_folder, is_there
from clipdex.readers.base import Reader
from clipdex.readers.formats import detect, reader_class

AUTO = "auto"
GLOB = "glob"
_WITH_FORMAT = re.compile(r"(?P<path>.+):(?P<format>[A-Za-z][A-Za-z0-9_]*)", re.DOTALL)
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset: where it is, and how it is read.

    Attributes
    ----------
    location
        Absolute path of a folder or a file, or a pattern.
    format
        Name of its format; ``auto``: found out by looking.
    options
        Options of the format, texts by name.
    name
        What it is called; empty: as its folder or file.
    """

    location: Path
    format: str = AUTO
    options: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @property
    def short_name(self) -> str:
        """What it is called."""
        return self.name or self.location.name or "dataset"


Target = str | os.PathLike[str] | Source


def locate(target: Target, format: str = AUTO) -> Source:
    """Return the source that ``target`` names.

    Parameters
    ----------
    target
        A path, ``path:format``, a pattern such as ``photos/**/*.jpg``, or a source.
    format
        Format, where the target does not say one.

    Raises
    ------
    DatasetNotFound
        When there is nothing of that name.
    """
    if isinstance(target, Source):
        return target
    path = expanded(target)
    if is_there(path):
        return Source(_absolute(path), format)
    named = _WITH_FORMAT.fullmatch(os.fspath(target))
    if named and (is_there(expanded(named["path"])) or _is_pattern(named["path"])):
        return Source(_absolute(expanded(named["path"])), named["format"].lower())
    if _is_pattern(os.fspath(target)):
        return Source(_absolute(path), GLOB if format == AUTO else format)
    raise DatasetNotFound(f"the dataset {os.fspath(target)!r} does not exist.")


def _is_pattern(text: str) -> bool:
    return _WILDCARD.search(text) is not None


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links as the user named them


def index_folder(source: Source, index: str | os.PathLike[str] | None = None) -> Path:
    """Return where the index of a source is.

    That is ``index``, as a user wrote it; else ``.clipdex`` in a folder, and ``<name>.clipdex`` beside a file. A
    pattern has one of its own, ``.clipdex-<hash>`` in the folder before its first wildcard.
    """
    if index is not None:
        return expanded(index).absolute()
    location = source.location
    if is_folder(location):
        return location / INDEX_FOLDER
    if not is_there(location) and _is_pattern(str(location)):
        digest = hashlib.sha256(os.fsencode(location)).hexdigest()[:8]
        return before_wildcards(location) / f"{INDEX_FOLDER}-{digest}"
    return location.with_name(location.name + INDEX_FOLDER)


def before_wildcards(pattern: Path) -> Path:
    """Return the folder that a pattern starts from: its parts before the first one with a wildcard."""
    parts = pattern.parts
    fixed = next((number for number, part in enumerate(parts) if _is_pattern(part)), len(parts))
    return Path(*parts[:fixed])


def open_reader(source: Source) -> Reader:
    """Return the reader of a source; with format ``auto`` the one that fits what is there.

    Raises
    ------
    DatasetError
        When there is no such format, when none fits or several do, or when the dataset cannot be read.
    """
    name = detect(source.location) if source.format == AUTO else source.format
    return reader_class(name)(source.location, source.options)
