"""Which items may be found: filters by subset, label, path and dataset, as masks over the rows of segments.

Names of subsets, lists of labels and folders are stored once in an item table, so they are looked up first; then one
pass over a column of numbers says which rows have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from clipdex_indexes.kernels.hamming import Bools, Masks
from clipdex_indexes.storage.table import TableReader

if TYPE_CHECKING:
    from clipdex_indexes.index import Index

_IDS_AT_ONCE = 50_000
_SPECIAL = re.compile(r"\*+|\?|\[[!^]?\]?[^\]]*\]")
_ANY_FOLDERS = "(?:[^/]+/)*"


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What may be found. Several values of one kind are alternatives; all kinds must agree.

    Attributes
    ----------
    subsets, labels, datasets
        Names. An item has a label when that is one of its labels.
    paths
        Patterns of whole ids: ``*``, ``?`` and ``[...]`` stay within a part of the path, ``**`` as a part stands for
        any number of parts, and a ``/`` at the end for everything below a folder. Capital letters count.
    not_subsets, not_labels, not_paths, not_datasets
        The same, for what must not be found.

    Raises
    ------
    ValueError
        When a pattern cannot be read.
    """

    subsets: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    not_subsets: tuple[str, ...] = ()
    not_labels: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    not_datasets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            values = getattr(self, one.name)
            object.__setattr__(self, one.name, (values,) if isinstance(values, str) else tuple(values))
            if not all(isinstance(value, str) for value in getattr(self, one.name)):
                raise ValueError(f"{one.name} of a filter are {values!r}, and must be texts.")
        for pattern in (*self.paths, *self.not_paths):
            _Glob(pattern)

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


def select(index: Index, wanted: ItemFilter, dataset: str = "") -> Masks:
    """Return which items of each segment of an index a filter lets through.

    Parameters
    ----------
    index
        An open index.
    wanted
        The filter.
    dataset
        Name of the index, for ``datasets`` and ``not_datasets``.

    Returns
    -------
    For each segment bool ``[items]``; None where it lets all through. Removed items are not looked at.
    """
    if dataset in wanted.not_datasets or (wanted.datasets and dataset not in wanted.datasets):
        return [np.zeros(segment.table.items, np.bool_) for segment in index.segments]
    return [_mask(segment.table, wanted) for segment in index.segments]


def _mask(table: TableReader, wanted: ItemFilter) -> Bools | None:
    mask: Bools | None = None
    kinds: list[tuple[tuple[str, ...], tuple[str, ...], Callable[[TableReader, tuple[str, ...]], Bools | bool]]] = [
        (wanted.subsets, wanted.not_subsets, _with_subsets),
        (wanted.labels, wanted.not_labels, _with_labels),
        (wanted.paths, wanted.not_paths, _with_paths),
    ]
    for names, not_names, having in kinds:
        if names:
            mask = _and(mask, having(table, names), table.items)
        if not_names:
            found = having(table, not_names)
            mask = _and(mask, not found if isinstance(found, bool) else ~found, table.items)
    return mask


def _and(mask: Bools | None, other: Bools | bool, items: int) -> Bools | None:
    if isinstance(other, bool):
        return mask if other else np.zeros(items, np.bool_)
    return other if mask is None else mask & other


def _with_subsets(table: TableReader, names: tuple[str, ...]) -> Bools | bool:
    known = table.subsets()
    return _with_ids(table, "subset", [number for number, name in known.items() if name in names], len(known))


def _with_labels(table: TableReader, names: tuple[str, ...]) -> Bools | bool:
    known = table.label_lists()
    asked = set(names)
    having = [number for number, labels in known.items() if not asked.isdisjoint(labels)]
    return _with_ids(table, "labels", having, len(known))


