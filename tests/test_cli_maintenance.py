from __future__ import annotations

import os
import threading
import time

import pytest

from clipdex_indexes.storage.lock import WriterLock
from helpers_engine import every_file, make_folder


def test_verify_says_that_all_is_well(cli, odd):
    done = cli("verify", odd)
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().endswith(": all is well (6 items, 20.4 KiB in 2 files)\n")


def test_verify_names_what_is_wrong_and_what_to_do(cli, odd_copy, odd):
    [path] = (odd_copy / ".clipdex" / "segments").glob("*.sqlite")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    done = cli("verify", odd_copy, odd)
    assert done.code == 1
    assert str(path) in done.err
    assert "--rebuild" in done.err
    assert b"all is well" in done.out


def test_verify_looks_at_the_current_folder(cli, odd, monkeypatch):
    monkeypatch.chdir(odd)
    assert cli("verify").code == 0
    monkeypatch.chdir(odd.parent)
    done = cli("verify")
    assert done.code == 1
    assert "has no index yet" in done.err


def test_optimize_merges_and_says_so(cli, odd_copy):
    make_folder(odd_copy / "new", "a.png", "b.png", seed=70)
    (odd_copy / "loose.png").unlink()
    assert cli("build", odd_copy).code == 0
    done = cli("optimize", odd_copy)
    assert (done.code, done.out) == (0, b"")
    assert "7 items; segments 2 -> 1, " in done.err
    before = every_file(odd_copy)
    assert "segments 1 -> 1" in cli("optimize", odd_copy).err
    assert every_file(odd_copy) == before
    assert cli("verify", odd_copy).code == 0


@pytest.mark.parametrize("command", ["build", "optimize"])
def test_a_writer_that_may_not_wait_names_the_one_it_would_wait_for(cli, odd_copy, command):
    with WriterLock(odd_copy / ".clipdex"):
        done = cli(command, "--no-wait", odd_copy)
    assert done.code == 1
    assert f"is being written by process {os.getpid()} on " in done.err


@pytest.mark.parametrize("command", ["build", "optimize"])
def test_a_writer_waits_and_says_for_whom(cli, odd_copy, command):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with WriterLock(odd_copy / ".clipdex"):
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)
    threading.Thread(target=lambda: (time.sleep(0.5), leave.set())).start()
    done = cli(command, odd_copy)
    holder.join()
    assert done.code == 0
    assert f"waiting for process {os.getpid()} on " in done.err
    assert "--no-wait" in done.err


def test_touched_and_renamed_files_are_counted(cli, odd_copy):
    (odd_copy / "loose.png").rename(odd_copy / "moved.png")
    os.utime(odd_copy / "val" / "dog" / "a.png", (1, 1))
    assert "0 added, 1 touched, 1 renamed, 4 unchanged, 0 failed; 6 images" in cli("build", odd_copy).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qurey"], "No such command 'qurey'. Did you mean 'query'?"),
        (["model", "ad"], "No such command 'ad'. Did you mean 'add'?"),
        (["zzzz"], "No such command 'zzzz'."),
        (["--", "-x"], "No such option"),
    ],
)
def test_a_command_that_is_not_there_is_said_with_what_may_be_meant(cli, arguments, message):
    done = cli(*arguments)
    assert done.code == 2
    assert message in done.err
