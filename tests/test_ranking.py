"""Ranking by every mode, with negative queries and rescoring, against brute force over every item."""

from __future__ import annotations

import contextlib
import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from clipdex.defaults import MERGES
from clipdex.search.calibration import FUSION_CONSTANT, fusion_scores, places, tail_scores, z_scores
from clipdex.search.merging import ItemKey, mixed
from clipdex.search.ranking import CANDIDATES, Question, rank
from clipdex.search.rescoring import asymmetric_distances, weights_of
from clipdex_indexes import Index
from helpers_engine import distance
from helpers_index import random_pairs, split, write_index

BITS = 64
KINDS = {
    "one text": ["text"],
    "texts": ["text", "text", "text"],
    "images and items": ["image", "item", "image"],
    "texts and images": ["text", "image", "text"],
}
NEGATIVES = {"no negatives": [], "a negative text": ["text"], "two negatives": ["image", "text"]}


def question(seed: int, kind: str, negative: bool = False, shift: float = 0.0) -> Question:
    embedding = np.random.default_rng(seed).standard_normal(BITS).astype(np.float32) + np.float32(shift)
    return Question(np.packbits(embedding > 0), kind, None if kind == "item" else embedding, negative)


def ask_for(kinds, negatives, seed: int) -> list[Question]:
    # Texts lean to one side, so that they are farther from everything.
    shifts = [0.8 if kind == "text" else 0.0 for kind in (*kinds, *negatives)]
    return [
        question(100 * seed + number, kind, number >= len(kinds), shift)
        for number, (kind, shift) in enumerate(zip((*kinds, *negatives), shifts, strict=True))
    ]


def by_weight(one: Question, key: bytes) -> float:
    """The asymmetric distance, bit by bit."""
    if one.embedding is None:
        return float(distance(one.key.tobytes(), key))
    sizes = [abs(float(value)) for value in one.embedding]
    weights = [round(size / max(sizes) * 2**20) for size in sizes]
    differing = np.unpackbits(one.key ^ np.frombuffer(key, np.uint8)).tolist()
    return BITS * sum(weight for weight, bit in zip(weights, differing, strict=True) if bit) / sum(weights)


def z_table(found: list[int]) -> list[float]:
    mean = Fraction(sum(found), len(found))
    variance = sum((one - mean) ** 2 for one in found) / len(found)
    return [(value - float(mean)) / max(1.0, float(variance) ** 0.5) for value in range(BITS + 1)]


