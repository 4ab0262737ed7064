"""Groups of near keys: by single linkage from pairs, by complete linkage from distances, and how wide a group is.

Everything here is exact, and no answer depends on the order in which pairs come or in which distances are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from clipdex_indexes.arrays import Bools, Int32s, Ints, Keys
from clipdex_indexes.kernels.dense_linkage import DenseLinkage, dtype_of
from clipdex_indexes.kernels.distances import distances_to

# Distances that are computed at once.
_CELLS = 1 << 22
# Distances that the rows of complete linkage may hold before those that can be computed again are dropped.
_MOST_KEPT = 1 << 26
_ROWS_AT_ONCE = 64
# Bytes of the table of all distances, up to which complete linkage makes one.
_MOST_TABLE = 1 << 29


class Distances(Protocol):
    """Symmetric distances between ``n`` things."""

    def __len__(self) -> int:
        """Return ``n``."""
        ...

    def rows(self, which: Ints) -> Int32s:
        """Return the distances of some of the things to all, int32 ``[len(which), n]``."""
        ...


class KeyDistances:
    """The Hamming distances between hash keys, uint8 ``[n, bytes]``."""

    def __init__(self, keys: Keys) -> None:
        self._keys = np.ascontiguousarray(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def rows(self, which: Ints) -> Int32s:
        """Return the distances of some keys to all, int32 ``[len(which), n]``."""
        return distances_to(self._keys, self._keys[which])


def components(number: int, pairs: Iterable[tuple[Ints, Ints]]) -> list[Ints]:
    """Return the connected components of at least two of ``number`` things, each as sorted positions.

    A union-find joins the pairs as they come, so that they need not be kept.

    Parameters
    ----------
    number
        How many things there are.
    pairs
        Blocks of pairs: the position of the one, and of the other, each int64 ``[p]``.
    """
    parent = np.arange(number)
    for first, second in pairs:
        _join(parent, first, second)
    roots = _roots(parent, parent)
    return runs_of(roots, np.bincount(roots, minlength=number)[roots] > 1)


def runs_of(numbers: Ints, counted: Bools) -> list[Ints]:
    """Return the positions that share a number, of those that count: one sorted array for each number, by number."""
    members = np.flatnonzero(counted)
    members = members[np.argsort(numbers[members], kind="stable")]
    return [part for part in np.split(members, np.flatnonzero(np.diff(numbers[members])) + 1) if len(part)]


def _roots(parent: Ints, of: Ints) -> Ints:
    roots = parent[of]
    while True:
        above = parent[roots]
        if np.array_equal(above, roots):
            return roots
        roots = above


def _join(parent: Ints, first: Ints, second: Ints) -> None:
    """Join pairs of things; the least thing of a component is its root.

    In each round every root points to the least root that a pair joins it with. So at least half of the roots that have
    something to be joined with are gone after it, and a round takes a few operations on arrays.
    """
    one, other = _roots(parent, first), _roots(parent, second)
    parent[first], parent[second] = one, other
    while len(apart := np.flatnonzero(one != other)):
        one, other = one[apart], other[apart]
        np.minimum.at(parent, np.maximum(one, other), np.minimum(one, other))
        joined = np.unique(np.concatenate([one, other]))
        while not np.array_equal(shortened := parent[parent[joined]], parent[joined]):
            parent[joined] = shortened
        one, other = parent[one], parent[other]


def greatest_distance(keys: Keys, enough: int | None = None) -> int:
    """Return the greatest Hamming distance between any two keys; 0 for a single one.

    The method is that for the diameter of a graph by bounds on eccentricities (Takes and Kosters, "Determining the
    diameter of small world networks", CIKM 2011). The distance of a key to the one farthest from it is at most its
    distance to any other key plus that of the other key to its farthest one. A key of which this bound is not above the
    greatest distance so far is not looked at. Groups of near keys need few rows; at worst all pairs are compared. The
    memory is that of the keys and of 4,194,304 distances, or one row where that is longer.

    Parameters
    ----------
    keys
        uint8 ``[n, bytes]``.
    enough
        Stop as soon as a distance above this one is found, and return that.
    """
    if len(keys) <= _ROWS_AT_ONCE:
        return int(distances_to(keys, keys).max(initial=0))
    distinct = np.unique(np.ascontiguousarray(keys).view(f"V{keys.shape[1]}").reshape(-1))
    keys = distinct.view(np.uint8).reshape(len(distinct), keys.shape[1])
    distances = KeyDistances(keys)
    bounds = np.full(len(keys), 8 * keys.shape[1], np.int64)
    at_once = 1
    greatest = 0
    while True:
        waiting = np.flatnonzero(bounds > greatest)
        if not len(waiting) or (enough is not None and greatest > enough):
            return greatest
        # The first rows tell most. When they have not settled it, many are computed at once.
        waiting = waiting[np.argsort(-bounds[waiting], kind="stable")[:at_once]]
        rows = distances.rows(waiting)
        farthest = rows.max(axis=1)
        greatest = max(greatest, int(farthest.max()))
        np.minimum(bounds, (rows + farthest[:, None]).min(axis=0), out=bounds)
        bounds[waiting] = 0
        at_once = min(2 * at_once, _ROWS_AT_ONCE, max(1, _CELLS // len(keys)))


def widest(distances: Distances) -> int:
    """Return the greatest distance, by looking at all: of distances that need not keep to the triangle inequality."""
    return max((int(rows.max()) for rows in _all_rows(distances)), default=0)


def _all_rows(distances: Distances) -> Iterator[Int32s]:
    """Yield the rows of all things in order, a bounded number of distances at a time."""
    at_once = max(1, _CELLS // max(1, len(distances)))
    for start in range(0, len(distances), at_once):
        yield distances.rows(np.arange(start, min(start + at_once, len(distances))))


def complete_linkage(distances: Distances, most: int, progress: Callable[[int], None] | None = None) -> list[Ints]:
    """Cut things into groups in which any two are at most ``most`` apart, by complete linkage.

    Each thing begins as a group of its own. The two nearest groups are joined, again and again, as long as no two
    things of the joined group are more than ``most`` apart; the distance of two groups is that of their farthest
    things. Of groups that are equally near, those with the first thing that comes first are joined, then those whose
    other first thing comes first.

    The groups are found by chains of nearest neighbours (Murtagh, "A survey of recent advances in hierarchical
    clustering algorithms", The Computer Journal 1983): two groups, each the nearest of the other, can be joined at
    once, because no later join brings anything nearer to either. That holds for ties too, since a joined group is named
    by its first thing. It takes at most one row of distances for each thing. Up to about 23,000 things, the memory is
    that of all distances, a byte each; above, that of a few rows and of the distances within ``most`` that are in use.

    Parameters
    ----------
    distances
        The distances of the things, in the order that breaks ties.
    most
        The greatest distance within a group.
    progress
        Called with the number of things that were joined with others, or are the first of a group that is known.

    Returns
    -------
    list of Ints
        The groups, each as sorted positions, by their first things; a thing alone is a group too.
    """
    report = progress or (lambda done: None)
    number = len(distances)
    if number * number * np.dtype(dtype_of(most)).itemsize <= _MOST_TABLE:
        owners = DenseLinkage(number, _all_rows(distances), most).owners(report)
        return runs_of(owners, np.ones(number, np.bool_))
    return _CompleteLinkage(distances, most).groups(report)


class _CompleteLinkage:
    """Groups, each named by its first thing, while they are joined."""

    def __init__(self, distances: Distances, most: int) -> None:
        self._distances = distances
        self._most = most
        self._owner = np.arange(len(distances))
        self._sizes = np.ones(len(distances), np.int64)
        self._members: dict[int, Ints] = {}
        # For a group, the things within the distance of all its things, and how far the farthest of these is.
        self._near: dict[int, tuple[Ints, Int32s]] = {}
        self._kept = 0

    def groups(self, progress: Callable[[int], None]) -> list[Ints]:
        done: set[int] = set()
        settled_or_joined = 0
        chain: list[int] = []
        for start in range(len(self._owner)):
            while (first := int(self._owner[start])) not in done:
                chain = chain or [first]
                partner = self._nearest(chain[-1])
                if partner is None:
                    done.add(chain.pop())
                elif len(chain) > 1 and partner == chain[-2]:
                    self._join(chain.pop(), chain.pop())
                else:
                    chain.append(partner)
                    continue
                settled_or_joined += 1
                progress(settled_or_joined)
                if self._kept > _MOST_KEPT:
                    self._forget(chain)
        return [self._things(first) for first in sorted(done)]

    def _things(self, group: int) -> Ints:
        return self._members.get(group, np.array([group]))

    def _nearest(self, group: int) -> int | None:
        """Return the nearest group that can be joined with this one, the first of several; None where there is none."""
        things, distances = self._row(group)
        owners = self._owner[things]
        others = owners != group
        owners, distances = owners[others], distances[others]
        if not len(owners):
            return None
        order = np.argsort(owners, kind="stable")
        owners, distances = owners[order], distances[order]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        names = owners[starts]
        whole = np.diff(starts, append=len(owners)) == self._sizes[names]
        if not whole.any():
            return None
        farthest = np.maximum.reduceat(distances, starts)[whole]
        # Names ascend, and argmin gives the first of the least.
        return int(names[whole][farthest.argmin()])

    def _row(self, group: int) -> tuple[Ints, Int32s]:
        if group not in self._near:
            farthest: Int32s | None = None
            for thing in self._things(group):
                row = self._distances.rows(np.array([thing]))[0]
                farthest = row if farthest is None else np.maximum(farthest, row)
            if farthest is None:
                raise ValueError("a group has at least one thing")
            near = np.flatnonzero(farthest <= self._most)
            self._near[group] = near, farthest[near]
            self._kept += len(near)
        return self._near[group]

    def _join(self, one: int, other: int) -> None:
        first, last = min(one, other), max(one, other)
        (some, near), (more, far) = self._row(first), self._row(last)
        both, at, there = np.intersect1d(some, more, assume_unique=True, return_indices=True)
        members = np.union1d(self._things(first), self._things(last))
        del self._near[last]
        self._members.pop(last, None)
        self._near[first] = both, np.maximum(near[at], far[there])
        self._kept -= len(some) + len(more) - len(both)
        self._members[first] = members
        self._sizes[first] = len(members)
        self._owner[members] = first

    def _forget(self, chain: list[int]) -> None:
        """Drop the rows that are not in use; they can be computed again."""
        self._near = {group: self._near[group] for group in chain[-2:] if group in self._near}
        self._kept = sum(len(things) for things, _ in self._near.values())
