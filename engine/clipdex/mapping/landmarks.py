"""Drawing landmarks: a sample of the hash keys that depends on the set of keys alone.

A key is drawn when its hash is among the smallest: the bottom-k sample of Cohen and Kaplan (2007). It is a uniform
sample of the different keys, takes one pass in bounded memory, and is the same however the keys are ordered or dealt
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Keys

MOST_LANDMARKS = 10_000
_BLOCK = 1 << 16
_ODD = np.uint64(0x9E3779B97F4A7C15)
_ODD_TOO = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(29)

Hashes = npt.NDArray[np.uint64]


class Drawn:
    """The keys of one dataset with the smallest hashes, each once, by their hash.

    Attributes
    ----------
    hashes
        uint64 ``[n]``, ascending.
    keys
        uint8 ``[n, bytes]``.
    """

    def __init__(self, width: int, most: int = MOST_LANDMARKS) -> None:
        self._most = most
        self.hashes: Hashes = np.empty(0, np.uint64)
        self.keys: Keys = np.empty((0, width), np.uint8)

    def add(self, keys: Keys) -> None:
        """Draw from more keys, uint8 ``[m, bytes]``."""
        hashes = hashes_of(keys)
        if len(self.hashes) == self._most:
            small = hashes < self.hashes[-1]
            hashes, keys = hashes[small], keys[small]
        both = np.concatenate([self.hashes, hashes])
        self.hashes, first = np.unique(both, return_index=True)
        self.hashes, first = self.hashes[: self._most], first[: self._most]
        self.keys = np.concatenate([self.keys, keys])[first]


def hashes_of(keys: Keys) -> Hashes:
    """Return a hash of each key, uint64 ``[n]``, the same on every machine."""
    width = keys.shape[1]
    words = np.zeros((len(keys), -(-width // 8) * 8), np.uint8)
    words[:, :width] = keys
    hashes = np.zeros(len(keys), np.uint64)
    for column in words.view("<u8").T:
        hashes = (hashes ^ column) * _ODD
        hashes ^= hashes >> _SHIFT
    return (hashes ^ (hashes >> _SHIFT)) * _ODD_TOO


def blocks_of(keys: Keys, live: npt.NDArray[np.bool_] | None) -> Iterable[Keys]:
    """Yield the keys that count, a bounded number at a time."""
    for start in range(0, len(keys), _BLOCK):
        block = keys[start : start + _BLOCK]
        yield block if live is None else block[live[start : start + _BLOCK]]


def draw(drawn: Sequence[Drawn], most: int = MOST_LANDMARKS) -> Keys:
    """Return the landmarks of several datasets, uint8 ``[n, bytes]``, by their hash.

    Each dataset has an equal share, so that a small one is not lost beside a large one. What a dataset does not use of
    its share goes to the others.
    """
    share = most // max(len(drawn), 1)
    shared = _joined([(one.hashes[:share], one.keys[:share]) for one in drawn])
    rest = _joined([(one.hashes[share:], one.keys[share:]) for one in drawn])
    new = ~np.isin(rest[0], shared[0])
    room = most - len(shared[0])
    return _joined([shared, (rest[0][new][:room], rest[1][new][:room])])[1]


def _joined(parts: Sequence[tuple[Hashes, Keys]]) -> tuple[Hashes, Keys]:
    hashes, first = np.unique(np.concatenate([hashes for hashes, _ in parts]), return_index=True)
    return hashes, np.concatenate([keys for _, keys in parts])[first]
