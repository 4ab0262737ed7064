"""One contract for the index on disk and the one in memory: ids and NumPy arrays in, neighbours out."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipdex_indexes import (
    ClipdexError,
    Index,
    IndexLocked,
    IndexNotFound,
    IndexWriteFailed,
    MemoryIndex,
    Written,
    read_manifest,
)
from clipdex_indexes.storage.lock import WriterLock
from helpers_index import POPCOUNT

BITS = 32


@pytest.fixture(params=["disk", "memory"])
def index(request, tmp_path):
    made = Index.create(tmp_path / "index", BITS) if request.param == "disk" else MemoryIndex.create(BITS)
    with made as opened:
        yield opened


def keys_of(count, seed=0, distinct=None):
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 256, (distinct or count, BITS // 8), np.uint8)
    return pool[rng.integers(0, len(pool), count)] if distinct else pool


def expected(items, query, k):
    """Brute force: distances and items, in the one order that is right."""
    ranked = sorted((int(POPCOUNT[key ^ query].sum()), item) for item, key in items.items())
    return ranked[:k]


def answers(found):
    return [
        [(int(d), (i, s)) for d, i, s in zip(*row, strict=True)]
        for row in zip(found.distances, found.ids, found.subsets, strict=True)
    ]


def test_an_index_starts_empty_and_says_so(index):
    assert (len(index), index.bits) == (0, BITS)
    found = index.search(keys_of(3), 5)
    assert found.distances.shape == found.ids.shape == found.subsets.shape == (3, 0)
    assert found.distances.dtype == np.int64
    assert index.verify().ok
    assert not index.refresh()


def test_neighbours_are_those_of_brute_force_with_ties_in_item_order(index):
    keys = keys_of(300, distinct=9)
    ids = [f"{number % 7}/{number}.jpg" for number in range(300)]
    assert index.add(ids, keys) == Written(300, 0, 0, 0, 300)
    items = {(one, "default"): key for one, key in zip(ids, keys, strict=True)}
    queries = keys_of(5, seed=1)
    for k in (1, 7, 299, 1000):
        found = index.search(queries, k)
        assert found.distances.shape == (5, min(k, 300))
        assert answers(found) == [expected(items, query, k) for query in queries]


def within_by_brute_force(items, query, distance):
    return [pair for pair in expected(items, query, len(items)) if pair[0] <= distance]


def items_of(answer):
    return [(int(d), (i, s)) for d, i, s in zip(answer.distances, answer.ids, answer.subsets, strict=True)]


def test_everything_within_a_distance_is_that_of_brute_force_with_ties_in_item_order(index):
    keys = keys_of(300, distinct=9)
    ids = [f"{number % 7}/{number}.jpg" for number in range(300)]
    index.add(ids, keys)
    items = {(one, "default"): key for one, key in zip(ids, keys, strict=True)}
    queries = np.concatenate([keys_of(4, seed=1), keys[:1]])
    for distance in (0, 1, 12, np.int64(16), BITS, 10 * BITS):
        answers = list(index.within(queries, distance))
        assert [items_of(answer) for answer in answers] == [within_by_brute_force(items, q, distance) for q in queries]
        assert [len(answer) for answer in answers] == [len(answer.ids) for answer in answers]
        assert all(answer.distances.dtype == np.int64 and answer.ids.dtype == object for answer in answers)
    assert [len(answer) for answer in index.within(queries, BITS)] == [300] * 5


def test_what_is_within_a_distance_is_found_in_all_segments_without_removed_items(index):
    keys = keys_of(400, distinct=30)
    ids = [f"{number * 7 % 400:03}" for number in range(400)]
    for start, stop in ((0, 300), (300, 380), (380, 400)):  # on disk: three segments, whose ids interleave
        index.add(ids[start:stop], keys[start:stop], subset="val" if start == 300 else "default")
    gone = ids[:300:9]
    index.remove(gone)
    items = {
        (one, "val" if 300 <= number < 380 else "default"): key
        for number, (one, key) in enumerate(zip(ids, keys, strict=True))
        if one not in gone or number >= 300
    }
    assert len(getattr(index, "segments", range(3))) == 3
    queries = np.concatenate([keys[:3], keys[-2:], keys_of(2, seed=5)])
    for distance in (0, 11, 17, BITS):
        assert [items_of(answer) for answer in index.within(queries, distance)] == [
            within_by_brute_force(items, query, distance) for query in queries
        ]
    [answer] = index.within(keys[0], 3)
    assert items_of(answer) == within_by_brute_force(items, keys[0], 3)


def test_what_is_within_a_distance_is_that_of_the_moment_of_the_call(index):
    keys = keys_of(3)
    index.add(["a", "b"], keys[:2])
    answers = index.within(keys, BITS)
    index.add(["c"], keys[2:])
    index.remove(["a"])
    assert [sorted(answer.ids) for answer in answers] == [["a", "b"]] * 3
    assert [sorted(answer.ids) for answer in index.within(keys, BITS)] == [["b", "c"]] * 3


def test_nothing_is_within_a_distance_where_there_is_nothing(index):
    assert [len(answer) for answer in index.within(keys_of(2), BITS)] == [0, 0]
    index.add(["a"], np.zeros((1, 4), np.uint8))
    [answer] = index.within(np.full((1, 4), 255, np.uint8), BITS - 1)
    assert answer.distances.shape == answer.ids.shape == answer.subsets.shape == (0,)
    assert list(index.within([], 5)) == []


def test_one_key_is_one_query(index):
    key = keys_of(1)[0]
    index.add(["a"], key)
    found = index.search(key)
    assert (found.distances.tolist(), found.ids.tolist(), found.subsets.tolist()) == ([[0]], [["a"]], [["default"]])


def test_adding_an_id_again_replaces_it(index):
    first, second = keys_of(2, seed=1), keys_of(2, seed=2)
    index.add(["a", "b"], first)
    assert index.add(["b", "c"], second) == Written(1, 1, 0, 0, 3)
    assert np.array_equal(index.keys(["a", "b", "c"]), np.stack([first[0], second[0], second[1]]))
    assert len(index) == 3


def test_the_same_id_in_two_subsets_is_two_items(index):
    one, other = keys_of(2, seed=3)
    index.add(["a"], one, subset="train")
    assert index.add(["a"], other, subset="val") == Written(1, 0, 0, 0, 2)
    assert np.array_equal(index.keys(["a"], subset="val")[0], other)
    assert index.search(one, 1).subsets.tolist() == [["train"]]
    assert index.remove(["a"], subset="train") == Written(0, 0, 1, 0, 1)
    assert index.search(one, 5).subsets.tolist() == [["val"]]


def test_removing_says_what_was_there_and_what_was_not(index):
    index.add(["a", "b", "c"], keys_of(3))
    assert index.remove(["b", "nothing"]) == Written(0, 0, 1, 1, 2)
    assert index.remove(["b"]) == Written(0, 0, 0, 1, 2)
    with pytest.raises(KeyError):
        index.keys(["b"])
    assert sorted(index.search(keys_of(1), 9).ids[0]) == ["a", "c"]


def test_keys_come_back_as_copies(index):
    keys = keys_of(4)
    index.add(list("abcd"), keys)
    back = index.keys(np.array(["d", "a"], object))
    assert np.array_equal(back, keys[[3, 0]])
    assert back.dtype == np.uint8
    back[:] = 0
    assert np.array_equal(index.keys(["d"])[0], keys[3])
    assert index.keys([]).shape == (0, BITS // 8)


def test_nothing_in_is_nothing_done(index):
    assert index.add([], keys_of(1)[:0]) == index.remove([]) == index.optimize() == Written(0, 0, 0, 0, 0)
    assert index.search(keys_of(1)[:0], 3).ids.shape[0] == 0


@pytest.mark.parametrize(
    "ids, keys, labels",
    [
        (["a"], np.zeros((1, 3), np.uint8), None),
        (["a"], np.zeros((1, 4), np.int64), None),
        (["a"], np.zeros((1, 4), bool), None),
        (["a"], np.zeros((1, 1, 4), np.uint8), None),
        (["a", "b"], np.zeros((1, 4), np.uint8), None),
        (["a", "a"], np.zeros((2, 4), np.uint8), None),
        (["../a"], np.zeros((1, 4), np.uint8), None),
        ([""], np.zeros((1, 4), np.uint8), None),
        ([7], np.zeros((1, 4), np.uint8), None),
        (["a"], np.zeros((1, 4), np.uint8), [["x"], ["y"]]),
    ],
)
def test_what_cannot_be_added_is_refused_and_changes_nothing(index, ids, keys, labels):
    index.add(["z"], keys_of(1))
    with pytest.raises(ValueError, match=r"\w"):
        index.add(ids, keys, labels=labels)
    assert len(index) == 1


@pytest.mark.parametrize("k", [0, -1])
def test_a_k_below_one_is_refused(index, k):
    with pytest.raises(ValueError, match="k is"):
        index.search(keys_of(1), k)


def test_a_distance_that_cannot_be_is_refused_when_it_is_given(index):
    with pytest.raises(ValueError, match="the distance is -1, and must be at least 0"):
        index.within(keys_of(1), -1)
    for distance in (2.5, "3", None):
        with pytest.raises(TypeError):
            index.within(keys_of(1), distance)
        with pytest.raises(TypeError):
            index.search(keys_of(1), distance)


@pytest.mark.parametrize("empty", [(0, 5), (0, 3), (0,), (4, 0), (0, 4, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_an_array_of_no_keys_of_the_wrong_kind_is_refused_like_one_with_keys(index, empty, dtype):
    index.add(["a"], keys_of(1))
    keys = np.empty(empty, dtype)
    for call in (lambda: index.search(keys), lambda: index.within(keys, 3), lambda: index.add([], keys)):
        with pytest.raises(ValueError, match=r"and must be uint8 \[n, 4\], as numpy.packbits makes them of 32 bits"):
            call()
    with pytest.raises(ValueError, match=r"keys are float64 \[0, 4\], and must be uint8"):
        index.search(np.empty((0, 4)))


@pytest.mark.parametrize("nothing", [[], (), np.empty((0, 4), np.uint8)], ids=["list", "tuple", "array"])
def test_no_queries_have_no_answers_and_no_keys_add_nothing(index, nothing):
    index.add(["a"], keys_of(1))
    assert len(index.search(nothing).ids) == 0
    assert list(index.within(nothing, 3)) == []
    assert index.add([], nothing) == Written(0, 0, 0, 0, 1)


@pytest.mark.parametrize("bits", [0, 7, -8, 9000])
def test_a_length_of_keys_that_cannot_be_is_refused(tmp_path, bits):
    for make in (lambda: Index.create(tmp_path / "i", bits), lambda: MemoryIndex.create(bits)):
        with pytest.raises(ValueError, match="multiple of 8"):
            make()
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("seed", range(3))
def test_any_history_is_that_of_a_dictionary(index, seed):
    rng = random.Random(seed)
    items = {}
    for step in range(25):
        subset = rng.choice(["default", "val"])
        chosen = rng.sample([f"{n % 3}/{n}" for n in range(40)], rng.randrange(12))
        if rng.random() < 0.6:
            keys = keys_of(len(chosen), seed=rng.randrange(1 << 30), distinct=5) if chosen else keys_of(1)[:0]
            known = sum((one, subset) in items for one in chosen)
            items.update({(one, subset): key for one, key in zip(chosen, keys, strict=True)})
            done = index.add(chosen, keys, subset=subset)
            assert done == Written(len(chosen) - known, known, 0, 0, len(items))
        else:
            gone = [items.pop((one, subset), None) is not None for one in chosen]
            assert index.remove(chosen, subset=subset) == Written(0, 0, sum(gone), gone.count(False), len(items))
        if step % 8 == 7:
            assert index.optimize().items == len(items)
        query = keys_of(1, seed=step)[0]
        assert answers(index.search(query, 12)) == [expected(items, query, 12)]
        assert len(index) == len(items)
    checked = index.verify()
    assert checked.ok
    assert checked.items == len(items)


def test_threads_read_while_another_writes(index):
    keys = keys_of(200, seed=9)
    ids = [f"{number:03}" for number in range(200)]
    index.add(ids[:50], keys[:50])
    done = []

    def read():
        while not done:
            found = index.search(keys[:3], 4)
            assert found.ids[:, 0].tolist() == ids[:3]
            assert found.distances[:, 0].tolist() == [0, 0, 0]

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for start in range(50, 200, 10):
                index.add(ids[start : start + 10], keys[start : start + 10])
            index.remove(ids[150:])
        finally:
            done.append(True)
        for reader in readers:
            reader.result(30)
    assert len(index) == 150


# What only an index on disk does.


@pytest.fixture
def disk(tmp_path):
    with Index.create(tmp_path / "index", BITS) as opened:
        opened.add(["a", "b"], keys_of(2), labels=[["cat"], []])
        yield opened


def test_an_index_on_disk_can_be_opened_again(disk):
    with Index.open(disk.folder) as again:
        assert np.array_equal(again.keys(["b", "a"]), keys_of(2)[::-1])
        assert again.counts().labels == {"cat": 1}
    with pytest.raises(IndexNotFound):
        Index.open(disk.folder / "nothing")


def test_another_reader_sees_changes_when_it_is_refreshed(disk):
    with Index.open(disk.folder) as other:
        disk.add(["c"], keys_of(1, seed=4))
        assert len(other) == 2
        before = other.snapshot()
        assert other.refresh()
        assert not other.refresh()
        assert (len(other), len(before)) == (3, 2)
        disk.remove(["a", "b", "c"])
        disk.optimize()
        assert answers(other.search(keys_of(1), 1)) == [[(0, ("a", "default"))]]
        assert answers(before.search(keys_of(1), 1)) == [[(0, ("a", "default"))]]
        assert other.refresh()
        assert len(other) == 0


def test_refreshing_keeps_open_what_is_still_there(disk):
    with Index.open(disk.folder) as other:
        disk.add([f"many/{number}" for number in range(30)], keys_of(30))
        other.refresh()
        disk.add(["c"], keys_of(1, seed=4))
        kept = other.segments[0]
        other.refresh()
        assert other.segments[0] is kept
        assert len(other.segments) == 2


def test_making_an_index_where_there_is_one_is_refused(disk, tmp_path):
    with pytest.raises(IndexWriteFailed, match="already"):
        Index.create(disk.folder, BITS)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(IndexWriteFailed):
        Index.create(tmp_path, BITS)
    assert len(disk) == 2


def test_a_write_waits_for_the_lock_or_fails_at_once(disk):
    with WriterLock(disk.folder):
        for write in (
            lambda: disk.add(["x"], keys_of(1), wait=False),
            lambda: disk.remove(["a"], wait=False),
            lambda: disk.optimize(wait=False),
        ):
            with pytest.raises(IndexLocked):
                write()
    assert disk.add(["x"], keys_of(1)).added == 1


@pytest.mark.parametrize("suffix", ["faiss", "sqlite", "removed"])
def test_verifying_finds_what_opening_does_not(tmp_path, suffix):
    """One byte in the middle of a large file."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 256, (5000, 64), np.uint8)
    with Index.create(tmp_path / "index", 512) as index:
        index.add([f"{number:05}.jpg" for number in range(5000)], keys)
        index.remove([f"{number:05}.jpg" for number in range(0, 5000, 7)])
        assert index.verify().ok
    [path] = (tmp_path / "index" / "segments").glob(f"*.{suffix}")
    data = bytearray(path.read_bytes())
    # Between the blocks of the sample, which begin at (size - 4096) * i // 15.
    at = (len(data) - 4096) * 7 // 15 + 4096 + 100 if suffix != "removed" else 5
    data[at] ^= 1
    path.write_bytes(data)
    if suffix == "removed":
        with pytest.raises(ClipdexError):
            Index.open(tmp_path / "index")
        return
    told = []
    with Index.open(tmp_path / "index") as index:
        checked = index.verify(lambda *progress: told.append(progress))
    assert not checked.ok
    assert str(path) in checked.problems[0]
    assert checked.files == 3
    assert told[2][:2] == ("bytes", checked.bytes)


