"""Where indexes are: beside a dataset, and in the folders above. Nothing is opened, and nothing slow imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import is_there
from clipdex.readers.sources import Source, index_folder
from clipdex_indexes.storage.manifest import FILE_NAME


def has_index(folder: Path) -> bool:
    """Tell whether there is an index in ``folder``, readable or not: also where nobody can look."""
    try:
        os.stat(folder / FILE_NAME)  # noqa: PTH116 - Path.exists answers differently from version to version
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def folders_above(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders above a path that have an index, the nearest first, each with the path in that spelling.

    The folders of the path as it is written come first, then those of the path without links. Mount points do not stop
    the way up, because a dataset may have folders on several disks.
    """
    for spelling in dict.fromkeys((path, Path(os.path.realpath(path)))):
        for folder in spelling.parents:
            if is_there(folder / INDEX_FOLDER / FILE_NAME):
                yield folder, spelling


def nearest_index(source: Source) -> Path:
    """Return the index folder of a source or, where it has no index, the nearest one above."""
    own = index_folder(source)
    above = None if has_index(own) else next(folders_above(source.location), None)
    return own if above is None else above[0] / INDEX_FOLDER