def tail_table(found: list[int]) -> list[float]:
    ordered, number = sorted(found), len(found)
    median, tail = ordered[(number + 1) // 2 - 1], ordered[-(-number // 100) - 1]
    return [(value - median) / max(1, median - tail) for value in range(BITS + 1)]


def fusion_table(found: list[int]) -> list[float]:
    return [-1 / (60 + 1 + sum(one < value for one in found)) for value in range(BITS + 1)]


def looked_up(whole: list[int], value: float) -> int:
    lower = int(value)
    upper = min(lower + 1, BITS)
    return whole[lower] + round((whole[upper] - whole[lower]) * (value - lower))


def oracle(datasets, questions, k, mode, rescore, excluded=()):
    """For the k best: item, Hamming distance, query, score and merged value, in the one order that is right."""
    items = [(ItemKey(number, row.id, row.subset), key) for number, pairs in enumerate(datasets) for row, key in pairs]
    positive = [number for number, one in enumerate(questions) if not one.negative]
    negative = [number for number, one in enumerate(questions) if one.negative]
    kinds = [questions[number].kind for number in positive]
    bits = [[distance(one.key.tobytes(), key) for _, key in items] for one in questions]
    both = mixed(kinds)

    def ordered(chosen, compared):
        """The chosen items with (value to sort by, query, merged value)."""
        if not negative and (len(positive) == 1 or (mode == "any" and not both)):
            found = [(min((compared[q][i], q) for q in positive), None, i) for i in chosen]
            return sorted(((value, items[i][0]), query, shown, i) for (value, query), shown, i in found)
        if mode == "any" and not negative:
            places_of = [
                {i: n for n, (_, _, i) in enumerate(sorted((row[i], items[i][0], i) for i in chosen), 1)}
                for row in compared
            ]
            return sorted((min((places_of[q][i], q) for q in positive), 0, None, i) for i in chosen)
        if mode == "rank":
            fraction = 2.0**50
            tables = [fusion_table(row) for row in bits]
            join = sum
        else:
            fraction = 2.0**32
            make = tail_table if mode == "any" and both else z_table
            tables = [make(row) for row in bits]
            for q in positive:
                if mode == "any" and not both:
                    tables[q] = make(list(itertools.chain.from_iterable(bits[n] for n in positive)))
                if mode == "all":
                    tables[q] = [value / len(positive) for value in tables[q]]
            join = min if mode == "any" else sum
        for q in negative:
            tables[q] = [-value if mode == "rank" else max(0.0, -value) for value in tables[q]]
        whole = [[round(value * fraction) for value in table] for table in tables]
        answer = []
        for i in chosen:
            costs = [looked_up(table, row[i]) for table, row in zip(whole, compared, strict=True)]
            total = join(costs[q] for q in positive)
            if negative:
                total += (sum if mode == "rank" else max)(costs[q] for q in negative)
            query = min(positive, key=lambda q: (costs[q], q))
            answer.append(((total, items[i][0]), query, total / fraction, i))
        return sorted(answer)

    everything = [i for i, (item, _) in enumerate(items)]
    first = [one for one in ordered(everything, bits) if items[one[3]][0] not in excluded]
    if rescore:
        candidates = [one[3] for one in first[: k * CANDIDATES]]
        scores = [[by_weight(one, key) for _, key in items] for one in questions]
        first = ordered(candidates, scores)
    answer = []
    for value, query, merged, i in first[:k]:
        # By place, the query is in the value.
        query = value[1] if isinstance(value[1], int) else query
        score = by_weight(questions[query], items[i][1]) if rescore else None
        answer.append((items[i][0], bits[query][i], query, score, merged))
    return answer


@pytest.fixture(scope="module", params=[0, 3], ids=["random keys", "3 distinct keys"])
def opened(request, tmp_path_factory):
    """Three datasets of several segments, and their indexes."""
    folder = tmp_path_factory.mktemp("ranking")
    datasets = [random_pairs(count, BITS, seed=7, distinct=request.param) for count in (35, 1, 20)]
    with contextlib.ExitStack() as stack:
        yield (
            datasets,
            [
                stack.enter_context(Index(write_index(folder / str(n), split(pairs, min(4, len(pairs)), n), BITS)))
                for n, pairs in enumerate(datasets)
            ],
        )


def asked(indexes, questions, k, mode, rescore, excluded=()):
    _, ranked = rank(indexes, questions, k, mode=mode, rescore=rescore, excluded=excluded)
    return [(one.item, one.distance, one.query, one.score, one.merged) for one in ranked]


@pytest.mark.parametrize("rescore", [False, True], ids=["hamming", "rescored"])
@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("mode", MERGES)
def test_every_mode_equals_brute_force(opened, mode, kinds, negatives, rescore):
    datasets, indexes = opened
    questions = ask_for(KINDS[kinds], NEGATIVES[negatives], 1)
    for k in (1, 4, 30, 500):
        assert asked(indexes, questions, k, mode, rescore) == oracle(datasets, questions, k, mode, rescore)


@pytest.mark.parametrize("rescore", [False, True], ids=["hamming", "rescored"])
@pytest.mark.parametrize("mode", MERGES)
def test_the_segments_do_not_change_the_answer(tmp_path, mode, rescore):
    pairs = random_pairs(120, BITS, seed=3, distinct=9)
    questions = ask_for(["text", "image"], ["item"], 5)
    answers = []
    for segments in (1, 2, 7):
        with Index(write_index(tmp_path / str(segments), split(pairs, segments, seed=9), BITS)) as index:
            answers.append([asked([index], questions, k, mode, rescore) for k in (1, 9, 119)])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("rescore", [False, True], ids=["hamming", "rescored"])
@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("mode", MERGES)
def test_excluded_items_are_left_out_and_k_others_found(opened, mode, negatives, rescore):
    datasets, indexes = opened
    questions = ask_for(["image", "image"], NEGATIVES[negatives], 4)
    first = [one[0] for one in asked(indexes, questions, 3, mode, rescore)]
    answer = asked(indexes, questions, 6, mode, rescore, set(first))
    assert answer == oracle(datasets, questions, 6, mode, rescore, set(first))
    assert len(answer) == 6


@pytest.mark.parametrize("mode", MERGES)
def test_one_query_has_the_same_answer_in_every_mode(opened, mode):
    _, indexes = opened
    questions = [question(1, "text")]
    rule, _ = rank(indexes, questions, 40, mode=mode)
    assert rule == "distance"
    assert asked(indexes, questions, 40, mode, False) == asked(indexes, questions, 40, "any", False)


def test_a_list_of_one_kind_is_in_order_of_distance_and_a_mixed_one_of_place(opened):
    _, indexes = opened
    for kinds, rule in ((["text", "text"], "distance"), (["item", "image"], "distance"), (["text", "item"], "rank")):
        found, ranked = rank(indexes, ask_for(kinds, [], 1), 50, mode="any")
        assert found == rule
        values = [one.distance if rule == "distance" else one.place for one in ranked]
        assert values == sorted(values)


def test_what_is_like_a_negative_query_is_pushed_behind_what_is_not(tmp_path):
    pairs = random_pairs(40, BITS, seed=1)
    with Index(write_index(tmp_path / "i", [pairs], BITS)) as index:
        wanted = Question(np.frombuffer(pairs[0][1], np.uint8), "item")
        order = [one.item for one in rank([index], [wanted], 40, mode="any")[1]]
        for mode in MERGES:
            # Against itself: the nearest is not the first any more.
            itself = rank([index], [wanted, Question(wanted.key, "item", None, True)], 40, mode=mode)[1]
            assert [one.item for one in itself] != order or mode == "rank"
            # Against the third: it loses its place, and nothing is left out.
            third = next(key for item, key in pairs if item[:2] == order[2][1:])
            against = Question(np.frombuffer(third, np.uint8), "item", None, True)
            pushed = [one.item for one in rank([index], [wanted, against], 40, mode=mode)[1]]
            assert pushed.index(order[2]) > 2
            assert sorted(pushed) == sorted(order)


def test_what_is_not_like_a_negative_query_keeps_its_order(tmp_path):
    pairs = random_pairs(60, BITS, seed=1)
    with Index(write_index(tmp_path / "i", [pairs], BITS)) as index:
        texts = ask_for(["text", "text"], ["image"], 3)
        plain = [one.item for one in rank([index], texts[:2], 60, mode="any")[1]]
        mean = np.mean([distance(texts[2].key.tobytes(), key) for _, key in pairs])
        unlike = {
            ItemKey(0, item.id, item.subset) for item, key in pairs if distance(texts[2].key.tobytes(), key) >= mean
        }
        pushed = [one.item for one in rank([index], texts, 60, mode="any")[1]]
        assert [item for item in pushed if item in unlike] == [item for item in plain if item in unlike]
        assert len(unlike) > 20


def test_rescoring_puts_only_candidates_in_another_order(opened):
    _, indexes = opened
    questions = [question(2, "text")]
    candidates = {one.item for one in rank(indexes, questions, 30, mode="any")[1]}
    rescored = rank(indexes, questions, 3, mode="any", rescore=True)[1]
    assert {one.item for one in rescored} <= candidates
    assert [one.score for one in rescored] == sorted(one.score for one in rescored)


def test_the_score_of_an_item_query_is_its_distance(opened):
    _, indexes = opened
    questions = [question(3, "item")]
    plain, rescored = (rank(indexes, questions, 40, mode="any", rescore=on)[1] for on in (False, True))
    assert [one[:5] for one in rescored] == [one[:5] for one in plain]
    assert all(one.score == one.distance for one in rescored)


def test_asymmetric_distances_order_keys_as_the_inner_product_does():
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 256, (200, 16), np.uint8)
    embedding = rng.standard_normal(128).astype(np.float32)
    query = np.packbits(embedding > 0)
    found = asymmetric_distances(query, weights_of(embedding, 128), keys)
    signs = np.unpackbits(keys, axis=1).astype(np.float64) * 2 - 1
    products = signs @ embedding.astype(np.float64)
    sizes = np.abs(embedding.astype(np.float64)).sum()
    assert np.allclose(found, 64 * (1 - products / sizes), atol=1e-3)
    assert asymmetric_distances(query, weights_of(embedding, 128), query[None]).tolist() == [0.0]
    assert asymmetric_distances(query, weights_of(embedding, 128), ~query[None]).tolist() == [128.0]


