"""Top-k by a value made of the distances to several queries, against brute force over every item."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clipdex_indexes import Index, Snapshot
from clipdex_indexes.combining import count_in, search_combined
from clipdex_indexes.kernels import costs, counted, pieces
from clipdex_indexes.kernels.cost_limits import CostLimits
from clipdex_indexes.kernels.costs import Group, cost_range, count_costs, count_distances, kth_lowest, lowest
from clipdex_indexes.kernels.counted import count_and_lowest
from clipdex_indexes.kernels.distances import distances_to
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, ScanSizes
from helpers_index import Work, random_pairs, split, write_index
from test_index_search import random_keys

RULES = {"min": min, "max": max, "sum": sum}


# Cuts a few thousand keys into blocks, and into chunks for several threads.
SMALL_BLOCKS = ScanSizes(
    smallest_chunk=512, distances_at_once=300, one_thread_below=0, sampled_runs=4, sampled_rows=16, sampled_share=2
)


@pytest.fixture
def work(monkeypatch):
    seen = Work()
    seen.watch_chunks(monkeypatch, pieces)
    seen.watch_blocks(monkeypatch, costs.AllMatcher, "within", 1)
    return seen


def distance(one: bytes, other: bytes) -> int:
    return bin(int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).count("1")


def make_group(queries, rule: str, seed: int, largest: int = 9, rising: bool = False) -> Group:
    """Queries with costs that have many ties; where they rise with the distance, most keys need no cost."""
    keys = np.stack([np.frombuffer(query, np.uint8) for query in queries])
    costs = np.random.default_rng(seed).integers(-largest, largest + 1, (len(keys), 8 * keys.shape[1] + 1))
    return Group(keys, np.sort(costs, axis=1) if rising else costs, rule)


def cost(key: bytes, groups) -> int:
    return sum(
        RULES[group.rule](
            int(row[distance(key, query.tobytes())]) for query, row in zip(group.queries, group.costs, strict=True)
        )
        for group in groups
    )


def oracle(datasets, groups, k, kept=lambda number, item: True):
    """Brute force: (cost, dataset, id, subset) of the k lowest, in the one order that is right."""
    return sorted(
        (cost(key, groups), number, item.id, item.subset)
        for number, pairs in enumerate(datasets)
        for item, key in pairs
        if kept(number, item)
    )[:k]


def ask(indexes, groups, k, selections=None, sizes=DEFAULT_SIZES):
    found = search_combined(indexes, groups, k, selections, sizes)
    rows = [indexes[one.index].rows([one.location])[0] for one in found]
    return [(one.distance, one.index, item.id, item.subset) for one, item in zip(found, rows, strict=True)]


@pytest.mark.parametrize("bits", [8, 64, 72, 512, 768])
def test_all_distances_are_counted_bit_by_bit(bits):
    keys, queries = random_keys(50, bits, seed=bits), random_keys(3, bits, seed=1)
    expected = [[distance(key.tobytes(), query.tobytes()) for key in keys] for query in queries]
    assert distances_to(keys, queries).tolist() == expected
    assert distances_to(keys[::2], queries[::2]).tolist() == [row[::2] for row in expected[::2]]
    unaligned = np.frombuffer(b"x" + keys.tobytes(), np.uint8)[1:].reshape(keys.shape)
    assert distances_to(unaligned, queries).tolist() == expected
    assert distances_to(keys[:0], queries).shape == (3, 0)
    assert distances_to(keys, queries[:0]).shape == (0, 50)


@pytest.mark.parametrize("rules", [["min"], ["max"], ["sum"], ["min", "max"], ["sum", "max", "min"]], ids="-".join)
@pytest.mark.parametrize("distinct", [0, 3], ids=["random keys", "3 distinct keys"])
@pytest.mark.parametrize("bits", [8, 64, 72])
@pytest.mark.parametrize("rising", [(), (0,), (0, 1, 2)], ids=["no costs rise", "some rise", "all rise"])
def test_combined_search_equals_brute_force_over_datasets_and_segments(tmp_path, bits, distinct, rules, rising):
    datasets = [random_pairs(count, bits, seed=5, distinct=distinct) for count in (40, 1, 25)]
    rng = random.Random(bits)
    groups = [
        make_group(
            [rng.randbytes(bits // 8) for _ in range(number + 2)] + [datasets[0][number][1]],
            rule,
            number,
            rising=number in rising,
        )
        for number, rule in enumerate(rules)
    ]
    with contextlib.ExitStack() as stack:
        indexes = [
            stack.enter_context(Index(write_index(tmp_path / str(n), split(pairs, min(4, len(pairs)), n), bits)))
            for n, pairs in enumerate(datasets)
        ]
        for k in (1, 3, 20, 65, 66, 100):
            assert ask(indexes, groups, k) == oracle(datasets, groups, k)
            assert ask(indexes, groups, k, sizes=SMALL_BLOCKS) == oracle(datasets, groups, k)
            assert ask(indexes[::-1], groups, k) == oracle(datasets[::-1], groups, k)


def test_the_answer_does_not_depend_on_segments_blocks_and_threads(tmp_path, work):
    pairs = random_pairs(2500, 64, seed=1, distinct=40)
    groups = [
        make_group([pairs[0][1], pairs[1][1]], "sum", 1, 3, rising=True),
        make_group([pairs[2][1]], "max", 2, 2),
    ]
    expected = {k: oracle([pairs], groups, k) for k in (1, 60, 700, 2499, 5000)}
    for segments in (1, 3):
        write_index(tmp_path / str(segments), split(pairs, segments, seed=2), 64)
        with Index(tmp_path / str(segments)) as index:
            for k, answer in expected.items():
                assert ask([index], groups, k, sizes=SMALL_BLOCKS) == answer
            assert work.was_cut_up(SMALL_BLOCKS.distances_at_once // 3)
            work.threads.clear()
            here = replace(SMALL_BLOCKS, one_thread_below=1 << 30)
            assert ask([index], groups, 60, sizes=here) == expected[60]
            assert work.threads == {threading.current_thread().name}
            work.threads.clear()


def test_counts_are_of_every_item_at_each_distance(tmp_path, monkeypatch, work):
    work.watch_blocks(monkeypatch, costs, "distances_to", 1)
    pairs = random_pairs(900, 64, seed=1, distinct=30)
    queries = np.stack([np.frombuffer(pairs[0][1], np.uint8), np.zeros(8, np.uint8)])
    expected = np.zeros((2, 65), np.int64)
    for number, query in enumerate(queries):
        for _, key in pairs:
            expected[number, distance(key, query.tobytes())] += 1
    write_index(tmp_path / "i", split(pairs, 3, seed=2), 64)
    with Index(tmp_path / "i") as index:
        assert count_in([index], queries, sizes=SMALL_BLOCKS).tolist() == expected.tolist()
        assert count_in([index, index], queries, sizes=SMALL_BLOCKS).tolist() == (2 * expected).tolist()
    assert work.was_cut_up(SMALL_BLOCKS.distances_at_once // 2)
    assert count_distances([], queries).tolist() == np.zeros((2, 65)).tolist()


def test_only_selected_keys_are_counted_and_found():
    arrays = [random_keys(count, 64, seed=count, distinct=25) for count in (1500, 3, 0, 700)]
    rng = np.random.default_rng(3)
    masks = [rng.random(1500) < 0.3, None, np.zeros(0, np.bool_), np.arange(700) == 650]
    group = make_group([arrays[0][0].tobytes(), bytes(8)], "max", 4, 3)
    kept = [
        np.arange(len(keys)) if mask is None else np.flatnonzero(mask) for keys, mask in zip(arrays, masks, strict=True)
    ]
    for k in (1, 50, 2000):
        by_array = [
            sorted((cost(keys[at].tobytes(), [group]), at) for at in positions.tolist())[:k]
            for keys, positions in zip(arrays, kept, strict=True)
        ]
        kth = sorted(one for ordered in by_array for one, _ in ordered)[:k][-1]
        for ordered, found in zip(by_array, lowest(arrays, [group], k, masks, SMALL_BLOCKS), strict=True):
            pairs = list(zip(found.costs.tolist(), found.positions.tolist(), strict=True))
            assert pairs == ordered[: len(pairs)]
            assert len(pairs) >= sum(one <= kth for one, _ in ordered)
    assert count_distances(arrays, group.queries, masks, SMALL_BLOCKS).sum(axis=1).tolist() == [sum(map(len, kept))] * 2


def test_removed_and_unselected_items_of_an_index_are_left_out(tmp_path):
    pairs = random_pairs(60, 64, seed=9, distinct=4)
    write_index(tmp_path / "i", split(pairs, 2, seed=1), 64)
    group = make_group([pairs[0][1]], "min", 1)
    with Index(tmp_path / "i") as index:
        items = dict(index.items())
        live = [np.arange(len(segment)) % 3 > 0 for segment in index.segments]
        selections = [[np.arange(len(index.segments[0])) % 2 > 0, None]]
        parts = [SimpleNamespace(keys=one.keys, live=mask) for one, mask in zip(index.segments, live, strict=True)]
        opened = SimpleNamespace(segments=parts, rows=index.rows)
        opened.selected = lambda masks: Snapshot.selected(opened, masks)
        by_item = {item: location for location, item in items.items()}

        def kept(_, item):
            segment, position = by_item[item].segment, by_item[item].position
            return live[segment][position] and (segment == 1 or selections[0][0][position])

        for k in (1, 10, 60):
            assert ask([opened], [group], k, selections) == oracle([pairs], [group], k, kept)
        assert count_in([opened], group.queries, selections).sum() == sum(kept(0, item) for item, _ in pairs)


@pytest.mark.parametrize("rules", [["min"], ["sum", "max"]], ids="-".join)
def test_costs_between_edges_are_counted_and_their_range_is_known(monkeypatch, work, rules):
    work.watch_blocks(monkeypatch, costs, "distances_to", 0)
    arrays = [random_keys(count, 64, seed=count, distinct=25) for count in (1500, 3, 0, 700)]
    masks = [np.random.default_rng(3).random(1500) < 0.3, None, np.zeros(0, np.bool_), np.arange(700) == 650]
    groups = [make_group([arrays[0][0].tobytes(), bytes(8)], rule, number, 40) for number, rule in enumerate(rules)]
    for chosen in (None, masks):
        every = [
            cost(key.tobytes(), groups)
            for keys, mask in zip(arrays, chosen or [None] * 4, strict=True)
            for key in (keys if mask is None else keys[mask])
        ]
        assert cost_range(arrays, groups, chosen, SMALL_BLOCKS) == (min(every), max(every))
        edges = np.array([-30, -5, 0, 1, 25])
        counts = count_costs(arrays, groups, edges, chosen, SMALL_BLOCKS)
        assert counts.tolist() == [
            sum(low <= one < high for one in every) for low, high in itertools.pairwise(edges.tolist())
        ]
    assert work.was_cut_up(SMALL_BLOCKS.distances_at_once // (2 * len(rules)))
    assert cost_range(arrays, groups, [np.zeros(len(keys), np.bool_) for keys in arrays]) is None


def test_combining_nothing_finds_nothing(tmp_path):
    write_index(tmp_path / "empty", [], 64)
    group = make_group([bytes(8)], "sum", 1)
    assert search_combined([], [group], 5) == []
    with Index(tmp_path / "empty") as index:
        assert search_combined([index, index], [group], 5) == []
        assert count_in([index], group.queries).sum() == 0


@pytest.mark.parametrize("rule", ["min", "max", "sum"])
@pytest.mark.parametrize("rising", [(True, True), (True, False), (False, False)])
def test_every_key_of_a_cost_is_within_the_limits_of_that_cost(rising, rule):
    keys = random_keys(300, 16, seed=1)
    groups = [
        make_group(random_keys(2, 16, seed=number + 2), kind, number, 30, rise)
        for number, (rise, kind) in enumerate(zip(rising, (rule, "sum"), strict=True))
    ]
    terms = [group.terms() for group in groups]
    limits = CostLimits([term for some, _ in terms for term in some], sum(rest for _, rest in terms))
    near = distances_to(keys, limits.queries)
    costs = np.array([cost(key.tobytes(), groups) for key in keys])
    for bound in np.unique(costs).tolist():
        if len(limits.queries):
            found = (near <= limits.of(bound)[:, None]).any(axis=0)
            assert found[costs <= bound].all()
    assert (len(limits.queries) > 0) == (rising[1] or (rising[0] and rule != "max"))
    if all(rising):
        assert not (near <= limits.of(int(costs.min()))[:, None]).any(axis=0).all()


@pytest.fixture
def second_passes(monkeypatch):
    """The calls for a second pass, which finds what the pass that counts may have missed."""
    calls = []
    find = counted.lowest
    monkeypatch.setattr(counted, "lowest", lambda *arguments: (calls.append(arguments), find(*arguments))[1])
    return calls


ARRAYS = [random_keys(count, 64, seed=count, distinct=distinct) for count, distinct in ((3000, 0), (1, 1), (700, 40))]
MASKS = [np.random.default_rng(3).random(3000) < 0.5, None, np.arange(700) % 3 > 0]
QUERIES = np.concatenate([random_keys(2, 64, seed=1), ARRAYS[2][:1]])


def by_counts(rule: str, sign: int = 1):
    """Groups whose costs depend on the counts: how far a distance is from the mean, in 1 / 1000 bits."""

    def groups_of(counts):
        means = (counts * np.arange(65)).sum(axis=1) * 1000 // counts.sum(axis=1)
        return [Group(QUERIES, sign * (1000 * np.arange(65)[None] - means[:, None]), rule)]

    return groups_of


def check_counted(groups_of, exact_groups, k, masks, sizes=SMALL_BLOCKS):
    """Compare with brute force over every key, ties in order of position."""
    found = count_and_lowest(ARRAYS, QUERIES, groups_of, k, masks, sizes)
    assert found.counts.tolist() == count_distances(ARRAYS, QUERIES, masks).tolist()
    groups = exact_groups(found.counts)
    kept = [
        np.arange(len(keys)) if mask is None else np.flatnonzero(mask)
        for keys, mask in zip(ARRAYS, masks or [None] * 3, strict=True)
    ]
    by_array = [
        sorted((cost(keys[at].tobytes(), groups), at) for at in positions.tolist())
        for keys, positions in zip(ARRAYS, kept, strict=True)
    ]
    kth = sorted(one for ordered in by_array for one, _ in ordered)[:k][-1]
    for ordered, part in zip(by_array, found.lowest, strict=True):
        pairs = list(zip(part.costs.tolist(), part.positions.tolist(), strict=True))
        # Which others are in the superset depends on the threads.
        assert [pair for pair in pairs if pair[0] <= kth] == [pair for pair in ordered if pair[0] <= kth][:k]


@pytest.mark.parametrize("masks", [None, MASKS], ids=["all keys", "some keys"])
@pytest.mark.parametrize("rule", ["min", "sum"])
def test_costs_that_depend_on_counts_need_one_pass_where_a_sample_shows_what_to_keep(second_passes, rule, masks):
    for k in (1, 5, 14):
        check_counted(by_counts(rule), by_counts(rule), k, masks)
    assert second_passes == []


def misled(rule: str, guess):
    """Groups that are others for the sample, which is asked about first."""
    makers = iter([guess, by_counts(rule)])
    return lambda counts: next(makers)(counts)


def of_one_query(_counts):
    """Costs by which only keys near the third query need a look."""
    table = np.tile(-np.arange(65), (3, 1))
    table[2] *= -1000
    return [Group(QUERIES, table, "sum")]


@pytest.mark.parametrize("masks", [None, MASKS], ids=["all keys", "some keys"])
@pytest.mark.parametrize("rule", ["min", "sum"])
@pytest.mark.parametrize("guess", [of_one_query, by_counts("sum", -1), by_counts("max")], ids=["other", "falls", "max"])
def test_a_wrong_guess_of_the_costs_costs_a_second_pass_and_changes_no_answer(second_passes, guess, rule, masks):
    for k in (1, 5, 14):
        before = len(second_passes)
        check_counted(misled(rule, guess), by_counts(rule), k, masks)
        assert len(second_passes) == before + 1


@pytest.mark.parametrize(
    ("groups_of", "changes"),
    [
        (by_counts("sum", -1), {}),
        (by_counts("max"), {}),
        (by_counts("sum"), {"most_found": 10}),
        (by_counts("sum"), {"sampled_rows": 4000}),
    ],
    ids=["costs that fall", "greatest costs", "no room for what is near", "no sample"],
)
@pytest.mark.parametrize("promised", [2, 10_000], ids=["", "room that does not last"])
def test_costs_without_limits_room_or_sample_need_a_second_pass(
    monkeypatch, second_passes, groups_of, changes, promised
):
    monkeypatch.setattr(counted, "_PROMISED", promised)
    for number, k in enumerate((1, 5, 14, 60, 5000), 1):
        check_counted(groups_of, groups_of, k, None, replace(SMALL_BLOCKS, **changes))
        assert len(second_passes) == number


def test_costs_of_a_large_sample_are_computed_in_blocks():
    keys, group = random_keys(30_000, 64, seed=1), make_group(random_keys(32, 64, seed=2), "sum", 1)
    expected = sorted(cost(key.tobytes(), [group]) for key in keys[:300])
    assert [kth_lowest(keys[:300], [group], k, SMALL_BLOCKS) for k in (1, 7, 300)] == [
        expected[k - 1] for k in (1, 7, 300)
    ]
    tracemalloc.start()
    try:
        kth_lowest(keys, [group], 50, replace(SMALL_BLOCKS, distances_at_once=1 << 14))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 << 20, most
