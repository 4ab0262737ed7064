"""Datasets with an index: opening them, under what name, and which index belongs to which dataset."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdex.datasets.record import DatasetRecord
from clipdex.datasets.unindexed import why_not_indexed
from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetError, IndexNotFound, ModelMismatch
from clipdex.media.locators import MEMBER, is_media_there, locator
from clipdex.paths import expanded, is_there, quoted
from clipdex.readers.formats import reader_class
from clipdex.readers.sources import AUTO, Source, index_folder
from clipdex_indexes import Index, ItemRow, Manifest, Snapshot
from clipdex_indexes.storage.manifest import FILE_NAME


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
    """

    name: str
    root: Path
    index: Index
    lost: bool = False

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
            len(self.index),
            stamp.name,
            stamp.digest,
            stamp.bits,
            str(self.index.folder.absolute()),
        )


def open_index(source: Source, index: str | os.PathLike[str] | None = None) -> Index:
    """Open the index of a source.

    Raises
    ------
    DatasetNotIndexed
        When it has no index.
    DatasetError
        When it has none, and nothing that could be indexed; when the index is of another dataset, or of this one in
        another format.
    """
    folder = index_folder(source, index)
    root = source.location
    opened = None
    with contextlib.suppress(IndexNotFound):
        opened = Index(folder)
    if opened is None:
        raise why_not_indexed(source, folder if index is not None else None)
    try:
        require_same_root(opened, root)
        as_indexed(source, opened.manifest)
    except BaseException:
        opened.close()
        raise
    return opened


def has_index(folder: Path) -> bool:
    """Tell whether there is an index in ``folder``, readable or not."""
    return (folder / FILE_NAME).exists()


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
        reader_class(source.format)
        raise DatasetError(
            f"the index of {source.location} was made of it in format {manifest.source_format}, and not "
            f"{source.format}. Leave the format out, or hash it again: clipdex build --rebuild --format "
            f"{source.format} {quoted(source.location)}"
        )
    options = dict(manifest.source_options)
    if source.options and dict(source.options) != options:
        reader_class(manifest.source_format).require_options(source.options)
        raise DatasetError(
            f"the index of {source.location} was made of it with {_options(options)}, and not with "
            f"{_options(source.options)}. Leave the options out, or hash it again: clipdex build --rebuild "
            f"{quoted(source.location)} {_options(source.options)}"
        )
    return Source(source.location, manifest.source_format, options, source.name)


def _options(options: Mapping[str, str]) -> str:
    given = " ".join("--option " + shlex.quote(f"{name}={value}") for name, value in options.items())
    return given or "no options"


def open_datasets(sources: Sequence[Source], index: str | os.PathLike[str] | None = None) -> list[Dataset]:
    """Open the index of each source once. A name that is taken gets ``-2``, ``-3`` and so on."""
    unique = list({os.path.realpath(source.location): source for source in reversed(sources)}.values())[::-1]
    names: dict[str, None] = {}
    datasets = []
    try:
        for source in unique:
            name = source.short_name
            number = 2
            while name in names:
                name = f"{source.short_name}-{number}"
                number += 1
            names[name] = None
            datasets.append(Dataset(name, source.location, open_index(source, index)))
    except BaseException:
        for dataset in datasets:
            dataset.index.close()
        raise
    return datasets


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
