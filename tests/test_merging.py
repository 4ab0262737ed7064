"""Merging the answers to several queries, against the merging of full distance matrices."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex.search.merging import BY_DISTANCE, BY_RANK, ItemKey, Merged, merge, rule_for
from helpers_index import DETERMINISTIC

ITEMS = [ItemKey(dataset, f"{folder}{n}", subset) for dataset in (0, 1) for folder in ("", "a/") for n in range(4)
         for subset in ("train", "val")]  # fmt: skip


@st.composite
def matrices(draw):
    """Distances of every query to every item, with many ties, and a k."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    items = rng.sample(ITEMS, draw(st.integers(1, len(ITEMS))))
    largest = draw(st.sampled_from([0, 1, 3, 50]))
    shift = draw(st.sampled_from([0, 30]))  # texts are farther from images than images are
    rows = [
        {item: rng.randint(0, largest) + shift * (query % 2) for item in items}
        for query in range(draw(st.integers(1, 5)))
    ]
    return rows, draw(st.integers(1, len(items) + 3))


def answers(rows, k):
    """The exact answer to each query: nearest first, ties in order of the items."""
    return [[(item, row[item]) for item in sorted(row, key=lambda item: (row[item], item))[:k]] for row in rows]


@given(matrices())
@settings(DETERMINISTIC, max_examples=250)
def test_by_distance_is_the_best_distance_over_full_matrices(case):
    rows, k = case
    best = {item: min((row[item], query) for query, row in enumerate(rows)) for item in rows[0]}
    expected = sorted(best, key=lambda item: (best[item][0], item))[:k]
    merged = merge(answers(rows, k), BY_DISTANCE, k)
    assert [found.item for found in merged] == expected
    assert [(found.distance, found.query) for found in merged] == [best[item] for item in expected]
    for found in merged:
        assert answers(rows, 99)[found.query][found.place - 1] == (found.item, found.distance)


@given(matrices())
@settings(DETERMINISTIC, max_examples=250)
def test_by_rank_is_the_best_place_over_full_matrices(case):
    rows, k = case
    full = answers(rows, len(ITEMS))
    places = [{item: place for place, (item, _) in enumerate(answer, 1)} for answer in full]
    best = {item: min((place[item], query) for query, place in enumerate(places)) for item in rows[0]}
    expected = sorted(best, key=best.get)[:k]
    merged = merge(answers(rows, k), BY_RANK, k)
    assert [(found.item, (found.place, found.query)) for found in merged] == [(item, best[item]) for item in expected]
    assert all(found.distance == rows[found.query][found.item] for found in merged)


@given(matrices(), st.sampled_from([BY_DISTANCE, BY_RANK]))
@settings(DETERMINISTIC, max_examples=150)
def test_more_than_k_answers_change_nothing_and_fewer_k_is_a_prefix(case, rule):
    rows, k = case
    merged = merge(answers(rows, k), rule, k)
    assert merged == merge(answers(rows, len(ITEMS)), rule, k)
    assert merged == merge(answers(rows, k + 5), rule, k + 5)[:k]
    assert len({found.item for found in merged}) == len(merged) == min(k, len(rows[0]))


@given(matrices())
@settings(DETERMINISTIC, max_examples=150)
def test_by_rank_the_nearest_of_each_query_is_near_the_top(case):
    rows, k = case
    merged = merge(answers(rows, k), BY_RANK, k)
    firsts = {answer[0][0] for answer in answers(rows, 1)}
    assert {found.item for found in merged[: len(rows)]} >= firsts or k < len(rows)
    # And so on: the first p of every query are among the first p times the number of queries.
    for depth in range(1, k // len(rows) + 1):
        top = {found.item for found in merged[: depth * len(rows)]}
        assert all({item for item, _ in answer} <= top for answer in answers(rows, depth))


def test_by_rank_queries_that_find_different_items_take_turns():
    near = [(ItemKey(0, f"image{n}", ""), n) for n in range(5)]
    far = [(ItemKey(0, f"text{n}", ""), 1000 + n) for n in range(5)]
    assert [found.item.id for found in merge([near, far], BY_RANK, 6)] == [
        "image0", "text0", "image1", "text1", "image2", "text2",
    ]  # fmt: skip
    assert [found.item.id for found in merge([far, near], BY_RANK, 3)] == ["text0", "image0", "text1"]
    assert [found.item.id for found in merge([near, far], BY_DISTANCE, 5)] == [f"image{n}" for n in range(5)]


def test_an_item_is_credited_to_the_first_of_the_queries_it_matches_equally():
    item = ItemKey(0, "a", "")
    for rule in (BY_DISTANCE, BY_RANK):
        assert merge([[(item, 5)], [(item, 5)]], rule, 3) == [Merged(item, 5, 0, 1)]
    assert merge([[(item, 5)], [(item, 4)]], BY_DISTANCE, 3) == [Merged(item, 4, 1, 1)]
    assert merge([[(item, 5)], [(item, 4)]], BY_RANK, 3) == [Merged(item, 5, 0, 1)]


def test_a_repeated_query_changes_nothing():
    answer = [(item, number // 3) for number, item in enumerate(sorted(ITEMS))]
    for rule in (BY_DISTANCE, BY_RANK):
        assert merge([answer, answer], rule, 9) == merge([answer], rule, 9)


def test_by_distance_the_order_of_the_queries_does_not_change_the_items():
    rng = random.Random(1)
    rows = [{item: rng.randrange(4) for item in ITEMS} for _ in range(4)]
    expected = [found[:2] for found in merge(answers(rows, 7), BY_DISTANCE, 7)]
    for _ in range(5):
        rng.shuffle(rows)
        assert [found[:2] for found in merge(answers(rows, 7), BY_DISTANCE, 7)] == expected


def test_equal_distances_go_by_dataset_then_id_then_subset():
    items = [ItemKey(1, "a", "t"), ItemKey(0, "b", "t"), ItemKey(0, "a", "v"), ItemKey(0, "a", "t")]
    merged = merge([[(item, 3)] for item in items], BY_DISTANCE, 9)
    assert [found.item for found in merged] == sorted(items)


@pytest.mark.parametrize("rule", [BY_DISTANCE, BY_RANK])
def test_merging_nothing_gives_nothing(rule):
    assert merge([], rule, 5) == merge([[], []], rule, 5) == []


@pytest.mark.parametrize(
    ("kinds", "rule"),
    [
        (["text"], BY_DISTANCE),
        (["text", "text"], BY_DISTANCE),
        (["image"], BY_DISTANCE),
        (["image", "item", "image"], BY_DISTANCE),
        (["text", "image"], BY_RANK),
        (["item", "text"], BY_RANK),
        ([], BY_DISTANCE),
    ],
)
def test_only_lists_that_mix_texts_with_images_or_items_go_by_rank(kinds, rule):
    assert rule_for(kinds) == rule
