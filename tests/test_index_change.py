"""Removed items and checkpoints: what a commit writes, and what readers then see."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from clipdex_indexes import Commit, Index, IndexCorrupt, IndexWriter, read_manifest
from clipdex_indexes.storage.segment import write_segment
from helpers_index import (
    all_bytes,
    apply,
    ask,
    contents,
    in_order,
    live_files,
    model_stamp,
    oracle,
    random_pairs,
    read,
    row,
    segment_files,
)

PAIRS = random_pairs(40, 64, seed=5)
NEW = in_order((row(f"new/{number}.jpg", labels=("bird",)), bytes([number] * 8)) for number in range(12))


@pytest.fixture
def index(tmp_path):
    apply(tmp_path / "index", PAIRS)
    return tmp_path / "index"


def ids(pairs):
    return [item[:2] for item, _ in pairs]


def stamps(folder):
    return [(one.items, one.live_items) for one in read_manifest(folder).segments]


def test_removing_items_writes_a_bitmap_and_no_segment(index):
    before = all_bytes(index)
    assert apply(index, [], ids(PAIRS[3:9])) == Commit(0, 6, 34, changed=True)
    after = all_bytes(index)
    [bitmap] = set(after) - set(before)
    assert bitmap.endswith(".removed")
    assert len(after[bitmap]) == 5
    assert {name: after[name] for name in before if "manifest" not in name} == {
        name: data for name, data in before.items() if "manifest" not in name
    }
    assert np.flatnonzero(np.unpackbits(np.frombuffer(after[bitmap], np.uint8))).tolist() == [3, 4, 5, 6, 7, 8]
    assert stamps(index) == [(40, 34)]


def test_removed_items_are_in_no_answer(index):
    gone, left = PAIRS[::3], [pair for number, pair in enumerate(PAIRS) if number % 3]
    apply(index, [], ids(gone))
    with Index(index) as opened:
        assert contents(opened) == left
        assert len(opened) == len(left)
        for item, key in PAIRS:
            found = [one[:2] for _, one in opened.find(item.id)]
            assert (item[:2] in found) == ((item, key) in left)
            assert (item.id in opened.ids_like(item.id)) == any(item.id == one.id for one, _ in left)
            assert ask([opened], [key], 5) == [oracle([left], key, 5)]
        assert ask([opened], [bytes(8)], 1000) == [oracle([left], bytes(8), 1000)]
        counts = opened.counts()
    subsets, labels = {}, {}
    for item, _ in left:
        subsets[item.subset] = subsets.get(item.subset, 0) + 1
        for label in set(item.labels):
            labels[label] = labels.get(label, 0) + 1
    assert (counts.subsets, counts.labels) == (subsets, labels)


def test_removing_more_replaces_the_bitmap_and_more_than_half_rewrites_the_segment(index):
    apply(index, [], ids(PAIRS[:5]))
    apply(index, [], ids(PAIRS[5:20]))
    assert stamps(index) == [(40, 20)]
    assert segment_files(index) == live_files(index)
    assert len(segment_files(index)) == 3
    apply(index, [], ids(PAIRS[20:21]))
    assert stamps(index) == [(19, 19)]
    assert segment_files(index) == live_files(index)
    assert read(index) == PAIRS[21:]


def test_a_removed_item_can_come_back(index):
    apply(index, [], ids(PAIRS[:2]))
    changed = [(PAIRS[0][0], b"\0" * 8)]
    assert apply(index, changed) == Commit(1, 0, 39, changed=True)
    assert read(index) == in_order([*changed, *PAIRS[2:]])


def test_removing_an_item_twice_counts_once(index):
    with IndexWriter(index) as writer:
        location = next(at for at, _ in writer.base.items())
        writer.remove(location)
        writer.remove(location)
        assert writer.commit() == Commit(0, 1, 39, changed=True)


def test_a_segment_that_loses_everything_goes_without_a_rewrite(index):
    apply(index, NEW[:3])
    apply(index, [], ids(NEW))
    assert stamps(index) == [(40, 40)]
    assert segment_files(index) == live_files(index)


@pytest.mark.parametrize("at_once", [1, 33, 41, 100])
def test_rows_and_keys_are_the_same_in_pieces_of_any_size(index, tmp_path, monkeypatch, at_once):
    in_pieces = functools.partial(write_segment, piece=at_once)
    monkeypatch.setattr("clipdex_indexes.writer.write_segment", in_pieces)
    other = tmp_path / "other"
    apply(other, PAIRS)
    assert read(other) == read(index) == PAIRS
    [written], [expected] = read_manifest(other).segments, read_manifest(index).segments
    assert written.keys == expected.keys


def test_optimizing_leaves_one_segment_without_removed_items(index):
    apply(index, NEW[:8])
    apply(index, [], ids([*PAIRS[:9], *NEW[:2]]))
    assert stamps(index) == [(40, 31), (8, 6)]
    expected = read(index)
    for changed in (True, False):
        before = all_bytes(index)
        with IndexWriter(index) as writer:
            assert writer.commit(optimize=True) == Commit(0, 0, 37, changed=changed)
        assert (all_bytes(index) == before) == (not changed)
    assert stamps(index) == [(37, 37)]
    assert segment_files(index) == live_files(index)
    assert read(index) == expected == in_order([*PAIRS[9:], *NEW[2:8]])


def test_checkpoints_make_changes_visible_as_an_index_that_is_not_complete(index):
    with IndexWriter(index) as writer:
        everything = list(writer.base.items())
        expected = list(PAIRS)
        for number, pair in enumerate(NEW):
            writer.remove(everything[number][0])
            writer.add([pair])
            expected = in_order([*(one for one in expected if one != PAIRS[number]), pair])
            assert writer.checkpoint() == Commit(1, 1, 40, changed=True)
            assert read(index) == expected
            assert not read_manifest(index).complete
            assert len(stamps(index)) <= 5
            assert segment_files(index) == live_files(index)
        assert writer.checkpoint() == Commit(0, 0, 40, changed=False)
        assert [item for _, item in writer.base.items()] == [item for item, _ in PAIRS]
        assert writer.commit().changed
    assert read_manifest(index).complete
    assert read(index) == expected
    assert stamps(index) == [(40, 28), (8, 8), (3, 3), (1, 1)]
    assert segment_files(index) == live_files(index)


def test_a_first_build_can_be_checkpointed_and_left(tmp_path):
    folder = tmp_path / "index"
    with IndexWriter(folder) as writer:
        writer.start(model_stamp(), "folder", "test")
        writer.add(PAIRS[:7])
        writer.checkpoint()
        writer.add(PAIRS[7:])
    assert read(folder) == PAIRS[:7]
    assert segment_files(folder) == live_files(folder)
    assert not read_manifest(folder).complete
    assert apply(folder, PAIRS[7:]) == Commit(33, 0, 40, changed=True)
    assert stamps(folder) == [(40, 40)]
    assert read_manifest(folder).complete


def test_a_commit_without_changes_completes_what_a_checkpoint_left(index):
    with IndexWriter(index) as writer:
        writer.add(NEW)
        writer.checkpoint()
    with IndexWriter(index) as writer:
        assert writer.commit() == Commit(0, 0, 52, changed=True)
    assert read_manifest(index).complete


def test_what_an_interrupted_build_left_is_not_complete_after_other_writes(index):
    with IndexWriter(index) as writer:
        writer.add(NEW)
        writer.checkpoint()
    with Index(index) as left:
        left.remove([PAIRS[0][0].id], subset=PAIRS[0][0].subset)
        left.optimize()
        left.add(["another"], np.frombuffer(NEW[0][1], np.uint8))
        assert len(left) == 52
    assert not read_manifest(index).complete
    assert apply(index, []).changed
    assert read_manifest(index).complete


def test_a_segment_that_loses_everything_after_a_checkpoint_is_still_readable_by_the_writer(index):
    with IndexWriter(index) as writer:
        for location, _ in list(writer.base.items()):
            writer.remove(location)
        writer.add(NEW)
        assert writer.checkpoint() == Commit(12, 40, 12, changed=True)
        assert [item for _, item in writer.base.items()] == [item for item, _ in PAIRS]
        writer.commit()
    assert read(index) == NEW


def test_a_snapshot_answers_as_before_when_items_are_removed_and_segments_rewritten(index):
    with Index(index) as old:
        apply(index, NEW, ids(PAIRS[:5]))
        with Index(index) as middle:
            apply(index, [], ids(PAIRS[5:]))
            assert contents(old) == PAIRS
            assert contents(middle) == in_order([*PAIRS[5:], *NEW])
            assert ask([middle], [PAIRS[0][1]], 3) == [oracle([[*PAIRS[5:], *NEW]], PAIRS[0][1], 3)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: bytes(len(data)),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: b"",
    ],
)
def test_a_damaged_bitmap_is_reported(index, damage):
    apply(index, [], ids(PAIRS[:5]))
    [path] = (index / "segments").glob("*.removed")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(IndexCorrupt, match="removed"):
        Index(index)
