"""What results say of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdex.paths import before_wildcards, is_there
from clipdex.readers.sources import Source, index_folder


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One dataset that was searched.

    Attributes
    ----------
    name, root, items
        What it was called, where it is, and how many items its index had.
    model, model_digest, bits
        What hashed it, and the length of a hash key.
    index
        Folder of its index; empty in a result of an older clipdex.
    """

    name: str
    root: str
    items: int
    model: str
    model_digest: str
    bits: int
    index: str = ""


def reopened(records: Sequence[DatasetRecord]) -> tuple[list[Source], Path | None]:
    """Return the datasets that a result is of, as an explorer takes them, and the index folder of a single one.

    The folder is None where the index is beside its dataset. No source is returned for a single dataset that is not
    there any more: its index may be searched alone.
    """
    sources = [Source(Path(record.root), name=record.name) for record in records]
    if len(records) != 1 or not records[0].index:
        return sources, None
    [source], folder = sources, Path(records[0].index)
    if source.location == folder or not is_there(before_wildcards(source.location)):
        return [], folder
    return sources, None if index_folder(source) == folder else folder
