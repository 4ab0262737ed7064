"""A set of very many paths, 8 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np


class PathSet:
    """Paths of which only the hashes are kept."""

    def __init__(self) -> None:
        self._new = array("q")
        self._sorted: np.ndarray[tuple[int], np.dtype[np.int64]] = np.empty(0, np.int64)

    def add(self, path: str) -> None:
        """Add a path."""
        self._new.append(hash(path))

    def absent(self, paths: Sequence[str]) -> list[str]:
        """Return those of many paths that were not added."""
        if self._new:
            self._sorted = np.unique(np.concatenate([self._sorted, np.array(self._new, np.int64)]))
            self._new = array("q")
        wanted = np.array([hash(path) for path in paths], np.int64)
        if not len(self._sorted):
            return list(paths)
        at = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        return [paths[number] for number in np.flatnonzero(self._sorted[at] != wanted).tolist()]
