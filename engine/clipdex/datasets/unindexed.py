"""What to do about a dataset that has no index: build it, or why that would fail."""

from __future__ import annotations

import os

from clipdex.errors import ClipdexError, DatasetError, DatasetNotIndexed
from clipdex.paths import is_folder, quoted
from clipdex.readers.folder import count_images
from clipdex.readers.formats import image_as_dataset
from clipdex.readers.sources import AUTO, Source, open_reader, require_first


def why_not_indexed(source: Source, folder: str | os.PathLike[str] | None) -> ClipdexError:
    """Return the error for a source without an index.

    Parameters
    ----------
    source
        The dataset.
    folder
        Its index folder, where a user named one.
    """
    root = source.location
    if source.format == AUTO and (what := image_as_dataset(root)):
        return DatasetError(what)
    if not is_folder(root) or count_images(root) == (0, True):
        try:
            reader = open_reader(source)
            require_first(reader, reader.read())
        except ClipdexError as error:
            return error
    named = root if source.format == AUTO else f"{root}:{source.format}"
    option = f" --index {quoted(folder)}" if folder is not None else ""
    return DatasetNotIndexed(f"{root} has no index yet. Build it: clipdex build {quoted(named)}{option}")
