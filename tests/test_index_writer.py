"""Writing an index: all or nothing, one writer at a time, readers undisturbed."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from clipdex_indexes import (
    Commit,
    Index,
    IndexCorrupt,
    IndexFailure,
    IndexLocked,
    IndexNotFound,
    IndexWriteFailed,
    IndexWriter,
    read_manifest,
    writer,
)
from clipdex_indexes.storage import files, segment
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

PAIRS = random_pairs(20, 64, seed=1)
NEW = (row("~new.jpg"), b"\xaa" * 8)
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def index(tmp_path):
    apply(tmp_path / "index", PAIRS)
    return tmp_path / "index"


def sizes(folder):
    return [stamp.items for stamp in read_manifest(folder).segments]


class Program:
    """A Python program in another process, which says ``ready`` and waits to be told to go on."""

    def __init__(self, folder, source):
        before = "import sys\nfrom pathlib import Path\nfrom helpers_index import *\nfolder = Path(sys.argv[1])\n"
        before += "def wait():\n    print('ready', flush=True)\n    sys.stdin.readline()\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + textwrap.dedent(source), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def __enter__(self):
        assert self.process.stdout.readline().strip() == b"ready"
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


HOLDS_THE_LOCK = """
    with IndexWriter(folder):
        wait()
"""

WRITES_SLOWLY = """
    def rows():
        for number in range(25_000):
            if number == 24_000:
                wait()
            yield row(f"x/{number:06}.jpg"), bytes(8)

    with IndexWriter(folder) as writer:
        writer.add(iter([(row("first.jpg"), bytes(8))]))
        writer.add(rows())
        writer.commit()
"""

COMMITS_IN_PART = """
    import clipdex_indexes.writer as module
    module.write_manifest = lambda *_: wait()
    apply(folder, [(row("first.jpg"), bytes(8))])
