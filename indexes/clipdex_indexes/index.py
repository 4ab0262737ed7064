"""An index on disk, used with ids and NumPy arrays: created, opened, changed and searched.

Each change takes the lock, commits and says what it did. ``writer`` has the order of a commit, ``snapshot`` what
readers see meanwhile.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex_indexes.answers import (
    SUBSET,
    Answers,
    RangeAnswer,
    Written,
    checked_bits,
    checked_distance,
    checked_ids,
    checked_k,
    checked_keys,
    checked_rows,
)
from clipdex_indexes.arrays import Keys, Texts
from clipdex_indexes.errors import IndexNotFound, IndexWriteFailed
from clipdex_indexes.searching import search, within
from clipdex_indexes.snapshot import Location, Snapshot, open_state
from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER, ModelStamp

if TYPE_CHECKING:
    from clipdex_indexes.storage.verifying import Verification
    from clipdex_indexes.writer import IndexWriter

_FORMAT, _WRITER = "keys", "clipdex_indexes"
# Looking an id up takes as long as reading so many rows.
_ROWS_A_LOOKUP = 64


class Index(Snapshot):
    """An index on disk, which any number of threads can read.

    It stays as it is while others write. ``refresh`` makes it see what there is now, and so does every change that is
    made through it.

    Parameters
    ----------
    folder
        The index folder.

    Raises
    ------
    IndexNotFound, IndexTooNew, IndexCorrupt
        When there is no index, or it cannot be read. Opening checks the checksum of the manifest, and the size, the
        header and a sample of every file.
    """

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Index:
        """Open the index in ``folder``."""
        return cls(Path(folder))

    @classmethod
    def create(cls, folder: str | os.PathLike[str], bits: int, *, model: ModelStamp | None = None) -> Index:
        """Make an empty index, and open it.

        Parameters
        ----------
        folder
            A folder that is empty or does not exist yet.
        bits
            Length of a hash key, a multiple of 8.
        model
            What makes the keys, where the index should remember it.

        Raises
        ------
        IndexWriteFailed
            When there is something in the folder, or it cannot be written.
        """
        from clipdex_indexes.writer import IndexWriter  # late: most who open an index only read it

        path = Path(folder)
        stamp = model or ModelStamp("keys", "", checked_bits(bits), "")
        with IndexWriter(path) as writer:
            if writer.base is not None:
                raise IndexWriteFailed(f"there is an index in {path} already: open it, or name another folder.")
            writer.start(stamp, _FORMAT, _WRITER)
            writer.commit()
        return cls(path)

    def refresh(self) -> bool:
        """See the index as it is on disk now; return whether it has changed.

        Earlier locations are no longer valid. Threads that are reading continue with the state they began with.

        Raises
        ------
        IndexNotFound, IndexTooNew, IndexCorrupt
            When the index cannot be read any more; what was open stays open.
        """
        self._require_open()
        state = open_state(self.folder, self._state)
        changed = state.manifest != self.manifest
        self._state = state
        return changed

    def snapshot(self) -> Index:
        """Return a second object with the state of this one. They share the open files, and refresh independently."""
        self._require_open()
        return copy.copy(self)

    def add(
        self,
        ids: Sequence[str] | Texts,
        keys: npt.ArrayLike,
        *,
        subset: str = SUBSET,
        labels: Sequence[Sequence[str]] | None = None,
        wait: bool = True,
    ) -> Written:
        """Add items; an item that is there already gets the new key and labels. Committed when it returns.

        Parameters
        ----------
        ids
            ``n`` different texts, each like a relative path.
        keys
            uint8 ``[n, bits / 8]``, as ``numpy.packbits`` makes them.
        subset
            The subset of all of them. Id and subset together identify an item.
        labels
            ``n`` lists of names.
        wait
            Whether to wait while another process is writing.

        Raises
        ------
        ValueError
            When an argument is not as described; nothing is written.
        IndexLocked, IndexWriteFailed
            When another process is writing and ``wait`` is off; when the index cannot be written.
        """
        self._require_open()
        rows = checked_rows(ids, keys, self.bits, subset, labels)
        with self._writer(wait=wait) as writer:
            base = self._base(writer)
            replaced = _locations(base, {(row.id, row.subset) for row, _ in rows})
            for location in replaced:
                writer.remove(location)
            added = writer.add(rows) - len(replaced)
            written = Written(added, len(replaced), 0, 0, writer.commit(completes=False).items)
        self.refresh()
        return written

    def remove(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET, wait: bool = True) -> Written:
        """Remove items; ids that no item of the subset has are counted as missing. Committed when it returns."""
        self._require_open()
        texts = checked_ids(ids)
        with self._writer(wait=wait) as writer:
            removed = _locations(self._base(writer), {(item_id, subset) for item_id in texts})
            for location in removed:
                writer.remove(location)
            items = writer.commit(completes=False).items
        self.refresh()
        return Written(0, 0, len(removed), len(texts) - len(removed), items)

    def optimize(self, *, wait: bool = True, waiting: Callable[[str], None] | None = None) -> Written:
        """Write all items into one segment, without the removed ones.

        Parameters
        ----------
        wait, waiting
            Whether to wait while another process is writing, and what to call then (see ``WriterLock``).
        """
        self._require_open()
        with self._writer(wait=wait, waiting=waiting) as writer:
            self._base(writer)
            items = writer.commit(optimize=True, completes=False).items
        self.refresh()
        return Written(0, 0, 0, 0, items)

    def search(self, queries: npt.ArrayLike, k: int = 10) -> Answers:
        """Find the items whose keys are nearest, exactly.

        Parameters
        ----------
        queries
            uint8 ``[q, bits / 8]``, or one key.
        k
            At least 1; a k above the number of items gives all of them.

        Returns
        -------
        Answers
            By distance, then item order (id, subset), also at the k-th place.
        """
        here, array, most = self.snapshot(), checked_keys(queries, self.bits), checked_k(k)
        if not len(array):
            return Answers.of([])
        answers = search([here], array, most)
        rows = iter(here.rows([neighbour.location for answer in answers for neighbour in answer]))
        return Answers.of([[(neighbour.distance, next(rows)) for neighbour in answer] for answer in answers])

    def within(self, queries: npt.ArrayLike, distance: int) -> Iterator[RangeAnswer]:
        """Find all items whose keys are within a distance, exactly.

        The answers come one by one, so that only one of them need be in memory: an item may be within the distance of
        every query. They are made as they are taken, from the index as it is now.

        Parameters
        ----------
        queries
            uint8 ``[q, bits / 8]``, or one key.
        distance
            The largest distance that counts, in bits, at least 0. (``range_search`` of FAISS finds smaller distances
            only.)

        Returns
        -------
        iterator of RangeAnswer
            One for each query, in order; by distance, then item order (id, subset). As FAISS counts them, the answers
            begin at ``numpy.cumsum([0, *map(len, answers)])``.

        Raises
        ------
        ValueError, TypeError
            At once, when an argument is not as described.
        """
        here, array, most = self.snapshot(), checked_keys(queries, self.bits), checked_distance(distance)
        return within(here, array, most)

    def keys(self, ids: Sequence[str] | Texts, *, subset: str = SUBSET) -> Keys:
        """Return the hash keys of items, uint8 ``[n, bits / 8]``.

        Raises
        ------
        KeyError
            When no item has such an id; it holds id and subset.
        """
        here = self.snapshot()
        keys = np.empty((len(ids), self.bits // 8), np.uint8)
        for number, item_id in enumerate(checked_ids(ids)):
            location = here.locate(item_id, subset)
            if location is None:
                raise KeyError((item_id, subset))
            keys[number] = here.key(location)
        return keys

    def verify(self, progress: Callable[[str, int, int], None] | None = None) -> Verification:
        """Check every byte of the files, and what they say; opening checks only a sample.

        Where a writer has replaced files since the index was opened, the index is checked as it is on disk now; this
        object stays as it is.

        Parameters
        ----------
        progress
            Called with what is counted (``bytes``, then ``items``), how many are done, and of how many.
        """
        from clipdex_indexes.storage.verifying import opened_files, verify_segments

        self._require_open()
        here, folder = self.snapshot(), self.folder / SEGMENTS_FOLDER
        while True:
            with opened_files(folder, here.segments) as files:
                # A file is missing that a newer manifest may not name any more.
                if not any(file.is_gone for file in files) or not here.refresh():
                    return verify_segments(folder, here.segments, files, progress)

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError(f"the index in {self.folder} was closed: open it again.")

    def _writer(self, *, wait: bool, waiting: Callable[[str], None] | None = None) -> IndexWriter:
        from clipdex_indexes.writer import IndexWriter

        return IndexWriter(self.folder, wait=wait, waiting=waiting)

    def _base(self, writer: IndexWriter) -> Snapshot:
        if writer.base is None:
            raise IndexNotFound(f"there is no index in {self.folder}.")
        return writer.base


def _locations(base: Snapshot, wanted: set[tuple[str, str]]) -> list[Location]:
    """Return where the wanted items are, as (id, subset), leaving out those that are not there."""
    if len(wanted) * _ROWS_A_LOOKUP > len(base):
        return [location for location, row in base.items() if (row.id, row.subset) in wanted]
    locations = (base.locate(item_id, subset) for item_id, subset in wanted)
    return [location for location in locations if location is not None]
