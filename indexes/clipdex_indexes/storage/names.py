"""Names of subsets and labels, read without the hash keys and without NumPy: for shells that complete words."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER, read_manifest
from clipdex_indexes.storage.table import TableReader, table_path


def names_in(folder: Path) -> tuple[set[str], set[str]]:
    """Return the names of all subsets and of all labels in the item tables of the index in ``folder``.

    Raises
    ------
    IndexFailure
        When there is no index, or it cannot be read.
    """
    subsets: set[str] = set()
    labels: set[str] = set()
    for segment in read_manifest(folder).segments:
        with closing(TableReader(table_path(folder / SEGMENTS_FOLDER, segment.name), segment.items)) as table:
            subsets.update(table.subsets().values())
            labels.update(*table.label_lists().values())
    return subsets, labels
