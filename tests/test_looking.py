"""Looking at files in threads: only where looks take long, with the same answer, in the same order."""

from __future__ import annotations

import threading
import time

import pytest

from clipdex import build
from clipdex.readers import FolderReader
from clipdex.readers.looking import Looks
from helpers_engine import make_folder

NAMES = [f"{number:03}.png" for number in range(200)]


class Entry:
    """A file on a share: looking at it takes a while, the first time."""

    def __init__(self, name, seconds):
        self.name, self._seconds, self.by = name, seconds, None

    def stat(self):
        if self.by is None:
            self.by = threading.current_thread()
            if self._seconds:
                time.sleep(self._seconds)


def looked(entries):
    with Looks() as looks:
        for start in range(0, len(entries), 40):
            part = entries[start : start + 40]
            assert list(looks.ahead(iter(part), lambda name: name != NAMES[-1])) == part


def test_slow_looks_are_made_in_several_threads_and_the_order_stays():
    entries = [Entry(name, 0.002) for name in NAMES]
    looked(entries)
    assert len({entry.by for entry in entries[160:-1]}) > 2
    assert entries[-1].by is None


def test_the_files_of_one_large_folder_are_looked_at_in_threads():
    entries = [Entry(name, 0.002) for name in NAMES]
    with Looks() as looks:
        assert list(looks.ahead(iter(entries), bool)) == entries
    assert len({entry.by for entry in entries}) > 2


def test_quick_looks_are_left_to_who_needs_them():
    entries = [Entry(name, 0) for name in NAMES]
    looked(entries)
    assert {entry.by for entry in entries} == {threading.current_thread(), None}


def test_looks_that_become_quick_again_are_not_made_in_threads():
    with Looks() as looks:
        for number, seconds in enumerate([0.002] * 8 + [0] * 20):
            entries = [Entry(name, seconds) for name in NAMES[:20]]
            list(looks.ahead(iter(entries), bool))
            threads = {entry.by for entry in entries} - {None, threading.current_thread()}
            if number == 7:
                assert threads
    assert not threads


def test_what_cannot_be_looked_at_is_left_to_the_reader():
    def refuse():
        raise PermissionError

    entries = [Entry(name, 0.002) for name in NAMES]
    entries[150].stat = refuse
    looked(entries)


@pytest.mark.skipif("sys.platform == 'win32'")
def test_a_dataset_on_a_slow_share_is_read_as_any_other(tmp_path, monkeypatch):
    root = make_folder(tmp_path, *(f"{number % 5}/{number}.png" for number in range(40)))
    (root / "link.png").symlink_to(root / "1" / "1.png")
    (root / "lost.png").symlink_to(root / "nothing")
    expected = list(FolderReader(root).read())
    rows = build(root).items
    build(root)
    monkeypatch.setattr("clipdex.readers.looking._SLOW_SECONDS", 0)
    monkeypatch.setattr("clipdex.readers.looking._LAST", 1)
    assert list(FolderReader(root).read()) == expected
    (root / "2" / "2.png").unlink()
    report = build(root)
    assert (report.unchanged, report.removed, report.items) == (rows - 1, 1, rows - 1)
