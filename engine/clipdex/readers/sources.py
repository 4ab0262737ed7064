"""Sources: datasets as users name them (``path``, ``path:format`` or a pattern), their index folders, their readers."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetEmpty, DatasetError, DatasetNotFound, ExtraMissing
from clipdex.paths import before_wildcards, expanded, is_folder, is_pattern, is_there, is_url, quoted
from clipdex.wording import type_of

if TYPE_CHECKING:
    # Formats and their readers are imported late: a query needs none.
    from clipdex.readers.base import Reader, ReadItem, UnreadableItem
    from clipdex.readers.formats import Choice

AUTO = "auto"
_Begun = TypeVar("_Begun")
_WITH_FORMAT = re.compile(r"(?P<path>.+?):(?P<format>(?:datumaro:)?[A-Za-z][A-Za-z0-9_-]*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset: where it is, and how it is read.

    Attributes
    ----------
    location
        Absolute path of a folder or a file, or a pattern.
    format
        Name of its format; ``auto`` takes the format that fits.
    options
        Options of the format, texts by name.
    name
        Name of the dataset; empty for that of its folder or file.
    part
        The part of the dataset that is searched, a POSIX path below ``location``: an image, or a folder, which ends in
        a slash. Empty for all of it. A build takes no part.
    """

    location: Path
    format: str = AUTO
    options: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    part: str = ""

    @property
    def short_name(self) -> str:
        """The name of the dataset."""
        return self.name or self.location.name or "dataset"


Target = str | os.PathLike[str] | Source


def locate(target: Target, format: str = AUTO, options: Mapping[str, str] | None = None) -> Source:
    """Return the source that ``target`` names.

    Parameters
    ----------
    target
        A path, ``path:format``, a pattern such as ``photos/**/*.jpg``, or a source.
    format
        Format, where the target does not name one.
    options
        Options of the format, where the target is no source.

    Raises
    ------
    DatasetNotFound
        When there is nothing of that name.
    TypeError
        When the target is something else, such as a dataset of Datumaro.
    """
    if isinstance(target, Source):
        return target
    if not isinstance(target, str | os.PathLike):
        raise TypeError(_no_target(target))
    path, options = expanded(target), options or {}
    if format != AUTO:
        format = _format_name(format)
    if is_there(path):
        return Source(_absolute(path), format, options)
    if is_url(os.fspath(target)):
        raise DatasetNotFound(
            f"the dataset {os.fspath(target)!r} is a URL, and clipdex fetches nothing: download it, and name the copy."
        )
    named = _WITH_FORMAT.fullmatch(os.fspath(target))
    if named and (is_there(expanded(named["path"])) or is_pattern(named["path"])):
        return Source(_absolute(expanded(named["path"])), _format_name(named["format"]), options)
    if is_pattern(os.fspath(target)):
        from clipdex.readers.formats import GLOB

        return Source(_absolute(path), GLOB if format == AUTO else format, options)
    is_link = os.path.islink(path)  # noqa: PTH114 - Path's fails where a name is too long
    what = f"is a link that leads to nothing: {os.path.realpath(path)}" if is_link else "does not exist"
    raise DatasetNotFound(f"the dataset {os.fspath(target)!r} {what}.")


def _format_name(text: str) -> str:
    from clipdex.readers.formats import format_name

    return format_name(text)


def _no_target(target: object) -> str:
    """Say that something is no target, and what to give instead."""
    if type(target).__module__.partition(".")[0] == "datumaro":
        return (
            f"clipdex takes folders and other locations of datasets, not {type_of(target)} of Datumaro: export it, and "
            "give its folder, also with its format, as in 'FOLDER:coco'."
        )
    one_by_one = " Give several datasets one by one." if isinstance(target, list | tuple) else ""
    return f"clipdex takes folders and other locations of datasets, as str or Path, not {type_of(target)}.{one_by_one}"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links as the user named them


