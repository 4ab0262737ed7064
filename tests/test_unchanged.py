"""A build looks at each file once, and at the rows of the index for what differs only."""

from __future__ import annotations

import random
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from clipdex import build, plan_build
from clipdex.readers import FolderReader
from clipdex_indexes import IndexWriter, Snapshot
from clipdex_indexes.storage.fingerprints import Fingerprints
from clipdex_indexes.storage.table import TableReader
from helpers_engine import every_file, make_folder, picture, rows_and_keys, touch_later


@pytest.fixture
def root(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "train/b.png", "train/c/d.png")
    build(root)
    build(root)  # notes what the folders look like
    return root


@pytest.fixture
def rows_read(monkeypatch):
    """The positions of the rows that are read."""
    positions = []
    read = TableReader._row

    def noted(table, record):
        positions.append(record[0])
        return read(table, record)

    monkeypatch.setattr(TableReader, "_row", noted)
    return positions


@pytest.fixture
def files_asked(monkeypatch):
    """The ids of the files that the rules of the reader are asked of."""
    ids = []
    file = FolderReader._file

    def noted(reader, entry, item_id):
        ids.append(item_id)
        return file(reader, entry, item_id)

    monkeypatch.setattr(FolderReader, "_file", noted)
    return ids


def index_of(root):
    return root / ".clipdex"


def forget(root):
    """Let the next build compare item by item."""
    (index_of(root) / "unchanged.json").unlink(missing_ok=True)


def test_no_row_is_read_no_rule_is_asked_and_no_file_is_touched(root, rows_read, files_asked):
    before = every_file(root)
    report = build(root)
    assert (report.unchanged, report.added + report.changed + report.touched + report.renamed) == (3, 0)
    assert (report.removed, report.items) == (0, 3)
    assert rows_read == files_asked == []
    assert every_file(root) == before


def test_only_what_differs_is_compared(root, rows_read, files_asked):
    (root / "train" / "b.png").rename(root / "train" / "z.png")
    shutil.copy(root / "a.png", root / "train" / "c" / "new.png")
    plan = plan_build(root)
    assert (plan.unchanged, plan.added, plan.removed) == (2, 2, 1)
    assert set(files_asked) == {"train/z.png", "train/c/new.png"}
    assert set(rows_read) == {1}
    report = build(root)
    assert (report.unchanged, report.added, report.renamed, report.removed) == (2, 1, 1, 0)
    del rows_read[:], files_asked[:]
    assert build(root).unchanged == 4
    assert rows_read == files_asked == []


