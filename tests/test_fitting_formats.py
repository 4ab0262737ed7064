"""What is said and done where the format that was found cannot read a folder, or leaves files of annotations unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipdex import build
from clipdex.errors import DatasetEmpty, DatasetError
from clipdex.readers import formats
from clipdex.readers.sources import Source, open_fitting
from helpers_engine import make_folder
from helpers_formats import PICTURES, content, write_tar, write_zip
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
    assert (
        f"{root} is read as a folder of images; to name its format, build it with --rebuild --format NAME" in done.err
    )
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


def chosen(root: Path) -> formats.Choice:
    choice = formats.choose(root)
    assert choice.format == "folder"
    return choice


UNREAD = {
    "via.json": '{"a.png123": {"filename": "a.png", "regions": []}}',
    "annotations.json": '[{"image": "a.png", "x": 1}]',
    "a.json": '{"shapes": [], "imagePath": "a.png"}',
    "result.ndjson": '{"file": "a.png", "bbox": [1, 2, 3, 4]}',
    "labels.xml": "<dataset><images><image file='a.png'></image></images></dataset>",
    "labels/b.txt": "0 0.5 0.5 0.2 0.2\n",
    "list_attr_celeba.txt": "2\nSmiling Young\na.jpg 1 -1\n",
    "boxes.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,1,1,cat,0,0,1,1\n",
    "image_train.csv": "image_id,label\na.png,3\n",
    "train.tfrecord": "x",
    "samples.json": '{"samples": [{"filepath": "a.png", "ground_truth": {"label": "cat"}}]}',
    "train.csv": "id,label\nb,cat\n",  # a competition: names of images without extensions
    "Data_Entry.csv": "Image Index,Finding Labels\nb.png,Hernia\n",
    "made.csv": "cat,1,1,5,5,b.png,48,40\n",  # MakeSense: no header
    "train/clip/gt/gt.txt": "1,1,912,484,97,109,0,7,1\n",
    "annotated/users/me/b.xml": "<annotation><filename>b.png</filename></annotation>",
    "gt_b.txt": "1,1,10,1,10,10,1,10,hello\n",
    "gt.txt": 'b.png, "Tiredness"\n',
}


@pytest.mark.parametrize("name", UNREAD)
def test_annotations_beside_images_that_nothing_reads_are_named(tmp_path, name):
    root = make_folder(tmp_path / "data", "a.png", "x/b.png")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(UNREAD[name])
    (notice,) = chosen(root).notices
    assert f"its annotations are not: {name} is of no format" in notice
    assert "--format NAME (clipdex formats lists them)" in notice


ORDINARY = {
    "README.md": "# Labels and annotations",
    "readme.txt": "1 2 3 4 5",
    "notes.txt": "1 2 3 4 5\n",
    "a.txt": "a photo of a cat, 3 4 5 6 years old",
    "a.png.json": '{"title": "a.png", "description": "", "photoTakenTime": {"timestamp": "1"}, "people": []}',
    "metadata.csv": "file_name,label\na.png,cat\n",
    "metadata.json": '{"annotations": []}',
    "list.csv": "path\na.png\n",
    "feed.xml": "<rss><item/></rss>",
    "map.kml.xml": "<kml><Placemark/></kml>",
    "list.txt": "a.png\nx/b.png\n",
    "times.csv": "file,exposure\na.png,0.1\n",
    "config.yaml": "train: true\nlr: 0.1\n",
    "settings.json": '{"labels": true, "annotations": 1}',
    "label.txt": "cat\ndog\n",
    "prices.csv": "id,price\n7,3\n",
    "sample_submission.csv": "id,label\nb,0\n",
    "sizes.csv": "name,width\nab,3\n",
    "gt_notes.txt": "1 2 3 4 5\n",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_lies_beside_photographs_is_no_alarm(tmp_path, name):
    root = make_folder(tmp_path / "data", "a.png", "x/b.png")
    (root / name).write_text(ORDINARY[name])
    assert chosen(root).notices == ()


@pytest.mark.parametrize("writer", [write_zip, write_tar])
def test_annotations_in_an_archive_are_named(tmp_path, writer):
    members = {name: content(name) for name in PICTURES}
    for name in ("annotations.xml", "annotations/instances_val.json", "train/labels/a.txt", "data.yaml"):
        report = build(writer(tmp_path / f"{name.replace('/', '-')}.archive", {**members, name: b"x"}))
        (remark,) = report.remarks
        assert f"such as {name}, are not read: unpack it" in remark
    for name in ("notes.txt", "labels.md", "readme.json"):
        assert build(writer(tmp_path / f"{name}.archive", {**members, name: b"x"})).remarks == ()


def test_a_dry_run_tries_the_next_format_too(cli, tmp_path):
    done = cli("build", "--dry-run", broken_cvat(tmp_path / "data"))
    assert done.code == 0
    assert "But it cannot be read as cvat" in done.err


def test_labels_of_yolo_are_found_behind_many_empty_files(tmp_path):
    root = make_folder(tmp_path / "data", *(f"images/{number:03}.png" for number in range(31)))
    (root / "labels").mkdir()
    for number in range(31):
        (root / "labels" / f"{number:03}.txt").write_text("0 0.5 0.5 0.2 0.2\n" if number == 30 else "")
    assert formats.choose(root).format == "yolo"


def test_notes_with_categories_alone_are_no_coco(tmp_path):
    root = make_folder(tmp_path / "data", "images/a.png")
    (root / "labels").mkdir()
    (root / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "classes.txt").write_text("cat\n")
    (root / "notes.json").write_text('{"categories": [{"id": 0, "name": "cat"}], "info": {"year": 2024}}')
    assert formats.choose(root).format == "yolo"
