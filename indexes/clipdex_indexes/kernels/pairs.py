"""All pairs of hash keys within a Hamming distance, exactly, without comparing every key with every other.

The method is multi-index hashing (Norouzi, Punjani and Fleet, "Fast search in Hamming space with multi-index hashing",
CVPR 2012), as a join of a set with itself. Keys are cut into m parts. Two keys that differ in at most D bits differ in
at most r = D // m bits in at least one part, so it is enough to compare keys that have a part within r bits of each
other. For each part, the keys are sorted by it. For each mask of at most r bits, the run of keys with each value is
compared with the run of the value with those bits flipped. A pair is reported by the first part that brings it
together, so once.

How many comparisons that takes depends on the keys. ``make_plan`` bounds their number from the lengths of the runs,
before anything is compared, and chooses m and r, or comparing all keys with all where that is cheaper. Equal keys are
brought together first, by sorting, and only one of them is compared with others: a million copies of a key make a
million pairs and not 5e11.

``IndexBinaryMultiHash`` of FAISS uses the same method for queries. For all pairs of 1,000,000 keys within 16 or 32 bits
it takes 3 to 12 times as much processor time and 1.2 GB, and equal keys make all their pairs (benchmarks/README.md).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Ints, Keys, Masks, take_rows
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.threads import stream

Words = npt.NDArray[np.uint64]
Progress = Callable[[float], None]

_LARGEST_RADIUS = 3
_MOST_PART_BITS = 24
_PART_PROBES = 4
_KEYS_AT_ONCE = 1 << 13
# Odd, as random as the digits of the golden ratio.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
# Nanoseconds, roughly: a candidate from two runs, a key in one step over all runs, a key sorted by a part, a pair in a
# matrix. Only their ratios matter.
_CANDIDATE, _VISIT, _SORT, _CELL = 70.0, 100.0, 150.0, 3.0


@dataclass(frozen=True, slots=True)
class PairSizes:
    """How the comparisons are cut up. Sizes change the speed and the memory, never the pairs.

    Attributes
    ----------
    block
        Candidates of one step; each takes about 60 bytes.
    long_run
        Two runs of at least so many keys are compared as a matrix.
    tile
        Rows and columns of a matrix that is compared in one step.
    """

    block: int = 1 << 18
    long_run: int = 128
    tile: int = 2048


DEFAULT_PAIR_SIZES = PairSizes()


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
    """How pairs are found.

    Attributes
    ----------
    parts
        The number of parts of a key that are looked at; 0: every key is compared with every other.
    part_bits
        Bits of a part.
    radius
        Bits in which a part of two keys may differ.
    """

    parts: int
    part_bits: int
    radius: int


class _NearRows(NamedTuple):
    """Pairs by the rows of their keys in an array of words; each field int64 ``[p]``."""

    left: Ints
    right: Ints
    distances: Ints


def near_pairs(
    arrays: Sequence[Keys],
    distance: int,
    *,
    live: Masks | None = None,
    progress: Progress | None = None,
    plan: Plan | None = None,
    sizes: PairSizes = DEFAULT_PAIR_SIZES,
) -> Iterator[Pairs]:
    """Yield the pairs of keys that differ in at most ``distance`` bits, in blocks, each once, in no promised order.

    The first of several equal keys stands for all of them. Its pairs with each of the equal keys (distance 0) are
    given, and its pairs with other keys; the pairs of the equal keys follow from these. Memory is one copy of the keys,
    about 100 bytes for each of them, and a few blocks. It does not grow with the number of pairs.

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
    plan
        How the pairs are found; None: as ``make_plan`` chooses.
    sizes
        How the work is cut up.

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
    words = words_of(arrays, live)
    order, starts = _runs_of_equal(words, sizes.block)
    positions = positions[order]
    yield from _equal_pairs(positions, starts, sizes.block)
    # In the sorted order, the first of each run of equal keys is the first of them by position.
    words = words[order[starts]]
    representatives = positions[starts]
    plan = plan or make_plan(words, distance)
    compared = (
        _by_parts(words, distance, plan, sizes, report)
        if plan.parts
        else _by_comparing_all(words, distance, sizes, report)
    )
    for near in compared:
        left, right = representatives[near.left], representatives[near.right]
        yield Pairs(np.minimum(left, right), np.maximum(left, right), near.distances)
    report(1.0)


def _live_positions(arrays: Sequence[Keys], live: Masks | None) -> Ints:
    masks = live if live is not None else [None] * len(arrays)
    parts, start = [np.empty(0, np.int64)], 0
    for keys, mask in zip(arrays, masks, strict=True):
        if keys.shape[1] != arrays[0].shape[1] or (mask is not None and len(mask) != len(keys)):
            raise ValueError("the arrays of keys, or their masks, are not of one length")
        parts.append((np.arange(len(keys)) if mask is None else np.flatnonzero(mask)) + start)
        start += len(keys)
    return np.concatenate(parts)


