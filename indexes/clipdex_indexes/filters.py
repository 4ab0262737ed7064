"""Filters by subset, label, path and dataset, and the masks over the rows of segments that they select.

An item table stores each subset, list of labels and folder once, under a number. So a filter first looks the names up,
and then selects the rows by one pass over a column of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from clipdex_indexes.arrays import Bools, Masks
from clipdex_indexes.snapshot import Snapshot
from clipdex_indexes.storage.segment import Segment
from clipdex_indexes.storage.spelling import composed
from clipdex_indexes.storage.table import TableReader

if TYPE_CHECKING:
    from clipdex_indexes.storage.columns import NamedLists

_IDS_AT_ONCE = 50_000
_SPECIAL = re.compile(r"\*+|\?|\[[!^]?\]?[^\]]*\]")
# Names in ASCII, which are most, are compared without a call of Python.
_NAMED = "CASE WHEN length(name) < length(CAST(name AS BLOB)) THEN composed(name) GLOB ?1 ELSE name GLOB ?1 END"
_ANY_FOLDERS = "(?:[^/]+/)*"


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """The items that may be found. Several values of one kind are alternatives; all kinds must agree.

    Attributes
    ----------
    subsets, labels, datasets
        Names. An item has a label when that is one of its labels. Names and patterns match whether letters such as
        ``é`` are composed or decomposed in Unicode.
    paths
        Patterns that match a whole id. ``*``, ``?`` and ``[...]`` match within a part of the path. ``**`` as a part
        matches any number of parts, and a ``/`` at the end matches everything below a folder. Case matters.
    not_subsets, not_labels, not_paths, not_datasets
        The same, for items that must not be found.
    tags, not_tags
        The same for tags, which are beside the index (see ``storage.tags``).
    areas, not_areas
        The same for areas of a map, of which an index knows nothing: whoever selects says which items they hold.

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
    tags: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    not_areas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind in fields(self):
            values = getattr(self, kind.name)
            object.__setattr__(self, kind.name, (values,) if isinstance(values, str) else tuple(values))
            if not all(isinstance(value, str) for value in getattr(self, kind.name)):
                raise ValueError(f"{kind.name} of a filter are {values!r}, and must be texts.")
        for pattern in (*self.paths, *self.not_paths):
            Glob(pattern)

    def __bool__(self) -> bool:
        return any(getattr(self, kind.name) for kind in fields(self))


def select(
    index: Snapshot, wanted: ItemFilter, dataset: str = "", areas: Mapping[str, Sequence[Bools]] | None = None
) -> Masks:
    """Select the items of an index that a filter lets through.

    Parameters
    ----------
    index
        An open index.
    wanted
        The filter.
    dataset
        Name of the index, for ``datasets`` and ``not_datasets``.
    areas
        For each area of the filter and each segment the items in it, bool ``[items]``.

    Returns
    -------
    Masks
        For each segment bool ``[items]``; None where all pass. Masks say nothing of removed items.

    Raises
    ------
    TagsFailure
        When the filter has tags, and those of the index cannot be read.
    """
    if is_among(dataset, wanted.not_datasets) or (wanted.datasets and not is_among(dataset, wanted.datasets)):
        return [np.zeros(segment.table.items, np.bool_) for segment in index.segments]
    masks = [_mask(segment, wanted) for segment in index.segments]
    if wanted.tags:
        having = index.tags.masks(index.segments, wanted.tags)
        masks = [_and(mask, one, len(one)) for mask, one in zip(masks, having, strict=True)]
    if wanted.not_tags:
        having = index.tags.masks(index.segments, wanted.not_tags)
        masks = [_and(mask, ~one, len(one)) for mask, one in zip(masks, having, strict=True)]
    if wanted.areas:
        masks = [_and(mask, one, len(one)) for mask, one in zip(masks, _in(wanted.areas, areas), strict=True)]
    if wanted.not_areas:
        masks = [_and(mask, ~one, len(one)) for mask, one in zip(masks, _in(wanted.not_areas, areas), strict=True)]
    return masks


def _in(names: Sequence[str], areas: Mapping[str, Sequence[Bools]] | None) -> list[Bools]:
    """Select the items of each segment that are in at least one of some areas."""
    return [np.logical_or.reduce(masks) for masks in zip(*((areas or {})[name] for name in names), strict=True)]


def select_below(index: Snapshot, path: str, is_below: Callable[[str], bool]) -> list[Bools]:
    """Select the items of an index whose media are at a path, or in the folder that is there.

    Parameters
    ----------
    index
        An open index.
    path
        POSIX path below the root of the dataset; that of a folder ends in a slash.
    is_below
        Tells whether media are there. It is asked only of items that have media of their own, since the path of others
        is their id, and only where the media contain the last name of ``path``.

    Returns
    -------
    list of array
        For each segment bool ``[items]``. Masks say nothing of removed items.
    """
    return [_below(segment.table, path, is_below) for segment in index.segments]


def _below(table: TableReader, path: str, is_below: Callable[[str], bool]) -> Bools:
    folder, _, name = path.rpartition("/")
    mask = np.zeros(table.items, np.bool_)
    for numbers in _parts(
        [
            number
            for number, known in table.folders().items()
            if known == folder or (not name and known.startswith(path))
        ]
    ):
        condition = f"media IS NULL AND folder IN ({numbers})"
        mask |= table.where(f"{condition} AND name = ?", (name,)) if name else table.where(condition)
    for position, media in table.media(name or folder.rpartition("/")[2]):
        if is_below(media):
            mask[position] = True
    return mask