"""


def test_a_lock_held_by_another_process_is_refused_by_its_number_and_freed_by_its_death(index):
    before = all_bytes(index)
    with Program(index, HOLDS_THE_LOCK) as process:
        with pytest.raises(IndexLocked, match=rf"process {process.pid} on .*try again") as caught, IndexWriter(index):
            pass
        assert str(index) in str(caught.value)
        assert read(index) == PAIRS
        process.kill()
        process.wait()
        assert apply(index, [NEW]).added == 1
    assert set(before) < set(all_bytes(index))


def test_readers_see_the_old_index_until_a_writer_in_another_process_commits(index):
    with Program(index, WRITES_SLOWLY) as process:
        assert any(name.startswith(files.TEMPORARY_PREFIX) for name in segment_files(index))
        assert read(index) == PAIRS
        with Index(index) as old:
            process.communicate(b"\n")
            assert process.returncode == 0
            with Index(index) as new:
                assert len(new) == 20 + 25_001
            assert contents(old) == PAIRS
    assert segment_files(index) == live_files(index)


@posix
@pytest.mark.parametrize("source", [WRITES_SLOWLY, COMMITS_IN_PART], ids=["while adding", "while committing"])
def test_a_writer_killed_in_the_middle_leaves_the_old_index_and_the_next_one_cleans_up(index, source):
    before = all_bytes(index)
    with Program(index, source) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = all_bytes(index)
    assert {name: left[name] for name in before} == before
    assert set(left) > set(before)
    assert read(index) == PAIRS
    apply(index, [NEW])
    assert segment_files(index) == live_files(index)
    assert read(index) == in_order([*PAIRS, NEW])


def test_two_writers_in_one_process_exclude_each_other(index):
    with IndexWriter(index), pytest.raises(IndexLocked, match=str(os.getpid())), IndexWriter(index):
        pass
    with IndexWriter(index):
        pass


def test_the_lock_is_freed_when_a_writer_fails_to_enter(index):
    (index / "manifest.json").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(IndexCorrupt), IndexWriter(index):
            pass


def test_a_commit_without_changes_touches_nothing(index):
    def state():
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
            for path in index.rglob("*")
            if path.is_file() and path.name != "lock"
        }

    before = state()
    with IndexWriter(index) as opened:
        assert opened.add(iter(())) == 0
        assert opened.commit() == Commit(0, 0, 20, changed=False)
    assert state() == before


def test_a_writer_that_does_not_commit_leaves_everything_as_it_was(index):
    before = all_bytes(index)
    with IndexWriter(index) as opened:
        opened.add([NEW])
        location, _ = opened.base.find(PAIRS[0][0].id)[0]
        opened.remove(location)
    assert all_bytes(index) == before


def test_a_commit_says_what_it_did(tmp_path):
    assert apply(tmp_path / "i", PAIRS) == Commit(20, 0, 20, changed=True)
    assert apply(tmp_path / "i", [NEW], [PAIRS[0][0][:2]]) == Commit(1, 1, 20, changed=True)
    assert apply(tmp_path / "i", [], [item[:2] for item, _ in PAIRS]) == Commit(0, 19, 1, changed=True)
    assert apply(tmp_path / "i", [], [NEW[0][:2]]) == Commit(0, 1, 0, changed=True)
    assert read(tmp_path / "i") == []
    assert segment_files(tmp_path / "i") == set()


def test_each_commit_is_one_generation_and_keeps_the_model(index):
    first = read_manifest(index)
    apply(index, [NEW])
    second = read_manifest(index)
    assert (first.generation, second.generation) == (1, 2)
    assert first.model == second.model == model_stamp(64)


def test_a_fresh_index_replaces_the_old_one_only_when_it_is_committed(index):
    with IndexWriter(index, fresh=True) as opened:
        assert opened.base is None
        opened.start(model_stamp(72), "folder", "test")
        opened.add([(row("other"), bytes(9))])
        assert read(index) == PAIRS
        opened.commit()
    assert read(index) == [(row("other"), bytes(9))]
    assert segment_files(index) == live_files(index)


def test_a_changed_item_is_a_removal_and_an_addition(index):
    item, key = PAIRS[3]
    changed = (item._replace(size=1, labels=("bird",)), bytes(8))
    assert changed[1] != key
    apply(index, [changed], [item[:2]])
    assert read(index) == [*PAIRS[:3], changed, *PAIRS[4:]]


def test_nothing_is_added_before_it_is_said_what_the_index_holds(tmp_path):
    with IndexWriter(tmp_path / "new") as opened:
        with pytest.raises(ValueError, match="start"):
            opened.add([NEW])
        with pytest.raises(ValueError, match="start"):
            opened.commit()
    with pytest.raises(IndexNotFound):
        Index(tmp_path / "new")


def test_what_is_added_in_parts_becomes_one_segment_in_item_order(tmp_path):
    with IndexWriter(tmp_path / "i") as opened:
        opened.start(model_stamp(64), "folder", "test")
        assert [opened.add(PAIRS[part::3]) for part in range(3)] == [7, 7, 6]
        assert opened.commit() == Commit(20, 0, 20, changed=True)
    assert sizes(tmp_path / "i") == [20]
    assert read(tmp_path / "i") == PAIRS


def test_a_writer_commits_once(index):
    """A second commit would start from the base again, and lose what the first one added."""
    with IndexWriter(index) as opened:
        opened.add([NEW])
        opened.commit()
        for again in (opened.commit, lambda: opened.add([NEW])):
            with pytest.raises(ValueError, match="once"):
                again()
    assert read(index) == in_order([*PAIRS, NEW])
    assert segment_files(index) == live_files(index)


def test_items_know_their_segment_when_there_are_several(tmp_path):
    folder = tmp_path / "index"
    apply(folder, PAIRS)
    apply(folder, [(row("a/~5"), b"5" * 8), (row("~1"), b"1" * 8)])
    assert sizes(folder) == [20, 2]
    with Index(folder) as opened:
        locations = {item.id: location for location, item in opened.items()}
        assert (locations["~1"].segment, locations["~1"].position) == (1, 1)
        assert opened.key(locations["a/~5"]).tobytes() == b"5" * 8
        assert opened.rows(list(locations.values())) == [item for _, item in opened.items()]
        assert {location.segment for location in locations.values()} == {0, 1}
    expected = in_order([*PAIRS[1:], (row("~1"), b"1" * 8)])
    apply(folder, [], [PAIRS[0][0][:2], ("a/~5", "default")])
    assert read(folder) == expected


def test_the_number_of_segments_stays_logarithmic_over_many_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    pairs = random_pairs(60, 64, seed=4)
    shuffled = random.Random(2).sample(pairs, len(pairs))
    for number, pair in enumerate(shuffled):
        apply(tmp_path / "i", [pair])
        assert len(sizes(tmp_path / "i")) <= (number + 1).bit_length()
    assert read(tmp_path / "i") == pairs
    with Index(tmp_path / "i") as opened:
        assert ask([opened], [bytes(8)], 9) == [oracle([pairs], bytes(8), 9)]


def test_a_file_in_place_of_a_folder_is_a_failed_write_that_says_what_to_do(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(IndexWriteFailed, match="--index"), IndexWriter(folder):
            pass
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_manifest_that_cannot_be_replaced_leaves_the_old_index(index):
    before = all_bytes(index)
    original = Path.replace

    def refuse(self, target):
        if Path(target).name == "manifest.json":
            raise PermissionError(13, "Permission denied")
        return original(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(IndexWriteFailed, match="Permission denied"):
            apply(index, [NEW], [PAIRS[0][0][:2]])
    assert all_bytes(index) == before
    assert apply(index, [NEW]).items == 21


FAILURES = {
    "keys": (segment, "_write_files", OSError(28, "No space left on device")),
    "sync": (files, "fsync_file", OSError(28, "No space left on device")),
    "checksum": (segment, "stamp_of", OSError(5, "Input/output error")),
    "table": (segment.TableWriter, "finish", sqlite3.OperationalError("disk is full")),
    "manifest": (writer, "write_manifest", IndexWriteFailed("no")),
}


@pytest.mark.parametrize("where", FAILURES)
def test_a_failed_write_is_typed_and_leaves_the_old_index_and_no_files(index, monkeypatch, where):
    owner, name, error = FAILURES[where]
    before = all_bytes(index)

    def fail(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(IndexWriteFailed):
        patch.setattr(owner, name, fail)
        apply(index, [NEW], [PAIRS[0][0][:2]])
    assert all_bytes(index) == before
    assert read(index) == PAIRS


@pytest.mark.parametrize("limit", [0, 100, 5_000, 20_000, 60_000])
@posix
def test_a_full_disk_is_a_failed_write_that_leaves_the_old_index(index, limit):
    """The limit on the size of a file stands for the full disk: writing fails in SQLite, FAISS and Python alike."""
    import resource

    before = all_bytes(index)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    items = [(row(f"{number}.jpg"), bytes(8)) for number in range(3000)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            apply(index, items)
            failed = None
        except IndexFailure as error:
            failed = error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert type(failed) is IndexWriteFailed
    assert all_bytes(index) == before
    assert apply(index, items).added == 3000


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, RuntimeError])
@pytest.mark.parametrize("after", [0, 1, 25_000])
def test_an_exception_among_the_rows_leaves_the_old_index_and_no_files(index, error, after):
    before = all_bytes(index)

    def rows():
        for number in range(after):
            yield row(f"{number:06}"), bytes(8)
        raise error("interrupted")

    with pytest.raises(error, match="interrupted"):
        _add(index, rows())
    assert all_bytes(index) == before


def _add(folder, rows):
    with IndexWriter(folder) as opened:
        opened.add([(row("~before"), bytes(8))])
        opened.add(rows)
        opened.commit()


@pytest.mark.parametrize("pairs", [[(row("a"), b"short")], [(row("a"), bytes(8)), (row("a"), bytes(8))]])
def test_rows_that_make_no_segment_leave_no_files(index, pairs):
    before = all_bytes(index)
    with pytest.raises((ValueError, IndexWriteFailed)):
        _add(index, pairs)
    assert all_bytes(index) == before


@pytest.mark.parametrize("fresh", [False, True])
def test_an_interruption_just_after_the_commit_loses_nothing(index, monkeypatch, fresh):
    """Ctrl-C while the folder is synced: the manifest already names the new segments, which must stay."""

    def interrupt(folder):
        if folder == index:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "fsync_folder", interrupt)
        apply(index, [NEW], fresh=fresh)
    expected = [NEW] if fresh else in_order([*PAIRS, NEW])
    assert read(index) == expected
    apply(index, [], [NEW[0][:2]])
    assert segment_files(index) == live_files(index)


def test_garbage_is_collected_and_the_files_of_others_are_left(index):
    segments = index / "segments"
    own = ["0" * 32 + ".faiss", "0" * 32 + ".sqlite", ".tmp-" + "1" * 32 + ".sqlite", "2" * 32 + ".sqlite-journal"]
    others = ["notes.txt", "0" * 31 + ".faiss", "0" * 32 + ".faiss.bak", ".tmp-x.sqlite"]
    for name in own + others:
        (segments / name).write_bytes(b"")
    (index / (".tmp-" + "3" * 32 + ".json")).write_bytes(b"")
    (index / "notes.json").write_bytes(b"")
    apply(index, [NEW])
    assert segment_files(index) == live_files(index) | set(others)
    assert {path.name for path in index.iterdir()} == {"manifest.json", "segments", "lock", "notes.json"}


def test_garbage_that_cannot_be_deleted_does_not_fail_a_commit(index, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert apply(index, [NEW], [PAIRS[0][0][:2]]).changed
    with monkeypatch.context() as patch:
        patch.setattr(writer.Path, "iterdir", refuse)
        assert apply(index, [], [NEW[0][:2]]).changed
    assert read(index) == PAIRS[1:]


def test_files_are_synced_before_they_are_renamed_and_the_manifest_is_last(index, monkeypatch):
    events = []
    sync, rename = files.fsync_file, Path.replace
    monkeypatch.setattr(files, "fsync_file", lambda path: (events.append(("sync", path.suffix)), sync(path))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (events.append(("rename", Path(to).suffix)), rename(self, to))[1]
    )
    apply(index, [NEW])
    assert events == [(what, kind) for kind in (".sqlite", ".faiss", ".json") for what in ("sync", "rename")]


def test_an_index_can_be_moved_with_its_dataset(index, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = index.rename(tmp_path / "elsewhere" / "x")
    assert read(moved) == PAIRS


@pytest.mark.parametrize("name", ["with space", "a?b#c&d=e", "100%41", "é猫", "quote'\"", "-k", "semi;colon"])
def test_the_name_of_the_folder_does_not_matter(tmp_path, name):
    folder = tmp_path / name
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this system has no such names")
    apply(folder, PAIRS)
    apply(folder, [NEW])
    assert read(folder) == in_order([*PAIRS, NEW])


def test_a_relative_folder_works_and_an_open_index_survives_a_change_of_folder(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Index(Path("index")) as opened:
        monkeypatch.chdir("/")
        assert contents(opened) == PAIRS
        assert opened.find(PAIRS[0][0].id)


@pytest.mark.parametrize("which", ["keys", "table", "file", "removed"])
def test_a_reader_whose_segments_are_replaced_while_it_opens_them_sees_the_new_index(index, monkeypatch, which):
    owner, name = {
        "keys": (segment, "_map_keys"),
        "table": (segment, "TableReader"),
        "file": (segment, "_check_sample"),
        "removed": (segment, "_read_live"),
    }[which]
    original = getattr(owner, name)
    if which == "removed":
        apply(index, [], [PAIRS[19][0][:2]])
    done = []

    def late(*arguments):
        if not done:
            done.append(True)
            # The writer reads too: it is told apart by having entered first. It rewrites the segment.
            apply(index, [NEW], [item[:2] for item, _ in PAIRS[:15]])
        return original(*arguments)

    monkeypatch.setattr(owner, name, late)
    assert read(index) == in_order([*PAIRS[15 : 19 if which == "removed" else 20], NEW])


def test_keys_are_copies_that_outlive_the_index(index):
    with Index(index) as opened:
        location, _ = opened.find(PAIRS[0][0].id)[0]
        key = opened.key(location)
    key[:] = 0
    assert isinstance(key, np.ndarray)
    assert read(index) == PAIRS


def test_keys_of_a_segment_stay_mapped_as_long_as_they_are_used(index):
    with Index(index) as opened:
        keys = opened.segments[0].keys
        assert not keys.flags.owndata
    del opened
    gc.collect()
    assert keys[3:].tobytes() == b"".join(key for _, key in PAIRS[3:])


def test_counts_and_size_cover_all_segments(tmp_path):
    folder = tmp_path / "i"
    apply(folder, PAIRS)
    apply(folder, [(row("~1", "extra", ("bird", "cat", "cat")), bytes(8))])
    subsets, labels = {}, {}
    with Index(folder) as opened:
        assert len(opened.segments) == 2
        for item, _ in contents(opened):
            subsets[item.subset] = subsets.get(item.subset, 0) + 1
            for label in set(item.labels):
                labels[label] = labels.get(label, 0) + 1
        assert opened.counts().subsets == subsets
        assert opened.counts().labels == labels
        assert opened.size_on_disk() == sum(len(data) for name, data in all_bytes(folder).items() if "segm" in name)


def test_importing_the_package_imports_neither_numpy_nor_faiss():
    source = """
        import sys
        import clipdex_indexes
        from clipdex_indexes import ClipdexError, IndexLocked
        assert not {"numpy", "faiss", "sqlite3"} & set(sys.modules), sorted(sys.modules)
        assert clipdex_indexes.valid_item_id("a") and clipdex_indexes.ItemRow
        assert not {"numpy", "faiss"} & set(sys.modules)
        assert all(hasattr(clipdex_indexes, name) for name in clipdex_indexes.__all__)
        assert "numpy" in sys.modules
        try:
            clipdex_indexes.nothing
        except AttributeError as error:
            assert "nothing" in str(error)
        else:
            raise SystemExit("no error")
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(source)], check=True, timeout=60)