def index_folder(source: Source, index: str | os.PathLike[str] | None = None) -> Path:
    """Return the index folder of a source.

    That is ``index``, if a user wrote one. Otherwise it is ``.clipdex`` in a folder, ``<name>.clipdex`` beside a file,
    and for a pattern ``.clipdex-<hash>`` in the folder before the first wildcard.
    """
    if index is not None:
        return expanded(index).absolute()
    location = source.location
    if is_folder(location):
        return location / INDEX_FOLDER
    if not is_there(location) and is_pattern(str(location)):
        digest = hashlib.sha256(os.fsencode(location)).hexdigest()[:8]
        return before_wildcards(location) / f"{INDEX_FOLDER}-{digest}"
    return location.with_name(location.name + INDEX_FOLDER)


def open_reader(source: Source) -> Reader:
    """Return the reader of a source; with format ``auto``, the reader of the format that fits.

    Raises
    ------
    DatasetError
        When there is no such format, when none fits or several do, or when the dataset cannot be read.
    """
    return _reader_of(source, _chosen(source))


def open_fitting(source: Source, begin: Callable[[Reader], _Begun]) -> _Begun:
    """Begin to read a source; with format ``auto``, in the first of the formats that fit that can read it.

    Parameters
    ----------
    source
        A dataset that has no index yet.
    begin
        Takes a reader, and reads so much that it fails where the format does not fit. It is called for each format that
        is tried.

    Returns
    -------
    What ``begin`` returned. The notices of its reader say what was tried, and why that failed.

    Raises
    ------
    DatasetError
        When no format can read it: the error of the first one.
    """
    from clipdex.readers.formats import FOLDER, GLOB

    refused: dict[str, str] = {}
    first: DatasetError | ExtraMissing | None = None
    while True:
        try:
            choice = _chosen(source, refused)
        except DatasetError as error:
            raise first or error from None
        try:
            return begin(_reader_of(source, choice))
        except (DatasetError, ExtraMissing) as error:
            if source.format != AUTO or choice.format in (FOLDER, GLOB) or choice.format in refused:
                raise first or error from None
            first = first or error
            refused[choice.format] = error.message


def _chosen(source: Source, refused: Mapping[str, str] | None = None) -> Choice:
    from clipdex.readers.formats import Choice, choose

    return Choice(source.format) if source.format != AUTO else choose(source.location, refused or {})


def _reader_of(source: Source, choice: Choice) -> Reader:
    from clipdex.readers.formats import reader_class

    reader = reader_class(choice.format)(source.location, source.options or choice.options)
    reader.notices, reader.tried = choice.notices, choice.tried
    return reader


def require_first(reader: Reader, items: Iterable[ReadItem | UnreadableItem]) -> ReadItem | UnreadableItem:
    """Return the first item of a dataset, without those whose disk is away.

    Raises
    ------
    DatasetEmpty
        When there is none.
    """
    from clipdex.readers.base import AWAY, UnreadableItem

    first = next((item for item in items if not (isinstance(item, UnreadableItem) and item.kind == AWAY)), None)
    return first if first is not None else refuse_empty(reader)


def refuse_empty(reader: Reader) -> NoReturn:
    """Refuse a dataset of which ``reader`` found nothing.

    Raises
    ------
    DatasetEmpty
        Always.
    """
    from clipdex.readers.passing_over import said

    passed_over = said(reader.passed_over)
    raise DatasetEmpty(
        f"there are no images in {reader.location}: nothing can be indexed."
        f"{f' Passed over: {passed_over}.' if passed_over else ''}{_tried_in_vain(reader)}"
    )


def _tried_in_vain(reader: Reader) -> str:
    """Return sentences on what was tried for a dataset without items, and what to try; empty where none was tried."""
    if not reader.tried:
        return ""
    from clipdex.readers.formats import hint_of
    from clipdex.readers.layout import Layout

    layout = Layout(reader.location)
    archives = [name for pattern in ("*.zip", "*.tar", "*.tar.*", "*.tgz") for name in layout.find(pattern)]
    hint = f" Its archive is a dataset: clipdex build {quoted(reader.location / archives[0])}" if archives else ""
    near = hint_of(reader.location)
    return f" It is of no known format either (tried: {', '.join(reader.tried)}).{hint}{f' {near}' if near else ''}"
