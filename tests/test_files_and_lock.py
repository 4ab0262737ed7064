"""The file primitives, the manifest on disk, and the writer's lock."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipdex_indexes import IndexCorrupt, IndexLocked, IndexWriteFailed, read_manifest
from clipdex_indexes.storage import files, lock
from clipdex_indexes.storage.lock import WriterLock
from clipdex_indexes.storage.manifest import FileStamp, Manifest, ModelStamp, RemovedStamp, SegmentStamp, write_manifest
from helpers_index import DETERMINISTIC


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_atomic_write_replaces_all_of_a_file_and_leaves_nothing_else(tmp_path):
    for data in (b"one, and longer", b"two", b""):
        files.atomic_write(tmp_path / "f.json", data)
        assert (tmp_path / "f.json").read_bytes() == data
        assert names(tmp_path) == ["f.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_interrupted_atomic_write_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "f.json"
    path.write_bytes(b"old")
    with pytest.raises(IndexWriteFailed if error is OSError else error), files.atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".json"
        assert temporary.name.startswith(files.TEMPORARY_PREFIX)
        temporary.write_bytes(b"half")
        raise error("no")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f.json"]


def test_a_failed_atomic_write_says_which_file_and_why(tmp_path):
    with pytest.raises(IndexWriteFailed, match=r"f\.json: No such file.*unchanged"):
        files.atomic_write(tmp_path / "missing" / "f.json", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IndexWriteFailed, match="folder"):
        files.atomic_write(tmp_path / "folder", b"x")
    assert names(tmp_path) == ["folder"]


def test_temporary_names_differ(tmp_path):
    assert len({files.temporary_beside(tmp_path / "f.json") for _ in range(100)}) == 100


def test_folders_that_cannot_be_synced_are_left_alone(tmp_path, monkeypatch):
    files.fsync_folder(tmp_path / "missing")

    def refuse(_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    files.fsync_folder(tmp_path)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_checksums_are_those_of_the_whole_file(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    assert files.sha256_of(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_reading_is_bounded(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert files.read_bounded(path, 5) == b"12345"
    with pytest.raises(IndexCorrupt, match="larger than the 4 bytes"):
        files.read_bounded(path, 4)
    with pytest.raises(FileNotFoundError):
        files.read_bounded(tmp_path / "missing", 4)
    with pytest.raises(IndexCorrupt, match="not a regular file"):
        files.read_bounded(tmp_path, 4)


def test_reading_takes_the_memory_of_what_is_there_whatever_the_limit(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert files.read_bounded(path, 1 << 60) == b"12345"
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
COUNT = st.integers(0, 1 << 40)
SHA256 = st.integers(0, 2**256 - 1).map("{:064x}".format)
STAMP = st.builds(FileStamp, COUNT, SHA256, SHA256)


@st.composite
def segment_stamps(draw):
    name, items = f"{draw(st.integers(0, 2**128 - 1)):032x}", draw(st.integers(1, 1 << 40))
    removed = None
    if draw(st.booleans()):
        removed = RemovedStamp(f"{name}-{0:032x}", draw(st.integers(1, items)), -(-items // 8), draw(SHA256))
    return SegmentStamp(name, items, draw(STAMP), draw(STAMP), removed)


MANIFESTS = st.builds(
    Manifest,
    # The folder of a model, as the user gave it, may have a name that is not UTF-8.
    st.builds(ModelStamp, TEXT, TEXT, st.integers(1, 1024).map(lambda n: n * 8), TEXT, st.text(max_size=10)),
    TEXT,
    COUNT,
    st.lists(
        segment_stamps(),
        max_size=4,
        unique_by=lambda segment: segment.name,
    ).map(tuple),
    TEXT,
)


@given(manifest=MANIFESTS)
@settings(DETERMINISTIC, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_manifest_comes_back_as_it_was_written(tmp_path, manifest):
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert read_manifest(tmp_path).items == sum(segment.live_items for segment in manifest.segments)
    assert names(tmp_path) == ["manifest.json"]


def test_the_lock_names_its_owner_while_it_is_held(tmp_path):
    with WriterLock(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
        with pytest.raises(IndexLocked, match=f"process {os.getpid()} on "), WriterLock(tmp_path):
            pass
    assert (tmp_path / "lock").read_bytes() == b""


def test_the_lock_can_be_taken_again_and_again(tmp_path):
    held = WriterLock(tmp_path)
    for _ in range(3):
        with held:
            pass
    with pytest.raises(ZeroDivisionError), held:
        _ = 1 / 0
    with held:
        pass


def test_text_left_in_the_lock_by_a_dead_process_does_not_matter(tmp_path):
    (tmp_path / "lock").write_bytes(b"process 1 on a computer with a very long name" * 10)
    with WriterLock(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
        assert (tmp_path / "lock").stat().st_size < 300


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x00", b"x" * 1_000_000], ids=["none", "not UTF-8", "long"])
def test_a_held_lock_with_any_text_is_reported(tmp_path, text):
    with WriterLock(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(IndexLocked, match="try again") as caught, WriterLock(tmp_path):
            pass
        assert len(str(caught.value)) < 500
    if not text:
        assert "another process" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs O_NOFOLLOW")
def test_a_lock_that_is_a_link_does_not_empty_what_it_leads_to(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    (folder / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(IndexWriteFailed, match="lock"), WriterLock(folder):
        pass
    assert (tmp_path / "precious").read_bytes() == b"mine"


@pytest.mark.parametrize("what", ["missing folder", "folder", "full disk"])
def test_a_lock_that_cannot_be_made_is_a_failed_write(tmp_path, monkeypatch, what):
    folder = tmp_path
    if what == "missing folder":
        folder = tmp_path / "missing"
    elif what == "folder":
        (tmp_path / "lock").mkdir()
    else:

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(lock.os, "write", full)
    with pytest.raises(IndexWriteFailed, match="lock: "), WriterLock(folder):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_programs_started_by_a_writer_do_not_keep_its_lock(tmp_path):
    with WriterLock(tmp_path):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        with WriterLock(tmp_path):
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_second_writer_waits_and_says_for_whom(tmp_path):
    told, asked, got = [], threading.Event(), threading.Event()

    def tell(owner):
        told.append(owner)
        asked.set()

    def take():
        with WriterLock(tmp_path, wait=True, waiting=tell):
            got.set()

    with WriterLock(tmp_path):
        thread = threading.Thread(target=take)
        thread.start()
        assert asked.wait(10)
        (tmp_path / "lock").write_text("")  # as it is just before it is given up
        assert not got.wait(0.3)
    thread.join(10)
    assert got.is_set()
    assert told == [f"process {os.getpid()} on {socket.gethostname()}"]


def test_waiting_for_a_lock_can_be_interrupted(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with WriterLock(tmp_path), pytest.raises(KeyboardInterrupt), WriterLock(tmp_path, wait=True, waiting=interrupt):
        pass
    with WriterLock(tmp_path):
        pass


def test_a_lock_whose_file_was_deleted_is_taken_on_the_new_file(tmp_path, monkeypatch):
    """Two writers would each hold a lock otherwise: one on the file that is there, one on that which was."""
    original = lock._acquire
    done = []

    def deleted_meanwhile(handle):
        original(handle)
        if not done:
            done.append(True)
            (tmp_path / "lock").unlink()

    monkeypatch.setattr(lock, "_acquire", deleted_meanwhile)
    with WriterLock(tmp_path), pytest.raises(IndexLocked), WriterLock(tmp_path):
        pass
