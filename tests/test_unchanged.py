"""A build of a dataset in which nothing changed looks at each file once, and at nothing else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from clipdex import build
from clipdex.building import planning
from clipdex.readers import FolderReader
from clipdex_indexes import IndexWriter
from helpers_engine import every_file, make_folder, picture, touch_later


@pytest.fixture
def root(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "train/b.png", "train/c/d.png")
    build(root)
    return root


def index_of(root):
    return root / ".clipdex"


def test_nothing_is_compared_and_no_file_is_touched(root, monkeypatch):
    before = every_file(root)
    with monkeypatch.context() as patch:
        patch.setattr(planning, "compare", None)
        report = build(root)
    assert (report.unchanged, report.added + report.changed + report.touched + report.renamed) == (3, 0)
    assert (report.removed, report.items) == (0, 3)
    assert every_file(root) == before


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
    before = FolderReader(root).fingerprint()
    CHANGES[change](root)
    assert FolderReader(root).fingerprint() != before
    report = build(root, prune=True)
    assert report.unchanged < 3 or report.added or report.failed
    assert build(root).unchanged == report.items


def test_a_dataset_that_was_moved_with_its_index_is_not_compared(root, tmp_path, monkeypatch):
    moved = root.rename(tmp_path / "moved")
    before = every_file(moved)
    with monkeypatch.context() as patch:
        patch.setattr(planning, "compare", None)
        assert build(moved).unchanged == 3
    assert every_file(moved) == before


def test_another_pattern_with_the_same_index_is_compared(root, tmp_path):
    """All patterns look below the same folder."""
    index = tmp_path / "index"
    assert build(str(root / "*.png"), index=index).items == 1
    assert build(str(root / "**" / "*.png"), index=index).items == 3
    report = build(str(root / "t*" / "*.png"), index=index)
    assert (report.unchanged, report.removed, report.items) == (1, 2, 1)


def test_hidden_files_do_not_matter(root):
    before = FolderReader(root).fingerprint()
    (root / ".hidden").mkdir()
    shutil.copy(root / "a.png", root / ".hidden")
    assert FolderReader(root).fingerprint() == before is not None


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


@pytest.mark.parametrize("note", [b"", b"{}", b"null", b"[" * 5000, b"\xff", b'{"manifest": 1, "dataset": 2}'])
def test_a_note_that_is_damaged_is_no_note(root, note):
    path = index_of(root) / "unchanged.json"
    assert path.exists()
    path.write_bytes(note)
    (root / "a.png").unlink()
    assert build(root).removed == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_where_a_link_leads_elsewhere_everything_is_compared(root, tmp_path):
    other = make_folder(tmp_path / "other", "x.png")
    (root / "link").symlink_to(other)
    assert FolderReader(root).fingerprint() is None
    assert build(root).added == 1
    (Path(other) / "x.png").unlink()
    assert build(root).removed == 1


def test_a_file_that_changes_while_it_is_hashed_is_noticed_by_the_next_build(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")

    def change(progress):
        if progress.phase == "hash" and progress.done == 1:
            picture(77, (30, 30)).save(root / "a.png")

    build(root, progress=change)
    assert build(root).changed == 1
