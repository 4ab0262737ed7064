"""Item tables: what goes in comes out, in order, and lookups find what they should."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex_indexes import IndexCorrupt, valid_item_id
from clipdex_indexes.storage.columns import Columns, TableCounts
from clipdex_indexes.storage.table import Effort, TableReader, TableWriter
from helpers_amounts import TABLE_EXAMPLES
from helpers_index import DETERMINISTIC, row


def write(path, rows):
    table = TableWriter(path)
    for item in rows:
        table.add(item)
    table.finish()
    table.close()
    return TableReader(path, len(rows))


@pytest.fixture
def table(tmp_path):
    """Make a table of rows; it is closed after the test."""
    opened = []

    def make(rows, name="t.sqlite"):
        opened.append(write(tmp_path / name, sorted(rows, key=lambda item: item[:2])))
        return opened[-1]

    yield make
    for reader in opened:
        reader.close()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=6).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1,
    max_size=4,
).map("/".join)
INT64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.builds(row, IDS, TEXT, st.lists(TEXT, max_size=3).map(tuple), INT64, INT64),
    max_size=12,
    unique_by=lambda item: item[:2],
).map(lambda rows: sorted(rows, key=lambda item: item[:2]))


@given(ROWS)
@settings(DETERMINISTIC, max_examples=TABLE_EXAMPLES.now)
def test_any_rows_come_back_as_they_went_in(rows):
    with tempfile.TemporaryDirectory() as folder:
        reader = write(Path(folder) / "t.sqlite", rows)
        try:
            assert list(reader.iterate()) == list(enumerate(rows))
            assert reader.rows(range(len(rows))) == rows
            sizes, contents = reader.contents()
            assert list(zip(sizes, contents, strict=True)) == [(item.size, item.content) for item in rows]
            for position, item in enumerate(rows):
                same = [found for found in enumerate(rows) if found[1].id == item.id]
                assert sorted(reader.find(item.id)) == same
                assert (position, item) in same
                stem, dot, extension = item.id.rpartition(".")
                if dot and "/" not in extension:
                    assert (position, item) in reader.find_without_extension(stem)
            counts = Columns(reader).count(None)
            assert counts.subsets == {
                name: sum(item.subset == name for item in rows) for name in {item.subset for item in rows}
            }
            assert counts.labels == {
                name: sum(name in item.labels for item in rows)
                for name in {one for item in rows for one in item.labels}
            }
        finally:
            reader.close()


def test_rows_are_in_the_order_asked_for_with_repetitions(table):
    rows = [row(f"{number:04}") for number in range(1200)]
    reader = table(rows)
    wanted = [1199, 0, 5, 5, *range(1198, 2, -1), 0]
    assert [item.id for item in reader.rows(wanted)] == [f"{number:04}" for number in wanted]
    assert reader.rows([]) == []


def test_more_rows_than_are_written_or_read_at_once_come_back(table):
    rows = [row(f"d{number % 7}/{number:06}", mtime=number) for number in range(12_500)]
    assert list(table(rows).iterate()) == list(enumerate(sorted(rows)))


def test_a_row_that_is_not_there_is_damage(table):
    with pytest.raises(IndexCorrupt, match="row 2 is missing"):
        table([row("a"), row("b")]).rows([0, 2])


def test_find_is_exact(table):
    reader = table([row("a/b.jpg"), row("a/B.jpg"), row("b.jpg"), row("a/b.jpg", "val"), row("x/a/b.jpg")])
    assert [found[1][:2] for found in reader.find("a/b.jpg")] == [("a/b.jpg", "default"), ("a/b.jpg", "val")]
    assert [found[1].id for found in reader.find("b.jpg")] == ["b.jpg"]
    for other in ("a/b", "a", "a/", "/b.jpg", "a/b.jp_", "a/%", ""):
        assert reader.find(other) == []


def test_an_id_without_extension_finds_every_extension_and_no_longer_name(table):
    names = ["a/x.jpg", "a/x.png", "a/x.tar.gz", "a/x-1.jpg", "a/x0.jpg", "a/xy.jpg", "a/x", "a/x/y.jpg", "x.jpg"]
    reader = table([row(name) for name in names])
    assert sorted(found[1].id for found in reader.find_without_extension("a/x")) == ["a/x.jpg", "a/x.png"]
    assert [found[1].id for found in reader.find_without_extension("a/x.tar")] == ["a/x.tar.gz"]
    assert [found[1].id for found in reader.find_without_extension("x")] == ["x.jpg"]
    assert reader.find_without_extension("a/x_") == []


def test_candidates_for_a_mistyped_id_are_the_likely_ones_first_and_at_most_so_many(table):
    rows = [row(f"{folder}/{number}.jpg") for folder in ("cats", "dogs") for number in range(20)]
    reader = table([*rows, row("elsewhere/bird.jpg")])
    assert "elsewhere/bird.jpg" in reader.ids_like("birds/bird.jpg", 2)
    assert reader.ids_like("cats/99.jpg", 20) == [item.id for item in sorted(rows) if item.id.startswith("cats/")]
    assert len(reader.ids_like("nothing", 7)) == 7
    assert len(set(reader.ids_like("nothing", 100))) == 41


def test_ids_of_several_subsets_are_candidates_once(table):
    assert table([row("a.jpg", "train"), row("a.jpg", "val")]).ids_like("a.jpg", 9) == ["a.jpg"]


def test_an_item_counts_once_for_each_of_its_labels(table):
    columns = Columns(table([row("a", "t", ("cat", "cat", "dog")), row("b", "t", ("cat",)), row("c", "v", ())]))
    assert columns.count(None) == TableCounts({"t": 2, "v": 1}, {"cat": 2, "dog": 1}, 3, 1)
    assert columns.count(np.array([False, True, True])) == TableCounts({"t": 1, "v": 1}, {"cat": 1}, 2, 1)


def test_an_empty_table_answers_with_nothing(table):
    reader = table([])
    assert list(reader.iterate()) == reader.rows([]) == reader.find("a") == reader.ids_like("a", 5) == []
    assert Columns(reader).count(None) == TableCounts({}, {}, 0, 0)


def test_a_table_with_another_number_of_rows_than_stated_is_damage(tmp_path, table):
    table([row("a"), row("b")])
    for items in (0, 1, 3, 2**62):
        with pytest.raises(IndexCorrupt, match="rows"):
            TableReader(tmp_path / "t.sqlite", items)


def test_folders_subsets_and_labels_are_stored_once(tmp_path, table):
    long = "a-long-name-of-a-folder" * 4
    table([row(f"{long}/{number:05}.jpg", long, (long,)) for number in range(2000)])
    assert (tmp_path / "t.sqlite").read_bytes().count(long.encode()) < 10


def test_a_table_can_be_read_by_several_threads(table):
    from concurrent.futures import ThreadPoolExecutor

    rows = [row(f"{number:03}") for number in range(300)]
    reader = table(rows)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: reader.rows([number, 299 - number]), range(300)))
    assert answers == [[rows[number], rows[299 - number]] for number in range(300)]


@pytest.mark.parametrize("item_id", ["a", "a/b.jpg", "...", "a/..b", ".hidden", "a b/ c", "é/猫", "\\", "C:", "-"])
def test_relative_paths_are_valid_ids(item_id):
    assert valid_item_id(item_id)


@pytest.mark.parametrize(
    "item_id", ["", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "../a", "a/..", "a/../b", "a\0", "\0"]
)
def test_what_could_leave_the_root_is_no_valid_id(item_id):
    assert not valid_item_id(item_id)


@pytest.mark.parametrize("name", ["0.", "0.jpg", "0.\x01", "0.~"])
def test_id_without_its_extension_finds_the_shortest_and_the_oddest_extension(table, name):
    assert [item.id for _, item in table([row(name)]).find_without_extension("0")] == [name]


def test_opening_a_table_and_finding_an_id_take_few_steps_whatever_its_size(table, tmp_path):
    rows = [row(f"{number:05}.jpg") for number in range(20_000)]
    table(rows)
    # A hundredth of what one look at every row would take.
    effort = Effort(steps_a_call=100, free_calls=20, steps_a_row=0)
    reader = TableReader(tmp_path / "t.sqlite", 20_000, effort=effort)
    try:
        assert reader.find("01234.jpg") == [(1234, rows[1234])]
        assert reader.find_without_extension("19999") == [(19_999, rows[19_999])]
        assert reader.rows([7, 19_000]) == [rows[7], rows[19_000]]
        with pytest.raises(IndexCorrupt, match="interrupted"):
            reader.ids_like("nothing like it", 5)
    finally:
        reader.close()