def _with_paths(table: TableReader, patterns: tuple[str, ...]) -> Bools | bool:
    folders = table.folders()
    mask: Bools | bool = False
    for glob in map(_Glob, patterns):
        numbers = [number for number, path in folders.items() if glob.has_folder(path)]
        if glob.name is None:
            found = _with_ids(table, "folder", numbers, len(folders))
        else:
            found = np.zeros(table.items, np.bool_)
            for part in _parts(numbers):
                found |= table.where(f"folder IN ({part}) AND name GLOB ?", (glob.name,))
        if found is True or mask is True:
            mask = True
        else:
            mask = found if mask is False else mask if found is False else mask | found
    return mask


def _with_ids(table: TableReader, column: str, numbers: Sequence[int], known: int) -> Bools | bool:
    """Return which rows have one of these numbers in a column, of which ``known`` different ones are there."""
    if not numbers or len(numbers) == known:
        return bool(numbers)
    mask = np.zeros(table.items, np.bool_)
    for part in _parts(numbers):
        mask |= table.where(f"{column} IN ({part})")
    return mask


def _parts(numbers: Sequence[int]) -> Iterable[str]:
    for start in range(0, len(numbers), _IDS_AT_ONCE):
        yield ",".join(map(str, numbers[start : start + _IDS_AT_ONCE]))


class _Glob:
    """A pattern of ids: which folders it has, and what it says of the name in them.

    Attributes
    ----------
    name
        The name, as a pattern of SQLite's GLOB; None for all.
    """

    def __init__(self, pattern: str) -> None:
        if "\0" in pattern:
            raise ValueError(f"the path pattern {pattern!r} has a NUL character, which no id has.")
        parts = pattern.split("/")
        if parts[-1] == "":
            parts[-1] = "**"
        if not pattern or "" in parts:
            raise ValueError(
                f"the path pattern {pattern!r} has an empty part: patterns are like ids, as in 'cats/*.jpg'."
            )
        last = parts.pop()
        if last == "**":
            parts.append(last)
            self.name = None
        else:
            self.name = _translated(last, "*", "?", _class_for_sqlite, lambda text: text.replace("[", "[[]"))
        text = "".join(
            _ANY_FOLDERS if part == "**" else _translated(part, "[^/]*", "[^/]", _class_for_re, re.escape) + "/"
            for number, part in enumerate(parts)
            if part != "**" or parts[number - 1 : number] != ["**"]
        )
        try:
            self._folder = re.compile(text, re.DOTALL)
            re.compile(_translated(last, "", "", _class_for_re, re.escape))
        except re.error as error:
            raise ValueError(f"the path pattern {pattern!r} cannot be read: {error}.") from error

    def has_folder(self, path: str) -> bool:
        return self._folder.fullmatch(f"{path}/" if path else "") is not None


def _translated(
    part: str, star: str, one: str, of_class: Callable[[bool, str], str], plain: Callable[[str], str]
) -> str:
    """Write one part of a pattern in another language of patterns."""
    written = []
    end = 0
    for match in _SPECIAL.finditer(part):
        written.append(plain(part[end : match.start()]))
        end = match.end()
        special = match[0]
        if special[0] == "[":
            negative = special[1] in "!^"
            written.append(of_class(negative, special[1 + negative : -1]))
        else:
            written.append(star if special[0] == "*" else one)
    written.append(plain(part[end:]))
    return "".join(written)


def _class_for_sqlite(negative: bool, body: str) -> str:
    return f"[{'^' if negative else ''}{body}]"


def _class_for_re(negative: bool, body: str) -> str:
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    return f"(?!/)[{'^' if negative else ''}{escaped}]"


def names_of(indexes: Iterable[Index]) -> tuple[set[str], set[str]]:
    """Return the names of all subsets and of all labels."""
    subsets: set[str] = set()
    labels: set[str] = set()
    for index in indexes:
        for segment in index.segments:
            subsets.update(segment.table.subsets().values())
            labels.update(*segment.table.label_lists().values())
    return subsets, labels


def describe(wanted: ItemFilter) -> dict[str, Any]:
    """Return what a filter says, by name, without what it does not."""
    return {one.name: list(getattr(wanted, one.name)) for one in fields(wanted) if getattr(wanted, one.name)}
