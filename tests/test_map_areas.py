"""Areas of a map: how they are written, what they hold, and filters by them."""

from __future__ import annotations

import base64
import random
import sys

import numpy as np
import pytest

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.mapping.area import MOST_CORNERS, Area
from clipdex.mapping.making import map_of
from clipdex.search.facets import facets_of
from clipdex.search.filtering import selections_of
from clipdex.search.listing import Listing
from clipdex_indexes import Index, ItemFilter
from clipdex_indexes.filters import select
from helpers_index import row, split, write_index

BITS = 128
SQUARE = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def some_area(seed, most=MOST_CORNERS):
    rng = random.Random(seed)
    corners = tuple((rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)) for _ in range(rng.randint(3, most)))
    return Area(rng.randbytes(3), corners)


@pytest.mark.parametrize("seed", range(20))
def test_an_area_is_read_as_it_was_written_and_stays_so(seed):
    area = some_area(seed)
    again = Area.of(str(area))
    assert again.layout == area.layout
    assert np.array(again.corners) == pytest.approx(np.array(area.corners), abs=3 / 255)
    assert str(again) == str(area)


def test_an_area_is_short():
    assert len(str(some_area(0, most=3))) < 25
    assert len(str(Area(bytes(3), some_area(1).corners[:3] * 6))) < 64


def test_an_area_holds_what_the_rule_of_even_and_odd_says():
    star = Area(bytes(3), ((0, 1.5), (-1, -1), (1.5, 0.5), (-1.5, 0.5), (1, -1)))
    places = np.array([[0, 1], [0, 0], [2.5, 0], [-0.8, -0.7], [0, -0.75], [np.nan, 0]], np.float32)
    assert np.flatnonzero(star.holds(places)).tolist() == [0, 3]


def test_what_is_farther_than_can_be_written_is_at_the_edge():
    everything = Area.of(str(Area(bytes(3), ((-9, -9), (9, -9), (9, 9), (-9, 9)))))
    assert everything.holds(np.array([[0, 0], [5, -5], [-3, 2], [np.nan, np.nan]], np.float32)).tolist() == [
        *(True,) * 3,
        False,
    ]


def forged(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        *("", "A", "AAAA", "!" * 30, "é" * 30, "A" * 10_000, "-9,-9_9,-9_9,9"),
        forged(bytes(11 + 4)),
        forged(bytes(11 + 7)),
        forged(bytes(11 + 2 * (MOST_CORNERS + 1))),
        forged(bytes(3) + b"\xff\xff" + bytes(6) + bytes(6)),
        forged(bytes(3) + bytes(2) + b"\xff\xff" + bytes(4) + bytes(6)),
    ],
)
def test_what_is_no_area_is_refused(text):
    with pytest.raises(QueryError, match="no area of a map"):
        Area.of(text)


@pytest.fixture
def halved(tmp_path, monkeypatch):
    """A dataset in several parts, its map, an area with about half of it, and the ids in that."""
    rng = random.Random(0)
    pairs = [(row(f"{number:02}.jpg", labels=(str(number % 4),)), rng.randbytes(BITS // 8)) for number in range(90)]
    write_index(tmp_path / "set", split(pairs, 3, seed=1), BITS)
    dataset = Dataset("set", tmp_path / "set", Index(tmp_path / "set"))
    with dataset.index:
        monkeypatch.setitem(sys.modules, "openTSNE", None)  # a map of components is made sooner
        made = map_of([dataset])
        area = made.area([(-1.5, -1.5), (0.02, -1.5), (0.02, 1.5), (-1.5, 1.5)])
        edge = max(x for x, _ in Area.of(area).corners)
        ids = {item.id for location, item in dataset.items() if made.datasets[0].at(location)[0] < edge}
        assert 0 < len(ids) < 90
        yield dataset, area, ids


def ids_of(dataset, **wanted):
    listing = Listing([dataset], ItemFilter(**wanted))
    return {item.row.id for item in listing.page(0, len(listing))}


def test_a_filter_by_an_area_lets_through_what_is_in_it(halved):
    dataset, area, ids = halved
    everything = ids_of(dataset)
    assert ids_of(dataset, areas=area) == ids
    assert ids_of(dataset, not_areas=area) == everything - ids
    assert ids_of(dataset, areas=area, not_areas=area) == set()
    some = ids_of(dataset, labels="0")
    assert ids_of(dataset, areas=area, labels="0") == ids & some
    assert facets_of([dataset], selections_of([dataset], ItemFilter(areas=area))).items == len(ids)


def test_several_areas_are_alternatives(halved):
    dataset, area, ids = halved
    nothing = str(Area(Area.of(area).layout, ((1.8, 1.8), (1.9, 1.8), (1.9, 1.9))))
    assert ids_of(dataset, areas=nothing) == set()
    assert ids_of(dataset, areas=(nothing, area)) == ids


def test_an_area_of_another_map_or_of_none_is_refused(halved):
    dataset, area, _ = halved
    other = str(Area(b"abc", SQUARE))
    with pytest.raises(QueryError, match="drawn on another map"):
        ids_of(dataset, areas=other)
    for map_file in dataset.index.folder.glob("*.map"):
        map_file.write_bytes(b"damaged")
        with pytest.raises(QueryError, match=r"Make it: clipdex map .*set"):
            ids_of(dataset, not_areas=area)
        map_file.unlink()
    with pytest.raises(QueryError, match=r"Make it: clipdex map .*set"):
        ids_of(dataset, areas=area)


def test_a_dataset_without_images_beside_others_has_nothing_in_an_area(halved, tmp_path):
    dataset, _, _ = halved
    write_index(tmp_path / "empty", [], BITS)
    empty = Dataset("empty", tmp_path / "empty", Index(tmp_path / "empty"))
    with empty.index:
        whole = map_of([empty, dataset]).area([(-2, -2), (2, -2), (2, 2), (-2, 2)])
        for wanted, count in ((ItemFilter(areas=whole), 90), (ItemFilter(not_areas=whole), 0)):
            assert len(Listing([empty, dataset], wanted)) == count


def test_an_index_does_not_pass_over_areas_that_nobody_explains(halved):
    dataset, area, _ = halved
    with pytest.raises(KeyError):
        select(dataset.index, ItemFilter(areas=area))


@pytest.mark.parametrize("corners", [[], [(0, 0), (1, 1)], [(0, 0), (1, 1), (0, float("nan"))], [(0, 0)] * 65])
def test_corners_that_make_no_area_are_refused(halved, corners):
    dataset, _, _ = halved
    with pytest.raises(QueryError, match="3 to 64 corners"):
        map_of([dataset]).area(corners)
