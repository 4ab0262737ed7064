"""Datasets without an index: whether a build would find something to index."""

from __future__ import annotations

from clipdex.errors import ClipdexError, DatasetNotIndexed
from clipdex.paths import is_folder
from clipdex.readers.folder import count_images
from clipdex.readers.sources import Source, open_reader, require_first


def unless_empty(source: Source, not_indexed: DatasetNotIndexed) -> ClipdexError:
    """Return what to say of a source without an index: ``not_indexed``, or the error with which a build would fail."""
    if is_folder(source.location) and count_images(source.location) != (0, True):
        return not_indexed
    try:
        reader = open_reader(source)
        require_first(reader, reader.read())
    except ClipdexError as error:
        return error
    return not_indexed
