"""Which segments are rewritten: simulated over their sizes alone."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex_indexes import Index
from clipdex_indexes.storage.policy import Extent, to_rewrite
from helpers_index import DETERMINISTIC

EXTENTS = st.lists(
    st.integers(1, 1 << 20).flatmap(lambda items: st.builds(Extent, st.just(items), st.integers(0, items))), max_size=9
)


def after(segments, added):
    """The segments that there are after a commit, and how many items it wrote."""
    chosen = to_rewrite(segments, added)
    size = added + sum(segments[number].live for number in chosen)
    kept = [segment for number, segment in enumerate(segments) if number not in chosen]
    return kept + ([Extent(size, size)] if size else []), size


@given(EXTENTS, st.integers(0, 1 << 20))
@settings(DETERMINISTIC)
def test_what_is_left_doubles_in_size_and_is_mostly_live(segments, added):
    left, _ = after(segments, added)
    assert sum(one.live for one in left) == added + sum(one.live for one in segments)
    assert all(one.live * 2 >= one.items for one in left)
    sizes = sorted(one.items for one in left)
    assert all(large > 2 * small for small, large in itertools.pairwise(sizes))
    assert to_rewrite(left, 0) == set()


def test_nothing_to_do_is_nothing_done():
    assert to_rewrite([], 0) == to_rewrite([], 5) == set()
    assert to_rewrite([Extent(100, 100), Extent(40, 40), Extent(19, 10)], 0) == set()


def test_removing_a_few_items_rewrites_nothing_however_small_the_rest():
    assert to_rewrite([Extent(1000, 500), Extent(400, 201)], 0) == set()
    assert to_rewrite([Extent(1000, 499), Extent(400, 400)], 0) == {0, 1}
    assert to_rewrite([Extent(1000, 1000), Extent(400, 0)], 0) == {1}


@pytest.mark.parametrize(
    "adds",
    [[1] * 500, random.Random(1).choices(range(1, 100), k=500), [2**n for n in range(12)][::-1] * 3],
    ids=["one by one", "random", "powers"],
)
def test_many_small_commits_leave_few_segments_and_write_little(adds):
    segments, written = [], 0
    for added in adds:
        segments, size = after(segments, added)
        written += size
        total = sum(one.items for one in segments)
        assert len(segments) <= total.bit_length()
    assert total == sum(adds)
    assert written <= total * 3 * total.bit_length()


def test_many_removals_rewrite_each_item_a_few_times_only():
    rng = random.Random(2)
    segments, written = [Extent(100_000, 100_000), Extent(40_000, 40_000), Extent(1000, 1000)], 0
    while sum(one.live for one in segments) > 100:
        number = rng.randrange(len(segments))
        segments[number] = Extent(segments[number].items, max(0, segments[number].live - rng.randrange(1, 500)))
        segments, size = after(segments, 0)
        written += size
        assert all(one.live * 2 >= one.items for one in segments)
    assert written < 2 * 141_000


def test_a_month_of_ten_builds_an_hour_leaves_few_segments_after_each_of_them():
    segments, written, most = [], 0, 0
    for _ in range(30 * 240):
        segments, size = after(segments, 1000)
        written += size
        most = max(most, len(segments))
    assert most <= 9
    assert written <= 10 * 30 * 240 * 1000


def test_an_index_that_grew_in_many_commits_takes_the_space_of_one_that_was_written_at_once(tmp_path):
    keys = np.random.default_rng(0).integers(0, 256, (9000, 64), np.uint8)
    ids = [f"{number * 7919 % 30:02}/{number:05}.jpg" for number in range(len(keys))]
    grown, fresh = Index.create(tmp_path / "grown", 512), Index.create(tmp_path / "fresh", 512)
    for start in range(0, len(ids), 300):
        grown.add(ids[start : start + 300], keys[start : start + 300])
    fresh.add(ids, keys)
    assert grown.size_on_disk() <= 1.1 * fresh.size_on_disk()
    one, other = (index.search(keys[:3], 20) for index in (grown, fresh))
    assert (one.ids == other.ids).all()
