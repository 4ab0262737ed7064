"""Opening what users name: a dataset with its index or, inside a dataset, the index above, as git finds a repository.

A folder or an image that has no index of its own is searched in the nearest index above it that has items there. Only
indexes that are beside their dataset are found: ``.clipdex`` in a folder above.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clipdex.datasets.above import folders_above, has_index
from clipdex.datasets.dataset import Dataset, as_indexed, open_index, require_same_root
from clipdex.datasets.parts import contains
from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetError, DatasetNotIndexed, IndexFailure
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_folder, is_there, quoted
from clipdex.readers.sources import Source, Target, index_folder, locate
from clipdex_indexes import Index


def open_dataset(source: Source, index: str | os.PathLike[str] | None = None) -> Dataset:
    """Open the index of a source or, where it has none, the index above it.

    Raises
    ------
    DatasetNotIndexed
        When it has no index, and no index above has an item of it.
    DatasetError
        When there is nothing to index either; when the index is of another dataset, or of this one in another format.
    IndexFailure
        When the index cannot be read.
    """
    try:
        return Dataset(source.short_name, source.location, open_index(source, index), part=source.part)
    except DatasetNotIndexed as error:
        not_indexed = error
    if index is not None or source.part:
        from clipdex.datasets.unindexed import unless_empty  # late: it needs the readers

        raise unless_empty(source, not_indexed)
    return _in_an_index_above(source, not_indexed)


def open_datasets(sources: Sequence[Source], index: str | os.PathLike[str] | None = None) -> list[Dataset]:
    """Open each source once, and no part of what is opened already.

    A name that is taken gets ``-2``, ``-3`` and so on.
    """
    opened: list[Dataset] = []
    try:
        for source in sources:
            _add(opened, open_dataset(source, index))
    except BaseException:
        for dataset in opened:
            dataset.index.close()
        raise
    names: dict[str, None] = {}
    for dataset in opened:
        name = dataset.name
        number = 2
        while name in names:
            name = f"{dataset.name}-{number}"
            number += 1
        names[name] = None
    return [replace(dataset, name=name) for dataset, name in zip(opened, names, strict=True)]


def _add(opened: list[Dataset], dataset: Dataset) -> None:
    """Add a dataset, unless it is part of another one, in place of its parts."""
    place = len(opened)
    for number, other in reversed(list(enumerate(opened))):
        if os.path.realpath(other.root) != os.path.realpath(dataset.root):
            continue
        if contains(other.part, dataset.part):
            dataset.index.close()
            return
        if contains(dataset.part, other.part):
            other.index.close()
            del opened[number]
            place = number
    opened.insert(place, dataset)


def source_with_index(target: Target, index: str | os.PathLike[str] | None = None) -> Source:
    """Return the source that a target names or, where it has no index, the part of the dataset above that has one.

    Raises
    ------
    DatasetNotFound, DatasetNotIndexed, IndexFailure
        As of ``locate`` and ``open_dataset``.
    """
    source = locate(target)
    if index is not None or has_index(index_folder(source)):
        return source
    with (dataset := open_dataset(source, index)).index:
        return Source(dataset.root, name=dataset.name, part=dataset.part)


def part_at(path: Path, root: Path) -> str:
    """Return the part of a dataset that is at a path below its root."""
    return path.relative_to(root).as_posix() + ("/" if is_folder(path) else "")


def _in_an_index_above(source: Source, not_indexed: DatasetNotIndexed) -> Dataset:
    """Open the nearest index above a source that has items of it.

    Raises
    ------
    DatasetNotIndexed
        When there is none.
    IndexFailure
        When an index on the way cannot be read, and so nobody knows whether it has any.
    """
    from clipdex.datasets.unindexed import unless_empty

    if not is_there(source.location):  # a pattern
        raise unless_empty(source, not_indexed)
    passed: list[str] = []
    for root, path in folders_above(source.location):
        try:
            index = Index(root / INDEX_FOLDER)
        except IndexFailure as error:
            raise type(error)(
                f"{source.location} has no index of its own, and the one above it cannot be used: {error.message}"
            ) from error
        dataset = Dataset(source.name or Source(root).short_name, root, index, part=part_at(path, root))
        try:
            why = _why_not_in(dataset, source)
        except BaseException:
            index.close()
            raise
        if not why:
            return dataset
        index.close()
        passed.append(why)
    location = quoted(source.location)
    if not is_folder(source.location):
        if suffix_of(source.location.name) not in IMAGE_SUFFIXES:
            raise unless_empty(source, not_indexed)
        why = passed[0] if passed else "no folder above it has an index"
        raise DatasetNotIndexed(
            f"{source.location} is an image, and {why}. To search with it: clipdex query TARGET --image {location}"
        ) from not_indexed
    reason = unless_empty(source, not_indexed)
    if passed and reason is not_indexed:
        raise DatasetNotIndexed(
            f"{source.location} has no index yet, and {passed[0]}. Build one: clipdex build {location}"
        ) from not_indexed
    raise reason


def _why_not_in(above: Dataset, source: Source) -> str:
    """Return why an index above has nothing of a source, as part of a sentence; empty where it has."""
    try:
        require_same_root(above.index, above.root)
        as_indexed(replace(source, location=above.root), above.index.manifest)
    except DatasetError:
        recorded = above.index.manifest.root or above.root
        return f"the index above, {above.index.folder}, is of {recorded} as {above.index.manifest.source_format}"
    if next(above.items(), None) is not None:
        return ""
    from clipdex.datasets.unindexed import why_not_read

    return f"the index of {above.root}, above it, has no image there{why_not_read(above)}"
