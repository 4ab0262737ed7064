"""Finding the items that users name by id or path."""

from __future__ import annotations

import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from clipdex.datasets.dataset import Dataset
from clipdex.errors import ItemAmbiguous, ItemNotFound
from clipdex.paths import expanded
from clipdex.search.queries import ItemQuery
from clipdex_indexes import ItemRow, Location

_SUGGESTIONS = 3
# Names are near whose similarity (twice the characters in common, of all characters) is at least this: one letter of
# three may be wrong, while most pairs of different words are below it.
_NEAR = 0.65
_LEAST_CONTAINED = 3
_MOST_COMPARED = 500
# Spellings of an id that are tried: each name in it may be composed or decomposed.
_MOST_SPELLINGS = 64
_EXTENSION = re.compile(r"\.[a-z][a-z0-9]{1,4}\Z")


class FoundItem(NamedTuple):
    """An item of open datasets: the number of its dataset, its location in the index, and its row."""

    dataset: int
    location: Location
    row: ItemRow


def find_item(datasets: Sequence[Dataset], query: ItemQuery) -> FoundItem:
    """Return the only item that a query names.

    Raises
    ------
    ItemNotFound, ItemAmbiguous
        When no item, or more than one, has that id.
    """
    matches = find_items(datasets, query)
    if len(matches) > 1:
        raise _ambiguous(datasets, query, matches)
    return matches[0]


def find_items(datasets: Sequence[Dataset], query: ItemQuery) -> list[FoundItem]:
    """Return the items that a query names: several where items of several subsets or datasets have the id.

    Raises
    ------
    ItemNotFound
        When there is none.
    ItemAmbiguous
        When the id has no extension, and several ids differ only by theirs.
    """
    matches = _matches_as_spelled(datasets, query)
    if not matches:
        found = {
            (match.dataset, match.location): match
            for spelling in _spellings(query.id)
            for match in _matches_as_spelled(datasets, replace(query, id=spelling))
        }
        matches = list(found.values())
    if not matches:
        raise ItemNotFound(_not_found(datasets, query))
    if len({match.row.id for match in matches}) > 1:
        raise _ambiguous(datasets, query, matches)
    return matches


def _matches_as_spelled(datasets: Sequence[Dataset], query: ItemQuery) -> list[FoundItem]:
    matches = _matches(datasets, query.id, query)
    name, colon, rest = query.id.partition(":")
    if not matches and colon and query.dataset is None and any(name == one.name for one in datasets):
        matches = _matches(datasets, rest, ItemQuery(rest, query.subsets, name))
    return matches or _matches_of_path(datasets, query) or _matches_in_parts(datasets, query)


def _spellings(item_id: str) -> Iterator[str]:
    """Yield the other Unicode spellings of an id: macOS decomposes the letters of names, other systems compose them."""
    if item_id.isascii():
        return
    parts = [
        list(dict.fromkeys((part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))))
        for part in item_id.split("/")
    ]
    for form in ("NFC", "NFD"):
        yield unicodedata.normalize(form, item_id)
    for spelling in itertools.islice(itertools.product(*parts), 1, _MOST_SPELLINGS):
        yield "/".join(spelling)


def _ambiguous(datasets: Sequence[Dataset], query: ItemQuery, matches: Sequence[FoundItem]) -> ItemAmbiguous:
    several = len({match.dataset for match in matches}) > 1
    names = [
        (f"{datasets[match.dataset].name}:" if several else "") + f"{match.row.id} (subset {match.row.subset})"
        for match in matches
    ]
    return ItemAmbiguous(
        f"{len(matches)} items are called {query.id!r}: {', '.join(names[:5])}"
        f"{', ...' if len(names) > 5 else ''}. Give the whole id"
        + (", with the name of its dataset in front." if several else ", or its subset.")
    )


def _matches(datasets: Sequence[Dataset], item_id: str, query: ItemQuery) -> list[FoundItem]:
    return [
        FoundItem(number, location, row)
        for number, dataset in enumerate(datasets)
        if query.dataset is None or query.dataset == dataset.name
        for location, row in dataset.index.find(item_id)
        if not query.subsets or row.subset in query.subsets
    ]


def _matches_of_path(datasets: Sequence[Dataset], query: ItemQuery) -> list[FoundItem]:
    """Find items by the path of a file below the root of a dataset."""
    path = Path(os.path.abspath(expanded(query.id)))  # noqa: PTH100 - links are part of ids
    return [
        match
        for dataset in datasets
        if path.is_relative_to(dataset.root) and path != dataset.root and query.dataset in (None, dataset.name)
        for match in _matches(
            datasets, path.relative_to(dataset.root).as_posix(), ItemQuery(query.id, query.subsets, dataset.name)
        )
    ]


def _matches_in_parts(datasets: Sequence[Dataset], query: ItemQuery) -> list[FoundItem]:
    """Find items by their path below the folder that is searched, where an index above it is."""
    return [
        match
        for dataset in datasets
        if dataset.part.endswith("/") and query.dataset in (None, dataset.name)
        for match in _matches(datasets, dataset.part + query.id, ItemQuery(query.id, query.subsets, dataset.name))
    ]


def _not_found(datasets: Sequence[Dataset], query: ItemQuery) -> str:
    where = " or ".join(f"{dataset.name} ({dataset.root})" for dataset in datasets)
    subsets = f" in subset {' or '.join(query.subsets)}" if query.subsets else ""
    message = f"no item of {where} has the id {query.id!r}{subsets}."
    elsewhere = {match.row.subset for match in _matches(datasets, query.id, ItemQuery(query.id, (), query.dataset))}
    if elsewhere:
        return f"{message} It is in subset {' and '.join(sorted(elsewhere))}."
    close = nearest_names(query.id, [name for dataset in datasets for name in dataset.index.ids_like(query.id)])
    if close:
        message += f" Nearest: {', '.join(close)}."
    return message


def nearest_names(wanted: str, candidates: Iterable[str]) -> list[str]:
    """Return up to three names that are like a mistyped one, the most similar first; none where none is like it.

    Names are compared as a whole and by their last part, without extensions, and without the folders that they share.
    """
    if len(wanted) > _MOST_COMPARED:  # comparing takes the product of the lengths
        return []
    wanted = _EXTENSION.sub("", wanted.lower())
    scored = []
    for name in dict.fromkeys(candidates):
        plain = _EXTENSION.sub("", name.lower())
        contained = len(wanted) >= _LEAST_CONTAINED and wanted in plain
        similarity = _similarity(wanted, plain)
        if contained or similarity >= _NEAR:
            scored.append((not contained, -similarity, name))
    return [name for _, _, name in sorted(scored)[:_SUGGESTIONS]]


def _similarity(wanted: str, name: str) -> float:
    """Return how alike two names are, from 0 to 1."""
    shared = max((end for end, one in enumerate(wanted, 1) if one == "/" and name.startswith(wanted[:end])), default=0)
    asked = wanted[shared:]
    import difflib  # late: nearly every name is right

    matcher = difflib.SequenceMatcher(a=asked, autojunk=False)
    best = 0.0
    for part in dict.fromkeys((name[shared:], name.rpartition("/")[2])):
        if 2 * min(len(asked), len(part)) < _NEAR * (len(asked) + len(part)):
            continue
        matcher.set_seq2(part)
        if matcher.quick_ratio() > best:
            best = max(best, matcher.ratio())
    return best
