"""The formats that can be read, and which one fits a location."""

from __future__ import annotations

from pathlib import Path

from clipdex.errors import DatasetError
from clipdex.readers import datumaro_formats
from clipdex.readers.base import Reader
from clipdex.readers.folder import FORMAT, FolderReader


def reader_class(name: str) -> type[Reader]:
    """Return the reader of a format.

    Raises
    ------
    DatasetError
        When there is no such format.
    ExtraMissing
        When it needs a package that is not installed.
    """
    if name == FORMAT:
        return FolderReader
    if name in datumaro_formats.names():
        return datumaro_formats.reader_class(name)
    raise DatasetError(f"there is no format {name!r}: the formats are {FORMAT} and those of Datumaro.")


def detect(location: Path) -> str:
    """Return the name of the format that fits ``location``."""
    found = datumaro_formats.detect(location)
    return next(iter(found)) if len(found) == 1 else FORMAT
