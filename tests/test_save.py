from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from clipdex import Explorer, build, read_result, save_result
from clipdex.datasets.record import DatasetRecord
from clipdex.errors import OutputError
from clipdex.readers import FolderReader
from clipdex.report.save import fresh_folder
from clipdex.search.hit import Hit
from clipdex.search.result import QueryRecord, Result
from helpers_engine import contents, every_file, make_folder, picture, solid
from helpers_formats import write_zip

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")


@pytest.fixture(scope="module")
def result(photos):
    with Explorer(photos) as explorer:
        return explorer.explore_topk(["dog", photos / "food" / "fig.jpg"], topk=10)


def one_hit(item_id="a.png", dataset="data", subset="default", path="/nowhere/a.png", **more):
    hit = Hit(1, 5, 0, 1, dataset, item_id, subset, path, ())
    records = (DatasetRecord(dataset, "/data", 1, "starter", "", 512),)
    return Result(1, "distance", (QueryRecord("text", "dog"),), records, (replace(hit, **more),))


@pytest.fixture
def source(tmp_path):
    picture(1).save(tmp_path / "source.png")
    return tmp_path / "source.png"


def test_a_sheet_the_data_and_a_copy_of_each_image_are_saved(result, tmp_path):
    saved = save_result(result, tmp_path / "out")
    assert saved.folder == tmp_path / "out"
    with Image.open(saved.sheet) as sheet:
        assert sheet.format == "PNG"
        sheet.load()
    assert read_result(saved.data) == replace(result, images={})
    assert len(saved.images) == len(result) == 10
    for hit, path in zip(result, saved.images, strict=True):
        assert path == tmp_path / "out" / hit.dataset / hit.subset / hit.id
        assert path.read_bytes() == Path(hit.path).read_bytes()
    assert len({path.read_bytes() for path in saved.images}) == 10
    names = {"sheet.png", "result.json", ".clipdexignore"}
    assert set(contents(saved.folder)) == names | {path.relative_to(saved.folder).as_posix() for path in saved.images}


def test_items_of_several_datasets_and_subsets_do_not_meet(odd, tmp_path):
    other = Path(shutil.copytree(odd, tmp_path / "more" / "odd"))
    picture(500).save(other / "loose.png")
    build(other)
    with Explorer(odd, other) as explorer:
        found = explorer.explore_topk("dog", topk=12)
    saved = save_result(found, tmp_path / "out")
    assert len(set(saved.images)) == 12
    for hit, path in zip(found, saved.images, strict=True):
        assert path == tmp_path / "out" / hit.dataset / hit.subset / hit.id
        assert path.read_bytes() == Path(hit.path).read_bytes()


def test_a_saved_result_is_not_indexed_in_turn(odd_copy):
    with Explorer(odd_copy) as explorer:
        save_result(explorer.explore_topk("dog"), odd_copy / "explore_result")
    assert len(list(FolderReader(odd_copy).read())) == 6


def test_a_folder_with_something_in_it_is_refused_and_left_alone(result, tmp_path):
    out = make_folder(tmp_path / "out", "mine.png", "photos/default/food/fig.jpg")
    (out / "sheet.png").write_text("mine")
    before = every_file(out)
    with pytest.raises(OutputError, match="--force"):
        save_result(result, out)
    assert every_file(out) == before


def test_force_adds_and_changes_nothing_that_is_there(result, tmp_path):
    out = make_folder(tmp_path / "out", "mine.png", "photos/default/food/fig.jpg")
    for name in ("sheet.png", "result.json"):
        (out / name).write_text("mine")
    before = every_file(out)
    saved = save_result(result, out, force=True)
    assert every_file(out).items() >= before.items()
    assert (saved.sheet.name, saved.data.name) == ("sheet-2.png", "result-2.json")
    for hit, path in zip(result, saved.images, strict=True):
        assert path.read_bytes() == Path(hit.path).read_bytes()
    assert out / "photos/default/food/fig-2.jpg" in saved.images

    # What is the same already is not copied again.
    middle = every_file(out)
    again = save_result(result, out, force=True)
    assert again.sheet.name == "sheet-3.png"
    assert every_file(out).items() >= middle.items()
    assert every_file(out).keys() - middle.keys() == {"sheet-3.png", "result-3.json"}


