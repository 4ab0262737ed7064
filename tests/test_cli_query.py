from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipdex import Explorer
from helpers_engine import claim_size, make_folder, renamed_model, run_process


def asked(done):
    return [(query["kind"], query["value"]) for query in done.json["queries"]]


# Each example of the command that clipdex takes over from, with its options as they were.
@pytest.mark.parametrize(
    ("arguments", "queries", "topk"),
    [
        (["--query-img-path", "{p}/food/fig.jpg", "-topk", "10", "{p}"], [("image", "{p}/food/fig.jpg")], 10),
        (["-query-img-path", "{p}/food/fig.jpg", "-topk", "10", "{p}"], [("image", "{p}/food/fig.jpg")], 10),
        (["--query-item-id", "plants/dahlia", "-topk", "10", "{p}"], [("item", "plants/dahlia.jpg")], 10),
        (
            ["--query-item-id", "plants/dahlia", "--query-item-subset", "default", "-topk", "10", "{p}"],
            [("item", "plants/dahlia.jpg")],
            10,
        ),
        (["--query-str", "elephant", "-topk", "10", "{p}/"], [("text", "elephant")], 10),
        (
            [
                "--query-img-path",
                "{p}/food/fig.jpg",
                "{p}/animals/koala.jpg",
                "{p}/places/sea.jpg",
                "-topk",
                "50",
                "{p}",
            ],
            [("image", "{p}/food/fig.jpg"), ("image", "{p}/animals/koala.jpg"), ("image", "{p}/places/sea.jpg")],
            50,
        ),
        (
            ["--query-str", "motorcycle", "bus", "train", "-topk", "50", "{p}/"],
            [("text", "motorcycle"), ("text", "bus"), ("text", "train")],
            50,
        ),
    ],
)
def test_the_examples_of_the_command_it_takes_over_from(cli, photos, arguments, queries, topk):
    done = cli("query", "--output", "json", *(argument.format(p=photos) for argument in arguments))
    assert done.code == 0, done.err
    assert asked(done) == [(kind, value.format(p=photos)) for kind, value in queries]
    assert done.json["topk"] == topk
    assert len(done.ids) == min(topk, 40)


def test_without_a_target_the_current_folder_is_searched(cli, photos, monkeypatch):
    monkeypatch.chdir(photos)
    done = cli("query", "--query-img-path", "food/fig.jpg", "-topk", "10", "--output", "json")
    assert done.ids[0] == "food/fig.jpg"
    assert done.json["datasets"][0]["root"] == str(photos)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--text", "bus", "train", "--image", "I", "--item", "plants/dahlia", "food/fig", "--text", "dog"],
        [
            *("--text=bus", "--query-str", "train", "--query-img-path=I"),
            *("--query-item-id", "plants/dahlia", "--item=food/fig", "--text=dog"),
        ],
        [
            *("--text", "bus", "--text", "train", "-k", "7", "--image", "I"),
            *("--item", "plants/dahlia", "food/fig", "--query-str=dog"),
        ],
    ],
)
def test_queries_can_be_repeated_and_mixed_and_keep_their_order(cli, photos, arguments):
    image = str(photos / "places" / "pagoda.jpg")
    done = cli(
        "query", photos, "--output", "json", *(one.replace("I", image) if "I" in one else one for one in arguments)
    )
    assert done.code == 0, done.err
    assert asked(done) == [
        ("text", "bus"),
        ("text", "train"),
        ("image", image),
        ("item", "plants/dahlia.jpg"),
        ("item", "food/fig.jpg"),
        ("text", "dog"),
    ]
    assert done.json["merge"] == "rank"
    assert {"places/pagoda.jpg", "plants/dahlia.jpg", "food/fig.jpg"} <= set(done.ids[:6])


@pytest.mark.parametrize("flag", ["-k", "-topk", "--topk"])
@pytest.mark.parametrize("joined", [False, True])
def test_the_number_of_hits_has_three_names(cli, photos, flag, joined):
    value = [f"{flag}=3"] if joined and flag != "-k" else ["-k3"] if joined else [flag, "3"]
    for arguments in (
        ["query", photos, "--item", "food/fig", *value],
        ["query", *value, "--item", "food/fig", "--", photos],
    ):
        assert len(cli(arguments[0], "--output", "json", *arguments[1:]).ids) == 3


