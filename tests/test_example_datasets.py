"""The scripts that make small datasets for the documentation."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpers_engine import REPOSITORY

SCRIPTS = {
    "make_small_coco.py": "annotations/instances_val2017.json",
    "make_small_cvat.py": "annotations.xml",
    "make_small_voc.py": "ImageSets/Main/val.txt",
    "make_small_yolo.py": "data.yaml",
}


def make(script, *words):
    command = [sys.executable, REPOSITORY / "examples" / script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_second_run_says_that_the_dataset_exists_and_changes_nothing(script, tmp_path):
    root = tmp_path / "made"
    assert make(script, root).returncode == 0
    before = files(root)
    again = make(script, root)
    assert (again.returncode, again.stdout, again.stderr) == (0, f"{root} exists already.\n", "")
    assert files(root) == before


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("content", ["", "null", "{}", '{"info": {}}'])
def test_another_dataset_is_refused_with_a_sentence_and_kept(script, content, tmp_path):
    other = tmp_path / SCRIPTS[script]
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text(content, encoding="utf-8")
    before = files(tmp_path)
    done = make(script, tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path} exists and is not an empty folder. Name another folder.\n"
    assert files(tmp_path) == before