def _mask(segment: Segment, wanted: ItemFilter) -> Bools | None:
    mask: Bools | None = None
    items = segment.table.items
    kinds: list[tuple[tuple[str, ...], tuple[str, ...], Callable[[Segment, tuple[str, ...]], Bools | bool]]] = [
        (wanted.subsets, wanted.not_subsets, _with_subsets),
        (wanted.labels, wanted.not_labels, _with_labels),
        (wanted.paths, wanted.not_paths, _with_paths),
    ]
    for names, not_names, having in kinds:
        if names:
            mask = _and(mask, having(segment, names), items)
        if not_names:
            left_out = having(segment, not_names)
            mask = _and(mask, not left_out if isinstance(left_out, bool) else ~left_out, items)
    return mask


def _and(mask: Bools | None, other: Bools | bool, items: int) -> Bools | None:
    if isinstance(other, bool):
        return mask if other else np.zeros(items, np.bool_)
    return other if mask is None else mask & other


def _with_subsets(segment: Segment, names: tuple[str, ...]) -> Bools | bool:
    return _with_names(segment, "subset", segment.columns.subsets, names)


def _with_labels(segment: Segment, names: tuple[str, ...]) -> Bools | bool:
    return _with_names(segment, "labels", segment.columns.labels, names)


def _with_names(segment: Segment, column: str, lists: NamedLists, names: tuple[str, ...]) -> Bools | bool:
    asked = set(map(composed, names))
    has = lists.having(lambda name: composed(name) in asked)
    known = segment.columns.rows_with(lists, has)
    # Reading one number of each row is quicker than all of them, where nothing counts the rows.
    return known if known is not None else _with_ids(segment.table, column, lists.numbers[has].tolist(), len(has))


def _with_paths(segment: Segment, patterns: tuple[str, ...]) -> Bools | bool:
    table = segment.table
    folders = table.folders()
    mask: Bools | bool = False
    for glob in map(Glob, patterns):
        numbers = [number for number, path in folders.items() if glob.has_folder(path)]
        if glob.name is None:
            matching = _with_ids(table, "folder", numbers, len(folders))
        else:
            matching = np.zeros(table.items, np.bool_)
            for part in _parts(numbers):
                matching |= table.where(f"folder IN ({part}) AND {_NAMED}", (glob.name,))
        if matching is True or mask is True:
            mask = True
        else:
            mask = matching if mask is False else mask if matching is False else mask | matching
    return mask


def _with_ids(table: TableReader, column: str, numbers: Sequence[int], known: int) -> Bools | bool:
    """Select the rows that have one of ``numbers`` in a column, which has ``known`` different numbers.

    True stands for all rows, False for none.
    """
    if not numbers or len(numbers) == known:
        return bool(numbers)
    mask = np.zeros(table.items, np.bool_)
    for part in _parts(numbers):
        mask |= table.where(f"{column} IN ({part})")
    return mask


def _parts(numbers: Sequence[int]) -> Iterable[str]:
    for start in range(0, len(numbers), _IDS_AT_ONCE):
        yield ",".join(map(str, numbers[start : start + _IDS_AT_ONCE]))


class Glob:
    """A pattern of ids, split into a pattern of folders and a pattern of the name.

    ``ItemFilter.paths`` says how it is written.

    Attributes
    ----------
    name
        The pattern of the name, for GLOB of SQLite; None when every name matches.

    Raises
    ------
    ValueError
        When the pattern cannot be read.
    """

    def __init__(self, pattern: str) -> None:
        if "\0" in pattern:
            raise ValueError(f"the path pattern {pattern!r} has a NUL character, which no id has.")
        parts = composed(pattern).split("/")
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
            self._name = re.compile(_translated(last, ".*", ".", _class_for_re, re.escape), re.DOTALL)
        except re.error as error:
            raise ValueError(f"the path pattern {pattern!r} cannot be read: {error}.") from error

    def matches(self, item_id: str) -> bool:
        """Tell whether the pattern matches a whole id."""
        folder, _, name = item_id.rpartition("/")
        return self.has_folder(folder) and (self.name is None or self._name.fullmatch(composed(name)) is not None)

    def has_folder(self, path: str) -> bool:
        """Tell whether the pattern of folders matches a whole path."""
        return self._folder.fullmatch(f"{composed(path)}/" if path else "") is not None


def _translated(
    part: str, star: str, question_mark: str, of_class: Callable[[bool, str], str], plain: Callable[[str], str]
) -> str:
    """Translate one part of a pattern into another language of patterns."""
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
            written.append(star if special[0] == "*" else question_mark)
    written.append(plain(part[end:]))
    return "".join(written)


def _class_for_sqlite(negative: bool, body: str) -> str:
    return f"[{'^' if negative else ''}{body}]"


def _class_for_re(negative: bool, body: str) -> str:
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    return f"(?!/)[{'^' if negative else ''}{escaped}]"


def is_among(name: str, names: Iterable[str]) -> bool:
    """Tell whether a name is one of ``names``, whether its letters are composed or decomposed."""
    return composed(name) in map(composed, names)


def names_of(indexes: Iterable[Snapshot]) -> tuple[set[str], set[str]]:
    """Return the names of all subsets and of all labels."""
    subsets: set[str] = set()
    labels: set[str] = set()
    for index in indexes:
        for segment in index.segments:
            subsets.update(segment.columns.subsets.names)
            labels.update(segment.columns.labels.names)
    return subsets, labels


def describe(wanted: ItemFilter) -> dict[str, Any]:
    """Return the names and values of the kinds that a filter sets."""
    return {kind.name: list(getattr(wanted, kind.name)) for kind in fields(wanted) if getattr(wanted, kind.name)}
