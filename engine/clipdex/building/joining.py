"""Merging the indexes of several datasets into one: it copies their hash keys and hashes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdex.datasets.dataset import Dataset, as_indexed, require_same_model
from clipdex.datasets.opening import open_datasets
from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetError, IndexFailure, IndexNotFound, OutputError
from clipdex.paths import expanded, quoted
from clipdex.readers.merged import FORMAT, parts_option
from clipdex.readers.sources import Source, Target, locate
from clipdex.version import WRITER
from clipdex_indexes import IndexWriter, ItemRow, read_manifest, valid_item_id
from clipdex_indexes.storage.tags import tags_path


@dataclass(frozen=True, slots=True)
class Joined:
    """What a merge made.

    Attributes
    ----------
    folder
        Where the merged dataset is.
    items
        The number of items by name of the dataset.
    model
        The name of the model.
    tagged
        The names of the datasets that have a file of tags, which is not merged.
    """

    folder: Path
    items: dict[str, int]
    model: str
    tagged: tuple[str, ...] = ()


def join(targets: Sequence[Target], folder: str | os.PathLike[str]) -> Joined:
    """Merge the indexes of several datasets into one.

    The id of an item becomes ``DATASET/ID``. The hash keys stay as they are. The merged index says where each image is,
    and where each dataset is, so that ``clipdex build`` can bring it up to date like any other index.

    Parameters
    ----------
    targets
        Datasets that were built.
    folder
        The folder to make: it must not exist, be empty, or hold a merged index, which is replaced.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed
        When there is no such dataset, or it has no index.
    DatasetError
        When fewer than two datasets are named, or one of them cannot be part of another.
    ModelMismatch
        When the datasets were hashed by different models.
    OutputError
        When the folder has something else in it.
    IndexFailure
        When an index cannot be read or written.
    """
    sources = [locate(target) for target in targets]
    datasets = open_datasets(sources)
    try:
        if len(datasets) < 2:
            again = f"{datasets[0].root} is named {len(sources)} times" if len(sources) > 1 else "one is named"
            raise DatasetError(f"merging takes two datasets at least, and {again}: name another one.")
        require_same_model(datasets)
        for dataset in datasets:
            _require_mergeable(dataset)
        root = Path(os.path.abspath(expanded(folder)))  # noqa: PTH100
        index = _prepared(root)
        options = parts_option({dataset.name: _source_of(dataset, sources) for dataset in datasets})
        with IndexWriter(index, fresh=True) as writer:
            # Once more, with the lock held: another process may have made one meanwhile.
            _require_replaceable(root, index)
            writer.start(datasets[0].index.manifest.model, FORMAT, WRITER, "", options)
            writer.add(_rows(datasets))
            writer.commit()
        return Joined(
            root,
            {dataset.name: len(dataset.index) for dataset in datasets},
            datasets[0].index.manifest.model.name,
            tuple(dataset.name for dataset in datasets if dataset.index.tags.file.path.exists()),
        )
    finally:
        for dataset in datasets:
            dataset.index.close()


def _require_mergeable(dataset: Dataset) -> None:
    if dataset.part:
        raise DatasetError(
            f"{dataset.root / dataset.part} has no index of its own, and cannot be merged as a part of {dataset.root}. "
            f"Give it one, which hashes nothing again: clipdex build {quoted(dataset.root / dataset.part)}"
        )
    if not valid_item_id(dataset.name) or "/" in dataset.name:
        raise DatasetError(f"{dataset.root} cannot be merged: its name, {dataset.name!r}, cannot be part of ids.")
    if dataset.index.manifest.source_format == FORMAT:
        raise DatasetError(f"{dataset.root} is a merged dataset itself: merge the datasets that it was made of.")


def _source_of(dataset: Dataset, sources: Sequence[Source]) -> Source:
    source = next(source for source in sources if source.location == dataset.root)
    return as_indexed(source, dataset.index.manifest)


def _prepared(root: Path) -> Path:
    """Make the folder, which may hold nothing but an index, and return the index folder in it."""
    index = root / INDEX_FOLDER
    own = (index, tags_path(index))
    try:
        others = [path.name for path in root.iterdir() if path not in own] if root.exists() else []
        if others:
            raise OutputError(f"{root} has something in it ({sorted(others)[0]}): name a new or an empty folder.")
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {root}: {error.strerror or error}.") from error
    _require_replaceable(root, index)
    return index


def _require_replaceable(root: Path, index: Path) -> None:
    """Refuse to replace an index that is not of a merged dataset."""
    try:
        there = read_manifest(index).source_format
    except IndexNotFound:
        return
    except IndexFailure as error:
        raise OutputError(f"{root} has an index that cannot be read: name another folder. {error.message}") from error
    if there != FORMAT:
        raise OutputError(f"{root} has the index of another dataset ({there}): name a new or an empty folder.")


def _rows(datasets: Sequence[Dataset]) -> Iterator[tuple[ItemRow, bytes]]:
    """Yield the items of all datasets with their hash keys, in item order, in bounded memory."""
    for dataset in sorted(datasets, key=lambda dataset: dataset.name + "/"):
        for location, row in dataset.index.items():
            joined = row._replace(id=f"{dataset.name}/{row.id}", media=dataset.media(row))
            yield joined, dataset.index.key(location).tobytes()
