"""The items of an index by their fingerprints: which files are as the index has them.

That takes 17 bytes an item, and no look at a row.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

import numpy as np

from clipdex_indexes.arrays import Bools, Ints
from clipdex_indexes.snapshot import Snapshot
from clipdex_indexes.storage.fingerprints import (
    NONE,
    fingerprint,
    fingerprints_of,
    keep_fingerprints,
    place_of,
    read_fingerprints,
)
from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER


class KnownItems:
    """The items of a snapshot, to be found by the fingerprints of files and ticked off.

    Parameters
    ----------
    snapshot
        The index, open.
    apart
        Ids of items that are not to be found.

    Attributes
    ----------
    apart
        As given.

    Raises
    ------
    IndexCorrupt
        When the fingerprints are not kept, and a table is damaged.
    """

    def __init__(self, snapshot: Snapshot, apart: Collection[str] = ()) -> None:
        self.apart = frozenset(apart)
        segments = snapshot.segments
        self._ends = np.cumsum([segment.stamp.items for segment in segments], dtype=np.int64)
        lives = [
            np.ones(segment.stamp.items, np.bool_) if segment.live is None else segment.live for segment in segments
        ]
        self._left: Bools = np.concatenate(lives) if lives else np.empty(0, np.bool_)
        made = [_fingerprints(snapshot, number) for number in range(len(segments))]
        every: Ints = np.concatenate(made) if made else np.empty(0, np.int64)
        order = np.argsort(every, kind="stable")
        order = order[self._left[order]]
        every = every[order]
        # Where two items have the same fingerprint, nobody can tell which of them a file is.
        single = every != NONE
        equal = every[1:] == every[:-1]
        single[1:] &= ~equal
        single[:-1] &= ~equal
        self._fingerprints, self._numbers = every[single], order[single]

    place_of = staticmethod(place_of)
    fingerprint = staticmethod(fingerprint)

    def find(self, fingerprints: Sequence[int]) -> Ints:
        """Return the numbers of the items that have these fingerprints, int64 ``[n]``; -1 where there is none."""
        wanted = np.array(fingerprints, np.int64)
        if not len(self._fingerprints):
            return np.full(len(wanted), -1, np.int64)
        # In order, so that each step of the search is near the one before.
        order = np.argsort(wanted)
        wanted = wanted[order]
        places = np.searchsorted(self._fingerprints, wanted)
        places[places == len(self._fingerprints)] = 0
        numbers = np.empty(len(wanted), np.int64)
        numbers[order] = np.where(self._fingerprints[places] == wanted, self._numbers[places], -1)
        return numbers

    def tick_off(self, numbers: array[int]) -> None:
        """Note that the dataset has the items of these numbers, int64 ``[n]``, as they are."""
        self._left[np.frombuffer(numbers, np.int64)] = False

    @staticmethod
    def are_different(numbers: array[int]) -> bool:
        """Tell whether no number is there twice; they are int64 ``[n]``."""
        given = np.frombuffer(numbers, np.int64)
        return len(np.unique(given)) == len(given)

    def left(self) -> list[Bools]:
        """Return for each segment the items that were not ticked off, bool ``[items]``."""
        return np.split(self._left, self._ends[:-1]) if len(self._ends) else []


def keep_all_fingerprints(snapshot: Snapshot) -> None:
    """Keep the fingerprints of the segments of which they are not kept."""
    folder = snapshot.folder / SEGMENTS_FOLDER
    for segment in snapshot.segments:
        if read_fingerprints(folder, segment.stamp) is None:
            keep_fingerprints(folder, segment.stamp, fingerprints_of(segment.table))


def _fingerprints(snapshot: Snapshot, number: int) -> Ints:
    segment = snapshot.segments[number]
    kept = read_fingerprints(snapshot.folder / SEGMENTS_FOLDER, segment.stamp)
    return fingerprints_of(segment.table) if kept is None else kept
