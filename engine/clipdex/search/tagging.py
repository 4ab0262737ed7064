"""Tags of one's own: giving them to items, taking them away, and saying which there are.

The tags of a dataset are in a file beside the folder of its index (``clipdex_indexes.storage.tags``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.search.finding import nearest_names
from clipdex_indexes.storage.spelling import composed
from clipdex_indexes.storage.tags import Named, checked_tag

_NAMED = 5


class Item(Protocol):
    """What names an item of an explorer, as ``Hit`` and ``DatasetItem`` do."""

    @property
    def dataset(self) -> str: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def subset(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag.

    Attributes
    ----------
    name
        Its name.
    items
        How many items have it.
    gone
        How many items have it that are in no index any more: their files were deleted, moved or renamed.
    gone_ids
        The ids of the first five of these.
    """

    name: str
    items: int
    gone: int = 0
    gone_ids: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"name": self.name, "items": self.items, "gone": self.gone, "gone_ids": list(self.gone_ids)}


@dataclass(frozen=True, slots=True)
class Tagging:
    """What giving a tag did.

    Attributes
    ----------
    name
        The tag, with composed letters.
    added, already
        How many items have got it, and how many had it.
    missing
        The ids of the items that are in no index, and did not get it.
    """

    name: str
    added: int
    already: int
    missing: tuple[str, ...]


def tags_of(datasets: Sequence[Dataset]) -> list[Tag]:
    """Return the tags of all items, in the order of names."""
    tags: dict[str, Tag] = {}
    for dataset in datasets:
        for name in dataset.index.tag_names():
            located = dataset.index.tagged(name)
            items = sum(
                len(positions) if mask is None else int(np.count_nonzero(mask[positions]))
                for positions, mask in zip(located.positions, dataset.live, strict=True)
            )
            before = tags.get(name, Tag(name, 0))
            gone_ids = (*before.gone_ids, *(item_id for item_id, _ in located.gone[:_NAMED]))
            tags[name] = Tag(name, before.items + items, before.gone + len(located.gone), gone_ids[:_NAMED])
    return [tags[name] for name in sorted(tags)]


def add_tag(datasets: Sequence[Dataset], name: str, items: Iterable[Item]) -> Tagging:
    """Give items a tag.

    Raises
    ------
    QueryError
        When the name cannot be that of a tag, or an item is of another dataset.
    TagsFailure
        When the tags of a dataset cannot be read or written.
    """
    tag = _checked(name)
    added = already = 0
    missing: list[str] = []
    for dataset, named in _by_dataset(datasets, items):
        gone = set(dataset.index.look_up(named).gone)
        there = [item for item in named if item not in gone]
        count = dataset.index.tags.file.add(tag, there)
        added += count
        already += len(there) - count
        missing += sorted(item_id for item_id, _ in gone)
    return Tagging(tag, added, already, tuple(missing))


def remove_tag(datasets: Sequence[Dataset], name: str, items: Iterable[Item] | None = None) -> int:
    """Take a tag from items, or from all items; return how many had it.

    Raises
    ------
    QueryError
        When no item has the tag, or an item is of another dataset.
    """
    _require(datasets, name)
    if items is None:
        return sum(dataset.index.tags.file.remove(name) for dataset in datasets)
    return sum(dataset.index.tags.file.remove(name, named) for dataset, named in _by_dataset(datasets, items))


def forget_gone(datasets: Sequence[Dataset], name: str) -> int:
    """Take a tag from the items that are not in an index any more; return how many had it."""
    _require(datasets, name)
    return sum(dataset.index.tags.file.remove(name, dataset.index.tagged(name).gone) for dataset in datasets)


def rename_tag(datasets: Sequence[Dataset], name: str, new: str) -> int:
    """Give the items of a tag another one instead, which others may have already; return how many there are."""
    _require(datasets, name)
    tag = _checked(new)
    return sum(dataset.index.tags.file.rename(name, tag) for dataset in datasets)


def _by_dataset(datasets: Sequence[Dataset], items: Iterable[Item]) -> list[tuple[Dataset, list[Named]]]:
    """Return the items of each dataset, in item order, each once."""
    named: dict[str, set[Named]] = {dataset.name: set() for dataset in datasets}
    for item in items:
        if item.dataset not in named:
            raise QueryError(f"{item.id!r} is an item of the dataset {item.dataset!r}, which is not open here.")
        named[item.dataset].add((item.id, item.subset))
    return [(dataset, sorted(named[dataset.name])) for dataset in datasets if named[dataset.name]]


def _checked(name: str) -> str:
    try:
        return checked_tag(name)
    except ValueError as error:
        raise QueryError(str(error)) from error


def _require(datasets: Sequence[Dataset], name: str) -> None:
    known = {tag for dataset in datasets for tag in dataset.index.tag_names()}
    if composed(name) not in known:
        close = nearest_names(name, sorted(known))
        hint = f" Nearest: {', '.join(close)}." if close else "" if known else " There is no tag at all."
        raise QueryError(f"no item has the tag {name!r}.{hint}")
