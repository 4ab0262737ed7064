"""Filters of what may be found: the right items, and the nearest of exactly those."""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex_indexes import Index, ItemFilter
from clipdex_indexes.filters import Glob, select
from helpers_index import DETERMINISTIC, SMALL_SIZES, ask, oracle, random_pairs, row, split, write_index

BITS = 16


def fits(pattern, path):
    """Match a pattern against an id, character by character: slow, and plain to see."""
    if pattern.endswith("/"):
        pattern += "**"

    def parts_fit(wanted, given):
        if not wanted:
            return not given
        if wanted[0] == "**":
            if len(wanted) == 1:
                return bool(given)
            return any(parts_fit(wanted[1:], given[start:]) for start in range(len(given) + 1))
        return bool(given) and part_fits(wanted[0], given[0]) and parts_fit(wanted[1:], given[1:])

    def part_fits(wanted, given):
        if not wanted:
            return not given
        if wanted[0] == "*":
            return any(part_fits(wanted[1:], given[start:]) for start in range(len(given) + 1))
        if not given:
            return False
        end = wanted.find("]", 3 if wanted[1:2] in ("!", "^") else 2) if wanted[0] == "[" else -1
        if end > 0:
            body = wanted[1:end]
            negative = body[0] in "!^"
            body = body[negative:]
            characters = set(body)
            for first, last in zip(body, body[2:], strict=False):
                if first + "-" + last in body:
                    characters |= {chr(code) for code in range(ord(first), ord(last) + 1)}
            return (given[0] in characters) != negative and part_fits(wanted[end + 1 :], given[1:])
        return wanted[0] in ("?", given[0]) and part_fits(wanted[1:], given[1:])

    return parts_fit(pattern.split("/"), path.split("/"))


def passes(item, dataset, wanted):
    """Whether a filter lets an item through."""
    kinds = [
        (wanted.subsets, wanted.not_subsets, lambda name: name == item.subset),
        (wanted.labels, wanted.not_labels, lambda name: name in item.labels),
        (wanted.paths, wanted.not_paths, lambda pattern: fits(pattern, item.id)),
        (wanted.datasets, wanted.not_datasets, lambda name: name == dataset),
    ]
    return all(
        (not names or any(map(is_so, names))) and not any(map(is_so, not_names)) for names, not_names, is_so in kinds
    )