CHANGES = {
    "new file": lambda root: shutil.copy(root / "a.png", root / "z.png"),
    "new file below": lambda root: shutil.copy(root / "a.png", root / "train" / "c" / "z.png"),
    "gone": lambda root: (root / "a.png").unlink(),
    "renamed": lambda root: (root / "a.png").rename(root / "b.png"),
    "folder renamed": lambda root: (root / "train").rename(root / "val"),
    "touched": lambda root: touch_later(root / "a.png"),
    "other size": lambda root: picture(5, (90, 90)).save(root / "a.png"),
    "passed over": lambda root: (root / "train" / ".clipdexignore").touch(),
    "broken": lambda root: (root / "broken.png").write_bytes(b"x"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_noticed(root, change):
    CHANGES[change](root)
    report = build(root, prune=True)
    assert report.unchanged < 3 or report.added or report.failed
    assert build(root).unchanged == report.items


def test_a_dataset_that_was_moved_with_its_index_is_not_compared(root, tmp_path, rows_read):
    moved = root.rename(tmp_path / "moved")
    before = every_file(moved)
    assert build(moved).unchanged == 3
    assert rows_read == []
    assert every_file(moved) == before


def test_the_images_of_a_pattern_are_not_compared_either(root, tmp_path, files_asked):
    pattern, index = str(root / "**" / "*.png"), tmp_path / "index"
    build(pattern, index=index)
    files_asked.clear()
    assert (build(pattern, index=index).unchanged, files_asked) == (3, [])
    shutil.copy(root / "a.png", root / "train" / "z.jpg")
    shutil.copy(root / "a.png", root / "train" / "z.png")
    report = build(pattern, index=index)
    assert (report.unchanged, report.added) == (3, 1)


def test_another_pattern_with_the_same_index_is_compared(root, tmp_path):
    """All patterns look below the same folder."""
    index = tmp_path / "index"
    assert build(str(root / "*.png"), index=index).items == 1
    assert build(str(root / "**" / "*.png"), index=index).items == 3
    report = build(str(root / "t*" / "*.png"), index=index)
    assert (report.unchanged, report.removed, report.items) == (1, 2, 1)


def test_failed_files_are_tried_again(root):
    claimed = picture(3, (200, 200))
    claimed.save(root / "large.png")
    assert len(build(root, max_pixels=10_000).failed) == 1
    report = build(root)
    assert (report.added, report.failed) == (1, ())


def test_an_index_that_somebody_else_changed_is_compared(root):
    with IndexWriter(index_of(root)) as writer:
        location, _ = next(writer.base.items())
        writer.remove(location)
        writer.commit()
    assert build(root).added == 1


def test_an_index_that_is_not_complete_is_compared(root):
    with IndexWriter(index_of(root)) as writer:
        location, _ = next(writer.base.items())
        writer.remove(location)
        writer.checkpoint()
    assert build(root).added == 1


@pytest.mark.parametrize("note", [b"", b"{}", b"null", b"[" * 5000, b"\xff", b'{"manifest": 1, "rules": 2}'])
def test_a_note_that_is_damaged_is_no_note(root, note):
    path = index_of(root) / "unchanged.json"
    assert path.exists()
    path.write_bytes(note)
    (root / "a.png").unlink()
    assert build(root).removed == 1


def fingerprints_of(root):
    (path,) = (index_of(root) / "segments").glob("*.fingerprints")
    return path


DAMAGE = {
    "gone": lambda data: None,
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "one bit": lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
    "of another table": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "more than there is": lambda data: data[:95] + b"\xff" * 16 + data[111:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_fingerprints_that_are_damaged_are_made_again(root, damage):
    path = fingerprints_of(root)
    whole = path.read_bytes()
    path.unlink()
    if (data := DAMAGE[damage](whole)) is not None:
        path.write_bytes(data)
    (root / "train" / "b.png").unlink()
    shutil.copy(root / "a.png", root / "z.png")
    report = build(root)
    assert (report.unchanged, report.added, report.removed) == (2, 1, 1)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("positions", [(0, 1, 3), (-4, 0, 1), (0, 1, 2**31 - 1)])
def test_fingerprints_that_name_rows_which_are_not_there_are_made_again(root, positions):
    path, segments = fingerprints_of(root), index_of(root) / "segments"
    with Snapshot(index_of(root)) as snapshot:
        stamp = snapshot.segments[0].stamp
    whole = path.read_bytes()
    kept = Fingerprints.kept(segments, stamp)
    kept._replace(positions=np.array(positions, np.int32)).keep(segments, stamp)
    assert build(root).unchanged == 3
    assert path.read_bytes() == whole


def test_fingerprints_of_segments_that_are_gone_are_deleted(root):
    before = fingerprints_of(root)
    for name in "uvwxyz":
        shutil.copy(root / "a.png", root / f"{name}.png")
    build(root)
    assert fingerprints_of(root) != before


def test_where_two_files_have_one_fingerprint_their_folder_is_compared(root, monkeypatch, files_asked):
    def same(place, files):
        return [place for _ in files]

    for module in ("known", "storage.fingerprints"):
        monkeypatch.setattr(f"clipdex_indexes.{module}.fingerprints_in", same)
    fingerprints_of(root).unlink()
    shutil.copy(root / "train" / "b.png", root / "train" / "x.png")
    report = build(root)
    assert (report.unchanged, report.added) == (3, 1)
    assert files_asked == ["train/b.png", "train/x.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_that_leads_elsewhere_is_followed_each_time(root, tmp_path):
    other = make_folder(tmp_path / "other", "x.png")
    (root / "link").symlink_to(other)
    (root / "one.png").symlink_to(other / "x.png")
    assert build(root).added == 2
    assert build(root).unchanged == 5
    (Path(other) / "x.png").unlink()
    report = build(root)
    assert (report.removed, report.kept, report.unchanged) == (1, 1, 3)


def test_an_item_that_is_listed_apart_from_the_others_of_its_folder_is_one_item(root):
    """The end of its name is unusual, so it is found by its row, and the others by what their folder looks like."""
    for expected in (4, 4, 4):
        shutil.copy(root / "a.png", root / "train" / "odd.JpG")
        report = build(root)
        assert (report.items, len(rows_and_keys(report.index))) == (expected, 4)
        assert build(root).unchanged == build(root).unchanged == 4


def test_an_image_without_an_extension_is_not_read_again(root, files_asked):
    shutil.copy(root / "a.png", root / "bare")
    assert build(root).added == 1
    files_asked.clear()
    assert (build(root).unchanged, files_asked) == (4, [])


def test_a_file_that_changes_while_it_is_hashed_is_noticed_by_the_next_build(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")

    def change(progress):
        if progress.phase == "hash" and progress.done == 1:
            picture(77, (30, 30)).save(root / "a.png")

    build(root, progress=change)
    assert build(root).changed == 1


def test_damaged_files_are_listed_again_while_they_are_as_they_were(root):
    data = (root / "a.png").read_bytes()
    picture(4, (300, 300)).save(root / "cut.jpg")
    whole = (root / "cut.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    first = build(root)
    again = build(root)
    assert [failure.id for failure in again.damaged] == ["cut.jpg"]
    assert (again.damaged, again.unchanged) == (first.damaged, 4)
    (root / "cut.jpg").write_bytes(data)
    assert build(root).damaged == ()


def test_damaged_files_are_listed_also_where_the_build_is_stopped_after_its_commit(root, monkeypatch):
    picture(4, (300, 300)).save(root / "cut.jpg")
    (root / "cut.jpg").write_bytes((root / "cut.jpg").read_bytes()[:-2000])

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("clipdex.building.build.remember", stopped)
        with pytest.raises(KeyboardInterrupt):
            build(root)
    again = build(root)
    assert (again.unchanged, [failure.id for failure in again.damaged]) == (4, ["cut.jpg"])


def _some_file(rng, root):
    files = sorted(path for path in root.rglob("*") if path.is_file() and ".clipdex" not in path.parts)
    return rng.choice(files)


def _place(rng, root):
    path = (
        root
        / rng.choice(["", "b", "b/c", "b-", "train", "train/b", "val", "ü"])
        / rng.choice(["a.png", "b.PNG", "c.png", "d-.png", "é.png", "f", "g.txt"])
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _copy(rng, root):
    shutil.copy(_some_file(rng, root), _place(rng, root))


def _copy_with_time(rng, root):
    shutil.copy2(_some_file(rng, root), _place(rng, root))


def _rename(rng, root):
    _some_file(rng, root).replace(_place(rng, root))


def _rename_folder(rng, root):
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if folders:
        target = root / rng.choice(["b", "b.", "test", "x"])
        if not target.exists():
            rng.choice(folders).rename(target)


def _remove(rng, root):
    if (path := _some_file(rng, root)) != root / "keep.png":
        path.unlink()


def _paint(rng, root):
    picture(rng.randrange(9), rng.choice([(40, 30), (30, 40)])).save(_place(rng, root), "PNG")


def _break(rng, root):
    _place(rng, root).write_bytes(b"\x89PNG\r\n\x1a\n broken")


def _ignore(rng, root):
    mark = root / "b" / ".clipdexignore"
    if mark.exists():
        mark.unlink()
    elif mark.parent.is_dir():
        mark.touch()


STEPS = [_copy, _copy_with_time, _rename, _rename_folder, _remove, _paint, _break, _ignore]
STEPS += [lambda rng, root: touch_later(_some_file(rng, root))]


def told(report):
    """What a report says of the items."""
    left_out = {"root", "index", "seconds", "model_choice", "left_aside", "taken_over"}
    return {name: value for name, value in asdict(report).items() if name not in left_out}


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_the_index_is_that_of_comparing_item_by_item(tmp_path, seed):
    rng = random.Random(seed)
    root = make_folder(tmp_path / "data", "keep.png", "b/a.png", "train/a.png", "val/c.png")
    build(root)
    for number in range(6):
        for _ in range(rng.randrange(1, 6)):
            rng.choice(STEPS)(rng, root)
        other = shutil.copytree(root, tmp_path / f"other {number}")
        forget(other)
        planned, compared = plan_build(root, prune=True), plan_build(other, prune=True)
        assert {**asdict(planned), "root": 0, "index": 0} == {**asdict(compared), "root": 0, "index": 0}
        done, expected = build(root, prune=True), build(other, prune=True)
        assert told(done) == told(expected)
        assert rows_and_keys(done.index) == rows_and_keys(expected.index)
        listed = [folder / "failed.json" for folder in (done.index, expected.index)]
        assert len({path.read_bytes() if path.exists() else b"" for path in listed}) == 1
    shutil.rmtree(index_of(other))
    assert rows_and_keys(build(other).index) == rows_and_keys(done.index)
