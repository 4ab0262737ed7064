"""Exact top-k by a value that is made of the distances to several queries, over every key.

The k nearest of each query alone do not show which items are good for all of them, or far from some of them. So every
distance is computed, a block of keys at a time; a distance is a whole number of bits, so what it is worth is looked up
in a table of the query. Values are int64: sums are exact, and the answer is the same whatever the blocks and threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from clipdex_indexes.index import Found, Index, Location, searched
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.hamming import Masks, Neighbours, _pool, available_threads

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Joining = Literal["min", "max", "sum"]
T = TypeVar("T")

_SMALLEST_CHUNK = 1 << 16
_CHUNKS_PER_THREAD = 4
# Distances of a block to a few queries stay in the cache of a processor.
_BLOCK_ROWS = 1 << 14
_ONE_THREAD_BELOW = 1 << 15


@dataclass(frozen=True, slots=True)
class Group:
    """Queries whose costs are made one: the least, the greatest, or their sum.

    Attributes
    ----------
    queries
        Hash keys, uint8 ``[q, bytes]``, q at least 1.
    costs
        What each distance to each query is worth, int64 ``[q, bits + 1]``. Sums over all groups must fit into int64.
    rule
        ``min``, ``max`` or ``sum``.
    """

    queries: Keys
    costs: Ints
    rule: Joining

    def combine(self, costs: Ints) -> Ints:
        """Return one cost for each item, int64 ``[n]``, from its cost for each query, ``[q, n]``."""
        rule = {"min": np.minimum, "max": np.maximum, "sum": np.add}[self.rule]
        combined: Ints = rule.reduce(costs, axis=0)
        return combined


def count_distances(arrays: Sequence[Keys], queries: Keys, masks: Masks | None = None) -> Ints:
    """Count how many keys are at each distance from each query.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``.
    queries
        uint8 ``[q, bytes]``.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.

    Returns
    -------
    int64 ``[q, bits + 1]``.
    """
    bits = 8 * queries.shape[1]

    def run(keys: Keys, mask: Bools | None, _first: int) -> Ints:
        counts = np.zeros((len(queries), bits + 1), np.int64)
        for _, block in _blocks(keys, mask):
            for number, found in enumerate(distances_to(block, queries)):
                counts[number] += np.bincount(found, minlength=bits + 1)
        return counts

    total = np.zeros((len(queries), bits + 1), np.int64)
    for _, part in _over_chunks(arrays, masks, len(queries), run):
        total += part
    return total


def lowest(arrays: Sequence[Keys], groups: Sequence[Group], k: int, masks: Masks | None = None) -> list[Neighbours]:
    """Find the k keys of each array whose costs, summed over the groups, are lowest.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``.
    groups
        At least one.
    k
        At least 1; more than there are keys gives all of them.
    masks
        For each array which keys count, bool ``[n_i]``; None for all.

    Returns
    -------
    list of Neighbours
        ``[array]``, with costs as distances. Equal costs are in order of position, also at the k-th place.
    """

    def run(keys: Keys, mask: Bools | None, first: int) -> Neighbours:
        best = Neighbours(np.empty(0, np.int64), np.empty(0, np.int64))
        for positions, block in _blocks(keys, mask):
            cost = _costs(block, groups)
            if len(best.distances) == k:  # an equal one that comes later loses
                better = cost < best.distances[-1]
                cost, positions = cost[better], positions[better]
            if len(cost):
                best = _joined([best, Neighbours(cost, positions + first)], k)
        return best

    queries = sum(len(group.queries) for group in groups)
    by_array: list[list[Neighbours]] = [[] for _ in arrays]
    for number, part in _over_chunks(arrays, masks, queries, run):
        by_array[number].append(part)
    return [_joined(parts, k) for parts in by_array]


def count_in(indexes: Sequence[Index], queries: Keys, selections: Sequence[Masks] | None = None) -> Ints:
    """Count how many items of several indexes are at each distance from each query, int64 ``[q, bits + 1]``.

    ``selections`` has for each index and segment which items count, bool ``[items]``; None for all.
    """
    _, arrays, masks = searched(indexes, selections)
    return count_distances(arrays, queries, masks)


def search_combined(
    indexes: Sequence[Index], groups: Sequence[Group], k: int, selections: Sequence[Masks] | None = None
) -> list[Found]:
    """Find the k items of several indexes whose costs, summed over the groups, are lowest.

    Returns
    -------
    list of Found
        With costs as distances; by cost, then order of the indexes, then item order: the same whatever the segments
        and threads.
    """
    places, arrays, masks = searched(indexes, selections)
    found = sorted(
        (cost, *place, position)
        for place, part in zip(places, lowest(arrays, groups, k, masks), strict=True)
        for cost, position in zip(part.distances.tolist(), part.positions.tolist(), strict=True)
    )
    answer: list[Found] = []
    for (cost, number), group in itertools.groupby(found, key=lambda one: one[:2]):
        tied = [Found(cost, number, Location(segment, position)) for _, _, segment, position in group]
        if len({one.location.segment for one in tied}) > 1:
            rows = indexes[number].rows([one.location for one in tied])
            tied = [one for _, one in sorted(zip(rows, tied, strict=True), key=lambda pair: pair[0][:2])]
        answer += tied
        if len(answer) >= k:
            break
    return answer[:k]


def _costs(keys: Keys, groups: Sequence[Group]) -> Ints:
    total = np.zeros(len(keys), np.int64)
    for group in groups:
        distances = distances_to(keys, group.queries)
        total += group.combine(np.take_along_axis(group.costs, distances, axis=1))
    return total


def _joined(parts: Sequence[Neighbours], k: int) -> Neighbours:
    costs = np.concatenate([part.distances for part in parts] or [np.empty(0, np.int64)])
    positions = np.concatenate([part.positions for part in parts] or [np.empty(0, np.int64)])
    order = np.lexsort((positions, costs))[:k]
    return Neighbours(costs[order], positions[order])


def _blocks(keys: Keys, mask: Bools | None) -> Iterator[tuple[Ints, Keys]]:
    """Yield the keys that count, a block at a time, with their positions; blocks without any are passed over."""
    for start in range(0, len(keys), _BLOCK_ROWS):
        block = keys[start : start + _BLOCK_ROWS]
        if mask is None:
            yield np.arange(start, start + len(block)), block
            continue
        kept = np.flatnonzero(mask[start : start + _BLOCK_ROWS])
        if len(kept):
            yield kept + start, block if len(kept) == len(block) else block[kept]


def _over_chunks(
    arrays: Sequence[Keys], masks: Masks | None, queries: int, run: Callable[[Keys, Bools | None, int], T]
) -> list[tuple[int, T]]:
    """Call ``run`` with chunks of the arrays, their masks and first positions, in threads; return array and answer."""
    total = sum(map(len, arrays))
    size = max(_SMALLEST_CHUNK, -(-total // (available_threads() * _CHUNKS_PER_THREAD)))
    chunks = [(number, start) for number, keys in enumerate(arrays) for start in range(0, len(keys), size)]

    def one(chunk: tuple[int, int]) -> tuple[int, T]:
        number, start = chunk
        mask = masks[number] if masks is not None else None
        part = slice(start, start + size)
        return number, run(arrays[number][part], None if mask is None else mask[part], start)

    if total * queries < _ONE_THREAD_BELOW:
        return [one(chunk) for chunk in chunks]
    return list(_pool().map(one, chunks))
