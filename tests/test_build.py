from __future__ import annotations

import hashlib
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
from clipdex.encoder import Encoder
from clipdex.errors import DatasetEmpty, DatasetNotFound, IndexCorrupt, IndexLocked, IndexWriteFailed
from clipdex.media import contents as media_contents
from clipdex.readers import FolderReader
from clipdex_indexes import Index, IndexWriter
from clipdex_indexes.storage.lock import WriterLock
from helpers_amounts import INTERRUPTED_IMAGES, STOPPED_IMAGES
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


def rebuilt(root):
    """What a clean build holds."""
    build(root, index=root.parent / "clean", rebuild=True)
    return rows_and_keys(root.parent / "clean")


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
    build(odd_copy)  # the files of a copy may be listed in another order
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


def test_a_file_of_another_size_is_changed_and_one_of_another_time_only_is_touched(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png", "c.png")
    build(root)
    before = {row.id: key for row, key in rows_and_keys(index_of(root))}
    touch_later(root / "a.png")
    status = (root / "b.png").stat()
    picture(9, (80, 80)).save(root / "b.png")
    os.utime(root / "b.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    report = build(root)
    assert counts(report) == (0, 1, 1, 0, 0, 3)
    assert (report.touched, report.renamed) == (1, 0)
    after = {row.id: key for row, key in rows_and_keys(index_of(root))}
    assert after["a.png"] == before["a.png"]
    assert after["b.png"] != before["b.png"]
    assert counts(build(root)) == (0, 0, 3, 0, 0, 3)


def test_other_content_of_the_same_size_and_another_time_is_changed(tmp_path):
    root = make_folder(tmp_path / "data", "a.bmp", "b.bmp")
    picture(1).save(root / "a.bmp")
    build(root)
    size = (root / "a.bmp").stat().st_size
    picture(2).save(root / "a.bmp")
    touch_later(root / "a.bmp")
    assert (root / "a.bmp").stat().st_size == size
    report = build(root)
    assert (counts(report), report.touched) == ((0, 1, 1, 0, 0, 2), 0)


def test_a_renamed_file_keeps_its_key_and_is_not_hashed_again(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "b.png", "train/c.png")
    build(root)
    before = {row.id: (row, key) for row, key in rows_and_keys(index_of(root))}
    (root / "a.png").rename(root / "z.png")
    (root / "train").rename(root / "val")
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "image_keys", None)
        report = build(root)
    assert (counts(report), report.renamed) == ((0, 0, 1, 0, 0, 3), 2)
    after = {row.id: (row, key) for row, key in rows_and_keys(index_of(root))}
    assert after.keys() == {"z.png", "b.png", "val/c.png"}
    assert after["z.png"] == (before["a.png"][0]._replace(id="z.png"), before["a.png"][1])
    assert after["val/c.png"][0].subset == "val"
    assert after["val/c.png"][1] == before["train/c.png"][1]
    assert rebuilt(root) == list(after.values())


def test_a_second_copy_of_a_renamed_file_is_added_without_being_hashed(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png")
    build(root)
    shutil.copy(root / "a.png", root / "y.png")
    (root / "a.png").rename(root / "z.png")
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "image_keys", None)
        report = build(root)
    assert (counts(report), report.renamed) == ((1, 0, 0, 0, 0, 2), 1)


def test_files_that_change_names_are_found_again_and_not_hashed(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.bmp", "b.bmp", "c.png")
    for number, name in enumerate(("a.bmp", "b.bmp")):  # of one size
        picture(number).save(root / name)
        touch_later(root / name)
    touch_later(root / "a.bmp")
    build(root)
    for before, after in (("a.bmp", "x"), ("b.bmp", "a.bmp"), ("c.png", "b.bmp"), ("x", "c.png")):
        (root / before).rename(root / after)
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "image_keys", None)
        report = build(root)
    assert (counts(report), report.renamed) == ((0, 0, 0, 0, 0, 3), 3)
    assert rows_and_keys(index_of(root)) == rebuilt(root)


def test_files_that_are_numbered_anew_are_not_hashed(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", *(f"{number}.png" for number in range(6)))
    build(root)
    for number in range(1, 6):
        (root / f"{number}.png").replace(root / f"{number - 1}.png")
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "image_keys", None)
        report = build(root)
    assert (counts(report), report.renamed) == ((0, 0, 0, 1, 0, 5), 5)
    assert rows_and_keys(index_of(root)) == rebuilt(root)


def test_a_file_whose_old_content_is_elsewhere_now_is_hashed_and_the_other_one_is_not(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    build(root)
    (root / "a.png").rename(root / "z.png")
    make_folder(root, "a.png", seed=50)
    report = build(root)
    assert counts(report) == (1, 1, 1, 0, 0, 3)
    assert rows_and_keys(index_of(root)) == rebuilt(root)


def test_identical_files_are_found_again_each_under_its_new_name(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "z.png")
    for name in ("b.png", "c.png"):
        shutil.copy(root / "a.png", root / name)
    build(root)
    (root / "a.png").rename(root / "x.png")
    (root / "b.png").rename(root / "y.png")
    (root / "c.png").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "image_keys", None)
        report = build(root)
    assert (counts(report), report.renamed) == ((0, 0, 1, 1, 0, 3), 2)
    assert rows_and_keys(index_of(root)) == rebuilt(root)


def test_other_labels_of_the_same_file_need_no_reading(tmp_path):
    """A folder of another name for the same links: the reader says other labels, the media is the same."""
    root = make_folder(tmp_path / "data", "a.png")
    build(root)
    with IndexWriter(index_of(root)) as writer:
        [(location, row)] = writer.base.items()
        key = writer.base.key(location).tobytes()
        writer.remove(location)
        writer.add([(row._replace(labels=("other",)), key)])
        writer.commit()
    report = build(root)
    assert (counts(report), report.touched) == ((0, 0, 0, 0, 0, 1), 1)
    assert rows_and_keys(index_of(root)) == [(row, key)]


def test_an_index_that_does_not_know_the_content_hashes_again(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    build(root)
    with IndexWriter(index_of(root)) as writer:
        pairs = [
            (row._replace(content=0), writer.base.key(location).tobytes()) for location, row in writer.base.items()
        ]
        for location, _ in writer.base.items():
            writer.remove(location)
        writer.add(pairs)
        writer.commit()
    touch_later(root / "a.png")
    (root / "b.png").rename(root / "c.png")
    report = build(root)
    assert (counts(report), report.touched, report.renamed) == ((1, 1, 0, 1, 0, 2), 0, 0)
    assert all(row.content for row, _ in rows_and_keys(index_of(root)))


def test_the_content_of_an_item_is_the_hash_of_its_file(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    build(root)
    [(row, _)] = rows_and_keys(index_of(root))
    digest = hashlib.blake2b((root / "a.png").read_bytes(), digest_size=8).digest()
    assert row.content.to_bytes(8, "little", signed=True) == digest


def test_a_large_file_is_hashed_in_blocks_to_the_same_content_and_key(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "b.jpg")
    build(root)
    expected = rows_and_keys(index_of(root))
    monkeypatch.setattr(media_contents, "_WHOLE_BYTES", 100)
    monkeypatch.setattr(media_contents, "_BLOCK", 7)
    assert rebuilt(root) == expected


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
    assert counts(build(root, prune=True)) == (0, 0, 0, 1, 0, 0)
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
    endings = sorted(path.suffix for path in (index_of(odd_copy) / "segments").iterdir())
    assert endings == [".faiss", ".fingerprints", ".sqlite"]


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


class _Stop(Exception):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, _Stop])
def test_an_interruption_commits_what_was_hashed_and_an_error_does_not(odd_copy, error):
    make_folder(odd_copy / "more", *(f"{number}.png" for number in range(INTERRUPTED_IMAGES.now)), seed=100)
    before = contents(index_of(odd_copy))

    def stop(progress: BuildProgress) -> None:
        if progress.phase == "hash" and progress.done > 5:
            raise error

    with pytest.raises(error):
        build(odd_copy, progress=stop)
    assert (contents(index_of(odd_copy)) == before) == (error is _Stop)
    assert temporary_files(odd_copy) == []
    there = 6 if error is KeyboardInterrupt else 0
    report = build(odd_copy)
    new = INTERRUPTED_IMAGES.now
    assert counts(report) == (new - there, 0, 6 + there, 0, 0, 6 + new)
    assert rows_and_keys(index_of(odd_copy)) == rebuilt(odd_copy)


def test_an_interrupted_rebuild_leaves_the_index_as_it_was(odd_copy):
    before = contents(index_of(odd_copy))

    def stop(progress: BuildProgress) -> None:
        if progress.phase == "hash" and progress.done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(odd_copy, rebuild=True, checkpoint_seconds=0, progress=stop)
    assert contents(index_of(odd_copy)) == before


def test_a_build_commits_as_it_goes(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number:02}.png" for number in range(12)))
    seen = []

    def look(progress: BuildProgress) -> None:
        if progress.phase == "hash" and progress.done > 1:
            with Index(index_of(root)) as opened:
                seen.append((len(opened), opened.manifest.complete))

    report = build(root, checkpoint_seconds=0, progress=look)
    assert counts(report) == (12, 0, 0, 0, 0, 12)
    assert seen == [(number, False) for number in range(1, 12)]
    with Index(index_of(root)) as opened:
        assert opened.manifest.complete
        assert len(opened.segments) <= 4
        assert opened.verify().ok
    assert rows_and_keys(index_of(root)) == rebuilt(root)


def test_a_changed_item_is_in_every_state_that_is_committed(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number:02}.png" for number in range(9)))
    build(root)
    make_folder(root, *(f"{number:02}.png" for number in range(9)), seed=50)
    (root / "03.png").rename(root / "x.png")
    (root / "04.png").unlink()

    def look(progress: BuildProgress) -> None:
        if progress.phase == "hash":
            with Index(index_of(root)) as opened:
                ids = [row.id for _, row in opened.items()]
            assert set(ids) >= {f"{number:02}.png" for number in (0, 1, 2, 5, 6, 7, 8)}
            assert len(ids) == len(set(ids))

    build(root, checkpoint_seconds=0, progress=look)
    assert rows_and_keys(index_of(root)) == rebuilt(root)


# A build that tells when it is in the middle of hashing.
_BUILD = """
import sys, time
from clipdex_cli import progress
from clipdex_cli.main import main
class Display(progress.BuildDisplay):
    def __call__(self, step):
        if step.phase == "hash":
            print(step.done, flush=True)
            time.sleep(0.02 if step.done >= 20 else 0)
progress.BuildDisplay = Display
main()
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with an index of three pictures and many more that it does not know, and what a clean build holds."""
    root = make_folder(tmp_path_factory.mktemp("many") / "data", "a.png", "b.png", "c.png")
    build(root)
    make_folder(root / "new", *(f"{number:03}.png" for number in range(STOPPED_IMAGES.now)), seed=1000)
    return root, rebuilt(root)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_stopped_in_the_middle_is_finished_by_the_next_one(many, tmp_path, signum):
    source, clean = many
    root = Path(shutil.copytree(source, tmp_path / "data"))
    before = contents(index_of(root))
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILD, "build", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs these tests in the background may have let them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    done = 0
    while done < 20:
        done = int(process.stdout.readline())
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)

    code = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}[signum]
    assert process.returncode == code, err
    if signum == signal.SIGKILL:
        assert contents(index_of(root)).items() >= before.items()
    else:
        assert "goes on from there" in err
        assert "Traceback" not in err
        assert temporary_files(root) == []
    with Explorer(root) as explorer:
        there = len(explorer)
    whole = 3 + STOPPED_IMAGES.now
    assert there == 3 if signum == signal.SIGKILL else 23 <= there < whole
    assert counts(build(root)) == (whole - there, 0, there, 0, 0, whole)
    assert rows_and_keys(index_of(root)) == clean
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


def test_a_first_build_begins_to_read_the_dataset_once(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    begun, read = [], FolderReader.read
    monkeypatch.setattr(FolderReader, "read", lambda reader: begun.append(reader) or read(reader))
    assert counts(build(root)) == (2, 0, 0, 0, 0, 2)
    assert len(begun) == 1
