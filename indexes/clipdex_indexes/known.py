"""The items of an index by their fingerprints: which files of a folder are as the index has them.

That takes 13 bytes an item, and no look at a row. The fingerprints of a folder are next to each other and in order, so
those of its files, put in order, are compared in one go.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from clipdex_indexes.arrays import Bools, Int32s, Ints
from clipdex_indexes.snapshot import Snapshot
from clipdex_indexes.storage.fingerprints import Fingerprints, fingerprints_in, place_of
from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER
from clipdex_indexes.storage.segment import Segment


class KnownItems:
    """The items of a snapshot, to be found by the files of the dataset and ticked off.

    Parameters
    ----------
    snapshot
        The index, open.
    apart
        Ids of items that are not to be found.
    listings
        What ``listings`` of an earlier object had, for this state of the index. Where a folder is listed as it was
        then, its items are found without a look at each file.

    Attributes
    ----------
    listings
        What the folders look like of which all files were found, by ``place_of`` each.

    Raises
    ------
    IndexCorrupt
        When the fingerprints are not kept, and a table is damaged.
    """

    def __init__(
        self, snapshot: Snapshot, apart: Collection[str] = (), listings: Mapping[int, int] = MappingProxyType({})
    ) -> None:
        self._segments = [_KnownSegment(snapshot, segment) for segment in snapshot.segments]
        self._before = listings
        self.listings: dict[int, int] = {}
        self._apart: dict[str, set[str]] = {}
        for item_id in apart:
            folder, _, name = item_id.rpartition("/")
            self._apart.setdefault(folder, set()).add(name)

    def find(
        self, folder: str, subset: str, labels: Sequence[str], files: list[tuple[str, int, int]]
    ) -> tuple[Ticks | None, set[str]]:
        """Find the items of a folder.

        Parameters
        ----------
        folder
            Its path below the root of the dataset; empty for the root.
        subset, labels
            Those of its items.
        files
            Its files, in any order: the name in the folder, size in bytes, modification time in nanoseconds.

        Returns
        -------
        What ticks off the items that were found, None where none was; and the names of the other files. Where two items
        or two files have the same fingerprint, nobody can tell which of them is which, so none is found.
        """
        if not files:
            return None, set()
        place = place_of(folder, subset, labels)
        listing = _listing_of(files)
        apart = self._apart.get(folder, set())
        if not apart and self._before.get(place) == listing:
            every = Ticks([(segment.left, segment.positions(place)) for segment in self._segments])
            # Otherwise there is an item whose file was not listed with the others.
            if every.count == len(files):
                self.listings[place] = listing
                return every, set()
        ticks, others = self._find(place, [file for file in files if file[0] not in apart] if apart else files)
        if ticks is not None and not others | apart:
            self.listings[place] = listing
        return ticks, others | apart

    def _find(self, place: int, files: list[tuple[str, int, int]]) -> tuple[Ticks | None, set[str]]:
        try:
            fingerprints = fingerprints_in(place, files)
        except UnicodeEncodeError:
            return None, {name for name, _, _ in files}
        wanted = np.sort(np.array(fingerprints, np.int64))
        found = np.zeros(len(wanted), np.int64)
        ticks = []
        for segment in self._segments:
            here, positions = segment.find(place, wanted)
            if len(positions):
                found += here
                ticks.append((segment.left, positions))
        if _has_equal(wanted) or (found > 1).any():
            return None, {name for name, _, _ in files}
        missing = set(wanted[found == 0].tolist())
        others = (
            {file[0] for file, one in zip(files, fingerprints, strict=True) if one in missing} if missing else set()
        )
        return Ticks(ticks) if ticks else None, others

    def left(self) -> list[Bools]:
        """Return for each segment the items that were not ticked off, bool ``[items]``."""
        return [segment.left for segment in self._segments]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Items of a folder that were found: the dataset has them as they are."""

    _of_segments: list[tuple[Bools, Int32s]]

    @property
    def count(self) -> int:
        """Their number; at least 1."""
        return sum(len(positions) for _, positions in self._of_segments)

    def tick_off(self) -> None:
        """Tick them off."""
        for left, positions in self._of_segments:
            left[positions] = False


class _KnownSegment:
    """One segment, and its items that are left."""

    def __init__(self, snapshot: Snapshot, segment: Segment) -> None:
        self.left: Bools = np.ones(segment.stamp.items, np.bool_) if segment.live is None else segment.live.copy()
        self._has_removed = segment.live is not None
        self._all = _fingerprints(snapshot, segment)
        ends = self._all.ends.tolist()
        self._ranges = dict(zip(self._all.places.tolist(), zip([0, *ends], ends, strict=False), strict=True))

    def positions(self, place: int) -> Int32s:
        """Return the positions of all items of a folder."""
        return self._of(place)[1]

    def _of(self, place: int) -> tuple[Ints, Int32s]:
        begin, end = self._ranges.get(place, (0, 0))
        known, positions = self._all.values[begin:end], self._all.positions[begin:end]
        if self._has_removed:
            live = self.left[positions]
            known, positions = known[live], positions[live]
        return known, positions

    def find(self, place: int, wanted: Ints) -> tuple[Bools, Int32s]:
        """Return which of some fingerprints, in order, an item of a folder has, and the positions of these items.

        Of two items that have the same one, none is found.
        """
        known, positions = self._of(place)
        if len(known) != len(wanted) or not np.array_equal(known, wanted):
            if _has_equal(known):
                single = np.diff(known, prepend=known[0] - 1, append=known[-1] + 1) != 0
                known, positions = known[single[1:] & single[:-1]], positions[single[1:] & single[:-1]]
            if not len(known):
                return np.zeros(len(wanted), np.bool_), positions
            places = known.searchsorted(wanted)
            found: Bools = known.take(places, mode="clip") == wanted
            return found, positions[places[found]]
        return np.ones(len(wanted), np.bool_), positions


def keep_all_fingerprints(snapshot: Snapshot) -> None:
    """Keep the fingerprints of the segments of which they are not kept."""
    folder = snapshot.folder / SEGMENTS_FOLDER
    for segment in snapshot.segments:
        if Fingerprints.kept(folder, segment.stamp) is None:
            Fingerprints.of(segment.table).keep(folder, segment.stamp)


def _fingerprints(snapshot: Snapshot, segment: Segment) -> Fingerprints:
    return Fingerprints.kept(snapshot.folder / SEGMENTS_FOLDER, segment.stamp) or Fingerprints.of(segment.table)


def _listing_of(files: list[tuple[str, int, int]]) -> int:
    """Return a hash of 64 bits of names, sizes and times, in their order."""
    return int.from_bytes(hashlib.blake2b(marshal.dumps(files, 0), digest_size=8).digest(), "big", signed=True)


def _has_equal(ordered: Ints) -> bool:
    return bool((ordered[1:] == ordered[:-1]).any())
