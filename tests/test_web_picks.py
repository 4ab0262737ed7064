"""Picked places: a set, written as runs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipdex.errors import QueryError
from clipdex_web.picks import Picks
from helpers_index import DETERMINISTIC

runs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted), min_size=1, max_size=8)


@given(runs)
@DETERMINISTIC
def test_picks_are_the_set_of_the_places_that_are_written(written):
    texts = [f"{first}-{last}" if first < last else f"{first}" for first, last in written]
    places = sorted({place for first, last in written for place in range(first, last + 1)})
    for form in (texts, [",".join(texts)]):
        picks = Picks.of(form, 31)
        assert list(picks.of_sequence(range(31))) == places
        assert len(picks) == len(places)


@given(runs, st.integers(1, 12), st.integers(0, 5))
@DETERMINISTIC
def test_picks_are_read_in_groups_that_are_short_and_have_small_gaps(written, most, near):
    picks = Picks((first, last + 1) for first, last in written)
    groups = list(picks.pieces(most, near))
    places = [place for group in groups for first, end in group for place in range(first, end)]
    assert places == list(picks.of_sequence(range(31)))
    for group in groups:
        assert group[-1][1] - group[0][0] <= most
        assert all(0 <= after[0] - before[1] <= near for before, after in itertools.pairwise(group))


@pytest.mark.parametrize("text", ["x", "3-1", "-1", "1-", "31", "0-31", "", ",", "1;2", "٣"])
def test_what_names_no_place_is_refused(text):
    with pytest.raises(QueryError):
        Picks.of([text], 31)
