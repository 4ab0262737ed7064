"""Picked places: a set, written as runs."""

from __future__ import annotations

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


@pytest.mark.parametrize("text", ["x", "3-1", "-1", "1-", "31", "0-31", "", ",", "1;2", "٣"])
def test_what_names_no_place_is_refused(text):
    with pytest.raises(QueryError):
        Picks.of([text], 31)
