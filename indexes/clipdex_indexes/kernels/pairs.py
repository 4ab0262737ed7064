"""All pairs of hash keys within a Hamming distance, exactly, without comparing every key with every other.

The method is multi-index hashing (Norouzi, Punjani and Fleet, "Fast search in Hamming space with multi-index hashing",
CVPR 2012), as a join of a set with itself. Keys are cut into m parts. Two keys that differ in at most D bits differ in
at most r = D // m bits in at least one part, so it is enough to compare keys that have a part within r bits of each
other: for each part the keys are sorted by it, and for each mask of at most r bits the run of each value is compared
with the run of the value with those bits flipped. A pair is given by the first part that brings it together, so once.

How many comparisons that takes depends on the keys. It is bounded from the lengths of the runs before anything is
compared, for each r, and where comparing everything with everything is cheaper, that is done. Equal keys are brought
together before, by sorting, and only one of them is compared with others: a million copies of a key make a
million pairs and not 5e11.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from clipdex_indexes.kernels.hamming import available_threads

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Progress = Callable[[float], None]

# Candidates that are looked at in one step; memory of a step is about 60 bytes for each.
_BLOCK = 1 << 18
# Two runs as long as this are compared as a matrix.
_LONG_RUN = 128
_TILE = 2048
_LARGEST_RADIUS = 3
_MOST_PART_BITS = 24
_PART_PROBES = 4
# Nanoseconds, roughly: a candidate from two runs, a key in one step over all runs, a key sorted by a part, a pair in a
# matrix. Only their ratios matter.
_CANDIDATE, _VISIT, _SORT, _CELL = 70.0, 100.0, 800.0, 3.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """A block of pairs; positions count through the arrays, one after the other.

    Attributes
    ----------
    first, second
        int64 ``[p]``, ``first < second``.
    distances
        Hamming distances, int64 ``[p]``.
    """

    first: Ints
    second: Ints
    distances: Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """How pairs are found: ``parts`` of ``part_bits`` bits that may differ in ``radius``; 0 parts: all are compared."""

    parts: int
    part_bits: int
    radius: int


def near_pairs(
    arrays: Sequence[Keys],
    distance: int,
    *,
    live: Sequence[npt.NDArray[np.bool_] | None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Pairs]:
    """Yield the pairs of keys that differ in at most ``distance`` bits, in blocks, each once, in no promised order.

    Of keys that are equal the first stands for the others: the pairs of it with each of them are given (distance 0),
    and its pairs with other keys. All other pairs follow from these. Memory is one copy of the keys, about 100 bytes
    for each of them, and a few blocks; it does not grow with the number of pairs.

    Parameters
    ----------
    arrays
        Hash keys, each uint8 ``[n_i, bytes]``.
    distance
        At least 0.
    live
        For each array bool ``[n_i]``, which of its keys count; None: all.
    progress
        Called with the part of the work that is done, from 0 to 1.

    Raises
    ------
    ValueError
        When the distance is negative, or lengths do not agree.
    """
    if distance < 0:
        raise ValueError(f"the distance is {distance}, and must be at least 0")
    report = progress or (lambda part: None)
    positions = _live_positions(arrays, live)
    if not len(positions):
        return
    words = _words(arrays, live)
    order, starts = _runs_of_equal(words)
    positions = positions[order]
    yield from _equal_pairs(positions, starts)
    # In the sorted order, the first of each run of equal keys is the first of them by position.
    words = words[order[starts]]
    representatives = positions[starts]
    plan = make_plan(words, distance)
    found = _by_parts(words, distance, plan, report) if plan.parts else _by_comparing_all(words, distance, report)
    for one, other, distances in found:
        left, right = representatives[one], representatives[other]
        yield Pairs(np.minimum(left, right), np.maximum(left, right), distances)
    report(1.0)


def _live_positions(arrays: Sequence[Keys], live: Sequence[npt.NDArray[np.bool_] | None] | None) -> Ints:
    masks = live if live is not None else [None] * len(arrays)
    parts, start = [np.empty(0, np.int64)], 0
    for keys, mask in zip(arrays, masks, strict=True):
        if keys.shape[1] != arrays[0].shape[1] or (mask is not None and len(mask) != len(keys)):
            raise ValueError("the arrays of keys, or their masks, are not of one length")
        parts.append((np.arange(len(keys)) if mask is None else np.flatnonzero(mask)) + start)
        start += len(keys)
    return np.concatenate(parts)


def _words(arrays: Sequence[Keys], live: Sequence[npt.NDArray[np.bool_] | None] | None) -> Words:
    """Copy the keys that count into one array, uint64 ``[n, words]``, filled up with zeros."""
    masks = live if live is not None else [None] * len(arrays)
    chosen = [keys if mask is None else keys[mask] for keys, mask in zip(arrays, masks, strict=True)]
    length = arrays[0].shape[1]
    copy = np.zeros((sum(map(len, chosen)), -(-length // 8) * 8), np.uint8)
    start = 0
    for keys in chosen:
        copy[start : start + len(keys), :length] = keys
        start += len(keys)
    return copy.view(np.uint64)


def _runs_of_equal(words: Words) -> tuple[Ints, Ints]:
    """Return an order that brings equal keys together, each run by position, and where its runs start."""
    order = np.lexsort(words.T)
    new = np.ones(len(words), bool)
    for start in range(0, len(words) - 1, _BLOCK):
        here = words[order[start : start + _BLOCK + 1]]
        new[start + 1 : start + len(here)] = (here[1:] != here[:-1]).any(axis=1)
    return order, np.flatnonzero(new)


def _equal_pairs(positions: Ints, starts: Ints) -> Iterator[Pairs]:
    repeated = np.ones(len(positions), bool)
    repeated[starts] = False
    others = np.flatnonzero(repeated)
    for begin in range(0, len(others), _BLOCK):
        at = others[begin : begin + _BLOCK]
        first = starts[np.searchsorted(starts, at, "right") - 1]
        yield Pairs(positions[first], positions[at], np.zeros(len(at), np.int64))


def make_plan(words: Words, distance: int) -> Plan:
    """Choose how to find the pairs of distinct keys, by a bound of what each way costs.

    For one part and one mask at most half the sum of the squares of the lengths of the runs is compared (by Cauchy and
    Schwarz). The sum is taken over a few of the parts, and stands for all.
    """
    number, bits = len(words), words.shape[1] * 64
    best, least = Plan(0, 0, 0), _CELL * number * number / 2
    widest = min(_MOST_PART_BITS, max(8, math.ceil(math.log2(number + 1)) + 2))
    for radius in range(_LARGEST_RADIUS + 1):
        parts = distance // (radius + 1) + 1
        width = min(bits // parts, widest)
        if width <= radius:
            continue
        masks = sum(math.comb(width, flipped) for flipped in range(radius + 1))
        steps = parts * (masks * _VISIT + _SORT) * number
        if steps >= least:
            continue
        probes = np.unique(np.linspace(0, parts - 1, _PART_PROBES).astype(int))
        squares = [
            float(np.square(np.bincount(_part(words, parts, width, int(part)), minlength=1), dtype=np.float64).sum())
            for part in probes
        ]
        cost = steps + parts * masks * _CANDIDATE * sum(squares) / len(squares) / 2
        if cost < least:
            best, least = Plan(parts, width, radius), cost
    return best


def _part(words: Words, parts: int, width: int, part: int) -> Ints:
    """Return one part of each key as a number, int64 ``[n]``: bits ``part``, ``part + parts``, ...

    Bits that are far from each other: neighbours may come from one rotation of the embedding, and depend on each other.
    """
    values = np.zeros(len(words), np.int64)
    for place in range(width):
        bit = part + place * parts
        column = words[:, bit // 64]
        values |= ((column >> np.uint64(bit % 64)) & np.uint64(1)).astype(np.int64) << place
    return values


Found = tuple[Ints, Ints, Ints]


def _by_parts(words: Words, distance: int, plan: Plan, report: Progress) -> Iterator[Found]:
    masks = [
        sum(1 << place for place in flipped)
        for radius in range(plan.radius + 1)
        for flipped in itertools.combinations(range(plan.part_bits), radius)
    ]
    for part in range(plan.parts):
        join = _Join(words, distance, plan, part)
        steps = ((number, step) for number, mask in enumerate(masks) for step in join.steps(mask))
        for number, found in _in_threads(steps):
            report((part + number / len(masks)) / plan.parts)
            if len(found[0]):
                yield join.original(found)


def _in_threads(steps: Iterable[tuple[int, Callable[[], Found]]]) -> Iterator[tuple[int, Found]]:
    """Run steps in threads, a few ahead, and yield what they found, in order."""
    threads = available_threads()
    waiting: deque[tuple[int, Future[Found]]] = deque()
    # Each worker is one thread: FAISS is not to start a team of its own in each.
    with ThreadPoolExecutor(threads, initializer=lambda: faiss.omp_set_num_threads(1)) as pool:
        try:
            for number, step in steps:
                waiting.append((number, pool.submit(step)))
                if len(waiting) > 2 * threads:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


class _Join:
    """The keys sorted by one part, and the comparisons of their runs."""

    def __init__(self, words: Words, distance: int, plan: Plan, part: int) -> None:
        self._words = words
        self._distance = distance
        self._plan = plan
        self._number = part
        values = _part(words, plan.parts, plan.part_bits, part)
        # int32 sorts faster, and positions stay as they are within a run.
        self._order = np.argsort(values.astype(np.int32), kind="stable")
        self._values = values[self._order]
        self._offsets = np.zeros((1 << plan.part_bits) + 1, np.int64)
        np.cumsum(np.bincount(values, minlength=1 << plan.part_bits), out=self._offsets[1:])
        # A sample of the words, in the sorted order: it rejects nearly all candidates, and lies close together.
        self._some = np.ascontiguousarray(words[:, : max(1, words.shape[1] // 4)][self._order])

    def original(self, found: Found) -> Found:
        return self._order[found[0]], self._order[found[1]], found[2]

    def steps(self, mask: int) -> Iterator[Callable[[], Found]]:
        """Yield the comparisons of each run with that of its value with the bits of ``mask`` flipped."""
        values = self._values
        partner = values ^ mask
        starts, ends = self._offsets[partner], self._offsets[partner + 1]
        if mask:
            lengths = np.where(values < partner, ends - starts, 0)
        else:
            starts = np.arange(1, len(values) + 1)
            lengths = ends - starts
        own = self._offsets[values + 1] - self._offsets[values]
        long = np.flatnonzero((own >= _LONG_RUN) & (ends - self._offsets[partner] >= _LONG_RUN) & (lengths > 0))
        if len(long):
            for value in np.unique(values[long]).tolist():
                yield from self._matrices(value, value ^ mask)
            lengths[long] = 0
        at = np.flatnonzero(lengths)
        starts, lengths = starts[at], lengths[at]
        until = np.cumsum(lengths)
        total = int(until[-1]) if len(until) else 0
        for begin in range(0, total, _BLOCK):
            end = min(begin + _BLOCK, total)
            low, high = np.searchsorted(until, [begin, end - 1], "right")
            rows = slice(int(low), int(high) + 1)
            yield functools.partial(self._runs, at[rows], starts[rows], lengths[rows], until[rows], begin, end)

    def _matrices(self, value: int, partner: int) -> Iterator[Callable[[], Found]]:
        left = range(*self._offsets[value : value + 2].tolist())
        right = range(*self._offsets[partner : partner + 2].tolist())
        for rows in _tiles(left):
            for columns in _tiles(right):
                if value != partner or columns.start >= rows.start:
                    yield functools.partial(self._matrix, rows, columns)

    def _runs(self, at: Ints, starts: Ints, lengths: Ints, until: Ints, begin: int, end: int) -> Found:
        """Compare candidates ``begin`` to ``end`` of keys ``at``, each with ``lengths`` keys from ``starts`` on."""
        before = until - lengths
        taken = np.minimum(until, end) - np.maximum(before, begin)
        left = np.repeat(at, taken)
        right = np.arange(begin, end) + np.repeat(starts - before, taken)
        some = np.bitwise_count(self._some[left] ^ self._some[right])
        near = some[:, 0].astype(np.uint16)
        for column in range(1, some.shape[1]):
            near += some[:, column]
        kept = near <= self._distance
        return self._confirmed(left[kept], right[kept])

    def _matrix(self, rows: range, columns: range) -> Found:
        """Compare two long runs, or parts of them, each key with each."""
        one, other = (self._words[self._order[part.start : part.stop]] for part in (rows, columns))
        left, right = _near_in_matrix(one, other, self._distance)
        left, right = left + rows.start, right + columns.start
        if rows == columns:
            kept = left < right
            left, right = left[kept], right[kept]
        return self._confirmed(left, right)

    def _confirmed(self, left: Ints, right: Ints) -> Found:
        """Return those candidates that are near enough, and that no part before this one brings together."""
        different = self._words[self._order[left]] ^ self._words[self._order[right]]
        distances = np.bitwise_count(different).sum(axis=1, dtype=np.int64)
        kept = np.flatnonzero(distances <= self._distance)
        for part in range(self._number):
            if not len(kept):
                break
            flipped = _part(different[kept], self._plan.parts, self._plan.part_bits, part)
            kept = kept[np.bitwise_count(flipped) > self._plan.radius]
        return left[kept], right[kept], distances[kept]


def _tiles(positions: range) -> list[range]:
    return [positions[start : start + _TILE] for start in range(0, len(positions), _TILE)]


def _near_in_matrix(one: Words, other: Words, distance: int) -> tuple[Ints, Ints]:
    """Return rows and columns where two blocks of keys are within ``distance``."""
    distances = np.empty((len(one), len(other)), np.int32)
    one, other = np.ascontiguousarray(one), np.ascontiguousarray(other)
    faiss.hammings(
        faiss.swig_ptr(one.view(np.uint8)),
        faiss.swig_ptr(other.view(np.uint8)),
        len(one),
        len(other),
        one.shape[1] * 8,
        faiss.swig_ptr(distances),
    )
    rows, columns = np.divmod(np.flatnonzero(distances.reshape(-1) <= distance), len(other))
    return rows, columns


def _by_comparing_all(words: Words, distance: int, report: Progress) -> Iterator[Found]:
    tiles = _tiles(range(len(words)))
    total = len(tiles) * (len(tiles) + 1) // 2

    def compare(rows: range, columns: range) -> Found:
        left, right = _near_in_matrix(words[rows.start : rows.stop], words[columns.start : columns.stop], distance)
        left, right = left + rows.start, right + columns.start
        kept = left < right
        left, right = left[kept], right[kept]
        return left, right, np.bitwise_count(words[left] ^ words[right]).sum(axis=1, dtype=np.int64)

    pairs = itertools.combinations_with_replacement(tiles, 2)
    steps = ((number, functools.partial(compare, *pair)) for number, pair in enumerate(pairs))
    for number, found in _in_threads(steps):
        report(number / total)
        if len(found[0]):
            yield found
