"""A writer that is killed, whenever that is, loses nothing that was committed, and a second one finishes its work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from helpers_amounts import KILLS_AT_RANDOM, STEPS_APART

HELPER = Path(__file__).with_name("helpers_crash.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def folder(tmp_path):
    """A folder in memory, where there is one: these are some thousand small files."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path / "index"
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield Path(path) / "index"


def killed(folder, *how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(HELPER), str(folder), *how],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.splitlines()


def test_a_writer_can_be_killed_at_each_step(folder):
    lines = killed(folder, "steps", str(STEPS_APART.now))
    reports = [json.loads(line) for line in lines if line.startswith("{")]
    steps = {line for line in lines if not line.startswith("{")}
    kinds = (".sqlite", ".faiss", ".json", ".removed")
    for what in ("begin", "written", "synced", "renamed", "done"):
        assert {f"{what} {kind}" for kind in kinds} <= steps
    assert {"rows written", "segments settled", "committed", "collected", "delete .removed", "delete .faiss"} <= steps
    assert len(reports) == 2
    for report in reports:
        assert report["steps"] == report["old"] + report["between"] + report["new"]
        assert min(report["old"], report["between"], report["new"]) > 0


def test_a_writer_can_be_killed_at_any_time(folder):
    [line] = killed(folder, "random", str(KILLS_AT_RANDOM.now))
    outcomes = json.loads(line)
    assert outcomes["old"] + outcomes["between"] + outcomes.get("new", 0) == KILLS_AT_RANDOM.now
    assert outcomes["between"] > 0
