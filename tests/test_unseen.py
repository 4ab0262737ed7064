"""What a build cannot look at stays in the index; an index that is not complete says so."""

from __future__ import annotations

import pytest

from clipdex import build
from clipdex_indexes import IndexWriter
from helpers_engine import make_folder, rows_and_keys

NAMES = ("a.png", "sub/b.png", "sub/deep/c.png", "subs.png", "z.png")


@pytest.fixture
def root(tmp_path):
    root = make_folder(tmp_path / "data", *NAMES)
    build(root)
    return root


def test_items_below_a_folder_that_cannot_be_read_keep_their_hash_keys(root, deny):
    before = rows_and_keys(root / ".clipdex")
    (root / "z.png").unlink()
    deny(root / "sub")
    report = build(root)
    assert (report.unchanged, report.kept, report.removed, report.items) == (2, 2, 1, 4)
    assert [(one.id, one.reason) for one in report.failed] == [("sub", "the folder cannot be read: Permission denied")]
    assert rows_and_keys(root / ".clipdex") == before[:-1]

    deny.lift()
    report = build(root)
    assert (report.unchanged, report.kept, report.added, report.failed) == (4, 0, 0, ())


@pytest.mark.parametrize("pattern", ["", "*.png", "**/*.png"])
def test_a_dataset_that_cannot_be_read_at_all_keeps_everything(tmp_path, deny, pattern):
    root = make_folder(tmp_path / "data", *NAMES)
    target, index = root / pattern, tmp_path / "index"
    build(target, index=index)
    before = rows_and_keys(index)
    deny(root)
    assert build(target, index=index).kept == len(before) > 0
    assert rows_and_keys(index) == before


def test_a_folder_that_is_gone_is_not_kept(root):
    (root / "sub").rename(root.parent / "elsewhere")
    report = build(root, prune=True)
    assert (report.kept, report.removed, report.items) == (0, 2, 3)


def test_the_command_counts_and_names_what_it_could_not_look_at(cli, root, deny):
    deny(root / "sub")
    done = cli("build", root)
    assert done.code == 0
    assert "3 unchanged, 2 kept unseen, 1 failed; 5 images" in done.err
    assert "failed: sub: the folder cannot be read: Permission denied" in done.err


def test_an_index_that_is_not_complete_says_so(cli, root):
    assert "so far" not in cli("query", root, "--item", "a.png").err
    with IndexWriter(root / ".clipdex") as writer:
        location, _ = next(writer.base.items())
        writer.remove(location)
        writer.checkpoint()
    done = cli("query", root, "--item", "z.png")
    assert done.err.splitlines()[0] == (
        "data: 4 images in the index so far, its build was stopped, or is still running. "
        f"Go on with it: clipdex build {root}"
    )
    assert b"4 so far: its build was stopped, or is still running" in cli("info", root).out
    assert cli("info", root, "--json").json[0]["complete"] is False

    cli("build", root)
    assert "so far" not in cli("query", root, "--item", "z.png").err
    assert cli("info", root, "--json").json[0]["complete"] is True