def test_an_empty_folder_is_filled_and_stays_the_one_it_is(result, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    before = (tmp_path / "out").stat().st_ino
    monkeypatch.chdir(tmp_path / "out")
    saved = save_result(result, ".")
    assert saved.sheet == tmp_path / "out" / "sheet.png"
    assert (tmp_path / "out").stat().st_ino == before
    assert Path.cwd() == tmp_path / "out"
    names = {"sheet.png", "result.json", ".clipdexignore", result.datasets[0].name}
    assert {path.name for path in Path().iterdir()} == names
    assert all(path.is_file() for path in saved.images)


@needs_links
def test_a_link_to_an_empty_folder_is_filled(result, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    save_result(result, tmp_path / "link")
    assert (tmp_path / "real" / "sheet.png").is_file()
    assert (tmp_path / "link").is_symlink()


def test_a_file_is_no_folder_to_save_to(result, tmp_path):
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        for force in (False, True):
            with pytest.raises(OutputError):
                save_result(result, target, force=force)
    assert (tmp_path / "file").read_text() == "mine"


def test_missing_images_are_reported_and_the_rest_saved(odd_copy, tmp_path):
    with Explorer(odd_copy) as explorer:
        found = explorer.explore_topk("dog")
    (odd_copy / "loose.png").unlink()
    saved = save_result(found, tmp_path / "out")
    assert [hit.id for hit in saved.missing] == ["loose.png"]
    assert len(saved.images) == 5
    assert saved.sheet.is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_folder_in_the_place_of_an_image_is_missing(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        assert len(save_result(one_hit(path=str(path)), fresh_folder(tmp_path / "out")).missing) == 1


@pytest.mark.parametrize("path", ["", "\0", "a\0b.png", "\ud800.png", "x" * 5000, "/"])
def test_a_path_that_cannot_exist_is_missing(tmp_path, path):
    assert len(save_result(one_hit(path=path), tmp_path / "out").missing) == 1


EVIL_IDS = [
    *("../../escaped.png", "/etc/escaped.png", "..", ".", "", "/", "//", "a/../../escaped.png", "a/./b.png", "\0.png"),
    *("../" * 20 + "escaped.png", "....//escaped.png", "..\\..\\escaped.png", "C:\\escaped.png", "\ud800.png", "a\n/b"),
    *("sheet.png", ".clipdexignore", "x" * 3000, "a/" * 50 + "b.png"),
]
EVIL_NAMES = ["..", ".", "", "/", "../..", "/tmp", "a/../..", "\0", "x" * 3000, "...", "sheet.png", "\ud800"]


@pytest.mark.parametrize(
    "hit",
    [
        *({"item_id": item_id} for item_id in EVIL_IDS),
        *({"dataset": name} for name in EVIL_NAMES),
        *({"subset": name} for name in EVIL_NAMES),
        {"dataset": "..", "subset": "..", "item_id": "../escaped.png"},
    ],
    ids=lambda hit: "-".join(f"{name}={value[:24]!a}" for name, value in hit.items()),
)
@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_outside_the_output_folder(tmp_path, source, hit, force):
    out = tmp_path / "deep" / "out"
    if force:
        make_folder(out, "mine.png")
    before = set(tmp_path.rglob("*"))
    data = tmp_path / "evil.json"
    data.write_bytes(one_hit(path=str(source), **hit).to_json().encode(errors="backslashreplace"))
    saved = save_result(read_result(data), out, force=force)
    outside = [path for path in set(tmp_path.rglob("*")) - before - {data, out, out.parent} if out not in path.parents]
    assert outside == []
    assert len(saved.images) == 1
    assert saved.images[0].resolve().is_relative_to(out)
    assert saved.images[0].read_bytes() == source.read_bytes()
    assert saved.sheet.is_file()
    assert len({saved.sheet, saved.data, *saved.images}) == 3


def many_hits(path: Path, item_ids: list[str]) -> Result:
    """A result with a hit for each id, all of the same file."""
    result = one_hit(path=str(path))
    hits = tuple(replace(result.hits[0], rank=rank, id=item_id) for rank, item_id in enumerate(item_ids, start=1))
    return replace(result, hits=hits)


def test_copies_in_rank_order_sort_as_the_hits(result, tmp_path):
    saved = save_result(result, tmp_path / "out", save_as="ranked")
    names = [f"{hit.rank:03d}_{Path(hit.id).name}" for hit in result]
    assert names[0].startswith("001_")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in saved.images] == names == sorted(names)
    assert set(contents(saved.folder)) == {"sheet.png", "result.json", ".clipdexignore", *names}
    for hit, path in zip(result, saved.images, strict=True):
        assert path.read_bytes() == Path(hit.path).read_bytes()


def test_ranks_have_as_many_digits_as_the_number_of_hits(tmp_path, source):
    hits = many_hits(tmp_path / "none.png", ["a.png"] * 1200)
    first, last = hits.hits[0], hits.hits[-1]
    found = replace(hits, hits=(replace(first, path=str(source)), *hits.hits[1:-1], replace(last, path=str(source))))
    saved = save_result(found, tmp_path / "out", save_as="ranked")
    assert [path.name for path in saved.images] == ["0001_a.png", "1200_a.png"]


def test_ranked_copies_of_any_id_are_beside_each_other_in_the_folder(tmp_path, source):
    data = tmp_path / "evil.json"
    data.write_bytes(many_hits(source, EVIL_IDS).to_json().encode(errors="backslashreplace"))
    before = {*tmp_path.rglob("*")}
    out = tmp_path / "deep" / "out"
    saved = save_result(read_result(data), out, save_as="ranked")
    assert {*tmp_path.rglob("*")} - before == {
        out.parent,
        out,
        out / ".clipdexignore",
        saved.sheet,
        saved.data,
        *saved.images,
    }
    assert len(set(saved.images)) == len(EVIL_IDS)
    for rank, path in enumerate(saved.images, start=1):
        assert path.parent == out
        assert (path.name[:4], path.suffix) == (f"{rank:03d}_", ".png")
        assert path.read_bytes() == source.read_bytes()


def test_ranked_copies_replace_nothing(tmp_path, source):
    out = make_folder(tmp_path / "out", "001_a.png", seed=7)
    mine = (out / "001_a.png").read_bytes()
    found = many_hits(source, ["x/a.png", "y/a.png"])
    for _ in range(2):
        saved = save_result(found, out, force=True, save_as="ranked")
        assert [path.name for path in saved.images] == ["001_a-2.png", "002_a.png"]
    assert (out / "001_a.png").read_bytes() == mine


@needs_links
def test_a_link_in_the_place_of_a_ranked_copy_is_not_written_through(tmp_path, source):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "001_a.png").symlink_to(tmp_path / "victim")
    saved = save_result(one_hit(path=str(source)), tmp_path / "out", force=True, save_as="ranked")
    assert [path.name for path in saved.images] == ["001_a-2.png"]
    assert not (tmp_path / "victim").exists()


def test_an_unknown_way_of_naming_copies_is_refused(result, tmp_path):
    with pytest.raises(OutputError, match="ids, subsets, ranked"):
        save_result(result, tmp_path / "out", save_as="rank")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("save_as", ["ids", "ranked"])
def test_the_sheet_shows_the_copies_whatever_becomes_of_the_images_meanwhile(tmp_path, monkeypatch, save_as):
    from clipdex.report import save

    red, green = (200, 30, 60), (30, 200, 60)
    solid(red).save(tmp_path / "red.png")
    solid(green).save(tmp_path / "green.png")
    archive = write_zip(tmp_path / "photos.zip", {"in/red.png": (tmp_path / "red.png").read_bytes()})
    (tmp_path / "broken.png").write_bytes(b"x")
    paths = [
        f"{archive}!/in/red.png",
        str(tmp_path / "green.png"),
        str(tmp_path / "broken.png"),
        str(tmp_path / "none"),
    ]
    found = many_hits(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    found = replace(found, hits=tuple(replace(hit, path=path) for hit, path in zip(found.hits, paths, strict=True)))
    draw = save.draw_sheet

    def draw_later(*arguments, **options):
        for path in (archive, tmp_path / "green.png"):
            path.unlink()
        for name in ("broken.png", "none"):
            solid((60, 30, 200)).save(tmp_path / name, "PNG")
        return draw(*arguments, **options)

    monkeypatch.setattr(save, "draw_sheet", draw_later)
    saved = save_result(found, tmp_path / "out", save_as=save_as)
    assert [hit.id for hit in saved.missing] == ["c.png", "d.png"]
    with Image.open(saved.sheet) as sheet:
        shown = {colour for count, colour in sheet.getcolors(1 << 24) if count > 180 * 100}
    assert shown & {red, green, (60, 30, 200)} == {red, green}


@needs_links
@pytest.mark.parametrize("link", ["data", "data/default", "data/default/deep"])
def test_links_in_the_output_folder_are_not_followed_out_of_it(tmp_path, source, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    out = tmp_path / "out"
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(outside)
    with pytest.raises(OutputError, match="link"):
        save_result(one_hit("deep/a.png", path=str(source)), out, force=True)
    assert list(outside.iterdir()) == []


@needs_links
@pytest.mark.parametrize("name", ["data/default/a.png", "sheet.png", "result.json"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_place_of_a_file_is_not_written_through(tmp_path, source, name, exists):
    victim = tmp_path / "victim"
    if exists:
        victim.write_text("mine")
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(victim)
    save_result(one_hit(path=str(source)), out, force=True)
    assert victim.exists() == exists
    if exists:
        assert victim.read_text() == "mine"
    assert (out / name).is_symlink()


def test_an_id_without_the_extension_of_its_file_gets_it(tmp_path, source):
    assert save_result(one_hit("bird/0", path=str(source)), tmp_path / "out").images[0].name == "0.png"


def test_a_folder_that_is_taken_gets_a_number(tmp_path):
    assert fresh_folder(tmp_path / "r") == tmp_path / "r"
    (tmp_path / "r").mkdir()
    (tmp_path / "r-2").touch()
    assert fresh_folder(tmp_path / "r") == tmp_path / "r-3"


def test_a_failure_leaves_no_half_saved_folder(result, tmp_path, monkeypatch):
    monkeypatch.setattr("clipdex.report.drawing._FONT", tmp_path / "no-font.ttf")
    from clipdex.report import drawing

    drawing.font.cache_clear()
    try:
        with pytest.raises(OutputError):
            save_result(result, tmp_path / "out")
    finally:
        drawing.font.cache_clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refused", ["sheet.png", "result.json", "photos"])
def test_a_failure_leaves_an_empty_folder_empty(result, tmp_path, monkeypatch, refused):
    (tmp_path / "out").mkdir()
    rename = Path.rename

    def refusing(path, target):
        if Path(target) == tmp_path / "out" / refused:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(OutputError, match="Permission denied"):
        save_result(result, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_came_into_an_empty_folder_meanwhile_is_not_replaced(result, tmp_path, monkeypatch):
    from clipdex.report import save

    def draw(*arguments, **options):
        (tmp_path / "out" / "sheet.png").write_text("mine")
        return picture(1)

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(save, "draw_sheet", draw)
    with pytest.raises(OutputError, match="meanwhile"):
        save_result(result, tmp_path / "out")
    assert contents(tmp_path / "out") == {"sheet.png": b"mine"}


@pytest.mark.parametrize("content", [b"root:*:19000:0:99999:7:::\n", b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
@pytest.mark.parametrize("name", ["shadow", "secret.png"])
def test_a_file_that_is_no_image_is_not_copied_whatever_a_result_says(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    saved = save_result(one_hit(path=str(tmp_path / name)), tmp_path / "out")
    assert (len(saved.images), len(saved.missing)) == (0, 1)
    assert set(contents(saved.folder)) == {"sheet.png", "result.json", ".clipdexignore"}


def test_the_sheet_is_drawn_with_the_limit_that_is_given(source, tmp_path):
    sheets = set()
    for number, limit in enumerate((1, 10_000)):
        saved = save_result(one_hit(path=str(source)), tmp_path / str(number), max_pixels=limit)
        assert saved.images[0].read_bytes() == source.read_bytes()
        sheets.add(saved.sheet.read_bytes())
    assert len(sheets) == 2


def test_saved_data_has_the_documented_shape(result, tmp_path):
    body = json.loads((save_result(result, tmp_path / "out").data).read_text(encoding="utf-8"))
    assert body == result.to_dict()
