"""Indexes of every released format stay readable: tests/data/index-v1 was committed once, and is never made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest

from clipdex_indexes import Index, ItemRow, ModelStamp, Written

V1 = Path(__file__).parent / "data" / "index-v1"
TIME = 1_700_000_000_000_000_000
ROWS = [
    (ItemRow("0.jpg", "default", (), 1000, TIME), 0),
    (ItemRow("a/2.jpg", "train", ("cat", "dog"), 1002, TIME + 2, "", 1 << 62), 2),
    (ItemRow("a/b c/3.jpg", "val", ('"', "a, b"), 1003, TIME + 3, "media/1.jpg", 7), 3),
    (ItemRow("z.jpg", "default", ("new",), 1, 2), 99),
    (ItemRow("é/4.jpg", "val", ("猫",), 1004, TIME + 4, "!/member.jpg", 8), 4),
    (ItemRow("é/5.jpg", "test", (), 1005, TIME + 5, "/elsewhere/é.png", 9), 5),
]


@pytest.fixture
def v1(tmp_path):
    return Path(shutil.copytree(V1, tmp_path / "index"))


def key(number):
    return bytes((number * step + step) % 256 for step in range(1, 9))


def test_format_1_is_read(v1):
    with Index.open(v1) as index:
        found = [(row, index.key(location).tobytes()) for location, row in index.items()]
        assert index.manifest.format == 1
        assert index.manifest.model == ModelStamp("toy", "d" * 64, 64, "f32", "models/toy")
        assert index.manifest.source_options == {"split": "1"}
        assert (index.manifest.generation, index.manifest.complete) == (2, True)
        assert found == [(row, key(number)) for row, number in ROWS]
        assert len(index.segments) == 2
        assert index.verify().ok
        assert index.find("a/1.jpg") == []
        nearest = index.search(np.frombuffer(found[2][1], np.uint8), 1)
        assert (nearest.ids.tolist(), nearest.distances.tolist()) == ([["a/b c/3.jpg"]], [[0]])


def test_format_1_is_changed(v1):
    with Index.open(v1) as index:
        assert index.remove(["z.jpg"]) == Written(0, 0, 1, 0, 5)
        assert index.add(["a/1.jpg"], np.zeros(8, np.uint8)).items == 6
        assert index.optimize().items == 6
        assert index.verify().ok


def test_files_of_keys_are_those_of_faiss(v1):
    """What is written is to the byte what FAISS writes of the same keys, and FAISS reads it."""
    for path in (v1 / "segments").glob("*.faiss"):
        flat = faiss.read_index_binary(str(path))
        again = path.with_suffix(".again")
        faiss.write_index_binary(flat, str(again))
        assert type(flat) is faiss.IndexBinaryFlat
        assert again.read_bytes() == path.read_bytes()