def test_several_targets_are_searched_as_one(cli, photos, odd):
    done = cli("query", photos, odd, "--text", "dog", "-k", "46", "--output", "json")
    assert [dataset["name"] for dataset in done.json["datasets"]] == ["photos", "odd"]
    assert len(done.ids) == 46
    distances = [hit["distance"] for hit in done.json["hits"]]
    assert distances == sorted(distances)


def test_folders_after_the_values_of_the_last_query_are_searched(cli, photos, odd):
    done = cli("query", "--output", "json", "--text", "bus", "train", photos, odd)
    assert done.code == 0, done.err
    assert asked(done) == [("text", "bus"), ("text", "train")]
    assert [dataset["root"] for dataset in done.json["datasets"]] == [str(photos), str(odd)]
    assert "TARGET" in done.err


def test_a_folder_is_a_text_where_targets_are_named_or_here_is_an_index(cli, photos, odd_copy, monkeypatch):
    (Path.cwd() / "train").mkdir()
    done = cli("query", photos, "--output", "json", "--text", "bus", "train")
    assert asked(done) == [("text", "bus"), ("text", "train")]
    monkeypatch.chdir(odd_copy)
    done = cli("query", "--output", "json", "--text", "bus", "train")
    assert asked(done) == [("text", "bus"), ("text", "train")]
    assert done.json["datasets"][0]["root"] == str(odd_copy)


def test_a_text_may_look_like_an_option_when_it_is_joined(cli, photos):
    done = cli("query", photos, "--output", "json", "--text=-topk", "--text=a=b", "--text", "c=d")
    assert asked(done) == [("text", "-topk"), ("text", "a=b"), ("text", "c=d")]


def test_values_end_at_a_double_dash(cli, photos):
    done = cli("query", "--output", "json", "--text", "bus", "train", "--", photos)
    assert asked(done) == [("text", "bus"), ("text", "train")]


def test_a_subset_chooses_among_items(cli, odd):
    done = cli("query", odd, "--query-item-id", "val/dog/a", "--query-item-subset", "val", "--output", "json")
    assert done.json["queries"][0]["subset"] == "val"
    done = cli("query", odd, "--query-item-id", "val/dog/a", "--query-item-subset", "train")
    assert (done.code, "subset train" in done.err) == (1, True)
    done = cli(
        "query", odd, "--item", "val/dog/a", "train/cat/a", "--query-item-subset", "train", "val", "--output", "json"
    )
    assert done.code == 0


def test_exclude_self(cli, photos):
    done = cli("query", photos, "--item", "food/fig", "-k", "5", "--exclude-self", "--output", "json")
    assert len(done.ids) == 5
    assert "food/fig.jpg" not in done.ids


def test_json_is_as_documented(cli, odd):
    done = cli("query", odd, "--item", "loose", "--text", "dog", "-k", "4", "--output", "json")
    body = done.json
    assert (body["schema"], body["topk"]) == (1, 4)
    assert [{"kind", "value"} <= query.keys() for query in body["queries"]] == [True, True]
    assert body["datasets"][0].items() >= {"name": "odd", "root": str(odd), "items": 6, "model": "starter"}.items()
    for rank, hit in enumerate(body["hits"], start=1):
        types = {"distance": int, "query": int, "dataset": str, "id": str, "subset": str, "path": str, "labels": list}
        assert hit["rank"] == rank
        for name, kind in types.items():
            assert type(hit[name]) is kind
        assert Path(hit["path"]) == odd / hit["id"]
    assert {name: body["hits"][0][name] for name in ("distance", "id", "subset", "labels")} == {
        "distance": 0, "id": "loose.png", "subset": "default", "labels": []
    }  # fmt: skip


def test_the_api_gives_what_the_command_prints(cli, photos):
    done = cli("query", photos, "--text", "dog", "flower", "-k", "9", "--output", "json")
    with Explorer(photos) as explorer:
        assert explorer.explore_topk(["dog", "flower"], topk=9).to_dict() == done.json


