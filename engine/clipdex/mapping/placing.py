"""Placing items on a map: where one is depends on its hash key and the layout, to the last bit.

A ``Layout`` is kept and used for items of later builds too. Blocks of keys are placed by threads, in any division: the
arithmetic of a key does not depend on the keys beside it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Keys
from clipdex_indexes.kernels.few import Few
from clipdex_indexes.kernels.threads import stream

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

TSNE, PCA = "t-SNE", "PCA"
NEIGHBOURS = 5
# An item is placed among those of its landmarks that are together: not farther from one of them than this, where a map
# goes from -1 to 1. Between two groups there would be nothing like it.
_TOGETHER = 0.05
# A landmark that is farther than the nearest one by this share of the bits counts half.
_HALF = 1 / 64
_BLOCK = 1 << 13


class Layout(Protocol):
    """What places hash keys on a map."""

    @property
    def method(self) -> str:
        """How it was made: ``t-SNE`` or ``PCA``."""

    def place(self, keys: Keys) -> Floats:
        """Return the coordinates of keys, float32 ``[n, 2]``, about -1 to 1."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Hash keys with coordinates. A key is placed by the five landmarks nearest to it.

    Attributes
    ----------
    keys
        uint8 ``[n, bytes]``, all different, at least one.
    coordinates
        float32 ``[n, 2]``.
    """

    keys: Keys
    coordinates: Floats
    method = TSNE

    @functools.cached_property
    def _few(self) -> Few:
        return Few(self.keys)

    def place(self, keys: Keys) -> Floats:
        """Return the coordinates of keys, float32 ``[n, 2]``; a key that is a landmark is where that is.

        Of the five nearest landmarks, those count that are together: the group within a short way of one of them that
        weighs most. A landmark weighs half as much for each 64th of the bits that it is farther than the nearest.
        """
        distances, near = self._few.nearest(keys, min(NEIGHBOURS, len(self.keys)))
        weights = np.exp2((distances[:, :1] - distances) / (8 * self.keys.shape[1] * _HALF))
        points = self.coordinates[near].astype(np.float64)
        count = near.shape[1]
        best = np.zeros(len(keys))
        placed = points[:, 0].copy()
        for middle in range(count):
            total, sums = np.zeros(len(keys)), np.zeros((len(keys), 2))
            for other in range(count):
                way = points[:, other] - points[:, middle]
                weight = weights[:, other] * (way[:, 0] ** 2 + way[:, 1] ** 2 <= _TOGETHER**2)
                total += weight
                sums += weight[:, None] * points[:, other]
            better = total > best
            best[better] = total[better]
            placed[better] = (sums / total[:, None])[better]
        same = distances[:, 0] == 0
        placed[same] = points[same, 0]
        return placed.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Axes:
    """A linear map of the bits of a key to the plane.

    Attributes
    ----------
    origin
        float64 ``[2]``: where the key of which all bits are 0 is.
    steps
        float64 ``[bits, 2]``: how far each bit that is 1 moves it.
    """

    origin: Doubles
    steps: Doubles
    method = PCA

    @functools.cached_property
    def _tables(self) -> Doubles:
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
        of_bytes = self.steps.reshape(-1, 8, 2)
        tables = np.zeros((len(of_bytes), 256, 2))
        for bit in range(8):
            tables += bits[:, bit, None] * of_bytes[:, None, bit]
        return tables

    def place(self, keys: Keys) -> Floats:
        """Return the coordinates of keys, float32 ``[n, 2]``."""
        # A product of matrices would round otherwise for another number of keys.
        placed = np.repeat(self.origin[None], len(keys), axis=0)
        for table, column in zip(self._tables, keys.T, strict=True):
            placed += table[column]
        return placed.astype(np.float32)


def place_all(layout: Layout, keys: Keys, progress: Callable[[int], None]) -> Floats:
    """Place many keys with all threads; ``progress`` is called with how many were placed since the last call."""
    if not len(keys):
        return np.empty((0, 2), np.float32)
    layout.place(keys[:1])  # what a layout computes once, before threads ask for it

    starts = range(0, len(keys), _BLOCK)
    blocks = (functools.partial(layout.place, keys[start : start + _BLOCK]) for start in starts)
    placed, at = np.empty((len(keys), 2), np.float32), 0
    for block in stream(blocks):
        placed[at : at + len(block)] = block
        at += len(block)
        progress(len(block))
    return placed
