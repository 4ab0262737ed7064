"""The address of a page: what it says is what is asked, and each state has one address."""

from __future__ import annotations

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from clipdex import ItemFilter, SearchRequest
from clipdex.defaults import MERGES, PROMPTINGS, STRENGTHS
from clipdex.errors import QueryError
from clipdex_web.state import FILTER_NAMES, IMAGE, ITEM, TEXT, Chip, ItemName, State
from helpers_index import DETERMINISTIC

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
names = st.builds(ItemName, words, words, words)
chips = st.one_of(
    st.builds(Chip, st.just(TEXT), words, st.booleans()),
    st.builds(Chip, st.just(ITEM), names.map(str), st.booleans()),
    st.builds(Chip, st.just(IMAGE), st.text("0123456789abcdef", min_size=64, max_size=64), st.booleans()),
)
filters = st.builds(
    ItemFilter,
    subsets=st.lists(words, max_size=2, unique=True),
    labels=st.lists(words, max_size=2, unique=True),
    not_labels=st.lists(words, max_size=2, unique=True),
    datasets=st.lists(words, max_size=2, unique=True),
)
states = st.builds(
    State,
    chips=st.lists(chips, max_size=4, unique=True).map(tuple),
    filter=filters,
    topk=st.integers(1, 10_000),
    merge=st.sampled_from(MERGES),
    rescore=st.booleans(),
    max_distance=st.none() | st.integers(0, 1000),
    min_strength=st.none() | st.sampled_from(STRENGTHS),
    prompting=st.sampled_from(PROMPTINGS),
    exclude_self=st.booleans(),
    page=st.integers(1, 10**9),
    per=st.integers(1, 300),
)


@given(states)
@DETERMINISTIC
def test_a_state_comes_back_from_its_address(state):
    assert State.of(parse_qsl(state.query)) == state


@given(names)
@DETERMINISTIC
def test_the_name_of_an_item_comes_back(name):
    assert ItemName.of(str(name)) == name


@given(st.lists(st.tuples(st.sampled_from(["text", "not_item", "image", "topk", "path", "label", "x"]), st.text())))
@DETERMINISTIC
def test_any_address_is_a_state_or_is_refused(pairs):
    try:
        state = State.of(pairs)
    except QueryError:
        return
    assert State.of(state.pairs()) == state


def test_a_request_asks_what_the_address_says():
    state = State.of(
        [
            ("text", "a dog"),
            ("not_item", "photos:train:a:b.jpg"),
            ("image", "0" * 64),
            ("not_label", "zoo"),
            ("topk", "7"),
            ("merge", "all"),
            ("rescore", "1"),
            ("max_distance", "9"),
            ("exclude_self", "1"),
            ("prompting", "none"),
        ]
    )
    request = state.request(lambda name: b"bytes of " + name.encode())
    assert [query.kind for query in request.queries] == ["text", "image"]
    assert request.queries[1].image == b"bytes of " + b"0" * 64
    [away] = request.negative
    assert (away.id, away.subsets, away.dataset) == ("a:b.jpg", ("train",), "photos")
    assert request.filter == ItemFilter(not_labels=("zoo",))
    assert (request.topk, request.merge, request.rescore, request.max_distance) == (7, "all", True, 9)
    assert (request.exclude_self, request.prompting) == (True, "none")


def test_an_address_can_say_all_that_a_request_has():
    said = {"queries", "negative", *State.__slots__} - {"chips", "page", "per"}
    assert said == set(SearchRequest.__slots__)
    assert set(FILTER_NAMES) == set(ItemFilter.__slots__)
