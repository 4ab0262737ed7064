"""Masks of the items at a path: by their ids, and by the path of their media where that is another one."""

from __future__ import annotations

import os

import numpy as np
import pytest

from clipdex.datasets.parts import is_media_below
from clipdex_indexes import Index
from clipdex_indexes.filters import select_below
from helpers_index import row, write_index

ROWS = [
    row("2020/a.jpg"),
    row("2020/b/c.jpg"),
    row("2020/b.jpg"),
    row("20200/a.jpg"),
    row("x/2020/a.jpg"),
    row("2020"),
    row("one")._replace(media="2020/one.jpg"),
    row("two")._replace(media="./x/../2020//b/two.jpg"),
    row("three")._replace(media="x/2020/three.jpg"),
    row("four")._replace(media="/root/2020/four.jpg"),
    row("five")._replace(media="/real/2020/b/five.jpg"),
    row("six")._replace(media="/elsewhere/2020/six.jpg"),
    row("seven")._replace(media="!/2020/seven.jpg"),
    row("2020/eight.jpg")._replace(media="x/eight.jpg"),
    row("2020/[b]/*.jpg"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    pairs = [(one, bytes([number, 0])) for number, one in enumerate(sorted(ROWS, key=lambda one: one.order))]
    with Index(write_index(tmp_path_factory.mktemp("parts") / "index", [pairs[::2], pairs[1::2]], 16)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("part", "ids"),
    [
        ("2020/", {"2020/a.jpg", "2020/b/c.jpg", "2020/b.jpg", "one", "two", "four", "five", "2020/[b]/*.jpg"}),
        ("2020/b/", {"2020/b/c.jpg", "two", "five"}),
        ("2020/b.jpg", {"2020/b.jpg"}),
        ("2020/one.jpg", {"one"}),
        ("2020/[b]/", {"2020/[b]/*.jpg"}),
        ("2020/[b]/*.jpg", {"2020/[b]/*.jpg"}),
        ("x/", {"x/2020/a.jpg", "three", "2020/eight.jpg"}),
        ("2020", {"2020"}),
        ("2020/eight.jpg", set()),
        ("202/", set()),
        ("2020/B/", set()),
        ("2020/\udcff/", set()),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="absolute paths of another system")
def test_items_below_a_path_are_selected_by_the_path_of_their_media(index, part, ids):
    masks = select_below(index, part, is_media_below(("/root", "/real"), part))
    assert {one.id for _, one in index.items(masks)} == ids
    assert [mask.dtype for mask in masks] == [np.bool_, np.bool_]


def test_selected_items_come_in_item_order(index):
    masks = select_below(index, "2020/", is_media_below(("/root",), "2020/"))
    chosen = [one for _, one in index.items(masks)]
    everything = [one for _, one in index.items()]
    assert chosen == [one for one in everything if one in chosen]
    assert all(index.rows([location]) == [one] for location, one in index.items(masks))