@posix
def test_a_disk_that_is_full_at_the_last_block_of_the_keys_is_a_failed_write(tmp_path):
    """FAISS closes its file without looking whether the last block could be written."""
    import resource

    folder = tmp_path / "index"
    apply(folder, [(row("old.jpg"), bytes(1024))], bits=8192)
    before = all_bytes(folder)
    size = 33 + 1024 * 41
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4096 * 4096, hard))
        with pytest.raises(IndexWriteFailed):
            apply(folder, [(row(f"{number:02}.jpg"), bytes(1024)) for number in range(41)], bits=8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert all_bytes(folder) == before


@pytest.mark.parametrize("name", ["manifest.json", "lock", "notes.txt"])
def test_a_folder_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path, name):
    (tmp_path / name).write_text("precious")
    for fresh in (False, True):
        with pytest.raises(IndexFailure):
            apply(tmp_path, PAIRS, fresh=fresh)
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == {name: "precious"}


@posix
def test_a_link_in_the_place_of_segments_does_not_lead_to_another_index(index, tmp_path):
    before = all_bytes(index)
    other = tmp_path / "other"
    other.mkdir()
    (other / "segments").symlink_to(index / "segments")
    with pytest.raises(IndexWriteFailed, match="link"):
        apply(other, PAIRS)
    assert all_bytes(index) == before
