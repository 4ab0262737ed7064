from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from helpers_engine import every_file, make_folder, picture, run_process, touch_later


def test_save_after_a_query_saves_its_result(cli, photos, tmp_path):
    query = cli("query", photos, "--text", "dog", "-k", "6", "--output", "json")
    done = cli("save", "-o", tmp_path / "out")
    assert (done.code, done.out) == (0, b"")
    assert f"Saved to {tmp_path / 'out'}: sheet.png, result.json, 6 images" in done.err
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == query.json
    for hit in query.json["hits"]:
        copied = tmp_path / "out" / "photos" / "default" / hit["id"]
        assert copied.read_bytes() == Path(hit["path"]).read_bytes()
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size[0] > 500


def test_a_result_kept_as_json_is_saved(cli, photos, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_bytes(cli("query", photos, "--text", "train", "-k", "3", "--output", "json").out)
    cli("query", photos, "--text", "dog", "-k", "5")
    assert cli("save", kept, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "result.json").read_bytes().strip() == kept.read_bytes().strip()
    assert cli("save", tmp_path / "out" / "result.json", "-o", tmp_path / "again").code == 0


def test_only_an_answered_query_is_remembered(cli, photos):
    cli("query", photos, "--item", "food/fig", "-k", "2")
    assert cli("query", photos, "--item", "no such item").code == 1
    cli("save", "-o", "out")
    assert json.loads(Path("out/result.json").read_text())["queries"][0]["value"] == "food/fig.jpg"


def test_save_without_a_query_before_says_what_to_do(cli):
    done = cli("save", "-o", "out")
    assert (done.code, "clipdex query" in done.err) == (1, True)
    assert not Path("out").exists()


def test_without_a_name_a_fresh_folder_is_taken_each_time(cli, photos):
    assert cli("query", photos, "--item", "food/fig", "-k", "2", "-s").code == 0
    assert cli("save").code == 0
    assert cli("query", photos, "--item", "food/fig", "-k", "2", "--save").code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["explore_result", "explore_result-2", "explore_result-3"]
    assert cli("query", photos, "--item", "food/fig").code == 0
    assert len(list(Path().iterdir())) == 3


def test_an_output_folder_alone_means_save(cli, photos):
    assert cli("query", photos, "--item", "food/fig", "-k", "1", "-o", "a/b/c").code == 0
    assert Path("a/b/c/sheet.png").is_file()


@pytest.mark.parametrize("command", ["query", "explore", "save"])
@pytest.mark.parametrize("save_as", [None, "ids", "subsets", "ranked"])
def test_copies_are_named_by_ids_or_by_ranks(cli, photos, command, save_as):
    query = ("--item", "food/fig", "-k", "3", "--output", "json")
    hits = cli("query", photos, *query).json["hits"]
    asked = ("save",) if command == "save" else (command, photos, *query, "-s")
    done = cli(*asked, "-o", "out", *(["--save-as", save_as] if save_as else []))
    assert done.code == 0, done.err
    for hit in hits:
        name = Path(hit["id"]).name
        copy = {
            "ids": f"photos/default/{hit['id']}",
            "subsets": f"default/{hit['id']}",
            "ranked": f"{hit['rank']:03d}_{name}",
        }[save_as or ("subsets" if command == "explore" else "ids")]
        assert Path("out", copy).read_bytes() == Path(hit["path"]).read_bytes()


def test_a_way_of_naming_copies_means_save_too(cli, photos):
    assert cli("query", photos, "--item", "food/fig", "-k", "1", "--save-as", "ranked").code == 0
    assert Path("explore_result/001_fig.jpg").is_file()


@pytest.mark.parametrize("command", ["query", "explore", "save"])
def test_an_unknown_way_of_naming_copies_is_wrong_usage(cli, photos, command):
    asked = () if command == "save" else (photos, "--item", "food/fig")
    done = cli(command, *asked, "--save-as", "rank")
    assert done.code == 2
    assert "'ids', 'subsets', 'ranked'" in done.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("command", ["query", "save"])
@pytest.mark.parametrize("force", [False, True])
def test_what_the_user_has_is_never_changed(cli, photos, tmp_path, command, force):
    mine = make_folder(tmp_path / "mine", "a.png", "photos/default/food/fig.jpg")
    for name in ("sheet.png", "result.json", ".clipdexignore"):
        (mine / name).write_text("mine")
    cli("query", photos, "--item", "food/fig", "-k", "5")
    before = every_file(mine)
    arguments = ["query", photos, "--item", "food/fig", "-k", "5"] if command == "query" else ["save"]
    done = cli(*arguments, "-o", mine, *(["--force"] if force else []))
    if force:
        assert done.code == 0
        assert every_file(mine).items() > before.items()
    else:
        assert done.code == 1
        assert "--force" in done.err
        assert every_file(mine) == before


def test_missing_images_are_said_to_be_missing(cli, odd_copy):
    cli("query", odd_copy, "--item", "loose")
    for path in odd_copy.glob("train/*/*"):
        path.unlink()
    (odd_copy / "loose.png").unlink()
    done = cli("save", "-o", "out")
    assert done.code == 0
    assert "2 images" in done.err
    assert done.err.count("missing: ") == 4
    assert "missing: 1 more" in done.err


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"schema": 9}', b"[" * 100_000])
def test_what_is_no_result_is_exit_code_1(cli, data):
    Path("r.json").write_bytes(data)
    done = cli("save", "r.json", "-o", "out")
    assert done.code == 1
    assert done.err.startswith("clipdex: ")
    assert not Path("out").exists()