def test_csv_survives_awkward_names(cli, odd):
    done = cli("query", odd, "--item", "loose", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out.decode(), newline="")))
    hits = cli("query", odd, "--item", "loose", "--output", "json").json["hits"]
    assert [row["id"] for row in rows] == [hit["id"] for hit in hits]
    assert [row["path"] for row in rows] == [hit["path"] for hit in hits]
    assert [int(row["distance"]) for row in rows] == [hit["distance"] for hit in hits]
    assert [row["labels"] for row in rows] == [";".join(hit["labels"]) for hit in hits]
    assert {row["subset"] for row in rows} == {"train", "val", "default"}


def test_paths_are_one_a_line_or_end_in_nul(cli, odd):
    hits = cli("query", odd, "--item", "loose", "--output", "json").json["hits"]
    done = cli("query", odd, "--item", "loose", "--output", "paths", "-0")
    assert done.out.decode().split("\0") == [*(hit["path"] for hit in hits), ""]
    assert any("\n" in path for path in done.out.decode().split("\0"))
    done = cli("query", odd, "--item", "train/cat/a", "-k", "1", "--output", "paths")
    assert done.out == f"{odd / 'train/cat/a.png'}\n".encode()


def test_the_table_has_a_line_for_each_hit(cli, photos, odd):
    done = cli("query", photos, "--item", "food/fig", "-k", "5")
    assert len(done.lines) == 6
    assert done.lines[0].split() == ["rank", "distance", "strength", "id", "labels"]
    assert done.lines[1].split() == ["1", "0", "|||", "strong", "food/fig.jpg", "food"]
    assert b"\x1b" not in done.out
    done = cli("query", photos, odd, "--item", "food/fig", "--text", "[bold]dog[/]", "-k", "46")
    assert done.lines[0].split() == ["rank", "distance", "strength", "query", "dataset", "id", "subset", "labels"]
    assert len(done.lines) == 47
    assert "[bold]dog[/]" in done.out.decode()
    assert "train/cat/new\\nline.png" in done.out.decode()


@pytest.mark.parametrize("output", ["table", "json", "csv", "paths"])
def test_results_go_to_stdout_and_messages_to_stderr(cli, photos, output):
    done = cli("query", photos, "--text", "dog " * 300, "-k", "2", "--output", output, "-o", "out")
    assert done.code == 0
    assert "too long" in done.err
    assert "Saved to" in done.err
    assert b"Saved" not in done.out
    assert done.out


def test_a_model_and_an_index_can_be_named(cli, photos, tmp_path):
    assert cli("query", photos, "--item", "food/fig", "--model", "starter").code == 0
    model = renamed_model(tmp_path / "model", "mine")
    done = cli("query", photos, "--item", "food/fig", "--model", model)
    assert (done.code, "--rebuild" in done.err) == (1, True)
    shutil.copytree(photos / ".clipdex", tmp_path / "index")
    assert cli("query", photos, "--index", tmp_path / "index", "--item", "food/fig").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["query"],
        ["query", "P"],
        ["query", "P", "--text"],
        ["query", "P", "--image"],
        ["query", "P", "--text", "-k", "5"],
        ["query", "P", "--text", "dog", "-k", "0"],
        ["query", "P", "--text", "dog", "-k", "-3"],
        ["query", "P", "--text", "dog", "-k", "many"],
        ["query", "P", "--text", "dog", "-k"],
        ["query", "P", "--text", "dog", "--output", "xml"],
        ["query", "P", "--text", "dog", "-0"],
        ["query", "P", "--text", "dog", "--nonsense"],
        ["query", "P", "--query-item-subset", "train"],
        ["query", "P", "--text", "dog", "--query-item-subset", "train"],
        ["query", "P", "P/animals", "--index", "x", "--text", "dog"],
        ["query", "P", "--text", "dog", "--max-pixels", "0"],
        ["query", "--text", "dog"],
        ["nonsense"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_is_exit_code_2(cli, photos, arguments):
    done = cli(*(one.replace("P", str(photos)) for one in arguments))
    assert (done.code, done.out) == (2, b"")
    assert "Error: " in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--text", ""], "empty"),
        (["--text", " \n "], "empty"),
        (["--image", "none.jpg"], "no such file"),
        (["--image", ""], "cannot be used"),
        (["--image", "x" * 5000], "cannot be used"),
        (["--image", "a\0b"], "cannot be used"),
        (["--image", "~nobody-of-that-name/a.jpg"], "no such file"),
        (["--image", "."], "cannot be used"),
        (["--image", "broken.jpg"], "not an image"),
        (["--image", "huge.png"], "--max-pixels"),
        (["--item", "food/figs"], "food/fig.jpg"),
        (["--item", "nothing like it"], "no item"),
        (["--item", ""], "no item"),
        (["--item", "/"], "no item"),
        (["--item", "a\0b"], "no item"),
        (["--item", "\udcff"], "no item"),
        (["--item", "x" * 100_000], "no item"),
        (["--item", "%"], "no item"),
        (["--item", "food/fig", "--query-item-subset", "train"], "subset train"),
        (["--text", "dog", "--model", "no-such-model"], "no-such-model"),
    ],
)
def test_a_query_that_cannot_be_answered_is_exit_code_1_and_says_why(cli, photos, arguments, says):
    Path("broken.jpg").write_bytes(b"no image")
    claim_size(Path("huge.png"), 60_000, 60_000)
    done = cli("query", photos, *arguments)
    assert (done.code, done.out) == (1, b""), done.err
    assert done.err.startswith("clipdex: ")
    assert says in done.err


