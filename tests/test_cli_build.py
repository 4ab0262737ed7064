from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipdex_indexes import Index
from helpers_engine import claim_size, contents, every_file, make_folder, picture, renamed_model, run_process


def test_a_build_says_what_it_did_on_stderr_and_nothing_on_stdout(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b/c.png")
    (root / "broken.jpg").write_bytes(b"x")
    done = cli("build", root)
    assert (done.code, done.out) == (0, b"")
    assert "2 added, 0 unchanged, 1 failed; 2 images in the index" in done.err
    assert "failed: broken.jpg: " in done.err

    (root / "a.png").unlink()
    picture(7).save(root / "b" / "c.png")
    picture(8).save(root / "d.png")
    done = cli("build", root)
    assert "1 added, 1 changed, 0 unchanged, 1 removed, 1 failed; 2 images" in done.err


def test_only_the_first_failures_are_named_and_all_are_listed(cli, tmp_path):
    root = make_folder(tmp_path / "data", "good.png")
    for number in range(12):
        (root / f"broken{number:02}.png").write_bytes(b"x")
    done = cli("build", root)
    assert done.code == 0
    assert done.err.count("failed: broken") == 5
    assert f"7 more, all listed in {root / '.clipdex' / 'failed.json'}" in done.err
    assert len(json.loads((root / ".clipdex" / "failed.json").read_text())["failed"]) == 12


def test_quiet_says_only_what_failed(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    assert cli("build", root, "-q").err == ""
    (root / "broken.png").write_bytes(b"x")
    assert cli("build", root, "--quiet").err.startswith("failed: broken.png")


def test_exit_code_is_1_where_nothing_could_be_indexed(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    root = make_folder(tmp_path / "data", "a.png")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"x")

    done = cli("build", tmp_path / "empty")
    assert done.code == 1
    assert "no images" in done.err
    assert list((tmp_path / "empty").iterdir()) == []

    done = cli("build", broken)
    assert done.code == 1
    assert "no image" in done.err
    assert not (broken / ".clipdex" / "manifest.json").exists()

    done = cli("build", tmp_path / "nothing")
    assert (done.code, "does not exist" in done.err) == (1, True)

    # The others are built all the same.
    done = cli("build", tmp_path / "empty", root, broken)
    assert done.code == 1
    assert (root / ".clipdex" / "manifest.json").exists()


def test_a_name_of_a_failed_file_cannot_steer_the_terminal(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    (root / "evil\x1b]0;title\x07\nclipdex: all good.png").write_bytes(b"x")
    done = cli("build", root)
    assert not {"\x1b", "\x07"} & set(done.err)
    assert "\nclipdex: all good" not in done.err
    done = cli("info", root)
    assert b"\x07" not in done.out
    assert b"\nclipdex: all good" not in done.out


def test_index_elsewhere_model_and_max_pixels_are_options(cli, tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    picture(2, (100, 100)).save(root / "large.png")
    model = renamed_model(tmp_path / "model", "mine")
    index = tmp_path / "index"
    done = cli("build", root, "--index", index, "--model", model, "--max-pixels", "5000")
    assert done.code == 0
    assert "1 added" in done.err
    assert "model mine, as asked for, f32 on CPU" in done.err
    assert "--max-pixels" in done.err
    assert not (root / ".clipdex").exists()
    assert cli("query", root, "--index", index, "--item", "a", "--output", "json").ids == ["a.png"]
    done = cli("build", root, "--index", index, "--model", "starter")
    assert (done.code, "--rebuild" in done.err) == (1, True)
    assert cli("build", root, "--index", index, "--model", "starter", "--rebuild").code == 0


def test_a_corrupt_index_says_how_to_replace_it(cli, odd_copy):
    (odd_copy / ".clipdex" / "manifest.json").write_bytes(b"{}")
    for arguments in (["build", odd_copy], ["query", odd_copy, "--item", "loose"], ["info", odd_copy]):
        done = cli(*arguments)
        assert (done.code, done.out) == (1, b"")
        assert "--rebuild" in done.err
    assert cli("build", odd_copy, "--rebuild").code == 0
    assert cli("query", odd_copy, "--item", "loose").code == 0


def test_a_second_build_changes_no_file(cli, odd_copy):
    assert cli("build", odd_copy).code == 0  # the files of a copy may be listed in another order
    before = every_file(odd_copy)
    done = cli("build", odd_copy)
    assert "0 added, 6 unchanged, 0 failed" in done.err
    assert every_file(odd_copy) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "--max-pixels", "0", "x"],
        ["build", "--max-pixels", "many", "x"],
        ["build", "a", "b", "--index", "i"],
        ["build", "--nonsense", "x"],
    ],
)
def test_wrong_usage_is_exit_code_2(cli, arguments):
    done = cli(*arguments)
    assert (done.code, done.out) == (2, b"")
    assert "Usage" in done.err


@pytest.mark.parametrize(
    "target", ["", "x" * 5000, "~nobody-of-that-name", "/dev/null", "/dev/null/below", "\udcff", "-"]
)
@pytest.mark.parametrize("command", [["build"], ["query", "--text=dog"], ["info"]])
def test_any_target_that_is_no_folder_is_a_clear_error(cli, command, target):
    done = cli(*command, "--", target)
    assert done.code in (1, 2)
    assert done.out == b""
    assert done.err.startswith(("clipdex: ", "Usage"))


def test_lines_of_progress_where_there_is_no_terminal(cli, tmp_path, monkeypatch):
    from clipdex_cli import progress

    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(progress, "_SECONDS_BEFORE_AN_ESTIMATE", 0.0)
    done = cli("build", make_folder(tmp_path / "data", *(f"{number}.png" for number in range(5))))
    assert "of 5 images" in done.err
    assert "left" in done.err
    assert "\x1b" not in done.err


def test_a_rate_is_said_once_there_was_time_to_see_one(capsys, monkeypatch):
    from clipdex import BuildProgress
    from clipdex_cli import progress

    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with progress.BuildDisplay("photos") as display:
        for seconds, done, total in [(0, 7, None), (10, 1, 500), (1, 41, 500), (3, 101, 500)]:
            now += seconds
            display(BuildProgress("hash", done, total, 2))
    assert capsys.readouterr().err.splitlines() == [
        "photos: 7 files found",
        "photos: 1 of 500 images, 2 failed",
        "photos: 41 of 500 images, 2 failed",
        "photos: 101 of 500 images, 25/s, 2 failed, 0:16 left",
    ]


def test_steps_of_other_work_have_lines_of_their_own(capsys, monkeypatch):
    from clipdex_cli import progress

    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.WorkDisplay("model") as display:
        for seconds, what, done, total in [
            (0, "downloading", 0, 9_000_000),
            (5, "downloading", 3_000_000, 9_000_000),
            (7, "downloading", 6_000_000, 9_000_000),
            (1, "converting", 0, None),
        ]:
            now += seconds
            display(what, done, total)
    assert capsys.readouterr().err.splitlines() == [
        "model: downloading",
        "model: downloading, 6 of 9 MB, 0:06 left",
        "model: converting",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_bar_of_progress_on_a_terminal(odd_copy):
    import pty
    import subprocess

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clipdex_cli", "build", str(odd_copy), "--rebuild"],
        stderr=follower,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(leader)
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 0
    assert b"6 added" in seen


def test_a_real_process_builds_and_writes_no_warnings_of_pillow(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    picture(3).save(root / "exif.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffgarbage")
    claim_size(root / "huge.png", 15_000, 12_000)
    done = run_process("build", root)
    assert done.code == 0
    assert "2 added" in done.err
    assert "Warning" not in done.err
    again = run_process("build", root)
    assert "2 unchanged" in again.err


def test_a_dataset_whose_name_is_no_utf8_can_be_used(cli, odd, tmp_path):
    if sys.platform != "linux":
        pytest.skip("other systems refuse such names")
    root = Path(shutil.copytree(odd, tmp_path / os.fsdecode(b"caf\xe9")))
    for arguments in (["build"], ["build", "--rebuild"], ["query", "--item=loose"], ["info"]):
        done = cli(*arguments, "--", root)
        assert (done.code, done.out) == (1, b"")
        assert "--index" in done.err
    index = tmp_path / "index"
    assert cli("build", root, "--index", index).code == 0
    query = ["query", root, "--index", index, "--item", "loose", "--output"]
    for output in ("table", "csv"):
        assert cli(*query, output).code == 0
    assert cli(*query, "paths", "-0").out.split(b"\0")[0] == os.fsencode(root / "loose.png")
    done = cli(*query, "json")
    (tmp_path / "r.json").write_bytes(done.out)
    assert done.ids[0] == "loose.png"
    assert cli("save", tmp_path / "r.json", "-o", tmp_path / "out").code == 0
    assert len(contents(tmp_path / "out")) == 6 + 3
    assert cli("save", "-o", tmp_path / "again").code == 0
    assert cli("info", root, "--index", index).code == 0
    assert cli("info", root, "--index", index, "--json").json[0]["items"] == 6


@pytest.mark.parametrize("number", [1, 3])
def test_a_build_that_empties_an_index_says_so_and_so_does_the_dry_run(cli, tmp_path, number):
    root = make_folder(tmp_path / "data", *(f"{at}.png" for at in range(number)))
    assert cli("build", root).code == 0
    for image in root.glob("*.png"):
        image.unlink()
    images = "1 image" if number == 1 else "3 images"
    emptied = f"clipdex: no image in {root} could be indexed: its index loses {images} and is empty.\n"
    for words in (["--dry-run"], []):
        done = cli("build", root, "--prune", *words)
        assert (done.code, done.err) == (1, emptied)
    assert cli("build", root, "--prune").err == f"clipdex: no image in {root} could be indexed.\n"
    asked = cli("query", root, "--text", "a dog")
    assert (asked.code, asked.err) == (0, "No hits: the index of data has no images.\n")


def test_a_link_that_leads_to_nothing_is_said_to_be_one(cli, tmp_path):
    (tmp_path / "data").symlink_to(tmp_path / "gone")
    done = cli("build", tmp_path / "data")
    assert done.code == 1
    assert f"data' is a link that leads to nothing: {tmp_path / 'gone'}" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors")
def test_a_build_without_a_standard_error_writes_messages_nowhere(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    command = f"'{sys.executable}' -m clipdex_cli build '{root}' 2>&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    with Index(root / ".clipdex") as index:
        assert (len(index), index.verify().ok) == (2, True)
