"""Pages of all items, or of those that a filter leaves, in item order at any offset, against reading everything."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from clipdex import Explorer, ItemFilter, build
from clipdex.errors import QueryError
from clipdex_indexes import Index
from clipdex_indexes.storage.table import TableReader
from helpers_engine import rows_and_keys
from helpers_index import apply, random_pairs, split, write_index

OFFSETS = (0, 1, 2, 39, 40, 117, 198, 199, 200, 201, 1000)
LIMITS = (None, 0, 1, 3, 50, 1000)


@pytest.mark.parametrize("segments", [1, 2, 7])
@pytest.mark.parametrize("share", [None, 0.0, 0.02, 0.5])
def test_a_page_is_a_part_of_everything(tmp_path, segments, share):
    pairs = random_pairs(200, 64, seed=segments)
    rng = np.random.default_rng(5)
    with Index(write_index(tmp_path / "i", split(pairs, segments, seed=1), 64)) as index:
        masks = None if share is None else [rng.random(len(segment)) < share for segment in index.segments]
        if masks is not None and len(masks) > 1:
            masks[0] = None
        everything = [
            (location, row)
            for location, row in index.items()
            if masks is None or masks[location.segment] is None or masks[location.segment][location.position]
        ]
        for offset in OFFSETS:
            for limit in LIMITS:
                page = list(index.items(masks, offset=offset, limit=limit))
                assert page == everything[offset : None if limit is None else offset + limit]


def test_removed_items_are_on_no_page_and_are_not_counted(tmp_path):
    folder = tmp_path / "i"
    pairs = random_pairs(90, 64, seed=3)
    apply(folder, pairs[::2])
    apply(folder, pairs[1::2], remove=[item[:2] for item, _ in pairs[::6]])
    with Index(folder) as index:
        everything = list(index.items())
        assert len(everything) == 75
        for offset in range(80):
            assert list(index.items(offset=offset, limit=4)) == everything[offset : offset + 4]


def test_a_page_of_nothing_is_empty(tmp_path):
    with Index(write_index(tmp_path / "i", [], 64)) as index:
        assert list(index.items(offset=3, limit=5)) == []


@pytest.mark.parametrize("segments", [1, 5])
def test_a_page_far_from_the_begin_reads_few_rows(tmp_path, segments, monkeypatch):
    read = []
    query = TableReader._query

    def watched(self, statement, parameters=(), most=None, passes=1):
        records = query(self, statement, parameters, most, passes)
        read.append(len(records))
        return records

    pairs = random_pairs(5000, 64, seed=1)
    with Index(write_index(tmp_path / "i", split(pairs, segments, seed=1), 64)) as index:
        monkeypatch.setattr(TableReader, "_query", watched)
        page = list(index.items(offset=4000, limit=10))
    assert [row for _, row in page] == [row for row, _ in pairs[4000:4010]]
    assert sum(read) < 1500


@pytest.fixture(scope="module")
def halves(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paging")
    for name, kinds in (("one", ("animals", "food")), ("two", ("places", "plants"))):
        for kind in kinds:
            shutil.copytree(photos / kind, folder / name / kind)
        build(folder / name)
    return folder / "one", folder / "two"


@pytest.mark.parametrize(
    ("wanted", "keep"),
    [
        (None, lambda name, row: True),
        (ItemFilter(labels=("animals", "plants")), lambda name, row: row.labels[0] in ("animals", "plants")),
        (ItemFilter(not_datasets="one"), lambda name, row: name == "two"),
        (ItemFilter(labels="animals", paths="places/"), lambda name, row: False),
    ],
)
def test_pages_go_through_several_datasets_in_their_order(halves, wanted, keep):
    everything = [
        (root.name, row.id, key)
        for root in halves
        for row, key in rows_and_keys(root / ".clipdex")
        if keep(root.name, row)
    ]
    with Explorer(*halves) as explorer:
        for offset in (0, 1, 9, len(everything) - 1, len(everything), 100):
            for limit in (None, 0, 1, 12):
                page = explorer.items(max(offset, 0), limit, filter=wanted)
                expected = everything[max(offset, 0) :][:limit]
                assert [(item.dataset, item.id, item.hash_key.tobytes()) for item in page] == expected


def test_items_of_a_part_are_those_of_the_part(photos):
    with Explorer(photos / "plants") as explorer:
        every = [item.id for item in explorer.items()]
        assert len(every) == len(explorer)
        assert all(item.startswith("plants/") for item in every)
        assert [item.id for item in explorer.items(2, 3)] == every[2:5]


@pytest.mark.parametrize("arguments", [(-1,), (0, -1)])
def test_a_negative_number_is_refused(photos, arguments):
    with Explorer(photos) as explorer, pytest.raises(QueryError, match="at least 0"):
        explorer.items(*arguments)
