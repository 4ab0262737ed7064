"""The formats that can be read, and which one fits a location."""

from __future__ import annotations

from pathlib import Path

from clipdex.errors import DatasetError
from clipdex.readers.base import Reader
from clipdex.readers.folder import FORMAT, FolderReader
from clipdex.readers.merged import FORMAT as MERGED
from clipdex.readers.merged import MergedReader


def reader_class(name: str) -> type[Reader]:
    """Return the reader of a format.

    Raises
    ------
    DatasetError
        When there is no such format.
    """
    if name == MERGED:
        return MergedReader
    if name != FORMAT:
        raise DatasetError(f"there is no format {name!r}: the formats are {FORMAT}.")
    return FolderReader


def detect(location: Path) -> str:
    """Return the name of the format that fits ``location``."""
    return FORMAT
