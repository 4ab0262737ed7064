from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipdex import BuildProgress, Explorer, build
from clipdex.errors import DatasetEmpty, DatasetNotFound, IndexCorrupt, IndexLocked, IndexWriteFailed
from clipdex_indexes.lock import WriterLock
from helpers_engine import (
    claim_size,
    contents,
    every_file,
    make_folder,
    picture,
    rows_and_keys,
    temporary_files,
    touch_later,
)


def index_of(root: Path) -> Path:
    return root / ".clipdex"


def counts(report):
    return report.added, report.changed, report.unchanged, report.removed, len(report.failed), report.items


def test_counts_say_what_happened_to_each_file(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png", "c/d.png")
    (root / "broken.jpg").write_bytes(b"no image")
    assert counts(build(root)) == (3, 0, 0, 0, 1, 3)

    picture(50).save(root / "b.png")
    touch_later(root / "b.png")
    picture(51).save(root / "new.png")
    (root / "a.png").unlink()
    assert counts(build(root)) == (1, 1, 1, 1, 1, 3)
    assert [row.id for row, _ in rows_and_keys(index_of(root))] == ["b.png", "c/d.png", "new.png"]


def test_a_second_build_hashes_nothing_and_touches_no_file(odd_copy):
    before = every_file(index_of(odd_copy))
    phases = []
    report = build(odd_copy, progress=lambda progress: phases.append(progress.phase))
    assert counts(report) == (0, 0, 6, 0, 0, 6)
    assert every_file(index_of(odd_copy)) == before
    assert "hash" not in phases


def test_a_second_build_with_failed_files_touches_no_file_either(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    (root / "broken.png").write_bytes(b"x")
    build(root)
    before = every_file(index_of(root))
    report = build(root)
    assert counts(report) == (0, 0, 1, 0, 1, 1)
    assert every_file(index_of(root)) == before


def test_size_alone_or_time_alone_makes_a_file_changed(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png", "c.png")
    build(root)
    touch_later(root / "a.png")
    status = (root / "b.png").stat()
    picture(9, (80, 80)).save(root / "b.png")
    os.utime(root / "b.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert counts(build(root)) == (0, 2, 1, 0, 0, 3)


def test_a_renamed_file_is_a_new_one_and_one_that_is_gone(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    build(root)
    key = {row.id: key for row, key in rows_and_keys(index_of(root))}["a.png"]
    (root / "a.png").rename(root / "z.png")
    assert counts(build(root)) == (1, 0, 1, 1, 0, 2)
    assert {row.id: key for row, key in rows_and_keys(index_of(root))}["z.png"] == key


def test_failed_files_are_reported_and_listed_with_the_reason(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50)
    claim_size(root / "huge.png", 60_000, 60_000)
    report = build(root)
    reasons = {failure.id: failure.reason for failure in report.failed}
    assert set(reasons) == {"broken.png", "huge.png"}
    assert "--max-pixels" in reasons["huge.png"]
    listed = json.loads((index_of(root) / "failed.json").read_text())["failed"]
    assert {entry["id"]: entry["reason"] for entry in listed} == reasons

    for name in reasons:
        picture(3).save(root / name)
    assert counts(build(root)) == (2, 0, 1, 0, 0, 3)
    assert json.loads((index_of(root) / "failed.json").read_text())["failed"] == []


def test_an_indexed_file_that_breaks_is_dropped_and_reported(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    build(root)
    (root / "b.png").write_bytes(b"broken")
    report = build(root)
    assert [failure.id for failure in report.failed] == ["b.png"]
    assert [row.id for row, _ in rows_and_keys(index_of(root))] == ["a.png"]


def test_max_pixels_is_a_setting_of_the_build(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    picture(1, (100, 100)).save(root / "large.png")
    report = build(root, max_pixels=5000)
    assert [failure.id for failure in report.failed] == ["large.png"]
    assert "5,000" in report.failed[0].reason
    assert counts(build(root)) == (1, 0, 1, 0, 0, 2)


def test_only_broken_files_leave_no_index(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / "broken.png").write_bytes(b"x")
    assert counts(build(root)) == (0, 0, 0, 0, 1, 0)
    assert not (index_of(root) / "manifest.json").exists()
    picture(1).save(root / "broken.png")
    assert counts(build(root)) == (1, 0, 0, 0, 0, 1)


def test_an_empty_folder_is_an_error_and_nothing_is_made(tmp_path):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    with pytest.raises(DatasetEmpty, match="no images"):
        build(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").rglob("*")] == ["deep"]
    with pytest.raises(DatasetNotFound):
        build(tmp_path / "nothing")


def test_a_folder_that_was_emptied_has_an_empty_index(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    build(root)
    (root / "a.png").unlink()
    assert counts(build(root)) == (0, 0, 0, 1, 0, 0)
    with Explorer(root) as explorer:
        assert list(explorer.explore_topk("dog")) == []
    picture(1).save(root / "b.png")
    assert counts(build(root)) == (1, 0, 0, 0, 0, 1)


def test_step_by_step_equals_at_once(tmp_path):
    names = [f"{folder}/{number}.png" for folder in ("a", "a-b", "train") for number in range(4)]
    grown, at_once = tmp_path / "grown", make_folder(tmp_path / "at_once", *names)
    for number, name in enumerate(names):
        target = grown / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(at_once / name, target)
        if number == 5:
            picture(99).save(grown / names[0])
            picture(98).save(grown / "to be removed.png")
        if number % 5 == 0:
            build(grown)
    shutil.copy2(at_once / names[0], grown / names[0])
    (grown / "to be removed.png").unlink()
    build(grown)
    build(at_once)
    assert len(rows_and_keys(index_of(at_once))) == 12
    assert rows_and_keys(index_of(grown)) == rows_and_keys(index_of(at_once))


def test_an_index_elsewhere_leaves_the_dataset_as_it_is(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    # Where the index would be by default nothing can be written, for any user.
    (root / ".clipdex").touch()
    before = every_file(root)
    with pytest.raises(IndexWriteFailed, match="--index"):
        build(root)
    index = tmp_path / "indexes" / "data"
    assert build(root, index=index).items == 2
    assert build(root, index=index).unchanged == 2
    assert every_file(root) == before
    with Explorer(root, index=index) as explorer:
        assert explorer.explore_topk(root / "b.png")[0].path == str(root / "b.png")


def test_a_dataset_can_be_moved_with_its_index(odd_copy, tmp_path):
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    odd_copy.rename(moved)
    with Explorer(moved) as explorer:
        hit = explorer.explore_topk(explorer.item("loose"))[0]
        assert hit.path == str(moved / "loose.png")
    assert build(moved).unchanged == 6


def test_a_corrupt_index_is_replaced_by_rebuild_only(odd_copy):
    rows = rows_and_keys(index_of(odd_copy))
    for name in contents(index_of(odd_copy)):
        path = index_of(odd_copy) / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(IndexCorrupt, match="--rebuild"):
            build(odd_copy)
        assert counts(build(odd_copy, rebuild=True)) == (6, 0, 0, 0, 0, 6)
        assert rows_and_keys(index_of(odd_copy)) == rows
        break
    assert len(list((index_of(odd_copy) / "segments").iterdir())) == 2


def test_two_builds_at_once_are_refused(odd_copy):
    with WriterLock(index_of(odd_copy)), pytest.raises(IndexLocked, match="being written"):
        build(odd_copy)
    assert build(odd_copy).unchanged == 6


def test_progress_is_called_with_growing_counts(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number}.png" for number in range(12)))
    (root / "5.png").write_bytes(b"broken")
    seen: list[BuildProgress] = []
    build(root, progress=seen.append)
    hashed = [one for one in seen if one.phase == "hash"]
    assert [one.done for one in hashed] == sorted(one.done for one in hashed)
    assert hashed[-1].done == hashed[-1].total == 12
    assert hashed[-1].failed == 1


def test_an_error_in_progress_leaves_the_index_as_it_was(odd_copy):
    make_folder(odd_copy / "more", *(f"{number}.png" for number in range(50)), seed=100)
    before = contents(index_of(odd_copy))

    def stop(progress: BuildProgress) -> None:
        if progress.phase == "hash" and progress.done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(odd_copy, progress=stop)
    assert contents(index_of(odd_copy)) == before
    assert temporary_files(odd_copy) == []
    assert build(odd_copy).added == 50


# A build that tells when it is in the middle of hashing.
_BUILD = """
import sys
from clipdex_cli import progress
from clipdex_cli.main import main
class Display(progress.BuildDisplay):
    def __call__(self, step):
        if step.phase == "hash":
            print(step.done, flush=True)
progress.BuildDisplay = Display
main()
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with an index of three pictures and 300 more that it does not know."""
    root = make_folder(tmp_path_factory.mktemp("many") / "data", "a.png", "b.png", "c.png")
    build(root)
    make_folder(root / "new", *(f"{number:03}.png" for number in range(300)), seed=1000)
    return root


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_build_stopped_in_the_middle_leaves_the_index_as_it_was(many, tmp_path, signum):
    root = Path(shutil.copytree(many, tmp_path / "data"))
    before = contents(index_of(root))
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILD, "build", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    done = 0
    while done < 20:
        done = int(process.stdout.readline())
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)

    assert process.returncode == (130 if signum == signal.SIGINT else -signal.SIGKILL), err
    if signum == signal.SIGINT:
        assert "Interrupted" in err
        assert "Traceback" not in err
        assert temporary_files(root) == []
    assert contents(index_of(root)).items() >= before.items()
    with Explorer(root) as explorer:
        assert len(explorer) == 3

    shutil.rmtree(root / "new")
    make_folder(root / "new", "000.png", "001.png", seed=1000)
    assert counts(build(root)) == (2, 0, 3, 0, 0, 5)
    assert temporary_files(root) == []
    live = {path.stem for path in (index_of(root) / "segments").iterdir()}
    manifest = json.loads((index_of(root) / "manifest.json").read_text())
    assert live == {segment["name"] for segment in manifest["segments"]}


def test_files_that_vanish_between_reading_and_decoding_are_failed(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number:02}.png" for number in range(60)))

    def remove(progress: BuildProgress) -> None:
        if progress.phase == "hash":
            (root / "59.png").unlink(missing_ok=True)

    report = build(root, progress=remove)
    assert [(failure.id, failure.reason) for failure in report.failed] == [("59.png", "no such file")]
    assert report.items == 59


def test_items_that_a_build_finds_are_found_by_queries_at_once(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    with Explorer(root, build=True) as explorer:
        assert len(explorer) == 1
    picture(7).save(root / "b.png")
    with Explorer(root, build=True) as explorer:
        assert explorer.explore_topk(root / "b.png")[0].distance == 0


def test_seconds_are_wall_clock(odd_copy):
    begin = time.perf_counter()
    report = build(odd_copy)
    assert 0 < report.seconds <= time.perf_counter() - begin
