"""How far the items of a group are from each other: as they are, or in any orientation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from clipdex.media.orientations import ORIENTATIONS, inverse
from clipdex.search.all_keys import AllKeys, Ints, Keys
from clipdex.search.orienting import OrientedKeys
from clipdex_indexes.arrays import Int32s
from clipdex_indexes.kernels.distances import distances_to, hamming
from clipdex_indexes.kernels.linkage import Distances, KeyDistances, greatest_distance, widest


class FromOne(NamedTuple):
    """How far items are from one of them, int64 ``[n]``, and in which orientation of that one, int64 ``[n]``."""

    distances: Ints
    orientations: Ints


class Nearness(ABC):
    """Distances between the items at some positions."""

    @abstractmethod
    def greatest(self, positions: Ints, enough: int | None = None) -> int:
        """Return the greatest distance between two of the items; with ``enough``, any above it, where there is one."""

    @abstractmethod
    def distinct(self, positions: Ints) -> tuple[Ints, Ints, Distances]:
        """Return which of the items stand for all, the number of that item for each, and the distances of the former.

        An item stands for items at distance 0 of it that are as far from all others as it is; the first does.
        """

    @abstractmethod
    def from_one(self, positions: Ints, number: int) -> FromOne:
        """Return the distances of the items from one of them."""


class AsTheyAre(Nearness):
    """Distances of the hash keys of the index."""

    def __init__(self, keys: AllKeys) -> None:
        self._keys = keys

    def greatest(self, positions: Ints, enough: int | None = None) -> int:
        """Return the greatest distance."""
        return greatest_distance(self._keys.of(positions), enough)

    def distinct(self, positions: Ints) -> tuple[Ints, Ints, Distances]:
        """Let the first of equal keys stand for all."""
        keys = self._keys.of(positions)
        texts = np.ascontiguousarray(keys).view(f"V{keys.shape[1]}").reshape(-1)
        _, firsts, numbers = np.unique(texts, return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return firsts[order], places[numbers], KeyDistances(keys[firsts[order]])

    def from_one(self, positions: Ints, number: int) -> FromOne:
        """Return the distances from one item."""
        keys = self._keys.of(positions)
        return FromOne(hamming(keys, keys[number]), np.zeros(len(keys), np.int64))


class InAnyOrientation(Nearness):
    """The least distances over the orientations of either item.

    These keep to no triangle inequality, because an encoder does not treat all orientations alike.
    """

    def __init__(self, keys: AllKeys, oriented: OrientedKeys) -> None:
        self._keys = keys
        self._oriented = oriented

    def greatest(self, positions: Ints, enough: int | None = None) -> int:
        """Return the greatest distance; all pairs are compared."""
        return widest(self._distances(positions))

    def distinct(self, positions: Ints) -> tuple[Ints, Ints, Distances]:
        """Let each item stand for itself."""
        every = np.arange(len(positions))
        return every, every, self._distances(positions)

    def from_one(self, positions: Ints, number: int) -> FromOne:
        """Return the distances from one item; where orientations are equally near, the first."""
        keys = self._oriented.of(self._keys.of(positions), positions)
        table = np.full((len(ORIENTATIONS), len(positions)), 8 * keys.shape[2] + 1, np.int64)
        for orientation in range(len(ORIENTATIONS)):
            turned = hamming(np.ascontiguousarray(keys[0]), keys[orientation, number])
            table[orientation] = np.minimum(table[orientation], turned)
            undone = hamming(np.ascontiguousarray(keys[orientation]), keys[0, number])
            table[inverse(orientation)] = np.minimum(table[inverse(orientation)], undone)
        return FromOne(table.min(axis=0), table.argmin(axis=0))

    def _distances(self, positions: Ints) -> Distances:
        return _OrientedDistances(self._oriented.of(self._keys.of(positions), positions))


class _OrientedDistances:
    """Least distances over orientations, from keys uint8 ``[8, n, bytes]``."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return int(self._keys.shape[1])

    def rows(self, which: Ints) -> Int32s:
        upright = self._keys[0]
        least = distances_to(upright, upright[which])
        for turned in self._keys[1:]:
            np.minimum(least, distances_to(upright, turned[which]), out=least)
            np.minimum(least, distances_to(turned, upright[which]), out=least)
        return least
