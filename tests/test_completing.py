"""Completion of words in a shell, as the shells ask for it: ``_CLIPDEX_COMPLETE`` and the words in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from clipdex import build
from clipdex.encoder.installed import models_folder
from clipdex.models.hub.known import KNOWN
from helpers_engine import copy_model, every_file, make_folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset with subsets and labels, one of which has a space and one a quote. Not to be changed."""
    root = tmp_path_factory.mktemp("completed") / "my data"
    make_folder(root, "train/cat/a.png", "train/hot dog/b.png", "val/hot pot/c.png", "val/it's/d.png")
    build(root)
    return root


@pytest.fixture
def complete(cli, monkeypatch):
    """Complete the last word of a command line, in this process; return what is offered."""

    def offered(*words, shell="fish"):
        line = ["clipdex", *map(str, words)]
        monkeypatch.setenv("_CLIPDEX_COMPLETE", f"{shell}_complete")
        # Quoted as a shell would have it, but for the last word, which is as it was typed.
        quoted = [*(word.replace(" ", "\\ ") for word in line[:-1]), line[-1]]
        monkeypatch.setenv("COMP_WORDS", "\n".join(quoted))
        monkeypatch.setenv("COMP_CWORD", str(len(line) - 1) if shell != "fish" else line[-1])
        done = cli()
        assert (done.code, done.err) == (0, "")
        return [line.partition(",")[2].partition("\t")[0] for line in done.out.decode().splitlines() if line]

    return offered


@pytest.mark.parametrize("flag", ["--label", "--not-label"])
def test_labels_of_the_targets_named_before(complete, data, photos, flag):
    assert complete("query", data, flag, "") == ["cat", "hot dog", "hot pot", "it's"]
    assert complete("query", data, flag, "hot") == ["hot dog", "hot pot"]
    assert complete("query", data, photos, flag, "") == [
        *("animals", "cat", "food", "hot dog", "hot pot", "it's", "people", "places", "plants", "things", "vehicles")
    ]


@pytest.mark.parametrize("flag", ["--subset", "--not-subset", "--query-item-subset"])
def test_subsets(complete, data, flag):
    assert complete("query", data, flag, "") == ["train", "val"]
    assert complete("explore", data, "-k", "3", flag, "v") == ["val"]


@pytest.mark.parametrize("flag", ["--dataset", "--not-dataset"])
def test_datasets(complete, data, photos, flag):
    assert complete("query", data, photos, flag, "") == ["my data", "photos"]


def test_several_values_after_a_flag(complete, data):
    assert complete("query", data, "--query-item-subset", "train", "v") == ["val"]
    assert complete("query", data, "--text", "a", "b", "--label", "ca") == ["cat"]


def test_the_current_folder_and_an_index_of_its_own(complete, data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    assert complete("query", "--label", "c") == ["cat"]
    monkeypatch.chdir(tmp_path)
    assert complete("query", "--index", data / ".clipdex", "--label", "c") == ["cat"]


def test_sources_of_a_project(complete, data, tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    (project / "clipdex.toml").write_text(f"version = 1\n[sources.mine]\npath = {json.dumps(str(data))}\n")
    monkeypatch.chdir(project)
    assert complete("query", "m") == ["mine"]
    assert complete("project", "build", "") == ["mine"]
    assert complete("query", "--dataset", "") == ["mine"]
    assert complete("query", "mine", "--label", "c") == complete("query", "--label", "c") == ["cat"]
    monkeypatch.chdir(tmp_path)
    assert complete("query", "-p", project, "--subset", "") == ["train", "val"]


def test_models(complete):
    copy_model(models_folder() / "mine")
    assert complete("build", "--model", "") == complete("model", "verify", "") == ["mine", "starter"]
    assert complete("model", "remove", "") == ["mine"]
    assert complete("model", "pull", "") == sorted(known.name for known in KNOWN)
    assert {"mine", "starter", "siglip-b-16-224"} <= set(complete("model", "info", ""))


def test_commands(complete):
    assert complete("qu") == ["query"]
    assert complete("help", "model", "p") == ["pull"]
    assert complete("help", "query", "") == []


def test_bash_gets_names_that_it_takes_for_one_word(complete, data):
    assert complete("query", data, "--label", "ho", shell="bash") == [r"hot\\ dog", r"hot\\ pot"]
    assert complete("query", data, "--label", r"hot\ d", shell="bash") == [r"hot\\ dog"]
    assert complete("query", data, "--label", "'hot d", shell="bash") == ["hot dog"]
    assert complete("query", data, "--label", "it", shell="bash") == [r"it\\'s"]
    assert complete("query", data, "--label", "=", "ca", shell="bash") == ["cat"]


@pytest.mark.parametrize(
    "words",
    [
        ("query", "not-there", "--label", ""),
        ("query", "--label", ""),
        ("query", "broken", "--label", ""),
        ("query", "broken", "--subset", ""),
        ("query", "--stage", "maybe", "--text", "--label", ""),
        ("query", "-p", "not-there", "--label", ""),
        ("query", "-p", "broken", "--dataset", ""),
        ("query", "--index", "not-there", "--label", ""),
        ("query", "\udcff", "--label", ""),
        ("help", "nonsense", ""),
    ],
)
def test_where_something_is_wrong_nothing_is_offered_and_nothing_said(complete, tmp_path, words):
    broken = tmp_path / "here" / "broken"
    (broken / ".clipdex").mkdir(parents=True)
    (broken / ".clipdex" / "manifest.json").write_text("{")
    (broken / "clipdex.toml").write_text("nonsense")
    before = every_file(tmp_path)
    assert complete(*words) == []
    assert every_file(tmp_path) == before


def test_a_shell_that_is_not_known_is_said_by_the_exit_code_alone(cli, monkeypatch):
    monkeypatch.setenv("_CLIPDEX_COMPLETE", "nonsense_complete")
    done = cli()
    assert (done.code, done.out, done.err) == (1, b"", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_names_the_program(shell, cli, monkeypatch):
    monkeypatch.setenv("_CLIPDEX_COMPLETE", f"{shell}_source")
    done = cli()
    assert (done.code, b"clipdex" in done.out) == (0, True)


def test_labels_are_completed_without_what_is_slow_to_import(data):
    code = (
        "import json, sys\nfrom clipdex_cli.main import run\nrun([])\n"
        "sys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    words = "\n".join(["clipdex", "query", str(data).replace(" ", "\\ "), "--label", "c"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_CLIPDEX_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["plain,cat"]
    assert not {"openvino", "faiss", "numpy", "PIL", "tokenizers", "rich"} & set(json.loads(done.stderr))


def test_labels_in_a_folder_of_a_dataset_are_those_of_the_index_above(complete, photos, monkeypatch):
    assert "plants" in complete("query", photos / "plants", "--label", "")
    monkeypatch.chdir(photos / "plants")
    assert "plants" in complete("query", "--label", "")
