"""Where the items of an index are that have tags.

A file of tags names items by id and subset. Here each is looked up in the item tables once, and the positions are kept
as long as neither the file nor the segments change.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clipdex_indexes.arrays import Bools, Ints
from clipdex_indexes.storage.segment import Segment
from clipdex_indexes.storage.spelling import composed
from clipdex_indexes.storage.tags import Named, TagFile, tags_path

_LOOKED_UP_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Located:
    """Where some items are.

    Attributes
    ----------
    positions
        Of those that are in the index, for each segment, int64 ``[n]``.
    gone
        The others, in item order.
    """

    positions: list[Ints]
    gone: list[Named]

    @property
    def items(self) -> int:
        """The number of items that are in the index."""
        return sum(map(len, self.positions))


class _Kept(NamedTuple):
    version: tuple[object, ...]
    names: list[str]
    located: dict[str, Located]


class Tags:
    """The tags of the items of an index.

    Parameters
    ----------
    folder
        The index folder.

    Attributes
    ----------
    file
        The file that holds them.

    Raises
    ------
    TagsFailure
        From every method, when the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.file = TagFile(tags_path(folder))
        self._lock = threading.Lock()
        self._kept = _Kept((), [], {})

    def names(self, segments: Sequence[Segment]) -> list[str]:
        """Return the names of all tags that items have, in order, whether those are in the index or not."""
        with self._lock:
            return self._now(segments).names

    def located(self, segments: Sequence[Segment], name: str) -> Located:
        """Return the items that have a tag."""
        with self._lock:
            known = self._now(segments).located
            if name not in known:
                known[name] = located(segments, self.file.items(name))
            return known[name]

    def _now(self, segments: Sequence[Segment]) -> _Kept:
        """Return what is known of the file and the segments as they are now."""
        version = (self.file.version(), *(segment.stamp for segment in segments))
        if self._kept.version != version:
            self._kept = _Kept(version, list(self.file.counts()), {})
        return self._kept

    def masks(self, segments: Sequence[Segment], names: Iterable[str]) -> list[Bools]:
        """Select the items that have at least one of some tags; for each segment bool ``[items]``."""
        masks = [np.zeros(segment.table.items, np.bool_) for segment in segments]
        for name in dict.fromkeys(map(composed, names)):
            for mask, positions in zip(masks, self.located(segments, name).positions, strict=True):
                mask[positions] = True
        return masks

    def count(self, segments: Sequence[Segment], selected: Sequence[Bools | None]) -> dict[str, int]:
        """Return how many selected items have each tag, without tags that none has; masks as of ``masks``."""
        counts = {}
        for name in self.names(segments):
            count = sum(
                len(positions) if mask is None else int(np.count_nonzero(mask[positions]))
                for positions, mask in zip(self.located(segments, name).positions, selected, strict=True)
            )
            if count:
                counts[name] = count
        return counts


def located(segments: Sequence[Segment], items: Sequence[Named]) -> Located:
    """Look items up that are in item order."""
    found: list[list[Ints]] = [[np.empty(0, np.int64)] for _ in segments]
    gone: list[Named] = []
    for start in range(0, len(items), _LOOKED_UP_AT_ONCE):
        waiting = list(items[start : start + _LOOKED_UP_AT_ONCE])
        for segment, parts in zip(segments, found, strict=True):
            positions = segment.table.positions(waiting)
            here = positions >= 0
            if segment.live is not None:
                here[here] = segment.live[positions[here]]
            parts.append(positions[here])
            waiting = [item for item, is_here in zip(waiting, here.tolist(), strict=True) if not is_here]
        gone += waiting
    return Located([np.concatenate(parts) for parts in found], gone)
