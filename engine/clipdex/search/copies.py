"""The files of items: which items are one file, which files are there, and which have the same content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex.datasets.dataset import Dataset
from clipdex.media.locators import MEMBER
from clipdex.media.places import Place, Places, nowhere
from clipdex.search.all_keys import AllKeys, Ints
from clipdex_indexes import ItemRow
from clipdex_indexes.kernels.linkage import components

FINE, MISSING, CHANGED = 0, 1, 2
PROBLEMS = ("", "missing", "changed")
_TOKEN = np.dtype("V16")


@dataclass(frozen=True, slots=True)
class Copies:
    """What is known of the files of some items. All arrays are of one length.

    Attributes
    ----------
    positions
        The items, ascending, int64 ``[n]``.
    places
        Numbers, the same for items that are one file, int64 ``[n]``.
    states
        Numbers in ``PROBLEMS``, uint8 ``[n]``: ``FINE``; ``MISSING`` where there is no file now; ``CHANGED`` where its
        size, its time or its content are not those of the index, so that its hash key tells nothing of it.
    sizes, contents
        Size in bytes, and hash of the content, as the index has them; contents are 0 where they are not known, or no
        longer true; int64 ``[n]``.
    """

    positions: Ints
    places: Ints
    states: npt.NDArray[np.uint8]
    sizes: Ints
    contents: Ints

    @classmethod
    def of(cls, keys: AllKeys, positions: Ints, progress: Callable[[int], None]) -> Copies:
        """Look at the files of the items at these positions, in bounded memory.

        Parameters
        ----------
        keys
            Where the items are.
        positions
            Positions, each once.
        progress
            Called with the number of files that were looked at.
        """
        number = len(positions)
        tokens, elsewhere = np.empty(number, _TOKEN), np.empty(number, _TOKEN)
        states = np.empty(number, np.uint8)
        sizes, contents = np.empty(number, np.int64), np.empty(number, np.int64)
        places = Places()
        at = 0
        for block in keys.blocks(positions):
            for member in block:
                place = _place(keys.datasets[member.dataset], member.row, places)
                state = _state(member.row, place)
                token = _token(member.row, place)
                tokens[at], elsewhere[at] = np.void(token), np.void(place.elsewhere or token)
                states[at] = state
                sizes[at], contents[at] = member.row.size, 0 if state == CHANGED else member.row.content
                at += 1
            progress(at)
        return cls(np.sort(positions), _numbers_of(tokens, elsewhere), states, sizes, contents)

    def at(self, positions: Ints) -> Ints:
        """Return where these positions are in the arrays."""
        return np.searchsorted(self.positions, positions)

    def count_missing_and_changed(self, positions: Ints) -> tuple[int, int]:
        """Count those of these items whose file is missing, and those whose file has changed."""
        states = self.states[self.at(positions)]
        return int((states == MISSING).sum()), int((states == CHANGED).sum())

    def aliases(self, keys: AllKeys) -> dict[int, int]:
        """Return the items that are the same file as another item, and that other item, by position.

        The one that stands for all is a file that is as the index knows it, before others; then one that is no
        symbolic link; then the first in item order.
        """
        order = np.argsort(self.places, kind="stable")
        counts = np.bincount(self.places, minlength=1)
        shared = order[counts[self.places[order]] > 1]
        best: dict[int, tuple[tuple[bool, bool, tuple[int, str, str]], int]] = {}
        places = dict(zip(self.positions[shared].tolist(), self.places[shared].tolist(), strict=True))
        for block in keys.blocks(self.positions[shared]):
            for member in block:
                path = keys.datasets[member.dataset].media(member.row)
                state = int(self.states[self.at(np.array([member.position]))[0]])
                rank = (state != FINE, os.path.islink(path), member.order)  # noqa: PTH114 - a text, for each item
                place = places[member.position]
                if place not in best or rank < best[place][0]:
                    best[place] = rank, member.position
        return {position: best[place][1] for position, place in places.items() if best[place][1] != position}


def _numbers_of(*tokens: npt.NDArray[np.void]) -> Ints:
    """Return numbers, the same for what has a token in common with another, or with what has one in common with it."""
    number = len(tokens[0])

    def neighbours(of: npt.NDArray[np.void]) -> tuple[Ints, Ints]:
        _, numbers = np.unique(of, return_inverse=True)
        order = np.argsort(numbers, kind="stable")
        same = numbers[order[1:]] == numbers[order[:-1]]
        return order[:-1][same], order[1:][same]

    numbers = np.arange(number)
    for together in components(number, map(neighbours, tokens)):
        numbers[together] = together[0]
    return numbers


def _place(dataset: Dataset, row: ItemRow, places: Places) -> Place:
    where = dataset.media(row)
    # The folder of an index would pass for the dataset that it was copied away from.
    return nowhere(where) if dataset.lost and MEMBER in where else places.find(where)


def _token(row: ItemRow, place: Place) -> bytes:
    """Return what is the same for items that are one file. Where there is none, what the indexes know must agree."""
    if place.there:
        return place.token
    known = repr((row.size, row.mtime_ns, row.content)).encode()
    return hashlib.blake2b(place.token + known, digest_size=len(place.token)).digest()


def _state(row: ItemRow, place: Place) -> int:
    if not place.there:
        return MISSING
    known = ((row.size, place.size), (row.mtime_ns, place.mtime_ns), (row.content, place.content))
    return CHANGED if any(one and other and one != other for one, other in known) else FINE
