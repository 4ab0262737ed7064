"""Search against brute force, on chosen cases."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import replace

import faiss
import numpy as np
import pytest

from clipdex_indexes import Index, MemoryIndex, search, searching
from clipdex_indexes.kernels import distances, hamming, library, matching, ranges
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Rows
from clipdex_indexes.kernels.threads import available_threads, run_all, stream
from helpers_index import POPCOUNT, SMALL_SIZES, Work, ask, oracle, random_pairs, row, split, write_index


@pytest.fixture
def work(monkeypatch):
    seen = Work()
    for module in (hamming, ranges):
        seen.watch_chunks(monkeypatch, module)
    for matcher in (matching.RangeMatcher, matching.AllMatcher):
        seen.watch_blocks(monkeypatch, matcher, "within", 1)
    return seen


@pytest.fixture(params=[None, "range", "all"], ids=["fastest kernel", "kernel range", "kernel all"])
def small_sizes(request):
    """Small blocks, for each kernel."""
    return replace(SMALL_SIZES, kernel=request.param)


def reference(arrays, queries, k, masks=None):
    """For each query and array, positions and distances by brute force over bytes."""
    answer = []
    for query in queries:
        found = []
        for keys, mask in zip(arrays, masks or [None] * len(arrays), strict=True):
            distances = POPCOUNT[keys ^ query].sum(axis=1)
            order = np.argsort(distances, kind="stable")
            order = (order if mask is None else order[mask[order]])[:k]
            found.append((distances[order].tolist(), order.tolist()))
        answer.append(found)
    return answer


def nearest(arrays, queries, k, masks=None, sizes=DEFAULT_SIZES):
    return [
        [(part.distances.tolist(), part.positions.tolist()) for part in found]
        for found in hamming.nearest(arrays, queries, k, masks, sizes)
    ]


def random_keys(count, bits, seed, distinct=0):
    rng = np.random.default_rng(seed)
    if distinct:
        return rng.integers(0, 256, (distinct, bits // 8), np.uint8)[rng.integers(0, distinct, count)]
    return rng.integers(0, 256, (count, bits // 8), np.uint8)


@pytest.mark.parametrize("distinct", [0, 1, 2, 3], ids=lambda n: f"{n} distinct keys" if n else "random keys")
@pytest.mark.parametrize("segments", [1, 2, 5])
@pytest.mark.parametrize("bits", [8, 64, 72, 512, 768])
def test_search_equals_brute_force(tmp_path, bits, segments, distinct):
    pairs = random_pairs(60, bits, seed=bits + segments, distinct=distinct)
    write_index(tmp_path / "i", split(pairs, segments, seed=bits), bits)
    queries = [pairs[17][1], random.Random(1).randbytes(bits // 8), bytes(bits // 8)]
    with Index(tmp_path / "i") as index:
        for k in (1, 2, 7, 30, 59, 60, 61, 10_000):
            assert ask([index], queries, k) == [oracle([pairs], query, k) for query in queries]


@pytest.mark.parametrize("distinct", [0, 2])
def test_search_of_several_indexes_equals_brute_force_in_their_order(tmp_path, distinct):
    bits = 64
    datasets = [random_pairs(count, bits, seed=5, distinct=distinct) for count in (40, 1, 25)]
    with contextlib.ExitStack() as stack:
        indexes = [
            stack.enter_context(Index(write_index(tmp_path / str(n), split(pairs, min(3, len(pairs)), n), bits)))
            for n, pairs in enumerate(datasets)
        ]
        queries = [pairs[0][1] for pairs in datasets]
        for k in (1, 3, 20, 66, 100):
            assert ask(indexes, queries, k) == [oracle(datasets, query, k) for query in queries]
            backwards = ask(indexes[::-1], queries, k)
            assert backwards == [oracle(datasets[::-1], query, k) for query in queries]


def test_answer_does_not_depend_on_the_segments(tmp_path):
    pairs = random_pairs(80, 72, seed=3, distinct=4)
    queries = [pairs[0][1], pairs[40][1]]
    answers = []
    for segments in (1, 2, 7, 80):
        with Index(write_index(tmp_path / str(segments), split(pairs, segments, seed=9), 72)) as index:
            answers.append([ask([index], queries, k) for k in (1, 10, 33, 80)])
    assert all(answer == answers[0] for answer in answers)


def test_equal_distances_are_ordered_by_id_then_subset_across_segments(tmp_path):
    key = bytes(8)
    items = [row("b"), row("a", "val"), row("a", "train"), row("a/z"), row("B"), row("é")]
    write_index(tmp_path / "i", [[(item, key)] for item in items], 64)
    with Index(tmp_path / "i") as index:
        (answer,) = ask([index], [key], 6)
    assert [found[2:] for found in answer] == [
        ("B", "default"), ("a", "train"), ("a", "val"), ("a/z", "default"), ("b", "default"), ("é", "default"),
    ]  # fmt: skip


def test_first_indexes_win_ties_even_where_later_ones_have_smaller_ids(tmp_path):
    key = bytes(8)
    write_index(tmp_path / "0", [[(row("z"), key)]], 64)
    write_index(tmp_path / "1", [[(row("a"), key)]], 64)
    with Index(tmp_path / "0") as first, Index(tmp_path / "1") as second:
        assert ask([first, second], [key], 1) == [[(0, 0, "z", "default")]]
        assert ask([second, first], [key], 2) == [[(0, 0, "a", "default"), (0, 1, "z", "default")]]


def test_search_of_nothing_finds_nothing(tmp_path):
    write_index(tmp_path / "empty", [], 64)
    query = np.zeros((2, 8), np.uint8)
    assert search([], query, 5) == [[], []]
    with Index(tmp_path / "empty") as index:
        assert len(index) == 0
        assert search([index, index], query, 5) == [[], []]
        assert search([index], query[:0], 5) == []


def test_an_empty_index_among_others_keeps_its_place(tmp_path):
    write_index(tmp_path / "empty", [], 64)
    pairs = random_pairs(5, 64, seed=1)
    write_index(tmp_path / "full", [pairs], 64)
    with Index(tmp_path / "empty") as empty, Index(tmp_path / "full") as full:
        assert ask([empty, full], [bytes(8)], 3) == [oracle([[], pairs], bytes(8), 3)]


def test_queries_need_not_be_contiguous(tmp_path):
    pairs = random_pairs(30, 64, seed=2)
    write_index(tmp_path / "i", [pairs], 64)
    wide = np.frombuffer(random.Random(4).randbytes(48), np.uint8).reshape(3, 16)
    with Index(tmp_path / "i") as index:
        assert search([index], wide[:, ::2], 4) == search([index], wide[:, ::2].copy(), 4)


@pytest.mark.parametrize("bits", [8, 64, 72, 768])
def test_hamming_counts_the_differing_bits(bits):
    keys = random_keys(50, bits, seed=bits)
    query = random_keys(1, bits, seed=1)[0]
    expected = [bin(int.from_bytes(key.tobytes(), "big") ^ int.from_bytes(query.tobytes(), "big")).count("1")
                for key in keys]  # fmt: skip
    assert distances.hamming(keys, query).tolist() == expected
    assert distances.hamming(keys[::2], query).tolist() == expected[::2]
    unaligned = np.frombuffer(b"x" + keys.tobytes(), np.uint8)[1:].reshape(keys.shape)
    assert distances.hamming(unaligned, query).tolist() == expected
    assert distances.hamming(keys[:0], query).tolist() == []


@pytest.mark.parametrize("bits", [8, 64, 72, 512])
@pytest.mark.parametrize("distinct", [0, 2])
def test_numpy_finds_what_faiss_finds(monkeypatch, bits, distinct):
    arrays = [random_keys(count, bits, seed=count, distinct=distinct) for count in (700, 0, 41_000)]
    masks = [None, None, np.arange(41_000) % 3 > 0]
    queries = random_keys(3, bits, seed=5)
    found = [nearest(arrays, queries[:count], 40, masks) for count in (1, 3)]
    near = [[one.positions.tolist() for one in ranges.within(arrays, queries, bits // 3, masks)]]
    monkeypatch.setattr(library, "is_imported", lambda: False)
    monkeypatch.setattr(library, "_computed", 0)
    monkeypatch.setattr(library, "faiss", None)  # whoever calls it fails
    assert [nearest(arrays, queries[:count], 40, masks) for count in (1, 3)] == found
    assert [[one.positions.tolist() for one in ranges.within(arrays, queries, bits // 3, masks)]] == near
    assert found[1] == reference(arrays, queries, 40, masks)


def test_faiss_pays_once_numpy_has_computed_a_million_distances(monkeypatch):
    monkeypatch.setattr(library, "is_imported", lambda: False)
    monkeypatch.setattr(library, "_computed", 0)
    assert not library.pays(1000)
    assert library.pays(1 << 20)
    library.count((1 << 20) - 1000)
    assert not library.pays(999)
    assert library.pays(1000)


def test_many_keys_are_searched_in_chunks_by_several_threads(work):
    keys = random_keys(300_000, 64, seed=1)
    queries = random_keys(2, 64, seed=2)
    assert nearest([keys], queries, 50) == reference([keys], queries, 50)
    assert work.chunks >= 4
    assert work.was_cut_up(DEFAULT_SIZES.distances_at_once // 2)


@pytest.mark.parametrize("here", [False, True])
def test_work_is_done_in_the_pool_unless_it_is_small(here):
    names = run_all(lambda part: (part, threading.current_thread().name), range(20), here=here)
    assert [part for part, _ in names] == list(range(20))
    mine = threading.current_thread().name
    assert all(name == mine if here else name.startswith("clipdex-search") for _, name in names)


def test_a_stream_runs_a_few_steps_ahead_and_keeps_their_order():
    begun = []

    def step(number):
        return lambda: (begun.append(number), number)[1]

    results = stream(step(number) for number in range(200))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(begun) <= 3 + 2 * available_threads()
    assert [*results] == list(range(3, 200))
    assert sorted(begun) == list(range(200))


@pytest.mark.parametrize("lengths", [[], [0], [1], [300], [301], [0, 900, 1, 0, 299, 5, 5, 5, 2000]], ids=str)
def test_chunks_hold_every_row_once_in_order_and_are_full(lengths):
    rows = Rows([np.zeros((length, 8), np.uint8) for length in lengths])
    chunks = rows.chunks(SMALL_SIZES)
    size = max(300, -(-len(rows) // (4 * available_threads())))
    assert [sum(end - start for _, start, end in chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    everything = [(number, position) for chunk in chunks for number, *ends in chunk for position in range(*ends)]
    assert everything == [(number, position) for number, length in enumerate(lengths) for position in range(length)]


def test_many_ties_at_the_last_place_are_settled_in_order_of_position():
    # 2 distinct keys, so k is in the middle of tens of thousands of equal distances, in every chunk.
    keys = random_keys(200_000, 8, seed=1, distinct=2)
    queries = keys[:2]
    assert nearest([keys], queries, 100) == reference([keys], queries, 100)


def test_many_keys_of_few_bits_equal_brute_force():
    arrays = [random_keys(count, 8, seed=count) for count in (150_000, 70_000, 3)]
    queries = random_keys(3, 8, seed=9)
    for k in (1, 1000, 20_000):
        assert nearest(arrays, queries, k) == reference(arrays, queries, k)


def test_more_queries_than_go_at_once_equal_brute_force():
    keys = random_keys(20_000, 512, seed=1)
    queries = np.concatenate([random_keys(40, 512, seed=2), keys[-3:]])
    for k in (1, 50, 3000):
        assert nearest([keys], queries, k) == reference([keys], queries, k)


@pytest.mark.parametrize("share", [0, 0.001, 0.03, 0.3, 0.999, 1])
def test_only_keys_that_a_mask_selects_are_found_and_few_are_gathered(share):
    arrays = [random_keys(count, 64, seed=count) for count in (150_000, 3)]
    masks = [np.random.default_rng(1).random(150_000) < share, None]
    queries = random_keys(2, 64, seed=2)
    for k in (1, 50, 7000):
        assert nearest(arrays, queries, k, masks) == reference(arrays, queries, k, masks)
    rows = Rows(arrays, masks)
    blocks = [
        block for chunk in rows.chunks(DEFAULT_SIZES) for block in rows.blocks(chunk, len(queries), lambda: 1 << 14)
    ]
    selected = int(masks[0].sum())
    read = 0 if not selected else selected if share < 0.1 else 150_000
    assert sum(block.size for block in blocks) == read + 3
    assert all(sum(map(len, block.pieces)) == block.size <= 1 << 14 for block in blocks)
    counted = [np.arange(block.size) if block.mask is None else np.flatnonzero(block.mask) for block in blocks]
    found = [
        block.rows + at if isinstance(block.rows, int) else block.rows[at]
        for block, at in zip(blocks, counted, strict=True)
    ]
    assert np.concatenate(found).tolist() == [*np.flatnonzero(masks[0]), 150_000, 150_001, 150_002]


@pytest.mark.parametrize("distinct", [0, 1, 2, 3])
@pytest.mark.parametrize("bits", [8, 72, 512])
def test_chunks_threads_and_kernels_do_not_change_the_answer(work, small_sizes, bits, distinct):
    arrays = [random_keys(count, bits, seed=count, distinct=distinct) for count in (3000, 1, 513, 0, 700)]
    queries = np.concatenate([random_keys(2, bits, seed=3), arrays[0][:1]])
    for k in (1, 50, 400, 2999, 5000):
        assert nearest(arrays, queries, k, sizes=small_sizes) == reference(arrays, queries, k)
        assert nearest(arrays, queries[1:2], k, sizes=small_sizes) == reference(arrays, queries[1:2], k)
    assert work.was_cut_up(small_sizes.distances_at_once)


@pytest.mark.parametrize("distinct", [0, 1, 3])
def test_candidates_of_several_arrays_hold_the_nearest_and_few_others(small_sizes, distinct):
    arrays = [random_keys(count, 64, seed=count, distinct=distinct) for count in (900, 1, 0, 313, 700)]
    masks = [np.arange(900) % 3 > 0, None, None, np.arange(313) % 40 == 0, np.zeros(700, bool)]
    queries = random_keys(5, 64, seed=3)
    for k in (1, 20, 200, 5000):
        for found, by_array in zip(
            hamming.candidates(arrays, queries, k, masks, small_sizes),
            reference(arrays, queries, k, masks),
            strict=True,
        ):
            everything = sorted(
                (distance, number, position)
                for number, part in enumerate(by_array)
                for distance, position in zip(*part, strict=True)
            )
            kth = everything[:k][-1][0]
            nearer = sum(one[0] < kth for one in everything)
            first = {
                number: [one for one in everything if one[:2] == (kth, number)][: k - nearer] for number in range(5)
            }
            expected = everything[:nearer] + [one for number in range(5) for one in first[number]]
            assert list(zip(found.distances, found.arrays, found.positions, strict=True)) == expected


def test_large_index_on_disk_equals_brute_force_through_every_layer(tmp_path, work):
    pairs = random_pairs(3000, 64, seed=1, distinct=3)
    write_index(tmp_path / "i", split(pairs, 3, seed=2), 64)
    queries = [pairs[0][1], pairs[1][1], bytes(8)]
    with Index(tmp_path / "i") as index:
        for k in (1, 60, 1500):
            assert ask([index], queries, k, sizes=SMALL_SIZES) == [oracle([pairs], query, k) for query in queries]
    assert work.was_cut_up(SMALL_SIZES.rows_at_once)


def test_searches_from_many_threads_at_once_agree(tmp_path):
    pairs = random_pairs(1500, 64, seed=1, distinct=5)
    write_index(tmp_path / "i", split(pairs, 2, seed=2), 64)
    expected = oracle([pairs], pairs[0][1], 40)
    answers = []
    with Index(tmp_path / "i") as index:

        def work():
            answers.extend(ask([index], [pairs[0][1]], 40, sizes=SMALL_SIZES))

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
    assert answers == [expected] * 6


def test_ties_of_many_arrays_are_not_sorted_again_for_each_of_them():
    keys = np.zeros((20, 8), np.uint8)
    sorts = []

    def profile(_, event, called):
        if event == "c_call" and called.__name__ == "argsort":
            sorts.append(called)

    sys.setprofile(profile)
    try:
        sizes = replace(DEFAULT_SIZES, one_thread_below=1 << 30)  # a profile sees one thread
        found = hamming.candidates([keys] * 400, keys[:1], 10, sizes=sizes)[0]
    finally:
        sys.setprofile(None)
    assert found.distances.tolist() == [0] * 4000
    assert 1 < len(sorts) < 15


@pytest.mark.parametrize("distinct", [0, 1, 3])
@pytest.mark.parametrize("bits", [8, 64, 72])
@pytest.mark.parametrize("most_found", [1, 100, 500, 1 << 22])
def test_all_keys_within_a_distance_come_query_by_query_however_many_may_be_held(
    small_sizes, bits, distinct, most_found
):
    arrays = [random_keys(count, bits, seed=count, distinct=distinct) for count in (900, 1, 0, 313, 700)]
    masks = [np.arange(900) % 3 > 0, None, None, np.arange(313) % 40 == 0, np.zeros(700, bool)]
    queries = random_keys(7, bits, seed=3)
    sizes = replace(small_sizes, most_found=most_found, queries_at_once=5)
    for distance in (0, bits // 3, bits // 2, bits, 5000):
        for masked in (masks, None):
            answers = list(ranges.within(arrays, queries, distance, masked, sizes))
            by_query = reference(arrays, queries, 10_000, masked)
            assert len(answers) == len(queries)
            for found, by_array in zip(answers, by_query, strict=True):
                expected = sorted(
                    (far, number, position)
                    for number, part in enumerate(by_array)
                    for far, position in zip(*part, strict=True)
                    if far <= distance
                )
                assert list(zip(found.distances, found.arrays, found.positions, strict=True)) == expected


# Each query finds every key, so that queries are searched one by one, in blocks that several queries do not have.
LARGE_BLOCKS_OF_ONE_QUERY = replace(
    SMALL_SIZES, smallest_chunk=5000, rows_at_once=5000, distances_at_once=8, queries_at_once=31, most_found=1000
)


@pytest.mark.parametrize("queries", [2, 3, 7, 31])
@pytest.mark.parametrize("size", [8, 24, 64])
@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_queries_that_are_split_may_have_larger_blocks(tmp_path, monkeypatch, kind, size, queries):
    keys = random_keys(900, 8 * size, seed=size)
    pairs = [(row(f"{number:03}"), key.tobytes()) for number, key in enumerate(keys)]
    if kind == "disk":
        limited = functools.partial(searching.within, sizes=LARGE_BLOCKS_OF_ONE_QUERY)
        monkeypatch.setattr("clipdex_indexes.index.within", limited)
        index = Index(write_index(tmp_path / "i", split(pairs, 3, seed=1), 8 * size))
    else:
        limited = functools.partial(ranges.within, sizes=LARGE_BLOCKS_OF_ONE_QUERY)
        monkeypatch.setattr(ranges, "within", limited)
        index = MemoryIndex(8 * size)
        index.add([item.id for item, _ in pairs], keys)
    with index:
        answers = list(index.within(keys[:queries], 8 * size))
    assert len(answers) == queries
    for query, answer in zip(keys, answers, strict=False):
        expected = [(far, item) for far, _, item, _ in oracle([pairs], query.tobytes(), 900)]
        assert list(zip(answer.distances.tolist(), answer.ids.tolist(), strict=True)) == expected


@pytest.mark.parametrize("bits", [64, 72])
def test_a_first_block_is_no_larger_than_the_others(bits):
    keys, queries = random_keys(2000, bits, seed=1), random_keys(3, bits, seed=2)
    sizes = replace(SMALL_SIZES, first_rows=2000, sampled_share=2000)
    assert nearest([keys], queries, 50, sizes=sizes) == reference([keys], queries, 50)


@pytest.mark.parametrize("most_found", [300, 3000])
def test_what_several_queries_find_is_held_only_as_far_as_it_is_bounded(most_found):
    """Every key is within the distance of every query: only a single query may hold more than the bound."""
    keys = random_keys(2000, 64, seed=1)
    sizes = replace(DEFAULT_SIZES, most_found=most_found, distances_at_once=6400, one_thread_below=1 << 30)
    answers = ranges.within([keys], random_keys(64, 64, seed=2), 64, sizes=sizes)
    tracemalloc.start()
    try:
        for _ in range(3):
            assert len(next(answers).positions) == 2000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    bytes_of_one_key = 60
    assert most < bytes_of_one_key * (2000 + most_found) + (1 << 20), most


@pytest.mark.parametrize("kernel", ["range", "all"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [8, 16, 24, 32, 64, 5])
def test_every_kernel_finds_the_keys_within_the_limit_of_each_query(size, count, kernel):
    queries, keys = random_keys(count, 8 * size, seed=1), random_keys(7, 8 * size, seed=2)
    matcher = matching.matcher_for(queries, kernel, len(keys))
    rows = reference([keys], queries, len(keys))
    for limits in ([8 * size] * 3, [-1, 8 * size, 4 * size], [4 * size, 0, -1], [-1] * 3):
        which, at, found = matcher.within([keys[:2], keys[2:2], keys[2:]], np.array(limits[:count], np.int32))
        expected = sorted(
            (query, row, distance)
            for query, [(far, order)] in enumerate(rows)
            for distance, row in zip(far, order, strict=True)
            if distance <= limits[query]
        )
        triples = list(zip(which.tolist(), at.tolist(), found.tolist(), strict=True))
        assert sorted(triples) == expected
        for query in range(count):
            assert [one for one in triples if one[0] == query] == [one for one in expected if one[0] == query]


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 700, 999, 1000])
@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("bits", [64, 40])
def test_the_kernel_for_all_finds_few_and_many_among_many_keys(bits, count, rows):
    queries, keys = random_keys(count, bits, seed=1), random_keys(rows, bits, seed=2)
    every = distances.distances_to(keys, queries).T
    matcher = matching.matcher_for(queries, "all", 1000)
    for share in (0, 0.001, 0.01, 0.1, 0.5, 1):
        limits = np.quantile(every, share, axis=0, method="lower").astype(np.int32)
        numbers, which = (every <= limits).nonzero()
        found = matcher.within([keys[: rows // 3], keys[rows // 3 :]], limits)
        for got, expected in zip(found, (which, numbers, every[numbers, which]), strict=True):
            assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("size", [8, 24, 64, 5])
@pytest.mark.parametrize("count", [1, 3])
def test_a_matcher_refuses_a_block_that_does_not_fit_its_memory(size, count):
    queries, keys = random_keys(count, 8 * size, seed=1), random_keys(7, 8 * size, seed=2)
    matcher = matching.matcher_for(queries, "all", 6)
    with pytest.raises(ValueError, match=r"7 keys.* 6"):
        matcher.within([keys[:3], keys[3:]], np.full(count, 8 * size, np.int32))
    assert len(matcher.within([keys[:6]], np.full(count, 8 * size, np.int32))[0]) == 6 * count


@pytest.mark.skipif(" DD " not in f" {faiss.get_compile_options()} ", reason="this FAISS has one set of kernels")
@pytest.mark.parametrize("level", ["NONE", "AVX2"])
def test_kernels_find_the_same_on_other_processors(level):
    """FAISS chooses its kernels by processor, once in a process: this one runs the tests of kernels in another."""
    if "AVX2" not in faiss.get_compile_options():
        pytest.skip("this processor has no AVX2")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "kernel and not processors",
        __file__,
    ]
    environment = {**os.environ, "FAISS_SIMD_LEVEL": level}
    done = subprocess.run(command, env=environment, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


FORKED = """
import os, signal, sys
import numpy as np
from clipdex_indexes.kernels import hamming
keys = np.random.default_rng(0).integers(0, 256, (100_000, 8), np.uint8)
before = hamming.nearest([keys], keys[:2], 5)[0][0].positions.tolist()
child = os.fork()
if child == 0:
    signal.alarm(20)
    after = hamming.nearest([keys], keys[:2], 5)[0][0].positions.tolist()
    os._exit(0 if after == before else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_forked_process_can_search_though_threads_do_not_survive_a_fork():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
