"""Places without an index: whether a build would find something to index, and why one above has nothing of them."""

from __future__ import annotations

from clipdex.datasets.dataset import Dataset
from clipdex.errors import ClipdexError, DatasetNotIndexed
from clipdex.paths import is_folder, is_there, quoted
from clipdex.readers.folder import count_images
from clipdex.readers.naming import IGNORE_MARK, is_hidden
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


def why_not_read(above: Dataset) -> str:
    """Say why a build reads no image of a part; otherwise say how to bring the index up to date."""
    if is_hidden(above.part):
        return ", because hidden folders and those of systems are not read"
    folder = above.root
    for name in above.part.split("/")[:-1]:
        folder /= name
        if is_there(folder / IGNORE_MARK):
            return f", because of {folder / IGNORE_MARK}"
    return f"; bring that up to date, if it should have: clipdex build {quoted(above.root)}"
