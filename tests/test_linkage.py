"""Linkage of keys and the greatest distance of a group, against brute force."""

from __future__ import annotations

import time

import numpy as np
import pytest

from clipdex_indexes.kernels import linkage
from clipdex_indexes.kernels.linkage import KeyDistances, complete_linkage, components, greatest_distance, widest
from clipdex_indexes.kernels.pairs import near_pairs
from helpers_index import complete_by_definition, table_of


def series(number, width, seed, flips):
    """Keys of which each differs from the one before in up to ``flips`` bits, as the frames of a film do."""
    random = np.random.default_rng(seed)
    bits = np.zeros((number, 8 * width), bool)
    for place in range(1, number):
        bits[place] = bits[place - 1]
        bits[place, random.choice(8 * width, random.integers(0, flips + 1), replace=False)] ^= True
    return np.packbits(bits, axis=1)[random.permutation(number)]


@pytest.mark.parametrize("way", ["all distances", "near ones", "few of these"])
@pytest.mark.parametrize(
    ("number", "width", "flips", "most"), [(24, 8, 3, 8), (24, 2, 3, 4), (20, 8, 1, 5), (16, 4, 9, 0)]
)
def test_complete_linkage_is_that_of_its_definition(number, width, flips, most, way, monkeypatch):
    if way != "all distances":
        monkeypatch.setattr(linkage, "_MOST_TABLE", 0)
    if way == "few of these":
        monkeypatch.setattr(linkage, "_MOST_KEPT", 0)
    for seed in range(5):
        keys = series(number, width, seed, flips)
        table = table_of(keys)
        found = [group.tolist() for group in complete_linkage(KeyDistances(keys), most)]
        assert found == complete_by_definition(table, most)
        assert all(table[np.ix_(group, group)].max() <= most for group in found)


@pytest.mark.parametrize("table", [0, 1 << 20])
def test_complete_linkage_tells_how_far_it_is(table, monkeypatch):
    monkeypatch.setattr(linkage, "_MOST_TABLE", table)
    told = []
    complete_linkage(KeyDistances(series(20, 8, 0, 3)), 4, told.append)
    assert told == list(range(1, 21))


def test_distances_that_do_not_fit_a_byte_are_linked_too():
    keys = series(12, 64, 0, 200)
    table = table_of(keys)
    for most in (254, 255, 300):
        found = [group.tolist() for group in complete_linkage(KeyDistances(keys), most)]
        assert found == complete_by_definition(table, most)


def near_each_other(number, flips):
    """Keys of which each differs from one key in ``flips`` bits."""
    random = np.random.default_rng(0)
    bits = np.zeros((number, 512), bool)
    for row in bits:
        row[random.choice(512, flips, replace=False)] = True
    return np.packbits(bits, axis=1)


def test_many_near_copies_are_linked_in_seconds():
    number = 1500
    keys = near_each_other(number, 6)
    begin = time.process_time()
    parts = components(number, ((near.first, near.second) for near in near_pairs([keys], 16)))
    assert [len(part) for part in parts] == [number]
    assert [len(part) for part in complete_linkage(KeyDistances(keys), 16)] == [number]
    assert time.process_time() - begin < 5


def test_components_of_a_long_path_and_of_random_pairs():
    path = np.random.default_rng(0).permutation(5000)
    assert len(components(5000, [(path[:-1], path[1:])])) == 1
    assert len(components(5000, [(np.arange(4999), np.arange(1, 5000))])) == 1
    for seed in range(20):
        pairs = np.random.default_rng(seed).integers(0, 60, (2, 35))
        groups = {one: {one} for one in range(60)}
        for one, other in pairs.T.tolist():
            joined = groups[one] | groups[other]
            groups.update(dict.fromkeys(joined, joined))
        expected = sorted({tuple(sorted(group)) for group in groups.values() if len(group) > 1})
        blocks = [(pairs[0, at : at + 7], pairs[1, at : at + 7]) for at in range(0, 35, 7)]
        assert [tuple(part.tolist()) for part in components(60, blocks)] == expected


@pytest.mark.parametrize(("number", "width", "flips"), [(1, 8, 1), (2, 8, 0), (60, 8, 3), (200, 16, 1), (80, 2, 9)])
def test_the_greatest_distance_is_that_of_all_pairs(number, width, flips):
    for seed in range(5):
        keys = series(number, width, seed, flips)
        expected = int(table_of(keys).max())
        assert greatest_distance(keys) == expected == widest(KeyDistances(keys))
        early = greatest_distance(keys, enough=expected // 2)
        assert expected // 2 < early <= expected or expected == early


def test_the_greatest_distance_of_near_keys_needs_few_rows(monkeypatch):
    computed = []
    rows = KeyDistances.rows
    monkeypatch.setattr(KeyDistances, "rows", lambda self, which: computed.extend(which.tolist()) or rows(self, which))
    greatest_distance(series(2000, 64, 0, 1))
    assert len(computed) < 1000


def test_components_join_pairs_in_any_order():
    pairs = np.array([(0, 1), (4, 5), (1, 2), (6, 6), (5, 0)])
    for order in (slice(None), slice(None, None, -1)):
        blocks = [(pairs[order][:2, 0], pairs[order][:2, 1]), (pairs[order][2:, 1], pairs[order][2:, 0])]
        assert [part.tolist() for part in components(8, blocks)] == [[0, 1, 2, 4, 5]]
    assert components(0, []) == []
