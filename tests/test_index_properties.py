"""Properties of an index under any history, and of the search over any keys."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clipdex_indexes import ClipdexError, Index, IndexWriter, hamming
from helpers_index import (
    DETERMINISTIC,
    POPCOUNT,
    all_bytes,
    ask,
    contents,
    in_order,
    live_files,
    model_stamp,
    oracle,
    row,
    segment_files,
)

BITS = 16
SMALL_CHUNKS = {"_SMALLEST_CHUNK": 300, "_ONE_THREAD_BELOW": 0, "_SCAN_ROWS": 64}


@st.composite
def key_arrays(draw):
    """Arrays of keys, from all different to all equal, and queries near to them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    width = draw(st.sampled_from([1, 2, 8, 9]))
    distinct = draw(st.sampled_from([1, 2, 3, 100_000]))
    pool = rng.integers(0, 256, (min(distinct, 3000), width), np.uint8)
    sizes = draw(st.lists(st.integers(0, 2000), min_size=1, max_size=3))
    arrays = [pool[rng.integers(0, len(pool), size)] for size in sizes]
    queries = pool[rng.integers(0, len(pool), draw(st.integers(1, 3)))] ^ draw(st.sampled_from([0, 1, 255]))
    return arrays, queries.astype(np.uint8), draw(st.integers(1, 2500))


@given(key_arrays())
@settings(DETERMINISTIC, max_examples=120)
def test_nearest_is_brute_force_whatever_the_keys_chunks_and_k(case):
    arrays, queries, k = case
    with mock.patch.multiple(hamming, **SMALL_CHUNKS):
        answer = hamming.nearest(arrays, queries, k)
    for query, by_array in zip(queries, answer, strict=True):
        for keys, found in zip(arrays, by_array, strict=True):
            distances = POPCOUNT[keys ^ query].sum(axis=1)
            order = np.argsort(distances, kind="stable")[:k]
            assert found.positions.tolist() == order.tolist()
            assert found.distances.tolist() == distances[order].tolist()


class _Interruption(Exception):
    pass


IDS = st.sampled_from([f"{folder}{name}" for folder in ("", "a/", "a-b/", "é/") for name in ("0", "1.jpg", "10")])
SUBSETS = st.sampled_from(["train", "val"])
KEYS = st.sampled_from([b"\0\0", b"\0\1", b"\xff\xff", b"\x0f\xf0"])
LABELS = st.lists(st.sampled_from(["cat", "dog", '"', "猫"]), max_size=2).map(tuple)
VALUES = st.tuples(LABELS, st.integers(0, 2**62), st.integers(-(2**62), 2**62), KEYS)


class History(RuleBasedStateMachine):
    """Adds, changes, removals and commits, some of them interrupted, against a dictionary."""

    @initialize()
    def start_with_nothing(self):
        self.root = Path(tempfile.mkdtemp(prefix="clipdex-"))
        self.folder = self.root / "index"
        self.committed = None
        self.pending = {}
        self.snapshots = []

    def teardown(self):
        for index, _ in self.snapshots:
            index.close()
        shutil.rmtree(self.root)

    @rule(item=IDS, subset=SUBSETS, values=VALUES)
    def add_or_change(self, item, subset, values):
        self.pending[item, subset] = values

    @rule(first=st.integers(0, 50), count=st.integers(5, 60), key=KEYS)
    def add_many(self, first, count, key):
        for number in range(first, first + count):
            self.pending[f"many/{number}", "train"] = (("cat",), number, 0, key)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def remove(self, data):
        del self.pending[data.draw(st.sampled_from(sorted(self.pending)))]

    @rule()
    def remove_everything(self):
        self.pending.clear()

    @rule()
    def commit(self):
        with self._changes() as (writer, new):
            writer.add(new)
            done = writer.commit()
        assert done.items == len(self.pending)
        assert done.changed == (self.committed != self.pending)
        self._is_committed()

    @rule(parts=st.integers(2, 4))
    def commit_in_parts(self, parts):
        with self._changes() as (writer, new):
            assert sum(writer.add(new[number::parts]) for number in range(parts)) == len(new)
            writer.commit()
        self._is_committed()

    @rule()
    def rebuild(self):
        with IndexWriter(self.folder, fresh=True) as writer:
            writer.start(model_stamp(BITS), "folder", "test")
            writer.add(self._pairs(self.pending))
            writer.commit()
        self._is_committed()

    @precondition(lambda self: self.pending != (self.committed or {}))
    @rule(
        after=st.integers(0, 3), error=st.sampled_from([_Interruption, KeyboardInterrupt, OSError, GeneratorExit])
    )
    def interrupted_commit(self, after, error):
        before = all_bytes(self.folder) if self.folder.exists() else {}

        def some(new):
            yield from new[:after]
            raise error("interrupted")

        with pytest.raises((error, ClipdexError)), self._changes() as (writer, new):
            writer.add(new[after:])
            writer.add(some(new))
        assert all_bytes(self.folder) == before

    @precondition(lambda self: self.committed is not None)
    @rule()
    def keep_a_snapshot_open(self):
        if len(self.snapshots) == 3:
            self.snapshots.pop(0)[0].close()
        self.snapshots.append((Index(self.folder), dict(self.committed)))

    @precondition(lambda self: self.committed is not None)
    @rule(query=KEYS, k=st.integers(1, 80))
    def reopen_and_query(self, query, k):
        with Index(self.folder) as index:
            assert ask([index], [query], k) == [oracle([self._pairs(self.committed)], query, k)]

    @precondition(lambda self: self.committed)
    @rule(data=st.data())
    def look_up(self, data):
        item, subset = data.draw(st.sampled_from(sorted(self.committed)))
        same = sorted(key for key in self.committed if key[0] == item)
        with Index(self.folder) as index:
            assert [found[:2] for _, found in index.find(item)] == same
            location = next(at for at, found in index.find(item) if found.subset == subset)
            assert index.key(location).tobytes() == self.committed[item, subset][3]
            assert item in index.ids_like(item)

    @invariant()
    def older_snapshots_answer_as_before(self):
        for index, model in self.snapshots:
            pairs = self._pairs(model)
            assert len(index) == len(pairs)
            assert ask([index], [b"\0\1"], 7) == [oracle([pairs], b"\0\1", 7)]

    @contextlib.contextmanager
    def _changes(self):
        before = self.committed or {}
        with IndexWriter(self.folder) as writer:
            if writer.base is None:
                assert self.committed is None
                writer.start(model_stamp(BITS), "folder", "test")
            else:
                for location, item in writer.base.items():
                    if self.pending.get(item[:2]) != before[item[:2]]:
                        writer.remove(location)
            changed = {key: values for key, values in self.pending.items() if before.get(key) != values}
            yield writer, self._pairs(changed)

    @staticmethod
    def _pairs(model):
        return in_order((row(*item, *values[:3]), values[3]) for item, values in model.items())

    def _is_committed(self):
        self.committed = dict(self.pending)
        pairs = self._pairs(self.committed)
        with Index(self.folder) as index:
            assert contents(index) == pairs
            assert len(index) == len(pairs)
            counts = index.counts()
            assert sum(counts.subsets.values()) == len(pairs)
            sizes = sorted(len(segment) for segment in index.segments)
            assert 0 not in sizes
        assert segment_files(self.folder) == live_files(self.folder)
        assert {path.name for path in self.folder.iterdir()} == {"manifest.json", "segments", "lock"}


TestHistory = History.TestCase
TestHistory.settings = settings(
    DETERMINISTIC,
    max_examples=40,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
