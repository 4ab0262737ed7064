"""What a build passes over and what is damaged: counted, named, kept from build to build, and never lost in silence."""

from __future__ import annotations

import io
import json
import sys
import zipfile

import pytest
from PIL import Image

from clipdex import build
from clipdex.datasets.info import describe
from clipdex.errors import DatasetEmpty
from clipdex.readers.passing_over import said
from helpers_engine import make_folder, picture, touch_later

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100


def cut_jpeg(path, seed=1):
    stream = io.BytesIO()
    picture(seed).save(stream, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue()[:-2])


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"something")
    return root


OTHERS = [
    "a.CR2",
    "b.cr2",
    "x/c.cr2",
    "film.mp4",
    "x/scan.pdf",
    "photo.jxl",
    "logo.svg",
    "notes.txt",
    "t.csv",
    ".d.cr2",
]
COUNTED = {".cr2": 3, ".mp4": 1, ".pdf": 1, ".jxl": 1, ".svg": 1, "@eaDir/": 2}


@pytest.fixture
def mixed(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "@eaDir/a.png", "x/@eaDir/b.png")
    return put(root, *OTHERS, "@eaDir/z.mp4")


def test_files_that_may_be_taken_for_images_are_counted_by_kind(mixed):
    first = build(mixed)
    assert (first.added, first.failed, first.passed_over) == (1, (), COUNTED)
    # Nothing changed: the second build does not look at the index.
    assert build(mixed).passed_over == COUNTED
    assert describe(mixed).passed_over == COUNTED
    (mixed / "film.mp4").unlink()
    assert ".mp4" not in build(mixed).passed_over
    assert ".mp4" not in describe(mixed).passed_over


def test_patterns_and_archives_count_what_they_would_have_taken(mixed, tmp_path):
    assert build(mixed / "*.png").passed_over == {}
    assert build(mixed / "*").passed_over == {".cr2": 2, ".mp4": 1, ".jxl": 1, ".svg": 1}
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in sorted(mixed.rglob("*")):
            if path.is_file() and ".clipdex" not in str(path):
                archive.write(path, path.relative_to(mixed))
    in_archive = {kind: count for kind, count in COUNTED.items() if kind != "@eaDir/"}
    assert build(tmp_path / "data.zip").passed_over == in_archive


def test_a_folder_without_images_says_what_is_there(tmp_path):
    with pytest.raises(DatasetEmpty, match=r"Passed over: 2 \.nef, 1 \.mp4\."):
        build(put(tmp_path / "data", "a.nef", "b.NEF", "c.mp4"))


def test_the_summary_and_info_say_what_was_passed_over_and_quiet_does_not(cli, mixed):
    text = "passed over: 3 .cr2, 1 .jxl, 1 .mp4, 1 .pdf, 1 .svg, 2 @eaDir folders\n"
    assert text in cli("build", mixed).err
    assert text in cli("build", mixed).err
    assert cli("build", mixed, "-q").err == ""
    assert text.replace("over:", "over") in cli("info", mixed).out.decode()
    assert json.loads(cli("info", mixed, "--json").out)[0]["passed_over"] == COUNTED