def test_verifying_finds_an_item_that_is_in_two_segments(disk):
    from clipdex_indexes import IndexWriter, ItemRow

    disk.add([f"many/{number}" for number in range(30)], keys_of(30))
    with IndexWriter(disk.folder) as writer:
        writer.add([(ItemRow("a", "default", (), 0, 0), bytes(4))])
        writer.commit()
    disk.refresh()
    assert len(read_manifest(disk.folder).segments) == 2
    [problem] = disk.verify().problems
    assert "'a'" in problem
    assert "twice" in problem


def test_verifying_names_a_file_that_is_gone(disk):
    [path] = (disk.folder / "segments").glob("*.faiss")
    path.unlink()
    assert disk.verify().problems == (f"{path} is missing.",)


def test_verifying_checks_the_newer_index_where_a_writer_has_replaced_files(disk):
    disk.add(["b"], keys_of(1))
    with Index.open(disk.folder) as before:
        items = len(before)
        disk.remove(["b"])
        disk.optimize()
        checked = before.verify()
        assert checked.problems == ()
        assert checked.items == len(disk) == items - 1
        assert len(before) == items


def test_verifying_reads_on_where_a_writer_deletes_files_meanwhile(disk):
    disk.add(["c"], keys_of(1))
    with Index.open(disk.folder) as before:
        paths = [path for path in (disk.folder / "segments").iterdir() if path.suffix in (".faiss", ".sqlite")]
        assert len(paths) == 2

        def replace(what, done, total):
            if paths[0].exists():
                disk.remove(["a"])
                disk.optimize()

        checked = before.verify(replace)
        assert not any(path.exists() for path in paths)
        assert checked.problems == ()
        assert checked.items == len(before) == len(disk) + 1