@pytest.mark.parametrize("output", ["", "x" * 5000, "r.json", "r.json/below", "/dev/null", "\udcff"])
def test_an_output_folder_that_cannot_be_is_no_traceback(cli, photos, output):
    Path("r.json").write_bytes(cli("query", photos, "--item", "food/fig", "-k", "1", "--output", "json").out)
    done = cli("save", "r.json", "-o", output)
    assert done.code == (0 if output == "\udcff" else 1), done.err
    assert done.err
    assert Path("r.json").is_file()


def test_a_missing_result_is_an_error(cli):
    done = cli("save", "none.json")
    assert (done.code, "none.json" in done.err) == (1, True)
    assert cli("save", ".").code == 2
    assert cli("save", "a", "b").code == 2


def test_save_in_a_process_of_its_own_knows_the_last_query(photos, tmp_path):
    assert run_process("query", photos, "--item", "food/fig", "-k", "2", cwd=tmp_path).code == 0
    done = run_process("save", "-o", "out", cwd=tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "photos" / "default" / "food" / "fig.jpg").is_file()


def facts(done) -> dict[str, str]:
    return {line[:11].strip(): line[11:] for line in done.lines if not line.startswith(" ")}


def test_info_tells_what_the_index_holds(cli, odd):
    done = cli("info", odd)
    assert (done.code, done.err) == (0, "")
    told = facts(done)
    assert told["dataset"] == f"{odd} (folder)"
    assert told["items"] == "6"
    assert told["subsets"] == "3: train 3, val 2, default 1"
    assert told["labels"] == "3: cat 2, dog 2, 猫 1"
    assert told["model"].startswith("starter, 512 bits, f32")
    assert told["freshness"] == "up to date"
    assert told["failed"].startswith("0")
    assert "not CLIP" in done.out.decode()
    assert "Not good at" in done.out.decode()


def test_info_as_json(cli, odd, photos):
    first, second = cli("info", odd, photos, "--json").json
    assert first["items"] == 6
    assert first["subsets"] == {"train": 3, "val": 2, "default": 1}
    assert first["labels"] == {"cat": 2, "dog": 2, "猫": 1}
    assert (first["model"], first["bits"], first["segments"]) == ("starter", 512, 1)
    assert (first["new"], first["changed"], first["gone"], first["failed"]) == (0, 0, 0, {})
    assert first["bytes"] == sum(path.stat().st_size for path in (odd / ".clipdex" / "segments").iterdir())
    assert (second["root"], second["items"]) == (str(photos), 40)


def test_info_says_what_changed_since_the_build(cli, odd_copy):
    picture(70).save(odd_copy / "new.png")
    picture(71).save(odd_copy / "new2.png")
    touch_later(odd_copy / "loose.png")
    (odd_copy / "train" / "cat" / "a.png").unlink()
    told = cli("info", odd_copy, "--json").json[0]
    assert (told["new"], told["changed"], told["gone"]) == (2, 1, 1)
    assert facts(cli("info", odd_copy))["freshness"] == (
        f"2 new, 1 changed, 1 gone since the last build; bring it up to date: clipdex build {odd_copy}"
    )
    cli("build", odd_copy)
    assert facts(cli("info", odd_copy))["freshness"] == "up to date"


def test_info_lists_failed_files_and_does_not_call_them_new(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    (root / "broken.png").write_bytes(b"x")
    cli("build", root)
    told = cli("info", root, "--json").json[0]
    assert list(told["failed"]) == ["broken.png"]
    assert (told["new"], told["items"]) == (0, 1)
    assert "broken.png" in cli("info", root).out.decode()


def test_info_without_a_target_is_of_the_current_folder(cli, odd_copy, monkeypatch, tmp_path):
    monkeypatch.chdir(odd_copy)
    assert facts(cli("info"))["items"] == "6"
    monkeypatch.chdir(tmp_path)
    done = cli("info")
    assert (done.code, "clipdex build" in done.err) == (1, True)


def test_info_of_an_index_elsewhere(cli, odd, tmp_path):
    cli("build", odd, "--index", tmp_path / "index")
    assert facts(cli("info", odd, "--index", tmp_path / "index"))["index"].startswith(str(tmp_path / "index"))
    assert cli("info", odd, odd, "--index", tmp_path / "index").code == 2
