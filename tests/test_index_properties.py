"""Properties of an index under any history, and of the search over any keys."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clipdex_indexes import ClipdexError, Index, IndexWriter
from clipdex_indexes.kernels import hamming
from helpers_index import (
    DETERMINISTIC,
    POPCOUNT,
    SMALL_SIZES,
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
    shares = draw(st.lists(st.sampled_from([None, 0, 0.01, 0.2, 0.9, 1]), min_size=len(sizes), max_size=len(sizes)))
    masks = [None if share is None else rng.random(size) < share for share, size in zip(shares, sizes, strict=True)]
    return arrays, queries.astype(np.uint8), draw(st.integers(1, 2500)), masks


@given(key_arrays())
@settings(DETERMINISTIC, max_examples=120)
def test_nearest_is_brute_force_whatever_the_keys_masks_chunks_and_k(case):
    arrays, queries, k, masks = case
    answer = hamming.nearest(arrays, queries, k, masks, SMALL_SIZES)
    for query, by_array in zip(queries, answer, strict=True):
        for keys, mask, found in zip(arrays, masks, by_array, strict=True):
            distances = POPCOUNT[keys ^ query].sum(axis=1)
            order = np.argsort(distances, kind="stable")
            order = (order if mask is None else order[mask[order]])[:k]
            assert found.positions.tolist() == order.tolist()
            assert found.distances.tolist() == distances[order].tolist()


class _Interruption(Exception):
    pass


IDS = [f"{folder}{name}" for folder in ("", "a/", "a-b/", "é/", "many/") for name in ("0", "1.jpg", "10", "12", "x")]
SUBSETS = ["train", "val"]
KEYS = [b"\0\0", b"\0\1", b"\xff\xff", b"\x0f\xf0"]
LABELS = ["cat", "dog", '"', "猫"]


class History(RuleBasedStateMachine):
    """Adds, changes, removals and commits, some of them interrupted, against a dictionary."""

    @initialize(count=st.sampled_from([40, 0, 80]))
    def start(self, count):
        # Nothing here depends on durability, and a sync takes longer than all the rest.
        self.no_sync = mock.patch("os.fsync")
        self.no_sync.start()
        self.root = Path(tempfile.mkdtemp(prefix="clipdex-"))
        self.folder = self.root / "index"
        self.committed = None
        self.pending = {}
        self.snapshots = []
        if count:
            # Large enough for small commits to leave it alone, and to become further segments.
            for number in range(count):
                self.pending[f"many/{number}", "train"] = (("cat",), number, 0, KEYS[number % len(KEYS)])
            self.commit(1)

    def teardown(self):
        self.no_sync.stop()
        for index, _ in self.snapshots:
            index.close()
        shutil.rmtree(self.root)

    @rule(seed=st.integers(0, 2**32), amount=st.sampled_from([1, 1, 2, 12, 50]), commit=st.sampled_from([0, 1, 1, 3]))
    def change(self, seed, amount, commit):
        """Add, change and remove some items; commit them, added in so many parts, or leave them for later."""
        rng = random.Random(seed)
        if rng.random() < 0.05:
            self.pending.clear()
        for _ in range(amount):
            item = (rng.choice(IDS), rng.choice(SUBSETS))
            way = rng.choice(["put", "put", "put", "remove", "touch"])
            if way == "put":
                labels = tuple(rng.choices(LABELS, k=rng.randrange(3)))
                self.pending[item] = (labels, rng.randrange(2**62), rng.randrange(-(2**62), 2**62), rng.choice(KEYS))
            elif way == "touch" and self.pending:
                item = rng.choice(sorted(self.pending))
                self.pending[item] = (*self.pending[item][:3], rng.choice(KEYS))
            elif self.pending:
                del self.pending[rng.choice(sorted(self.pending))]
        if commit:
            self.commit(commit)

    @rule(parts=st.integers(1, 4))
    def commit(self, parts):
        with self._changes() as (writer, new):
            assert sum(writer.add(new[number::parts]) for number in range(parts)) == len(new)
            done = writer.commit()
        assert done.items == len(self.pending)
        assert done.changed == (self.committed != self.pending)
        self._is_committed()

    @rule()
    def rebuild(self):
        with IndexWriter(self.folder, fresh=True) as writer:
            assert writer.base is None
            writer.start(model_stamp(BITS), "folder", "test")
            writer.add(self._pairs(self.pending))
            writer.commit()
        self._is_committed()

    @precondition(lambda self: self.pending != (self.committed or {}))
    @rule(after=st.integers(0, 3), error=st.sampled_from([_Interruption, KeyboardInterrupt, OSError, GeneratorExit]))
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
    @rule(query=st.sampled_from(KEYS), k=st.integers(1, 80))
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
    max_examples=25,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_of_small_changes_over_several_segments(seed):
    """The machine above, driven by plain chance: hypothesis prefers what is small and alike."""
    rng = random.Random(seed)
    history = History()
    history.start(80)
    segments = set()
    try:
        for step in range(60):
            history.change(rng.randrange(2**32) + 1, rng.choice([1, 1, 1, 2, 3, 12]), rng.choice([0, 1, 1, 3]))
            with Index(history.folder) as index:
                segments.add(len(index.segments))
            if step % 5 == 0:
                history.keep_a_snapshot_open()
                history.reopen_and_query(rng.choice(KEYS), rng.randrange(1, 90))
            if step % 11 == 0 and history.pending != history.committed:
                history.interrupted_commit(rng.randrange(4), rng.choice([OSError, KeyboardInterrupt]))
            history.older_snapshots_answer_as_before()
        history.commit(2)
    finally:
        history.teardown()
    assert max(segments) >= 2
