"""Where writing fails: a disk that is full, a folder that is read-only, permissions that are missing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from clipdex_indexes import Index, IndexFailure, IndexWriteFailed, IndexWriter
from helpers_index import all_bytes, apply, contents, in_order, live_files, random_pairs, row, segment_files

PAIRS = random_pairs(30, 64, seed=3)
MANY = [(row(f"x/{number:05}.jpg"), bytes(8)) for number in range(20_000)]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of Linux")


@contextlib.contextmanager
def mounted(folder, options):
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: keys of an index stay mapped until the last view of them is gone.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small(tmp_path):
    """A file system of half a megabyte, with an index."""
    with mounted(tmp_path / "disk", "size=512k") as folder:
        apply(folder / "index", PAIRS)
        yield folder


def read(folder):
    with Index(folder) as index:
        assert index.verify().ok
        return contents(index)


def test_a_full_disk_is_said_and_leaves_the_old_index(small):
    index = small / "index"
    before = all_bytes(index)
    with pytest.raises(IndexWriteFailed, match=r"(?i)no space|full"):
        apply(index, MANY)
    assert all_bytes(index) == before
    assert read(index) == PAIRS


@pytest.mark.parametrize("free", [0, 4096, 8192, 16384, 32768, 40960, 49152, 65536])
def test_a_disk_that_is_full_at_any_point_of_a_write_leaves_the_old_index(small, free):
    index = small / "index"
    before = all_bytes(index)
    status = os.statvfs(small)
    (small / "filler").write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - free)))
    new = [(row("~new.jpg"), bytes(8))]
    try:
        done = apply(index, new, [PAIRS[0][0][:2]])
    except IndexFailure as error:
        assert type(error) is IndexWriteFailed
        assert str(small) in str(error)
        assert all_bytes(index) == before
        assert read(index) == PAIRS
        (small / "filler").unlink()
        done = apply(index, new, [PAIRS[0][0][:2]])
    assert done.items == 30
    assert read(index) == in_order([*PAIRS[1:], *new])
    assert segment_files(index) == live_files(index)


def test_a_disk_that_fills_up_keeps_what_was_committed_before(small):
    index = small / "index"
    with pytest.raises(IndexWriteFailed), IndexWriter(index) as writer:
        for start in range(0, len(MANY), 1000):
            writer.add(MANY[start : start + 1000])
            writer.checkpoint()
    found = read(index)
    assert len(found) > len(PAIRS)
    assert found == in_order([*PAIRS, *MANY[: len(found) - len(PAIRS)]])
    assert segment_files(index) == live_files(index)


def test_an_index_on_media_that_cannot_be_written_answers_and_refuses_changes(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as folder:
        apply(folder / "index", PAIRS)
        apply(folder / "index", [], [PAIRS[0][0][:2]])
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert read(folder / "index") == PAIRS[1:]
        with Index(folder / "index") as index:
            assert not index.refresh()
            assert index.search(np.frombuffer(PAIRS[1][1], np.uint8), 1).distances.tolist() == [[0]]
        for where in ("index", "new"):
            with pytest.raises(IndexWriteFailed, match=r"(?i)read-only"):
                apply(folder / where, [(row("new.jpg"), bytes(8))])


AS_NOBODY = """
import os, sys, urllib.parse  # pathlib of Python 3.13 imports it late
from pathlib import Path
import numpy, faiss, hypothesis
from helpers_index import apply, contents, row
from clipdex_indexes import Index, IndexWriteFailed
os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder = Path(sys.argv[1])
with Index(folder) as index:
    print(len(contents(index)))
try:
    apply(folder, [(row("new.jpg"), bytes(8))])
except IndexWriteFailed as error:
    print(error)
"""


def test_an_index_of_somebody_else_answers_and_refuses_changes():
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        apply(folder / "index", PAIRS)
        for path in (folder / "index").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        before = all_bytes(folder / "index")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", AS_NOBODY, str(folder / "index")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("30\n")
        assert "Permission denied" in done.stdout
        assert all_bytes(folder / "index") == before
