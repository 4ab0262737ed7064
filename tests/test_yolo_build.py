"""Building the index of a dataset of YOLO, and bringing one up to date that Datumaro's reader made."""

from __future__ import annotations

import shutil

import pytest

from clipdex import Explorer, ItemQuery, build
from clipdex.readers import formats
from clipdex.readers.providers import Core
from helpers_yolo import TWO, USUAL, write


@pytest.fixture
def dataset(tmp_path):
    return write(
        tmp_path / "ds", {"data.yaml": USUAL, **TWO, "images/val/c.jpg": "", "labels/val/c.txt": "7 1 1 1 1\n"}
    )


def test_a_build_says_what_was_not_read_and_finds_items_with_and_without_their_extension(dataset, cli):
    done = cli("build", dataset)
    assert done.code == 0
    assert "ds is read as yolo: it has data.yaml; --format folder reads the images alone." in done.err
    assert "annotation not read: labels/val/c.txt: line 1: the class 7 has no name" in done.err
    assert "3 added, 0 unchanged, 0 failed, 1 annotation not read; 3 images in the index" in done.err
    with Explorer(dataset) as explorer:
        assert explorer.item("a.jpg", "train").labels == ("cat",)
        assert explorer.explore_topk(ItemQuery("a", ("train",)), topk=1).hits[0].id == "a.jpg"
    again = cli("build", dataset)
    assert "0 added, 3 unchanged, 0 failed, 1 annotation not read" in again.err


def test_an_index_that_datumaro_made_is_kept_and_nothing_is_hashed_again(dataset):
    pytest.importorskip("datumaro")
    (dataset / "labels/val/c.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "_READERS", {name: where for name, where in Core._READERS.items() if name != "yolo"})
        formats.reload()
        before = build(dataset, format="yolo")
        with Explorer(dataset) as explorer:
            assert {item.id for item in explorer.items()} == {"a", "b", "c"}
    formats.reload()
    after = build(dataset)
    assert (before.items, after.items) == (3, 3)
    assert (after.added, after.changed, after.renamed, after.removed) == (0, 0, 3, 0)
    with Explorer(dataset) as explorer:
        assert {item.id for item in explorer.items()} == {"a.jpg", "b.jpg", "c.jpg"}


def test_a_changed_label_is_seen_without_hashing(dataset):
    build(dataset)
    (dataset / "labels/train/a.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    report = build(dataset)
    assert (report.touched, report.unchanged, report.changed) == (1, 2, 0)


def test_a_dataset_with_its_index_can_be_moved(dataset, tmp_path):
    build(dataset)
    shutil.move(dataset, tmp_path / "moved")
    assert build(tmp_path / "moved").unchanged == 3


def test_the_index_of_a_yaml_file_is_beside_it(dataset):
    report = build(dataset / "data.yaml")
    assert (report.items, report.index) == (3, dataset / "data.yaml.clipdex")
