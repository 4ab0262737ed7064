"""What results say of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipdex.paths import before_wildcards, is_there
from clipdex.readers.sources import Source, index_folder


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One dataset that was searched.

    Attributes
    ----------
    name, root, items
        What it was called, where it is, and how many items it had in its index.
    model, model_digest, bits
        What hashed it, and the length of a hash key.
    index
        Folder of its index; empty in a result of an older clipdex.
    part
        The part of the dataset that was searched, a POSIX path below ``root``: an image, or a folder, which ends in a
        slash. Empty for all of it. ``items`` counts the part.
    """

    name: str
    root: str
    items: int
    model: str
    model_digest: str
    bits: int
    index: str = ""
    part: str = ""

    @property
    def place(self) -> Path:
        """Where what was searched is: the dataset, or the part of it."""
        return Path(self.root) / self.part

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values for JSON, without an empty part."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if name != "part" or value}


def reopened(records: Sequence[DatasetRecord]) -> tuple[list[Source], Path | None]:
    """Return the datasets that a result is of, as an explorer takes them, and the index folder of a single one.

    The folder is None where the index is beside its dataset. No source is returned for a single dataset that is not
    there any more: its index may be searched alone.
    """
    sources = [Source(Path(record.root), name=record.name, part=record.part) for record in records]
    if len(records) != 1 or not records[0].index:
        return sources, None
    [source], folder = sources, Path(records[0].index)
    if records[0].part:
        return sources, None if index_folder(source) == folder else folder
    if source.location == folder or not is_there(before_wildcards(source.location)):
        return [], folder
    return sources, None if index_folder(source) == folder else folder