def test_nothing_is_said_where_nothing_was_passed_over(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    assert "passed" not in cli("build", root).err
    assert b"passed" not in cli("info", root).out
    assert not (root / ".clipdex" / "failed.json").exists()


def test_the_hint_names_the_command_once():
    text = said({".heic": 1200, ".hif": 1, ".cr2": 3})
    assert text == "1,200 .heic, 3 .cr2, 1 .hif; to read .heic and .hif: pip install 'clipdex[heif]'"
    assert said({}) == ""


def test_a_damaged_jpeg_is_indexed_named_and_did_not_fail(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.jpg")
    cut_jpeg(root / "b.jpg")
    reason = "it lacks its end, and is indexed as far as it goes"
    done = cli("build", root)
    assert done.code == 0
    assert f"damaged: b.jpg: {reason}\n" in done.err
    assert "2 added, 0 unchanged, 0 failed, 1 damaged; 2 images" in done.err
    listed = json.loads((root / ".clipdex" / "failed.json").read_text())["failed"]
    assert [(entry["id"], entry["kind"], entry["reason"]) for entry in listed] == [("b.jpg", "damaged", reason)]
    assert cli("build", root, "-q").err == f"damaged: b.jpg: {reason}\n"
    shown = cli("info", root).out.decode()
    assert "failed     0 in the last build" in shown
    assert f"damaged    1 in the last build\n           'b.jpg': {reason}" in shown
    assert "up to date" in shown


def test_what_is_damaged_stays_named_until_it_is_mended_or_gone(tmp_path):
    root = make_folder(tmp_path / "data", "a.jpg")
    cut_jpeg(root / "b.jpg", 1)
    cut_jpeg(root / "c.jpg", 2)

    def damaged(**changes):
        report = build(root, **changes)
        assert report.failed == ()
        assert set(describe(root).damaged) == {failure.id for failure in report.damaged}
        return sorted(failure.id for failure in report.damaged)

    assert damaged() == ["b.jpg", "c.jpg"]
    assert damaged() == ["b.jpg", "c.jpg"]  # nothing changed
    make_folder(root, "d.jpg", seed=9)
    assert damaged() == ["b.jpg", "c.jpg"]  # compared item by item
    touch_later(root / "b.jpg")
    assert damaged() == ["b.jpg", "c.jpg"]  # touched
    (root / "x").mkdir()
    (root / "b.jpg").rename(root / "x" / "renamed.jpg")
    assert damaged() == ["c.jpg", "x/renamed.jpg"]
    picture(2).save(root / "c.jpg")
    assert damaged() == ["x/renamed.jpg"]
    assert damaged(rebuild=True) == ["x/renamed.jpg"]
    (root / "x" / "renamed.jpg").unlink()
    assert damaged() == []


def test_what_is_damaged_stays_named_when_a_build_is_interrupted(tmp_path):
    root = make_folder(tmp_path / "data", *(f"b{number:03}.jpg" for number in range(100)))
    cut_jpeg(root / "a.jpg")

    def stop(progress):
        if progress.phase == "hash" and progress.done > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(root, progress=stop)
    assert 0 < describe(root).items < 101
    assert [failure.id for failure in build(root).damaged] == ["a.jpg"]


@pytest.fixture
def without_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)


@pytest.mark.usefixtures("without_heif")
def test_heic_without_its_extra_is_counted_and_does_not_fail(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    for name in ("b.heic", "c.HEIC", "d.jpg"):
        (root / name).write_bytes(HEIC)
    make_folder(root, "e.png").joinpath("e.png").rename(root / "really-png.heic")
    for _ in range(2):
        report = build(root)
        assert (report.items, report.failed, report.passed_over) == (2, (), {".heic": 3})
        info = describe(root)
        assert (info.new, info.failed, info.passed_over) == (0, {}, {".heic": 3})


@pytest.mark.usefixtures("without_heif")
def test_heic_keeps_its_hash_key_where_the_extra_is_gone(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    (root / "b.png").rename(root / "b.heic")  # stands for one that could be decoded
    assert build(root).items == 2
    (root / "b.heic").write_bytes(HEIC)
    report = build(root)
    assert (report.items, report.kept, report.removed, report.passed_over) == (2, 1, 0, {".heic": 1})


@pytest.mark.usefixtures("without_heif")
def test_a_folder_of_nothing_but_heic_says_how_to_read_it(tmp_path, capsys):
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all

    root = tmp_path / "data"
    root.mkdir()
    (root / "b.heic").write_bytes(HEIC)
    assert build_all([root], BuildSettings(), quiet=True) == 1
    said_on_stderr = capsys.readouterr().err
    assert "passed over: 1 .heic; to read .heic: pip install 'clipdex[heif]'" in said_on_stderr
    assert "no image" in said_on_stderr