def test_one_text_is_not_taken_for_a_list_of_letters(index):
    index.add(["a", "b"], keys_of(2))
    for call in (lambda: index.remove("ab"), lambda: index.add("ab", keys_of(2)), lambda: index.keys("ab")):
        with pytest.raises(ValueError, match="must be a list of texts"):
            call()
    assert len(index) == 2


def test_an_index_shows_what_it_is(index):
    index.add(["a"], keys_of(1))
    assert "1 keys of 32 bits" in repr(index)


def test_a_closed_index_neither_answers_nor_writes(tmp_path):
    closed = Index.create(tmp_path / "index", BITS)
    closed.add(["a"], keys_of(1))
    before = closed.snapshot()
    closed.close()
    for call in (
        *(lambda: closed.search(keys_of(1)), lambda: closed.within(keys_of(1), 3), closed.verify),
        *(closed.refresh, closed.optimize, closed.snapshot),
        *(lambda: closed.keys(["a"]), lambda: closed.add(["b"], keys_of(1)), lambda: closed.remove(["a"])),
    ):
        with pytest.raises(ValueError, match="was closed: open it again"):
            call()
    with pytest.raises(ValueError, match="was closed"):
        before.keys(["a"])
    assert len(Index.open(tmp_path / "index")) == 1


def test_the_package_lists_what_it_offers():
    import clipdex_indexes

    assert {"Index", "MemoryIndex", "search"} <= set(dir(clipdex_indexes))