@pytest.mark.parametrize(
    "text", ["\udcff", "\U0001f600", "x" * 100_000, "a\x1b]0;x\x07b", "{}", "%s", "[bold]", "\\", "'\"`$(ls)"]
)
def test_any_other_text_is_answered(cli, photos, text):
    done = cli("query", photos, "--text", text, "--item", "food/fig", "-k", "2", "-o", "saved")
    assert done.code == 0, done.err
    assert not {0x1B, 0x07} & set(done.out)
    assert not {"\x1b", "\x07"} & set(done.err)
    assert cli("save", "saved/result.json", "-o", "again").code == 0


def test_a_target_without_index_says_how_to_build_it(cli, tmp_path):
    root = make_folder(tmp_path / "my data", "a.png")
    done = cli("query", root, "--text", "dog")
    assert (done.code, done.out) == (1, b"")
    assert f"clipdex build '{root}'" in done.err


def test_a_long_sentence_after_a_query_in_an_ordinary_folder_is_no_path(cli):
    done = cli("query", "--text", "dog", "a very long sentence " * 50)
    assert done.code == 2
    assert "TARGET" in done.err


def test_help_and_version(cli):
    for arguments in (["--help"], ["-h"], ["query", "-h"], ["build", "--help"], ["save", "--help"], ["info", "--help"]):
        done = cli(*arguments)
        assert done.code == 0
        assert b"Usage: clipdex" in done.out
    assert cli("--version").out.startswith(b"clipdex ")


def test_a_reader_that_goes_away_is_no_error(photos):
    pipeline = f"'{sys.executable}' -m clipdex_cli query '{photos}' --item food/fig --output json | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {pipeline}"], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert done.stdout == b"{"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_exit_code_1(photos):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "clipdex_cli", "query", str(photos), "--item", "food/fig", "--output", "json"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr
    assert done.returncode == 1


def test_a_state_folder_that_cannot_be_written_does_not_stop_a_query(cli, photos, tmp_path, monkeypatch):
    (tmp_path / "state").write_text("a file")
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "state"))
    done = cli("query", photos, "--item", "food/fig", "-k", "1", "--output", "json")
    assert done.code == 0
    assert done.ids == ["food/fig.jpg"]
    assert "could not be kept" in done.err


def test_names_are_printed_where_the_terminal_knows_only_ascii(odd):
    for output in ("table", "json", "csv", "paths"):
        done = run_process("query", odd, "--item", "loose", "--output", output, env={"PYTHONIOENCODING": "ascii"})
        assert done.code == 0, done.err


def test_a_real_process_gives_the_same_answer_as_this_one(cli, photos):
    arguments = ["query", photos, "--text", "dog", "--image", photos / "food/fig.jpg", "-k", "7", "--output", "json"]
    done = run_process(*arguments)
    assert done.code == 0
    assert done.err == ""
    assert done.out == cli(*arguments).out
    assert os.environ["XDG_STATE_HOME"]
