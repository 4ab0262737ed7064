"""What is said and done where the format that was found cannot read a folder, or leaves files of annotations unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipdex import build
from clipdex.errors import DatasetEmpty, DatasetError
from clipdex.readers import formats
from clipdex.readers.sources import Source, open_fitting
from helpers_engine import make_folder
from test_cvat import JOB, image, write


def broken_cvat(root: Path) -> Path:
    """Make a folder with XML that begins as that of CVAT, and names no image."""
    make_folder(root / "images", "a.png", "b.png")
    (root / "annotations.xml").write_text("<annotations><version>1.1</version><meta>")
    return root


def test_where_the_format_that_fits_cannot_read_the_folder_the_next_one_is_taken_and_said(cli, tmp_path):
    root = broken_cvat(tmp_path / "data")
    done = cli("build", root)
    assert done.code == 0
    assert f"{root} looks like cvat: it has annotations.xml. But it cannot be read as cvat: there are no" in done.err
    assert f"{root} is read as a folder of images; to name its format, write --format NAME" in done.err
    assert "2 added" in done.err
    again = cli("build", root)
    assert "2 unchanged" in again.err
    assert "looks like" not in again.err


def test_of_two_formats_the_one_that_can_read_is_taken_when_the_other_was_refused(tmp_path, monkeypatch):
    root = broken_cvat(tmp_path / "data")
    monkeypatch.setattr("clipdex.readers.datumaro.formats.names", lambda: {"one": "One"})
    monkeypatch.setattr("clipdex.readers.datumaro.formats.detect", lambda location: {"one": "it has one.json"})
    one = type("One", (formats.reader_class("folder"),), {"format": "one"})
    monkeypatch.setattr("clipdex.readers.datumaro.formats.reader_class", lambda name, called: one)
    formats.reload()
    try:
        with pytest.raises(DatasetError, match="may be of several formats"):
            open_fitting(Source(root), list)
        choice = formats.choose(root, {"cvat": "no."})
        assert choice.format == "one"
        assert len(choice.notices) == 2
    finally:
        formats.reload()


def test_a_format_that_the_user_named_is_the_only_one_that_is_tried(tmp_path):
    root = broken_cvat(tmp_path / "data")
    with pytest.raises(DatasetEmpty):
        build(root, format="cvat")


def test_where_nothing_can_read_it_the_first_error_is_said(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / "annotations.xml").write_text("<annotations><version>1.1</version><meta>")
    with pytest.raises(DatasetEmpty, match="there are no images"):
        build(root)


def test_an_error_after_the_first_items_is_no_reason_for_another_format(tmp_path):
    root = tmp_path / "data"
    make_folder(root / "images", "a.png", "b.png")
    write(root / "annotations.xml", JOB, image("a.png", "cat"))
    path = root / "annotations.xml"
    path.write_text(path.read_text().replace("</annotations>", "<image"))
    report = build(root)
    assert (report.items, report.annotation_problems) == (1, 1)