def words_of(arrays: Sequence[Keys], live: Masks | None = None) -> Words:
    """Copy the keys that count into one array of words, uint64 ``[n, words]``, each key filled up with zeros."""
    masks = live if live is not None else [None] * len(arrays)
    chosen = [keys if mask is None else keys[mask] for keys, mask in zip(arrays, masks, strict=True)]
    length = arrays[0].shape[1]
    copy = np.zeros((sum(map(len, chosen)), -(-length // 8) * 8), np.uint8)
    start = 0
    for keys in chosen:
        copy[start : start + len(keys), :length] = keys
        start += len(keys)
    return copy.view(np.uint64)


def _runs_of_equal(words: Words, size: int) -> tuple[Ints, Ints]:
    """Return an order that brings equal keys together, each run by position, and where its runs start."""
    mixed = np.zeros(len(words), np.uint64)
    for column in range(words.shape[1]):
        mixed = mixed * _MULTIPLIER + words[:, column]
    order = np.argsort(mixed, kind="stable")
    starts = _starts_of_runs(words, order, size)
    if len(starts) != 1 + np.count_nonzero(np.diff(mixed[order])):
        # Different keys were mixed to one number, so that they may lie between equal ones.
        order = np.lexsort(words.T)
        starts = _starts_of_runs(words, order, size)
    return order, starts


def _starts_of_runs(words: Words, order: Ints, size: int) -> Ints:
    new = np.ones(len(words), bool)
    for start in range(0, len(words) - 1, size):
        block = words[order[start : start + size + 1]]
        new[start + 1 : start + len(block)] = (block[1:] != block[:-1]).any(axis=1)
    return np.flatnonzero(new)


def _equal_pairs(positions: Ints, starts: Ints, size: int) -> Iterator[Pairs]:
    """Yield the pairs of the first key of each run with the other keys of the run."""
    repeated = np.ones(len(positions), bool)
    repeated[starts] = False
    others = np.flatnonzero(repeated)
    for begin in range(0, len(others), size):
        at = others[begin : begin + size]
        first = starts[np.searchsorted(starts, at, "right") - 1]
        yield Pairs(positions[first], positions[at], np.zeros(len(at), np.int64))


def make_plan(words: Words, distance: int) -> Plan:
    """Choose the cheapest way to find the pairs of distinct keys, by an upper bound on what each way costs.

    One part and one mask make at most half as many comparisons as the sum of the squares of the lengths of the runs (by
    Cauchy and Schwarz). The sum is taken over a few of the parts, and stands for all.

    Parameters
    ----------
    words
        Distinct keys, as ``words_of`` copies them.
    distance
        As of ``near_pairs``.
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

    The bits of a part are far from each other, because bits beside each other may come from one rotation of the
    embedding and depend on each other.
    """
    values = np.zeros(len(words), np.int64)
    # So many keys at once that they stay in the cache while their bits are taken.
    for start in range(0, len(words), _KEYS_AT_ONCE):
        block, into = words[start : start + _KEYS_AT_ONCE], values[start : start + _KEYS_AT_ONCE]
        for word in range(block.shape[1]):
            bits = [number for number in range(width) if (part + number * parts) // 64 == word]
            if not bits:
                continue
            column = np.ascontiguousarray(block[:, word]).view(np.int64)
            for number in bits:
                taken = (column >> (part + number * parts) % 64) & 1
                taken <<= number
                into |= taken
    return values


def _by_parts(words: Words, distance: int, plan: Plan, sizes: PairSizes, report: Progress) -> Iterator[_NearRows]:
    masks = [
        sum(1 << bit for bit in flipped)
        for radius in range(plan.radius + 1)
        for flipped in itertools.combinations(range(plan.part_bits), radius)
    ]
    # The first quarter of each key rejects nearly all candidates, from little memory.
    some = np.ascontiguousarray(words[:, : max(1, words.shape[1] // 4)])
    for part in range(plan.parts):
        join = _Join(words, some, distance, plan, part, sizes)
        steps = (
            functools.partial(_numbered, number, step) for number, mask in enumerate(masks) for step in join.steps(mask)
        )
        for number, near in stream(steps):
            report((part + number / len(masks)) / plan.parts)
            if len(near.left):
                yield join.original(near)


def _numbered(number: int, step: Callable[[], _NearRows]) -> tuple[int, _NearRows]:
    return number, step()


class _Join:
    """The keys sorted by one part, and the comparisons of their runs."""

    def __init__(self, words: Words, some: Words, distance: int, plan: Plan, part: int, sizes: PairSizes) -> None:
        self._sizes = sizes
        self._words = words
        self._distance = distance
        self._plan = plan
        self._part = part
        values = _part(words, plan.parts, plan.part_bits, part)
        # Numbers sort faster than an order of them. The position is in the lower bits: it orders the keys of a run.
        place = max(1, len(values) - 1).bit_length()
        together = np.sort(values << place | np.arange(len(values)))
        self._order = together & ((1 << place) - 1)
        self._values = together >> place
        self._some = take_rows(some, self._order)

    @functools.cached_property
    def _offsets(self) -> Ints:
        """Where the run of each value starts, int64 ``[values + 1]``."""
        counts = np.bincount(self._values, minlength=1 << self._plan.part_bits)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def original(self, near: _NearRows) -> _NearRows:
        """Return pairs of sorted keys by their rows in the words."""
        return _NearRows(self._order[near.left], self._order[near.right], near.distances)

    def steps(self, mask: int) -> Iterator[Callable[[], _NearRows]]:
        """Yield the comparisons of each run with that of its value with the bits of ``mask`` flipped."""
        values, least = self._values, self._sizes.long_run
        if mask:
            partner = values ^ mask
            starts, ends = self._offsets[partner], self._offsets[partner + 1]
            lengths = np.where(values < partner, ends - starts, 0)
            own = self._offsets[values + 1] - self._offsets[values]
            long = np.flatnonzero((own >= least) & (lengths >= least))
        else:
            begins = np.flatnonzero(np.diff(values, prepend=-1))
            sizes = np.diff(begins, append=len(values))
            starts = np.arange(1, len(values) + 1)
            lengths = np.repeat(begins + sizes, sizes) - starts
            long = np.flatnonzero((np.repeat(sizes, sizes) >= least) & (lengths > 0))
        if len(long):
            for value in np.unique(values[long]).tolist():
                yield from self._matrices(value, value ^ mask)
            lengths[long] = 0
        at = np.flatnonzero(lengths)
        starts, lengths = starts[at], lengths[at]
        until = np.cumsum(lengths)
        total = int(until[-1]) if len(until) else 0
        for begin in range(0, total, self._sizes.block):
            end = min(begin + self._sizes.block, total)
            low, high = np.searchsorted(until, [begin, end - 1], "right")
            rows = slice(int(low), int(high) + 1)
            yield functools.partial(self._runs, at[rows], starts[rows], lengths[rows], until[rows], begin, end)

    def _matrices(self, value: int, partner: int) -> Iterator[Callable[[], _NearRows]]:
        left, right = (range(*np.searchsorted(self._values, [one, one + 1]).tolist()) for one in (value, partner))
        for rows in _tiles(left, self._sizes.tile):
            for columns in _tiles(right, self._sizes.tile):
                if value != partner or columns.start >= rows.start:
                    yield functools.partial(self._matrix, rows, columns)

    def _runs(self, at: Ints, starts: Ints, lengths: Ints, until: Ints, begin: int, end: int) -> _NearRows:
        """Compare a block of candidates: each key of ``at`` with ``lengths`` keys from ``starts`` on.

        The block is candidates ``begin`` to ``end``; ``until`` counts the candidates up to the last of each key.
        """
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

    def _matrix(self, rows: range, columns: range) -> _NearRows:
        """Compare two long runs, or parts of them, each key with each."""
        down, across = (self._words[self._order[part.start : part.stop]] for part in (rows, columns))
        near = _placed(_near_in_matrix(down, across, self._distance), rows, columns)
        # The first part has nothing to compare with, and in a group of many near keys it finds all pairs.
        return near if self._part == 0 else self._confirmed(near.left, near.right)

    def _confirmed(self, left: Ints, right: Ints) -> _NearRows:
        """Return the candidates that are near enough and that no earlier part brings together."""
        different = self._words[self._order[left]] ^ self._words[self._order[right]]
        distances = np.bitwise_count(different).sum(axis=1, dtype=np.int64)
        kept = np.flatnonzero(distances <= self._distance)
        for part in range(self._part):
            if not len(kept):
                break
            flipped = _part(different[kept], self._plan.parts, self._plan.part_bits, part)
            kept = kept[np.bitwise_count(flipped) > self._plan.radius]
        return _NearRows(left[kept], right[kept], distances[kept])


def _tiles(positions: range, size: int) -> list[range]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def _near_in_matrix(down: Words, across: Words, distance: int) -> _NearRows:
    """Return rows and columns where two blocks of keys are within ``distance``."""
    distances = distances_to(across.view(np.uint8), down.view(np.uint8))
    rows, columns = np.nonzero(distances <= distance)
    return _NearRows(rows, columns, distances[rows, columns].astype(np.int64))


def _placed(near: _NearRows, rows: range, columns: range) -> _NearRows:
    """Return what a matrix of two blocks found by its rows among all; of a block with itself, each pair once."""
    left, right = near.left + rows.start, near.right + columns.start
    if rows != columns:
        return _NearRows(left, right, near.distances)
    kept = left < right
    return _NearRows(left[kept], right[kept], near.distances[kept])


def _by_comparing_all(words: Words, distance: int, sizes: PairSizes, report: Progress) -> Iterator[_NearRows]:
    tiles = _tiles(range(len(words)), sizes.tile)
    total = len(tiles) * (len(tiles) + 1) // 2

    def compare(rows: range, columns: range) -> _NearRows:
        near = _near_in_matrix(words[rows.start : rows.stop], words[columns.start : columns.stop], distance)
        return _placed(near, rows, columns)

    pairs = itertools.combinations_with_replacement(tiles, 2)
    for number, near in enumerate(stream(functools.partial(compare, *pair) for pair in pairs)):
        report(number / total)
        if len(near.left):
            yield near
