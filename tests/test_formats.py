"""Every format of the core: the contract, and builds and queries with the right items."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from clipdex import Explorer, build, save_result
from clipdex.errors import DatasetError, DatasetNotFound, ExtraMissing
from clipdex.media.decoding import load_image
from clipdex.readers import formats
from clipdex.readers.sources import locate, open_reader
from clipdex.testing import check_reader
from helpers_engine import REPOSITORY, make_folder, picture
from helpers_formats import (
    EXPECTED,
    KINDS,
    PICTURES,
    content,
    make,
    picture_folder,
    write_parquet,
    write_tar,
    write_zip,
)


def format_of(kind: str) -> str:
    return kind.partition(".")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_reader_keeps_the_contract(kind, tmp_path):
    location = make(kind, tmp_path / "data")
    reader = formats.reader_class(format_of(kind))
    check_reader(reader, location, items=EXPECTED, failures={})


@pytest.mark.parametrize("kind", ["glob", "csv", "zip", "tar", "tar.gz"])
def test_build_finds_the_right_items_and_saves_their_pictures(kind, tmp_path):
    location = make(kind, tmp_path / "data")
    report = build(location)
    assert (report.added, report.items, report.failed) == (4, 4, ())
    with Explorer(location) as explorer:
        cat = explorer.explore_topk("a cat", topk=1)[0]
        assert (cat.id, cat.subset, cat.labels) == ("train/cat/chelsea.jpg", "train", ("cat",))
        by_image = explorer.explore_topk(PICTURES["val/flower/dahlia.jpg"], topk=1)[0]
        assert (by_image.id, by_image.distance, by_image.subset) == ("val/flower/dahlia.jpg", 0, "val")
        found = explorer.explore_topk(explorer.item("train/dog/shepherd"), topk=4)
        assert (found[0].id, found[1].id) == ("train/dog/shepherd.jpg", "val/dog/window.jpg")
    saved = save_result(found, tmp_path / "saved")
    assert saved.missing == ()
    for hit in found:
        path = next(path for path in saved.images if path.as_posix().endswith(hit.id))
        assert path.read_bytes() == content(hit.id)
    assert build(location).unchanged == 4


@pytest.mark.parametrize("kind", ["list", "csv", "jsonl", "glob"])
def test_changed_images_are_hashed_and_those_that_are_gone_dropped(kind, tmp_path):
    location = make(kind, tmp_path / "data")
    build(location)
    picture(1).save(tmp_path / "data" / "val/dog/window.jpg")
    (tmp_path / "data" / "train/cat/chelsea.jpg").unlink()
    report = build(location)
    assert (report.changed, report.removed, report.unchanged) == (1, 1, 2)
    expected = {} if kind == "glob" else {"train/cat/chelsea.jpg": "missing"}
    assert {failure.id: failure.kind for failure in report.failed} == expected


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_changed_members_are_hashed_and_those_that_are_gone_dropped(write, tmp_path):
    members = {name: content(name) for name in PICTURES}
    archive = write(tmp_path / "photos.archive", members)
    build(archive)
    del members["train/cat/chelsea.jpg"]
    members["val/dog/window.jpg"] = members["val/flower/dahlia.jpg"]
    write(archive, members)
    report = build(archive)
    assert (report.changed, report.removed, report.unchanged) == (1, 1, 2)
    with Explorer(archive) as explorer:
        hits = explorer.explore_topk(PICTURES["val/flower/dahlia.jpg"], topk=2)
        assert {hit.id for hit in hits if hit.distance == 0} == {"val/dog/window.jpg", "val/flower/dahlia.jpg"}


def test_format_is_found_out_by_looking(tmp_path):
    for kind in KINDS:
        assert open_reader(locate(make(kind, tmp_path / kind))).format == format_of(kind)
    assert formats.choose(tmp_path / "folder" / "folder").notices == ()


def test_index_remembers_format_and_options(cli, tmp_path):
    root = picture_folder(tmp_path / "data")
    table = root / "photos.csv"
    table.write_text("where,kind\n" + "".join(f"{name},thing\n" for name in PICTURES))
    done = cli("build", f"{table}:csv")
    assert done.code == 1
    assert "--option path=COLUMN" in done.err
    assert cli("build", table, "--format", "csv", "--option", "path=where", "--option", "Label=kind").code == 0
    done = cli("query", table, "--item", "val/flower/dahlia", "--output", "json", "-k", "1")
    assert done.json["hits"][0]["labels"] == ["thing"]
    assert "4 unchanged" in cli("build", table).err
    done = cli("build", table, "--option", "path=where")
    assert done.code == 1
    assert "--option path=where --option label=kind" in done.err
    assert cli("build", table, "--format", "csv", "--option", "path=where", "--rebuild").code == 0
    done = cli("query", table, "--item", "val/flower/dahlia", "--output", "json", "-k", "1")
    assert done.json["hits"][0]["labels"] == ["flower"]
    assert cli("build", table, "--option", "path").code == 2


def test_summary_counts_failures_by_kind(cli, tmp_path):
    root = picture_folder(tmp_path / "data")
    (root / "broken.jpg").write_bytes(b"x")
    names = [*PICTURES, "gone.jpg", "val/dog/window.jpg", "film.mp4", "broken.jpg"]
    (root / "photos.txt").write_text("\n".join(names))
    done = cli("build", root / "photos.txt")
    assert "4 added, 0 unchanged, 4 failed (1 duplicate, 1 missing, 1 no image, 1 unreadable); 4 images" in done.err


def test_several_formats_are_listed_with_what_speaks_for_each(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    monkeypatch.setattr("clipdex.readers.datumaro.formats.names", lambda: {"one": "One", "two": "Two"})
    monkeypatch.setattr(
        "clipdex.readers.datumaro.formats.detect", lambda location: {"one": "it has one.json", "two": "it has two.xml"}
    )
    monkeypatch.setattr("clipdex.readers.datumaro.formats.reader_class", _reader_of_two)
    formats.reload()
    with pytest.raises(DatasetError) as caught:
        formats.choose(root)
    for part in ("--format one (it has one.json)", "--format two (it has two.xml)", "--format folder ("):
        assert part in str(caught.value)
    formats.reload()


def _reader_of_two(name, called):
    return type("Two", (formats.reader_class("folder"),), {"format": called})


def test_layout_that_needs_a_package_is_read_as_a_folder_with_a_hint(cli, tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    monkeypatch.setattr("clipdex.readers.datumaro.formats.names", lambda: {"one": "One"})
    monkeypatch.setattr("clipdex.readers.datumaro.formats.detect", lambda location: {"one": "it has one.json"})
    monkeypatch.setattr("clipdex.readers.datumaro.formats.reader_class", _needs_datumaro)
    formats.reload()
    done = cli("build", root)
    assert done.code == 0
    assert "looks like one: it has one.json" in done.err
    assert "pip install 'clipdex[datumaro]'" in done.err
    assert "as a folder of images" in done.err
    assert "pip install 'clipdex[datumaro]'" in cli("build", root, "--format", "one", "--rebuild").err
    formats.reload()


def _needs_datumaro(name, called):
    from clipdex.extras import optional

    return optional("a_module_that_is_not_there", "datumaro", f"the format {name}")


def test_parquet_folder_wins_over_a_plain_folder_and_says_so(cli, tmp_path):
    write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", list(PICTURES))
    done = cli("build", tmp_path / "data")
    assert done.code == 0
    assert "is read as parquet: it has train-00000-of-00001.parquet; --format folder" in done.err
    assert "is read as" not in cli("build", tmp_path / "data").err


@pytest.mark.parametrize("stray", ["metadata.csv", "annotations.jsonl", "list.txt", "archive.zip"])
def test_stray_file_does_not_change_a_folder_of_images(stray, tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    (root / stray).write_text("path\na.png\n")
    assert formats.choose(root) == formats.Choice("folder", (), formats.choose(root).tried)


def test_parquet_without_images_does_not_change_a_folder_of_images(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = make_folder(tmp_path / "data", "images/a.png")
    pq.write_table(pa.table({"x": [1.0]}), root / "features.parquet")
    assert formats.choose(root).format == "folder"


def test_unknown_file_is_answered_with_what_was_tried(cli, tmp_path):
    odd = tmp_path / "odd.dat"
    odd.write_bytes(b"nothing known")
    done = cli("build", odd)
    assert done.code == 1
    for part in ("not recognised", "csv", "parquet", "zip", f"clipdex build {tmp_path} --format folder"):
        assert part in done.err
    picture(1).save(tmp_path / "one.png")
    assert "--image" in cli("build", tmp_path / "one.png").err


def test_unknown_format_is_answered_with_the_nearest_name(cli, tmp_path):
    make_folder(tmp_path / "data", "a.png")
    done = cli("build", tmp_path / "data", "--format", "fodler")
    assert done.code == 1
    assert "Did you mean folder?" in done.err


OF_OTHER_TOOLS = {
    "yolo": ["ultralytics", "yolov5", "YOLOv8", "yolo-ultralytics", "yolo_ultralytics", "darknet", "yolo_obb"],
    "voc": ["pascal_voc", "pascal", "PascalVOC", "voc2012"],
    "coco": ["coco_json", "ms-coco", "coco2017", "coco_detection", "lvis"],
    "folder": ["imagefolder", "image_folder", "image_directory", "images", "ImageClassificationDirectoryTree", "dir"],
    "parquet": ["huggingface"],
    "tar": ["webdataset", "tar.gz"],
}


@pytest.mark.parametrize(
    ("own", "called"), [(own, called) for own, names in OF_OTHER_TOOLS.items() for called in names]
)
def test_a_name_of_another_tool_is_answered_with_the_format_of_clipdex(own, called):
    with pytest.raises(DatasetError, match=rf"there is no format .*Did you mean {own}\?"):
        formats.reader_class(called)


def test_a_slip_in_a_name_of_datumaro_is_answered_with_it_first():
    with pytest.raises(DatasetError, match=r"Did you mean roboflow_voc or voc\?"):
        formats.reader_class("robflow_voc")


@pytest.mark.parametrize(
    ("name", "own"),
    [("voc_detection", "voc"), ("coco_instances", "coco"), ("imagenet", "folder"), ("datumaro:yolo", "yolo")],
)
def test_a_format_that_needs_a_package_names_the_one_that_needs_none(name, own, monkeypatch):
    monkeypatch.setattr("clipdex.readers.datumaro.formats.reader_class", _needs_datumaro)
    with pytest.raises(ExtraMissing, match=rf"pip install.*\. clipdex reads {own} without it: --format {own}\.$"):
        formats.reader_class(name)


def test_formats_are_listed_with_their_origin_and_options(cli):
    done = cli("formats", "--json")
    listed = {one["name"]: one for one in done.json}
    assert {"folder", "glob", "list", "csv", "jsonl", "zip", "tar", "parquet"} <= set(listed)
    assert listed["csv"]["from"] == "core"
    assert "label" in listed["csv"]["options"]
    assert cli("formats").out.startswith(b"format")
    assert b"--option delimiter=" in cli("formats", "csv").out
    assert cli("formats", "nonsense").code == 1


def test_documentation_has_every_format_and_option_of_the_core():
    text = (REPOSITORY / "docs" / "how-to" / "formats.md").read_text(encoding="utf-8")
    for one in formats.available():
        if one.origin == "core":
            assert f"| `{one.name}` |" in text
            assert re.search(rf"^## .*\b{one.name}\b", text, re.MULTILINE)
            assert all(f"`{name}" in text or f"--option {name}=" in text for name in one.options)


def test_empty_folder_says_which_formats_were_tried(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    done = cli("build", tmp_path / "empty")
    assert "there are no images" in done.err
    assert "tried:" in done.err


def test_pattern_takes_what_matches_at_any_depth(tmp_path):
    root = make_folder(tmp_path / "data", "a.jpg", "x/b.jpg", "x/y/c.jpg", "x/y/d.png", ".hidden/e.jpg", "[z]/f.jpg")

    def ids(pattern: str) -> list[str]:
        return [item.id for item in open_reader(locate(root / pattern)).read()]

    assert ids("*.jpg") == ["a.jpg"]
    assert ids("**/*.jpg") == ["[z]/f.jpg", "a.jpg", "x/b.jpg", "x/y/c.jpg"]
    assert ids("*/*.jpg") == ["[z]/f.jpg", "x/b.jpg"]
    assert ids("x/**") == ["b.jpg", "y/c.jpg", "y/d.png"]
    assert ids("[z]/*.jpg") == ["f.jpg"]
    assert ids("x/**/y/?.[jp]*") == ["y/c.jpg", "y/d.png"]
    with pytest.raises(DatasetNotFound):
        ids("nowhere/*.jpg")


def test_two_patterns_of_one_folder_have_indexes_of_their_own(tmp_path):
    root = picture_folder(tmp_path / "data")
    for pattern in ("train/**/*.jpg", "train/cat/*"):
        build(root / pattern)
    with Explorer(root / "train/cat/*", root / "train/**/*.jpg") as explorer:
        assert [len(dataset.index) for dataset in explorer.datasets] == [1, 2]
        assert [Path(hit.path).is_file() for hit in explorer.explore_topk("a cat")] == [True] * 3


def test_locator_of_an_image_in_a_zip_is_in_the_result(cli, tmp_path):
    archive = make("zip", tmp_path / "data")
    assert cli("build", archive).code == 0
    hit = cli("query", archive, "--item", "train/cat/chelsea", "--output", "json").json["hits"][0]
    assert hit["path"] == f"{archive}!/train/cat/chelsea.jpg"
    assert json.loads(json.dumps(hit))["labels"] == ["cat"]
    done = cli("save", "-o", "found")
    assert done.code == 0
    saved = Path("found") / "photos.zip" / "train" / "train/cat/chelsea.jpg"
    assert load_image(io.BytesIO(saved.read_bytes())).size == load_image(PICTURES["train/cat/chelsea.jpg"]).size


def test_the_formats_of_datumaro_stay_reachable_where_clipdex_has_one_of_that_name(monkeypatch, tmp_path):
    monkeypatch.setattr(formats._registry.core, "known", lambda: ("folder", "coco"))
    formats.reload()
    assert formats.format_name("Datumaro:COCO") == "datumaro:coco"
    assert formats.format_name("datumaro:label-me") == "label_me"
    root = make_folder(tmp_path / "data", "a.png")
    for text, name in ((f"{root}:datumaro:coco", "datumaro:coco"), (f"{root}:datumaro:cvat", "cvat")):
        assert (locate(text).location, locate(text).format) == (root, name)
    formats.reload()


def test_a_file_that_only_its_extension_means_is_tried_once(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(DatasetError):
        build(broken)