IDS = [
    "a",
    "a.jpg",
    "b/a.jpg",
    "b/c/a.jpg",
    "b/c/d/[x].jpg",
    "b/é?",
    "b/*",
    "c/10",
    "c/1",
    "c/b/c/1",
    "bb/ab",
    "b/-",
    "b/]",
]
PATTERNS = [
    "a", "*", "**", "**/a.jpg", "b/*", "b/**", "b/", "**/c/**", "b/**/*.jpg", "b/?", "b/[*]", "b/é[?]", "*/c/*",
    "**/c/1", "c/1?", "[!b]/*", "[^c]/**", "b/**/**/[[]x].jpg", "**/[[]*", "b/c/d/[[]x[]].jpg", "[a-c]*/[a-]*",
    "**/*a*", "b/[]]", "b/[!]]", "**/**", "c/[", "B/*", "b**/*", "b/*/*", "[-b]/a.jpg",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_path_pattern_selects_the_ids_that_it_fits(tmp_path, pattern):
    pairs = [(row(item), bytes(8)) for item in sorted(IDS)]
    with Index(write_index(tmp_path / "i", [pairs], 64)) as index:
        (mask,) = select(index, ItemFilter(paths=(pattern,)))
        found = [item.id for number, (_, item) in enumerate(index.items()) if mask is None or mask[number]]
        (others,) = select(index, ItemFilter(not_paths=pattern))
    assert found == [item for item in sorted(IDS) if fits(pattern, item)]
    assert found == [item for item in sorted(IDS) if Glob(pattern).matches(item)]
    assert (mask is None) == (others is not None and not others.any())
    assert mask is None or others is None or (mask != others).all()


@pytest.mark.parametrize("pattern", ["", "/", "/a", "a//b", "[z-a]/x", "a/[]", "x/[!]", "a\0"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(ValueError, match="path pattern"):
        ItemFilter(paths=(pattern,))


def test_names_that_are_no_texts_are_refused():
    with pytest.raises(ValueError, match="labels of a filter"):
        ItemFilter(labels=(3,))


def test_a_filter_that_says_nothing_is_false_and_selects_all(tmp_path):
    assert not ItemFilter()
    assert ItemFilter(not_labels="cat")
    with Index(write_index(tmp_path / "i", split(random_pairs(9, 64, 1), 3, 1), 64)) as index:
        assert select(index, ItemFilter()) == [None, None, None]


@st.composite
def filtered_searches(draw):
    seed = draw(st.integers(0, 2**32))
    some = lambda values: st.lists(st.sampled_from(values), max_size=2).map(tuple)  # noqa: E731
    subsets, labels = some(["train", "val", "test"]), some(["cat", "dog", "a, b", "猫", "none"])
    paths, datasets = some(["**/*1*", "a/**", "*", "[a-é]*/*", "a*/b/*.jpg", "x/"]), some(["0", "1", "2"])
    rarely = lambda values: st.one_of(st.just(()), st.just(()), values)  # noqa: E731
    wanted = ItemFilter(
        *(draw(rarely(one)) for one in (subsets, labels, paths, datasets, subsets, labels, paths, datasets))
    )
    counts = draw(st.lists(st.sampled_from([1, 7, 90, 400]), min_size=1, max_size=2))
    return seed, wanted, counts, draw(st.sampled_from([0, 1, 4])), draw(st.sampled_from([1, 5, 60, 1000]))


@given(filtered_searches(), st.sampled_from([None, 0, 0.05, 0.5, 0.98]))
@settings(DETERMINISTIC, max_examples=40)
def test_the_nearest_of_what_a_filter_and_removal_leave_are_found(case, live):
    seed, wanted, counts, distinct, k = case
    rng = np.random.default_rng(seed)
    datasets = [random_pairs(count, BITS, seed, distinct) for count in counts]
    left: list = [[] for _ in datasets]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("os.fsync"))
        indexes = []
        for number, pairs in enumerate(datasets):
            parts = split(pairs, min(len(pairs), 1 + seed % 4), seed)
            index = stack.enter_context(Index(write_index(Path(folder, str(number)), parts, BITS)))
            indexes.append(index)
            for segment, part in zip(index.segments, parts, strict=True):
                segment.live = None if live is None else rng.random(len(part)) < live
                left[number] += [
                    pair
                    for position, pair in enumerate(part)
                    if passes(pair[0], str(number), wanted) and (segment.live is None or segment.live[position])
                ]
        selections = [select(index, wanted, str(number)) for number, index in enumerate(indexes)]
        for index, pairs, masks in zip(indexes, left, selections, strict=True):
            counts_of_left = index.counts(masks)
            assert counts_of_left.subsets == Counter(item.subset for item, _ in pairs)
            assert counts_of_left.labels == Counter(label for item, _ in pairs for label in set(item.labels))
            unlabelled = sum(not item.labels for item, _ in pairs)
            assert (counts_of_left.items, counts_of_left.unlabelled) == (len(pairs), unlabelled)
        queries = [datasets[0][0][1], random.Random(seed).randbytes(BITS // 8)]
        assert ask(indexes, queries, k, selections, SMALL_SIZES) == [oracle(left, query, k) for query in queries]


def test_masks_are_those_of_the_rows(tmp_path):
    pairs = random_pairs(200, 64, seed=3)
    parts = split(pairs, 3, seed=1)
    wanted = [
        ItemFilter(subsets=("val",), labels=("cat", "猫")),
        ItemFilter(not_subsets="val", not_labels=("cat",)),
        ItemFilter(paths=("a/*", "é/*1*"), not_paths=("**/*2.jpg",)),
        ItemFilter(datasets="here"),
        ItemFilter(datasets="there"),
        ItemFilter(not_datasets="here"),
    ]
    with Index(write_index(tmp_path / "i", parts, 64)) as index:
        for one in (*wanted, None, *wanted):
            if one is None:
                index.counts()  # after that, rows need not be read again
                continue
            masks = select(index, one, "here")
            kept = [
                mask.tolist() if mask is not None else [True] * len(part)
                for mask, part in zip(masks, parts, strict=True)
            ]
            assert kept == [[passes(item, "here", one) for item, _ in part] for part in parts]


def test_many_folders_are_asked_for_in_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("clipdex_indexes.filters._IDS_AT_ONCE", 3)
    pairs = [(row(f"{a}{b}/{c}"), bytes(8)) for a, b, c in itertools.product("abc", "abcdefg", "xy")]
    with Index(write_index(tmp_path / "i", [pairs], 64)) as index:
        for pattern in ("a*/**", "[ab]?/x", "?[a-e]/"):
            (mask,) = select(index, ItemFilter(paths=pattern))
            assert mask.tolist() == [fits(pattern, item.id) for item, _ in pairs]


def test_a_name_of_very_many_marks_takes_no_time_to_compare(tmp_path):
    marks = "a" + "\u0301\u0327" * 10_000
    index = Index(write_index(tmp_path, [[(row(f"x/{marks}.png"), b"\0\0"), (row("x/b.png"), b"\0\1")]], BITS))
    with index:
        (mask,) = select(index, ItemFilter(paths=("x/b*",)))
        assert mask is not None and mask.sum() == 1
