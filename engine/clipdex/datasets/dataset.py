"""Datasets with an index, and which index belongs to which dataset."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.datasets.parts import items_of
from clipdex.datasets.record import DatasetRecord
from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetError, DatasetNotIndexed, IndexNotFound, ModelMismatch
from clipdex.media.locators import MEMBER, is_media_there, locator
from clipdex.paths import expanded, is_there, quoted
from clipdex.readers.sources import AUTO, Source, index_folder
from clipdex_indexes import Index, ItemRow, Location, Manifest, Snapshot
from clipdex_indexes.arrays import Bools

if TYPE_CHECKING:
    from clipdex.readers.base import Reader


@dataclass(frozen=True)
class Dataset:
    """A dataset with its index open.

    Attributes
    ----------
    name
        Unique among the datasets that are searched together.
    root
        Where it is: a folder, a file or a pattern.
    index
        The snapshot of its index.
    lost
        Whether the place of the dataset is unknown: the index was opened alone, and ``root`` is its folder.
    part
        The part of the dataset that is searched (see ``clipdex.datasets.parts``); empty for all of it.
    """

    name: str
    root: Path
    index: Index
    lost: bool = False
    part: str = ""

    def __len__(self) -> int:
        if self.selected is None:
            return len(self.index)
        return sum(int(mask.sum()) for mask in self.live if mask is not None)

    @functools.cached_property
    def selected(self) -> list[Bools] | None:
        """For each segment of the index the items of the part, bool ``[items]``; None where the part is everything."""
        return items_of(self.index, self.root, self.part) if self.part else None

    @property
    def live(self) -> list[Bools | None]:
        """For each segment of the index the items of the part that are not removed, bool ``[items]``; None for all."""
        return self.index.selected(self.selected)

    def items(self) -> Iterator[tuple[Location, ItemRow]]:
        """Yield every item of the part with its location, in item order, in bounded memory."""
        return self.index.items(self.selected)

    def media(self, row: ItemRow) -> str:
        """Return the locator of an item's media (see ``clipdex.media.locators``)."""
        return locator(self.root, row.id, row.media)

    def has_media(self, where: str) -> bool:
        """Tell whether the file of a locator of ``media`` exists."""
        # The folder of an index would pass for an archive, or for a dataset whose images are in files with others.
        return not (self.lost and MEMBER in where) and is_media_there(where)

    @property
    def record(self) -> DatasetRecord:
        """What a result says of the dataset."""
        stamp = self.index.manifest.model
        return DatasetRecord(
            self.name,
            str(self.root),
            len(self),
            stamp.name,
            stamp.digest,
            stamp.bits,
            str(self.index.folder.absolute()),
            self.part,
        )


def open_index(source: Source, index: str | os.PathLike[str] | None = None) -> Index:
    """Open the index of a source.

    Raises
    ------
    DatasetNotIndexed
        When it has no index.
    DatasetError
        When the index is of another dataset, or of this one in another format.
    """
    folder = index_folder(source, index)
    root = source.location
    try:
        opened = Index(folder)
    except IndexNotFound as error:
        if folder.is_symlink() and not is_there(folder):
            raise DatasetNotIndexed(
                f"the index of {root} is not there: {folder} is a link that leads to nothing. Is a disk away?"
            ) from error
        option = f" --index {quoted(folder)}" if index is not None else ""
        raise DatasetNotIndexed(f"{root} has no index yet. Build it: clipdex build {quoted(root)}{option}") from error
    try:
        require_same_root(opened, root)
        as_indexed(source, opened.manifest)
    except BaseException:
        opened.close()
        raise
    return opened


def recordable(root: Path) -> str:
    """Return the root as an index records it: empty where it is not valid UTF-8."""
    return "" if any("\ud800" <= character <= "\udfff" for character in str(root)) else str(root)


def require_same_root(index: Snapshot, root: Path) -> None:
    """Refuse the index of another dataset. If that dataset is not there any more, it may have been moved here.

    Raises
    ------
    DatasetError
        When the other dataset is still there.
    """
    recorded = index.manifest.root
    if recorded and is_there(Path(recorded)) and os.path.realpath(recorded) != os.path.realpath(root):
        raise DatasetError(
            f"{index.folder} holds the index of {recorded}, and not of {root}. Name another folder with --index, or "
            f"replace it: clipdex build --rebuild {quoted(root)} --index {quoted(index.folder)}"
        )


def as_indexed(source: Source, manifest: Manifest) -> Source:
    """Return ``source`` with the format and options that its index records.

    Raises
    ------
    DatasetError
        When the source has another format or other options than the index, or some that do not exist.
    """
    if source.format not in (AUTO, manifest.source_format):
        _reader_class(source.format)
        raise DatasetError(
            f"the index of {source.location} was made of it in format {manifest.source_format}, and not "
            f"{source.format}. Leave the format out, or hash it again: clipdex build --rebuild --format "
            f"{source.format} {quoted(source.location)}"
        )
    options = dict(manifest.source_options)
    if source.options and dict(source.options) != options:
        _reader_class(manifest.source_format).require_options(source.options)
        raise DatasetError(
            f"the index of {source.location} was made of it with {_options(options)}, and not with "
            f"{_options(source.options)}. Leave the options out, or hash it again: clipdex build --rebuild "
            f"{quoted(source.location)} {_options(source.options)}"
        )
    return replace(source, format=manifest.source_format, options=options)


def _reader_class(name: str) -> type[Reader]:
    from clipdex.readers.formats import reader_class  # late: a query needs no format

    return reader_class(name)


def _options(options: Mapping[str, str]) -> str:
    given = " ".join("--option " + shlex.quote(f"{name}={value}") for name, value in options.items())
    return given or "no options"


def open_alone(index: str | os.PathLike[str]) -> Dataset:
    """Open an index by itself, such as one that was copied away from its images.

    Its dataset is the one that the index records or, if it records none, the one that it is beside. If it is beside
    none, ``root`` is the index folder, and no image is found.

    Raises
    ------
    IndexFailure
        When there is no index, or it cannot be read.
    """
    opened = Index(expanded(index).absolute())
    folder = opened.folder
    if opened.manifest.root:
        root = Path(opened.manifest.root)
    elif folder.name == INDEX_FOLDER:
        root = folder.parent
    elif folder.name.endswith(INDEX_FOLDER):
        root = folder.with_name(folder.name.removesuffix(INDEX_FOLDER))
    else:
        root = folder
    return Dataset(root.name or "dataset", root, opened, lost=root == folder)


def require_same_model(datasets: Sequence[Dataset]) -> None:
    """Refuse datasets whose hash keys cannot be compared.

    Raises
    ------
    ModelMismatch
        When two of them were hashed by different models; the message names both.
    """
    first = datasets[0]
    stamp = first.index.manifest.model
    for other in datasets[1:]:
        theirs = other.index.manifest.model
        if (theirs.digest, theirs.bits) != (stamp.digest, stamp.bits):
            raise ModelMismatch(
                f"{first.root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}) and {other.root} by "
                f"{theirs.name!r} ({theirs.digest[:12]}): their hash keys cannot be compared. Build one of them "
                "again with the model of the other: clipdex build --rebuild --model MODEL TARGET"
            )
