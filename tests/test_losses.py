"""A build never drops much of an index because a disk, a share or a link to one is away."""

from __future__ import annotations

import re
import shutil
import zipfile

import pytest

from clipdex import BuildSettings, Explorer, build, plan_build
from clipdex.building import planning
from clipdex.building.losses import Losses
from clipdex.errors import DatasetEmpty, DatasetShrunk
from clipdex.readers import mounts
from clipdex_indexes import IndexWriter, ItemRow
from helpers_engine import contents, make_folder, picture, renamed_model, rows_and_keys

NAMES = ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/c/3.png", "d.png", "e.png")


@pytest.fixture
def root(tmp_path):
    """Seven images, of which two are in ``a`` and three below ``b``; the index is beside the folder."""
    root = make_folder(tmp_path / "data", *NAMES)
    build(root, index=tmp_path / "index")
    return root


@pytest.fixture
def index(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Let the system say of folders that they are mount points."""
    table = tmp_path / "fstab"
    table.touch()
    monkeypatch.setattr(mounts, "TABLES", ((table, 1),))

    def add(folder):
        with table.open("a") as file:
            file.write(f"/dev/sdb1 {str(folder).replace(' ', chr(92) + '040')} ext4 noauto 0 0\n")

    return add


def empty(folder):
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def refused(error, match, root, index, **keywords):
    """Check that a build stops, and that it changes nothing."""
    before = contents(index)
    with pytest.raises(error, match=match):
        build(root, index=index, **keywords)
    assert contents(index) == before


def test_a_folder_without_images_keeps_the_index_and_finds_it_again(root, index, tmp_path):
    root.rename(tmp_path / "away")
    root.mkdir()
    refused(DatasetEmpty, "no images in .*its index of 7 images is kept.*clipdex build --prune ", root, index)
    refused(DatasetEmpty, "clipdex build --rebuild --prune ", root, index, rebuild=True)
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert build(root, index=index).unchanged == 7


@pytest.mark.parametrize("left", ["folders", "documents", "broken link"])
def test_what_is_no_image_does_not_count_as_seen(root, index, left, tmp_path):
    empty(root)
    if left == "folders":
        (root / "a" / "deep").mkdir(parents=True)
    elif left == "documents":
        (root / "notes.txt").write_text("x")
    else:
        (root / "other.png").symlink_to(tmp_path / "nothing")
    refused(DatasetEmpty, "kept", root, index)


def test_all_of_it_is_dropped_where_the_user_agrees(root, index):
    empty(root)
    report = build(root, index=index, prune=True)
    assert (report.removed, report.items) == (7, 0)


def test_more_than_half_is_not_dropped_unasked(root, index):
    for name in ("a/1.png", "b/1.png", "d.png"):
        (root / name).unlink()
    assert build(root, index=index).removed == 3
    for name in ("a/2.png", "b/2.png", "e.png"):
        (root / name).unlink()
    refused(DatasetShrunk, r"3 of the 4 images .*--prune", root, index)
    assert build(root, index=index, prune=True).removed == 3


@pytest.mark.parametrize("is_there", [True, False])
def test_all_of_a_folder_is_not_dropped_unasked(root, index, is_there):
    shutil.rmtree(root / "a")
    if is_there:
        (root / "a").mkdir()
    refused(DatasetShrunk, r"2 of the 7 images .*all 2 of the folder a", root, index)
    refused(DatasetShrunk, "--rebuild --prune", root, index, rebuild=True)
    assert build(root, index=index, settings=BuildSettings(prune=True)).removed == 2
    assert build(root, index=index).unchanged == 5


def test_the_folder_that_is_named_is_the_topmost_one(root, index):
    shutil.rmtree(root / "b")
    refused(DatasetShrunk, r"all 3 of the folder b\b(?!/c)", root, index)


def test_a_few_images_may_go_unasked(tmp_path):
    root = make_folder(tmp_path / "data", "a/1.png", "b/1.png", "c.png")
    build(root)
    (root / "a" / "1.png").unlink()
    (root / "b" / "1.png").unlink()
    assert build(root).removed == 2


def test_renamed_folders_are_moved_images_and_no_loss(root, index):
    (root / "a").rename(root / "z")
    (root / "b").rename(root / "train")
    report = build(root, index=index)
    assert (report.renamed, report.removed, report.unchanged) == (5, 0, 2)


def test_a_renamed_folder_of_which_a_few_are_gone_is_no_loss(root, index):
    (root / "b").rename(root / "z")
    (root / "z" / "1.png").unlink()
    report = build(root, index=index)
    assert (report.renamed, report.removed) == (2, 1)


def test_new_images_of_the_same_size_are_not_taken_for_moved_ones(tmp_path):
    root = tmp_path / "data"
    for number in range(3):
        (root / "a").mkdir(parents=True, exist_ok=True)
        picture(number).save(root / "a" / f"{number}.bmp")
    picture(9).save(root / "x.bmp")
    build(root, index=tmp_path / "index")
    (root / "a").rename(tmp_path / "away")
    (root / "b").mkdir()
    for number in range(3):
        picture(20 + number).save(root / "b" / f"{number}.bmp")
    refused(DatasetShrunk, "3 of the 4 images", root, tmp_path / "index")
    shutil.move(tmp_path / "away" / "0.bmp", root / "y.bmp")
    report = build(root, index=tmp_path / "index")
    assert (report.added, report.renamed, report.removed) == (3, 1, 2)


def test_images_without_known_content_count_as_well(root, index):
    with IndexWriter(index) as writer:
        pairs = [(row._replace(content=0), writer.base.key(where).tobytes()) for where, row in writer.base.items()]
        for where, _ in writer.base.items():
            writer.remove(where)
        writer.add(pairs)
        writer.commit()
    shutil.rmtree(root / "a")
    refused(DatasetShrunk, "2 of the 7", root, index)
    assert build(root, index=index, prune=True).removed == 2


def test_an_empty_mount_point_keeps_its_images(root, index, mounted):
    mounted(root / "a")
    assert build(root, index=index).unchanged == 7
    empty(root / "a")
    before = rows_and_keys(index)
    for keywords in ({}, {"prune": True}):
        report = build(root, index=index, **keywords)
        assert (report.kept, report.unchanged, report.removed) == (2, 5, 0)
        assert [(one.id, one.reason) for one in report.failed] == [("a", "it is an empty mount point")]
        assert rows_and_keys(index) == before


def test_an_empty_mount_point_that_was_never_indexed_is_no_news(root, index, mounted):
    (root / "f").mkdir()
    mounted(root / "f")
    assert build(root, index=index).failed == ()


def test_a_dataset_that_is_an_empty_mount_point_keeps_everything(tmp_path, mounted):
    root = make_folder(tmp_path / "my photos", *NAMES)
    build(root, index=tmp_path / "index")
    mounted(root)
    empty(root)
    before = rows_and_keys(tmp_path / "index")
    assert build(root, index=tmp_path / "index", prune=True).kept == 7
    assert rows_and_keys(tmp_path / "index") == before
    with pytest.raises(DatasetEmpty):
        build(root, index=tmp_path / "another")


def test_a_link_to_a_disk_that_is_away_keeps_its_images(tmp_path):
    disk = make_folder(tmp_path / "disk", "1.png", "2.png", "deep/3.png")
    root = make_folder(tmp_path / "data", "x.png", seed=9)
    (root / "linked").symlink_to(disk)
    (root / "one.png").symlink_to(disk / "1.png")
    build(root, index=tmp_path / "index")
    before = rows_and_keys(tmp_path / "index")
    disk.rename(tmp_path / "away")
    report = build(root, index=tmp_path / "index")
    assert (report.kept, report.unchanged, report.removed) == (4, 1, 0)
    assert {one.id: one.reason for one in report.failed} == {
        "linked": "the link leads to nothing",
        "one.png": "cannot be read: No such file or directory",
    }
    assert rows_and_keys(tmp_path / "index") == before


def test_an_archive_that_has_lost_a_folder_is_not_followed_unasked(root, index, tmp_path):
    archive = tmp_path / "photos.zip"

    def write(names):
        with zipfile.ZipFile(archive, "w") as file:
            for name in names:
                file.write(root / name, name)

    write(NAMES)
    other = tmp_path / "other"
    build(archive, index=other)
    write(name for name in NAMES if not name.startswith("a/"))
    refused(DatasetShrunk, "all 2 of the folder a", archive, other)
    write(())
    refused(DatasetEmpty, "kept", archive, other)


def test_a_list_whose_images_are_away_keeps_the_index(root, index, tmp_path):
    listed = tmp_path / "images.txt"
    listed.write_text("".join(f"data/{name}\n" for name in NAMES))
    other = tmp_path / "other"
    build(listed, index=other)
    shutil.rmtree(root / "a")
    refused(DatasetShrunk, "all 2 of the folder data/a", listed, other)
    empty(root)
    refused(DatasetEmpty, "kept", listed, other)


@pytest.mark.parametrize("prune", [False, True])
def test_images_of_a_list_below_an_empty_mount_point_are_kept(root, index, mounted, tmp_path, prune):
    listed = tmp_path / "images.txt"
    listed.write_text("".join(f"data/{name}\n" for name in NAMES))
    build(listed, index=tmp_path / "other")
    before = rows_and_keys(tmp_path / "other")
    mounted(root / "b")
    empty(root / "b")
    report = build(listed, index=tmp_path / "other", prune=prune)
    assert (report.kept, report.unchanged, report.removed) == (3, 4, 0)
    assert {one.kind for one in report.failed} == {"missing"}
    assert rows_and_keys(tmp_path / "other") == before
    shutil.rmtree(root / "b")
    refused(DatasetShrunk, "all 3 of the folder data/b", listed, tmp_path / "other")


def test_images_of_a_list_at_the_end_of_links_to_a_disk_that_is_away_are_kept(tmp_path):
    disk = make_folder(tmp_path / "disk", "1.png", "2.png", "deep/3.png")
    make_folder(tmp_path, "x.png", "y.png", seed=9)
    (tmp_path / "linked").symlink_to(disk)
    (tmp_path / "one.png").symlink_to(disk / "1.png")
    listed = tmp_path / "images.txt"
    listed.write_text("x.png\ny.png\none.png\nlinked/2.png\nlinked/deep/3.png\n")
    build(listed)
    disk.rename(tmp_path / "away")
    (tmp_path / "y.png").unlink()
    report = build(listed)
    assert (report.kept, report.unchanged, report.removed) == (3, 1, 1)


def test_a_subset_that_is_away_is_not_dropped_unasked(tmp_path):
    make_folder(tmp_path, "m/1.png", "m/2.png", "n/1.png", "n/2.png", "n/3.png", "n/4.png")
    table = tmp_path / "images.csv"
    rows = [("m/1.png", "1", "val"), ("m/2.png", "2", "val")] + [
        (f"n/{n}.png", f"{n + 2}", "train") for n in (1, 2, 3, 4)
    ]
    table.write_text("path,id,subset\n" + "".join(",".join(row) + "\n" for row in rows))
    build(table, index=tmp_path / "index")
    shutil.rmtree(tmp_path / "m")
    refused(DatasetShrunk, "all 2 of the subset val", table, tmp_path / "index")


def test_a_rebuild_that_another_format_was_asked_of_is_what_the_user_wants(root, tmp_path):
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in NAMES:
            file.write(root / name, name)
    build(archive, index=tmp_path / "other", options={"root": "b"})
    assert build(archive, index=tmp_path / "other", options={"root": "a"}, rebuild=True).items == 2


def test_a_rebuild_in_another_way_that_hashes_nothing_keeps_the_index(root, tmp_path):
    archive, index = tmp_path / "photos.zip", tmp_path / "other"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/1.png", b"broken")
        file.write(root / "b" / "1.png", "b/1.png")
    build(archive, index=index, options={"root": "b"})
    other = BuildSettings(options={"root": "a"}, rebuild=True)
    refused(DatasetEmpty, "no image of .* could be hashed", archive, index, settings=other)
    assert build(archive, index=index, settings=other, prune=True).items == 0


def test_a_rebuild_that_sees_nothing_keeps_even_a_damaged_index(root, index, deny):
    (index / "manifest.json").write_bytes(b"{}")
    deny(root)
    refused(DatasetEmpty, "could be hashed, and its index is kept as it was", root, index, rebuild=True)
    assert plan_build(root, index=index, rebuild=True).refusal.startswith("no image of ")


def test_the_command_that_agrees_to_a_rebuild_names_the_same_model(root, index, tmp_path):
    shutil.rmtree(root / "a")
    model = str(renamed_model(tmp_path / "my model", "mine"))
    words = f"--rebuild --prune {root} --index {index} --model '{model}' --precision f32"
    refused(DatasetShrunk, re.escape(words), root, index, rebuild=True, model=model, precision="f32")


def test_a_rebuild_does_not_replace_an_index_by_less_because_a_disk_goes_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "_LOOK_AHEAD", 1)
    root, index = make_folder(tmp_path / "data", *(f"{number:02}.png" for number in range(40))), tmp_path / "index"
    build(root, index=index)

    def lose(progress):
        if progress.phase == "hash" and progress.done:
            for path in sorted(root.glob("*.png"))[12:]:
                path.rename(tmp_path / path.name)

    refused(DatasetShrunk, "--rebuild --prune", root, index, rebuild=True, progress=lose)


def test_images_that_all_break_are_not_dropped_unasked(root, index):
    before = rows_and_keys(index)
    for name in NAMES[:4]:
        (root / name).write_bytes(b"")
    refused(DatasetShrunk, "4 of the 7", root, index)
    assert build(root, index=index, prune=True).items == 3
    assert len(before) == 7


def test_the_index_of_a_dataset_that_did_not_change_is_not_compared(root, index):
    assert build(root, index=index).unchanged == 7
    shutil.rmtree(root / "a")
    refused(DatasetShrunk, "2 of the 7", root, index)
    refused(DatasetShrunk, "2 of the 7", root, index)


def test_an_explorer_that_builds_keeps_the_index_as_well(root, index):
    shutil.rmtree(root / "b")
    before = contents(index)
    with pytest.raises(DatasetShrunk):
        Explorer(root, index=index, build=True)
    assert contents(index) == before
    with Explorer(root, index=index, build=BuildSettings(prune=True)) as explorer:
        assert len(explorer) == 4


@pytest.mark.parametrize(
    ("known", "gone", "whole"),
    [
        (["a/1", "a/2", "b/1"], ["a/1", "a/2"], ["folder a"]),
        (["a/1", "a/2", "b/1"], ["a/1", "b/1"], []),
        (["a-b/1", "a-b/2", "a/1", "a/b/2", "c"], ["a/1", "a/b/2"], ["folder a"]),
        (["a/b/1", "a/b/2", "a/c/1", "a/c/2", "d"], ["a/b/1", "a/b/2", "a/c/1", "a/c/2"], ["folder a"]),
        (
            ["a/b/1", "a/b/2", "a/c/1", "a/d/1", "a/d/2"],
            ["a/b/1", "a/b/2", "a/d/1", "a/d/2"],
            ["folder a/b", "folder a/d"],
        ),
        (["1", "2", "3"], ["1", "2"], []),
    ],
)
def test_folders_are_told_that_have_nothing_left(known, gone, whole):
    losses = Losses()
    for item_id in known:
        losses.see(ItemRow(item_id, "default", (), 1, 1), gone=item_id in gone)
    assert [one.name for one in losses.all_gone().whole] == whole


def test_the_command_stops_says_the_numbers_and_the_flag_and_goes_on_with_the_others(cli, root, index, tmp_path):
    project = tmp_path / "project"
    cli("project", "create", project)
    for name in ("one", "two"):
        shutil.copytree(root, tmp_path / name)
        cli("project", "add", "-p", project, tmp_path / name)
    assert cli("project", "build", "-p", project).code == 0
    before = contents(tmp_path / "one" / ".clipdex")
    shutil.rmtree(tmp_path / "one" / "a")
    for words in (("build", "-p", project), ("project", "build", "-p", project)):
        done = cli(*words)
        assert done.code == 1
        assert "2 of the 7 images in the index" in done.err
        assert f"clipdex build --prune {tmp_path / 'one'}" in done.err
        assert "two: 0 added, 7 unchanged" in done.err
    explored = ("explore", tmp_path / "one", "--query-str", "dog")
    done = cli(*explored)
    assert (done.code, done.out) == (1, b"")
    assert contents(tmp_path / "one" / ".clipdex") == before
    assert "2 removed" in cli(*explored, "--prune").err
    shutil.rmtree(tmp_path / "two" / "a")
    assert "2 removed" in cli("project", "build", "-p", project, "--prune").err


def test_the_command_fails_where_everything_is_kept_unseen(cli, root, index, mounted):
    mounted(root)
    empty(root)
    done = cli("build", root, "--index", index)
    assert done.code == 1
    assert "failed: .: it is an empty mount point" in done.err
    assert "its index of 7 images is kept" in done.err


def test_a_link_to_an_index_that_is_away_is_said(cli, tmp_path):
    root = make_folder(tmp_path / "set", "a.png")
    (root / ".clipdex").symlink_to(tmp_path / "away")
    for arguments in (["query", "--text", "dog"], ["info"], ["duplicates"]):
        done = cli(arguments[0], root, *arguments[1:])
        assert (done.code, "is a link that leads to nothing. Is a disk away?" in done.err) == (1, True)
    assert cli("explore", root, "--text", "dog").code == 1


def test_files_that_cannot_be_read_any_more_are_named_where_a_build_stops(root, index):
    for name in NAMES[:5]:
        (root / name).write_text("x")
    why = (
        r"5 files are there and cannot be read, such as a/1.png \(not an image in a format that can be read\)\. Nothing"
    )
    refused(DatasetShrunk, why, root, index)
    refused(DatasetShrunk, why, root, index, rebuild=True)
    for name in NAMES:
        (root / name).write_text("x")
    refused(DatasetEmpty, "7 files are there and cannot be read, such as a/1.png", root, index)
