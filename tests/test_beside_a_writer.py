"""Commands that read an index give right answers while another process commits to it all the time."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import helpers_writer
from helpers_amounts import LONG, SECONDS_BESIDE_A_WRITER

ITEM = "loose.png"


@pytest.fixture
def written(odd_copy):
    """A dataset whose index changes all the time."""
    program = [sys.executable, helpers_writer.__file__, str(odd_copy / ".clipdex")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "writing\n"
        yield odd_copy
        commits, _ = writer.communicate()
    assert writer.returncode == 0
    assert int(commits) > 4


def commands(dataset: Path, out: Path) -> dict[str, tuple[str | Path, ...]]:
    return {
        "verify": ("verify", dataset),
        "info": ("info", dataset),
        "query": ("query", dataset, "--item", ITEM, "--output", "json", "--topk", "100"),
        "part": ("query", dataset, "--item", ITEM, "--output", "json", "--subset", "train"),
        "duplicates": ("duplicates", dataset, "--output", "json"),
        "export": ("export", dataset, "--hash-keys", out / "keys.json"),
        "tag": ("tag", "list", dataset),
        # It takes seconds.
        **({"map": ("map", dataset, "-o", out / "map.csv", "--force", "--renew")} if LONG else {}),
    }


def test_reading_commands_find_nothing_wrong_beside_a_writer(cli, odd, written, tmp_path):
    own = {hit["id"] for hit in json.loads(cli("query", odd, "--item", ITEM, "--output", "json").out)["hits"]}
    end = time.monotonic() + SECONDS_BESIDE_A_WRITER.now
    wanted = commands(written, tmp_path)
    for turn in itertools.count():
        for name, command in wanted.items():
            (tmp_path / "keys.json").unlink(missing_ok=True)
            done = cli(*command)
            assert "damaged" not in done.err, (name, done.err)
            assert "missing" not in done.err, (name, done.err)
            assert "Traceback" not in done.err, (name, done.err)
            assert done.code == 0, (turn, name, done.code, done.err, done.out)
            if name == "query":
                found = {hit["id"] for hit in json.loads(done.out)["hits"]}
                assert own <= found
                assert all(item in own or item.startswith(helpers_writer.MADE) for item in found)
        if time.monotonic() > end:
            break
