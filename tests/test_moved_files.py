"""What is gone or another one now is found again by its content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clipdex.building.moved_files import MovedFiles
from clipdex_indexes import Location

LOWEST, HIGHEST = -(2**63), 2**63 - 1
ENTRIES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([LOWEST, -1, 1, 2, HIGHEST]), st.booleans()), max_size=30
)


def table_of(entries):
    moved = MovedFiles()
    for number, (size, content, gone) in enumerate(entries):
        moved.add(size, content, Location(number % 3, number), gone=gone)
    moved.settle()
    return moved


@given(ENTRIES, ENTRIES)
def test_each_that_is_gone_is_taken_once_and_the_others_are_left(entries, wanted):
    moved = table_of(entries)
    there = {Location(number % 3, number): one for number, one in enumerate(entries)}
    left = {location for location, (_, _, gone) in there.items() if gone}
    for size, content, _ in wanted:
        same = {location for location, one in there.items() if one[:2] == (size, content)}
        assert moved.find(size, content) in (same or {None})
        taken = moved.take(size, content)
        assert taken in (same & left or {None})
        left.discard(taken)
        assert set(moved.left()) == left


def test_nothing_is_found_where_nothing_was_added():
    assert MovedFiles().find(1, 1) is None
    assert MovedFiles().take(1, 1) is None
    assert list(MovedFiles().left()) == []