@pytest.mark.parametrize("embedding", [np.zeros(8), np.full(8, np.nan), np.full(8, np.inf)], ids=["0", "nan", "inf"])
def test_an_embedding_that_says_nothing_weighs_all_bits_alike(embedding):
    assert weights_of(embedding.astype(np.float32), 8).tolist() == [1] * 8


def test_tables_agree_with_their_definitions():
    rng = random.Random(1)
    for number in (1, 2, 40, 99, 100, 101, 250):
        found = [rng.randrange(20, 44) for _ in range(number)]
        counts = np.bincount(found, minlength=BITS + 1)
        assert z_scores(counts).tolist() == z_table(found)
        assert tail_scores(counts).tolist() == tail_table(found)
        assert fusion_scores(counts).tolist() == fusion_table(found)
        assert places(counts).tolist() == [1 + sum(one < value for one in found) for value in range(BITS + 1)]
    assert FUSION_CONSTANT == 60


def test_tables_of_no_items_and_of_equal_distances_are_finite():
    for counts in (np.zeros(9, np.int64), np.eye(9, dtype=np.int64)[4] * 1000):
        for table in (z_scores, tail_scores, fusion_scores):
            assert np.isfinite(table(counts)).all()
    assert z_scores(np.eye(9, dtype=np.int64)[4] * 1000).tolist() == [value - 4.0 for value in range(9)]


def test_an_empty_index_has_no_answer(tmp_path):
    with Index(write_index(tmp_path / "empty", [], BITS)) as index:
        for mode, rescore in itertools.product(MERGES, (False, True)):
            assert asked([index], ask_for(["text", "image"], ["text"], 1), 5, mode, rescore) == []
            assert asked([index], ask_for(["text", "image"], [], 1), 5, mode, rescore) == []
