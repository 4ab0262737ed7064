"""Indexes, items and models from elsewhere, and systems without the usual: right answers or clear errors."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipdex import Explorer, ImageQuery, TextQuery, build
from clipdex.datasets.info import describe
from clipdex.errors import ModelMismatch, ModelNotFound, QueryError
from clipdex_cli import output as printer
from clipdex_indexes.storage.manifest import _checksum
from helpers_engine import make_folder, picture, renamed_model, run_process


def restamp_model(folder: Path, **changes: str) -> None:
    """Change what the manifest says of the model, with a checksum that fits."""
    path = folder / ".clipdex" / "manifest.json"
    body = json.loads(path.read_text())
    body.pop("checksum")
    body["model"].update(changes)
    path.write_text(json.dumps({**body, "checksum": _checksum(body)}))


@pytest.fixture
def twins(tmp_path):
    """Two datasets of the same name with different images of the same id."""
    for number, parent in enumerate("ab"):
        make_folder(tmp_path / parent / "photos", "x.png", "y.png", seed=10 * number)
        build(tmp_path / parent / "photos")
    return tmp_path / "a" / "photos", tmp_path / "b" / "photos"


def test_item_of_another_explorer_asks_with_its_own_hash_key(twins):
    with Explorer(twins[0]) as one, Explorer(twins[1]) as other:
        item = one.item("x")
        result = other.explore_topk(item, topk=2)
        expected = sorted(int(np.bitwise_count(item.hash_key ^ other.item(name).hash_key).sum()) for name in ("x", "y"))
        assert [hit.distance for hit in result] == expected
        assert len(other.explore_topk(item, topk=2, exclude_self=True)) == 2
        assert len(one.explore_topk(item, topk=2, exclude_self=True)) == 1


def test_item_of_another_model_is_refused(twins, tmp_path):
    model = renamed_model(tmp_path / "model", "other")
    build(twins[1], model=str(model), rebuild=True)
    with Explorer(twins[0]) as one, Explorer(twins[1]) as other, pytest.raises(ModelMismatch, match="another model"):
        other.explore_topk(one.item("x"))


def test_model_that_was_moved_is_named_with_the_option_and_found_there(odd_copy, tmp_path, cli):
    model = renamed_model(tmp_path / "model", "other")
    build(odd_copy, model=str(model), rebuild=True)
    moved = model.rename(tmp_path / "moved")
    done = cli("query", odd_copy, "--text", "dog")
    assert done.code == 1
    assert "--model" in done.err
    assert cli("query", odd_copy, "--text", "dog", "--model", moved).code == 0
    assert cli("query", odd_copy, "--item", "loose").code == 0


@pytest.mark.parametrize("location", ["inside", "relative", "name"])
def test_index_from_elsewhere_does_not_choose_the_model_to_load(odd_copy, monkeypatch, location):
    shutil.copytree(renamed_model(odd_copy.parent / "model", "other"), odd_copy / "evil")
    monkeypatch.chdir(odd_copy)
    changes = {
        "inside": {"location": str(odd_copy / "evil")},
        "relative": {"location": "evil"},
        "name": {"name": "evil"},
    }
    restamp_model(odd_copy, **changes[location])
    with Explorer(odd_copy) as explorer, pytest.raises(ModelNotFound, match="--model"):
        explorer.explore_topk("dog")


def test_rebuilding_an_emptied_dataset_with_prune_empties_the_index(odd_copy, cli):
    for path in odd_copy.rglob("*.png"):
        path.unlink()
    assert cli("build", odd_copy, "--rebuild", "--prune").code == 1
    assert describe(odd_copy).items == 0


def test_failed_file_that_was_replaced_is_new_to_info(odd_copy):
    broken = odd_copy / "broken.png"
    broken.write_bytes(b"no image")
    build(odd_copy)
    assert describe(odd_copy).new == 0
    picture(99).save(broken)
    assert describe(odd_copy).new == 1
    assert build(odd_copy).added == 1


def test_folder_that_results_were_saved_to_can_be_built_when_it_is_named(odd_copy):
    (odd_copy / ".clipdexignore").touch()
    assert build(odd_copy, rebuild=True).items == 6


def test_wrong_types_of_queries_are_query_errors(odd):
    with pytest.raises(QueryError, match="is None, and not a str"):
        TextQuery(None)  # type: ignore[arg-type]
    with Explorer(odd) as explorer:
        assert explorer.explore_topk(ImageQuery(str(odd / "loose.png")), topk=np.int64(1))[0].distance == 0
        with pytest.raises(QueryError, match="topk"):
            explorer.explore_topk("dog", topk=1.5)  # type: ignore[arg-type]


def test_long_tables_look_like_short_ones(odd, capfdbinary):
    with Explorer(odd) as explorer:
        result = explorer.explore_topk(["dog", odd / "loose.png"])
    printer.show(result, "table")
    head, *rows = capfdbinary.readouterr().out.decode().splitlines()
    assert len(rows) == len(result)
    printer.show(replace(result, hits=result.hits * 1000), "table")
    assert capfdbinary.readouterr().out.decode().splitlines() == [head, *rows * 1000]


def test_query_without_a_home_folder_is_answered(odd, monkeypatch, cli):
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    done = cli("query", odd, "--item", "loose", "-k", "1")
    assert (done.code, b"loose.png" in done.out) == (0, True)
    assert "no home folder" in done.err


def test_info_shows_no_control_characters_of_an_index_from_elsewhere(odd_copy):
    path = odd_copy / ".clipdex" / "manifest.json"
    body = json.loads(path.read_text())
    body.pop("checksum")
    body["writer"] = body["source_format"] = "\x1b[31mred"
    path.write_text(json.dumps({**body, "checksum": _checksum(body)}))
    done = run_process("info", odd_copy)
    assert done.code == 0
    assert b"\x1b" not in done.out
