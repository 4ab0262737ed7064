"""Looking through datasets in item order, from any place on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipdex import Explorer, ItemFilter
from clipdex.errors import ItemNotFound, QueryError
from clipdex_indexes import Index
from clipdex_indexes.paging import count_passing, page
from helpers_index import DETERMINISTIC, random_pairs, split, write_index


@given(
    seed=st.integers(0, 1000), items=st.integers(4, 60), parts=st.integers(1, 4), share=st.sampled_from((0.0, 0.5, 1.0))
)
@DETERMINISTIC
def test_a_page_is_a_slice_of_all_items_in_order(seed, items, parts, share):
    pairs = random_pairs(items, 16, seed)
    with tempfile.TemporaryDirectory() as folder:
        write_index(Path(folder) / "i", split(pairs, parts, seed), 16)
        with Index(Path(folder) / "i") as index:
            chosen = [np.random.default_rng(seed).random(one.table.items) < share for one in index.segments]
            for selected in (None, chosen):
                masks = index.selected(selected)
                everything = list(index.items(selected))
                assert count_passing(index, masks) == len(everything)
                for start in range(0, len(everything) + 2, 7):
                    assert page(index, masks, start, 5) == everything[start : start + 5]


def test_a_listing_goes_on_from_one_dataset_to_the_next(photos, odd):
    with Explorer(photos, odd) as explorer:
        listing = explorer.listing()
        found = [(item.dataset.name, item.row.id) for item in listing.page(38, 4)]
        everything = [(item.dataset, item.id) for item in explorer.items()]
        assert (len(listing), found) == (len(everything), everything[38:42])
        assert listing.page(len(listing), 5) == []


def test_a_listing_has_what_passes_the_filter(photos):
    with Explorer(photos) as explorer:
        listing = explorer.listing(ItemFilter(labels=("food",)))
        assert {item.row.labels for item in listing.page(0, 100)} == {("food",)}
        assert len(listing) == sum("food" in item.labels for item in explorer.items())
        with pytest.raises(QueryError, match="no item has the label 'fod'"):
            explorer.listing(ItemFilter(labels=("fod",)))


def test_an_item_is_listed_by_its_whole_id_and_nothing_else(photos):
    with Explorer(photos) as explorer:
        item = explorer.listed("photos", "default", "plants/dahlia.jpg")
        assert Path(item.path) == photos / "plants" / "dahlia.jpg"
        for dataset, subset, item_id in (
            ("photos", "default", "plants/dahlia"),
            ("photos", "default", str(photos / "plants" / "dahlia.jpg")),
            ("photos", "train", "plants/dahlia.jpg"),
            ("other", "default", "plants/dahlia.jpg"),
            ("photos", "default", "../photos/plants/dahlia.jpg"),
        ):
            with pytest.raises(ItemNotFound):
                explorer.listed(dataset, subset, item_id)
    with Explorer(photos / "food") as explorer, pytest.raises(ItemNotFound):
        explorer.listed("photos", "default", "plants/dahlia.jpg")
