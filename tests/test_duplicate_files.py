"""Files of duplicates: what is one file, what is identical, what is kept, and that no picture loses its only copy."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from clipdex import build, find_duplicates, join
from clipdex.errors import QueryError
from helpers_engine import PHOTOS, touch_later

DOG, SEA, FIG = (PHOTOS / name for name in ("animals/german-shepherd.jpg", "places/sea.jpg", "food/fig.jpg"))


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return target


def resave(source, target, quality=90):
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        image.convert("RGB").save(target, "JPEG", quality=quality)
    return target


def ids(result):
    return [[item.id for item in group.items] for group in result.groups]


def removable(result):
    return [item.id for item in result.removable]


def same(result):
    return [(one.id, one.same_id) for one in result.same_file]


def delete_what_is_printed(cli, *arguments):
    for path in cli("duplicates", *arguments, "--output", "paths", "-0").out.decode().split("\0")[:-1]:
        Path(path).unlink()


def hard_link(root):
    os.link(copy(DOG, root / "a.jpg"), root / "b.jpg")


def link_to_a_file(root):
    (root / "b.jpg").symlink_to(copy(DOG, root / "a.jpg"))


def link_to_a_folder(root):
    copy(DOG, root / "a/x.jpg")
    (root / "b").symlink_to(root / "a", target_is_directory=True)


def table_that_names_one_twice(root):
    copy(DOG, root / "x.jpg")
    (root / "t.csv").write_text("path,id\nx.jpg,a.jpg\n./x.jpg,b.jpg\n", encoding="utf-8")
    return root / "t.csv"


@pytest.mark.parametrize("make", [hard_link, link_to_a_file, table_that_names_one_twice])
def test_one_file_with_two_names_is_no_duplicate(cli, tmp_path, make):
    tmp_path = tmp_path / "set"
    tmp_path.mkdir()
    target = make(tmp_path) or tmp_path
    build(target)
    result = find_duplicates(target)
    assert (ids(result), result.total_groups, result.total_items, result.total_same_file) == ([], 0, 0, 1)
    assert sorted(same(result)[0]) == ["a.jpg", "b.jpg"]
    delete_what_is_printed(cli, target)
    assert (tmp_path / "a.jpg").exists() or (tmp_path / "x.jpg").exists()


def test_targets_inside_each_other_and_a_folder_of_two_names_are_one_place(cli, tmp_path):
    root = tmp_path / "photos"
    copy(DOG, root / "album/a.jpg")
    copy(SEA, root / "b.jpg")
    (tmp_path / "link").symlink_to(root / "album", target_is_directory=True)
    (tmp_path / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    build(root)
    build(root / "album")
    shutil.copytree(root / "album/.clipdex", tmp_path / "index")
    for targets in ((root, root / "album"), (root, tmp_path / "link"), (root, tmp_path / "elsewhere/photos/album")):
        result = find_duplicates(*targets)
        assert (ids(result), same(result)) == ([], [("a.jpg", "album/a.jpg")])
        delete_what_is_printed(cli, *targets)
    assert (root / "album/a.jpg").exists()


def test_a_part_of_a_dataset_is_searched_and_a_part_of_a_target_counts_once(cli, tmp_path):
    root = tmp_path / "photos"
    for name in ("a/x.jpg", "a/y.jpg", "b/z.jpg"):
        copy(DOG, root / name)
    build(root)
    assert ids(find_duplicates(root / "a")) == [["a/x.jpg", "a/y.jpg"]]
    assert ids(find_duplicates(root / "a", identical=True)) == [["a/x.jpg", "a/y.jpg"]]
    done = cli("duplicates", root, root / "a", "--output", "json")
    assert [len(group["items"]) for group in done.json["groups"]] == [3]
    assert "1 TARGET is another one, or part of it, and counts once." in done.err


def test_what_is_one_file_is_said_in_every_output(cli, tmp_path):
    root = tmp_path / "set"
    copy(DOG, root / "train/a.jpg")
    os.link(root / "train/a.jpg", copy(SEA, root / "val/sea.jpg").with_name("b.jpg"))
    build(root)
    sentence = (
        "1 image is the same file as another image, and not counted as duplicates: "
        "val/b.jpg (val) is train/a.jpg (train). 1 in another subset."
    )
    for output in ("table", "json", "csv", "paths"):
        assert sentence in cli("duplicates", root, "--output", output).err
    body = cli("duplicates", root, "--output", "json").json
    assert (body["total_same_file"], body["total_same_file_across_subsets"], body["groups"]) == (1, 1, [])
    assert body["same_file"] == [
        {
            "dataset": "set",
            "id": "val/b.jpg",
            "subset": "val",
            "path": str(root / "val/b.jpg"),
            "same_dataset": "set",
            "same_id": "train/a.jpg",
            "same_subset": "train",
        }
    ]
    (row,) = csv.DictReader(io.StringIO(cli("duplicates", root, "--output", "csv").out.decode()))
    assert (row["group"], row["id"], row["match"], row["removable"]) == ("", "val/b.jpg", "same file", "no")
    assert (row["same_dataset"], row["same_subset"], row["same_id"]) == ("set", "train", "train/a.jpg")


def test_one_file_counts_once_beside_a_true_copy(cli, tmp_path):
    root = tmp_path / "set"
    copy(DOG, root / "c.jpg")
    os.link(copy(DOG, root / "b.jpg"), root / "d.jpg")
    (root / "a.jpg").symlink_to(root / "b.jpg")
    build(root)
    result = find_duplicates(root)
    # The file itself stands for its links, and the first of its hard links for the others.
    assert ids(result) == [["b.jpg", "c.jpg"]]
    assert same(result) == [("a.jpg", "b.jpg"), ("d.jpg", "b.jpg")]
    assert removable(result) == ["c.jpg"]
    assert find_duplicates(root, keep="c*").removable[0].path == str(root / "b.jpg")


def test_sources_of_a_project_that_overlap_are_one_place(cli, tmp_path, monkeypatch):
    root = tmp_path / "photos"
    copy(DOG, root / "album/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert cli("project", "create", "p").code == 0
    monkeypatch.chdir(tmp_path / "p")
    for name, folder in (("all", root), ("album", root / "album")):
        assert cli("project", "add", folder, "--name", name).code == 0
    assert cli("build").code == 0
    done = cli("duplicates", "--output", "paths")
    assert (done.code, done.out) == (0, b"")
    assert "1 image is the same file" in done.err


def test_a_list_and_its_folder_and_a_merged_dataset_are_one_place(tmp_path):
    root = tmp_path / "photos"
    copy(DOG, root / "a.jpg")
    (tmp_path / "list.txt").write_text("photos/a.jpg\n", encoding="utf-8")
    build(root)
    build(tmp_path / "list.txt")
    assert find_duplicates(root, tmp_path / "list.txt").total_same_file == 1
    join([root, tmp_path / "list.txt"], tmp_path / "both")
    assert find_duplicates(tmp_path / "both").total_same_file == 1
    assert find_duplicates(root, tmp_path / "both").total_same_file == 2


def pack_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, source in files.items():
            archive.write(source, name)
    return path


def test_members_are_one_place_where_archive_and_data_are_the_same(cli, tmp_path):
    archive = pack_zip(tmp_path / "a.zip", {"x.jpg": DOG, "y.jpg": DOG, "z.jpg": SEA})
    (tmp_path / "link.zip").symlink_to(archive)
    os.link(archive, tmp_path / "hard.zip")
    for target in (archive, tmp_path / "link.zip", tmp_path / "hard.zip"):
        build(target)
    assert ids(find_duplicates(archive)) == [["x.jpg", "y.jpg"]]
    assert removable(find_duplicates(archive)) == ["y.jpg"]
    result = find_duplicates(archive, tmp_path / "hard.zip")
    assert (ids(result), result.total_same_file) == ([["x.jpg", "y.jpg"]], 3)
    # A link is the same dataset, which is opened once.
    linked = cli("duplicates", archive, tmp_path / "link.zip", "--output", "json")
    assert [len(group["items"]) for group in linked.json["groups"]] == [2]
    assert "1 TARGET is another one, or part of it, and counts once." in linked.err
    shutil.copy(archive, tmp_path / "copy.zip")
    build(tmp_path / "copy.zip")
    result = find_duplicates(archive, tmp_path / "copy.zip")
    assert (len(result.groups), result.total_items, result.total_same_file) == (2, 6, 0)


def test_two_members_with_the_same_data_are_one(tmp_path):
    path = pack_zip(tmp_path / "a.zip", {"x.jpg": DOG, "y.jpg": DOG})
    with zipfile.ZipFile(path) as archive:
        first, second = (info.header_offset for info in archive.infolist())
    data = path.read_bytes()
    at = data.rindex(b"PK\1\2") + 42  # where the second entry says that its data is
    assert int.from_bytes(data[at : at + 4], "little") == second
    path.write_bytes(data[:at] + first.to_bytes(4, "little") + data[at + 4 :])
    build(path)
    assert (ids(find_duplicates(path)), same(find_duplicates(path))) == ([], [("y.jpg", "x.jpg")])


def test_members_of_a_tar_archive_are_told_apart(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(DOG, "x.jpg")
        archive.add(DOG, "y.jpg")
    build(tmp_path / "a.tar.gz")
    os.link(tmp_path / "a.tar.gz", tmp_path / "b.tgz")
    build(tmp_path / "b.tgz")
    result = find_duplicates(tmp_path / "a.tar.gz", tmp_path / "b.tgz")
    assert (ids(result), result.total_same_file) == ([["x.jpg", "y.jpg"]], 2)
    assert removable(result) == ["y.jpg"]
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(DOG, "x.jpg")
        archive.add(SEA, "y.jpg")
    result = find_duplicates(tmp_path / "a.tar.gz")
    assert (removable(result), [item.problem for item in result.groups[0].items]) == ([], ["", "changed"])


@pytest.mark.skipif(not importlib.util.find_spec("pyarrow"), reason="pyarrow is not installed")
def test_rows_of_parquet_are_places_and_rows_that_name_one_file_are_one(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    inside = [{"bytes": DOG.read_bytes(), "path": "same.jpg"}] * 2
    pq.write_table(pa.table({"image": inside}), tmp_path / "inside.parquet")
    build(tmp_path / "inside.parquet")
    os.link(tmp_path / "inside.parquet", tmp_path / "link.parquet")
    build(tmp_path / "link.parquet")
    assert ids(find_duplicates(tmp_path / "inside.parquet")) == [["00000000", "00000001"]]
    assert removable(find_duplicates(tmp_path / "inside.parquet")) == ["00000001"]
    assert find_duplicates(tmp_path / "inside.parquet", tmp_path / "link.parquet").total_same_file == 2

    copy(DOG, tmp_path / "a.jpg")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    outside = pa.array([{"bytes": None, "path": "a.jpg"}] * 2 + inside[:1], kind)
    pq.write_table(pa.table({"image": outside}), tmp_path / "outside.parquet")
    build(tmp_path / "outside.parquet")
    result = find_duplicates(tmp_path / "outside.parquet")
    assert (ids(result), same(result)) == ([["00000000", "00000002"]], [("00000001", "00000000")])


@pytest.fixture
def mixed(tmp_path):
    """A dog in three identical files and saved again twice, the second time twice."""
    root = tmp_path / "mixed"
    copy(DOG, root / "b/original.jpg")
    copy(DOG, root / "a/copy.jpg")
    copy(DOG, root / "c/copy.jpg")
    resave(DOG, root / "d/again.jpg", quality=95)
    copy(root / "d/again.jpg", root / "e/again.jpg")
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        os.utime(path, ns=(0, (2_000_000_000 - number * 1000) * 1_000_000_000))
    build(root)
    return root


ALL = ["a/copy.jpg", "b/original.jpg", "c/copy.jpg", "d/again.jpg", "e/again.jpg"]


def test_identical_files_are_told_from_near_ones(cli, mixed):
    (group,) = find_duplicates(mixed).groups
    assert [item.id for item in group.items] == ALL
    assert [item.match for item in group.items] == ["kept", "identical", "identical", "near", "near"]
    assert [item.content for item in group.items] == [1, 1, 1, 2, 2]
    assert not group.identical
    done = cli("duplicates", mixed)
    assert done.lines[0].split() == ["group", "greatest", "distance", "match", "content", "id", "labels"]
    assert "5 images identical to another file of the group." in done.err
    rows = list(csv.DictReader(io.StringIO(cli("duplicates", mixed, "--output", "csv").out.decode())))
    assert [(row["match"], row["content"]) for row in rows] == [(item.match, str(item.content)) for item in group.items]
    printed = cli("duplicates", mixed, "--output", "paths")
    assert "4 paths: 2 identical to what is kept, 2 only near: look at those before you delete them" in printed.err


def test_only_identical_files(cli, mixed):
    result = find_duplicates(mixed, identical=True)
    assert ids(result) == [ALL[:3], ALL[3:]]
    assert all(group.identical and item.distance == 0 for group in result.groups for item in group.items)
    assert (result.total_identical_groups, result.total_identical_items) == (2, 5)
    done = cli("duplicates", mixed, "--identical", "--output", "paths")
    assert done.out.decode().split() == [str(mixed / one) for one in (ALL[1], ALL[2], ALL[4])]
    assert "5 of 5 images in 2 groups of identical files." in done.err
    os.link(mixed / ALL[3], mixed / "d/hard.jpg")
    (mixed / ALL[4]).unlink()
    build(mixed)
    again = find_duplicates(mixed, identical=True)
    assert (ids(again), again.total_same_file) == ([ALL[:3]], 1)
    for options in (["--max-distance", "3"], ["--linkage", "complete"]):
        assert cli("duplicates", mixed, "--identical", *options).code == 2
    with pytest.raises(QueryError, match="the same content"):
        find_duplicates(mixed, identical=True, max_distance=3)


def kept(result):
    return [item.id for group in result.groups for item in group.items if item.match == "kept"]


def test_the_rule_chooses_what_is_kept(mixed):
    sizes = {one: (mixed / one).stat().st_size for one in ALL}
    largest = max(ALL, key=lambda one: sizes[one])
    assert [kept(find_duplicates(mixed, keep=rule)) for rule in ("first", "largest", "oldest", "newest")] == [
        *([ALL[0]], [largest], [ALL[4]], [ALL[0]]),
    ]
    newest = find_duplicates(mixed, keep="oldest")
    assert removable(newest) == ALL[:4]
    assert [item.distance for item in newest.groups[0].items][:1] == [0]


@pytest.mark.parametrize("pattern", ["[bd]/**", "{root}/[bd]/*.jpg", "mixed/[bd]/*"])
def test_all_that_match_a_pattern_are_kept(cli, mixed, pattern, monkeypatch):
    monkeypatch.chdir(mixed.parent)
    result = find_duplicates(mixed, keep=pattern.replace("{root}", str(mixed)))
    assert kept(result) == ["b/original.jpg", "d/again.jpg"]
    assert removable(result) == ["a/copy.jpg", "c/copy.jpg", "e/again.jpg"]
    assert [item.match for item in result.groups[0].items[2:]] == ["identical"] * 3


def test_a_group_without_a_match_keeps_the_first_and_that_is_said(cli, mixed):
    done = cli("duplicates", mixed, "--keep", "originals/**", "--output", "paths")
    assert done.out.decode().split() == [str(mixed / one) for one in ALL[1:]]
    assert "1 group without an image that --keep matches: the first image is kept." in done.err
    assert not cli("duplicates", mixed, "--keep", "originals/**", "--output", "json").json["groups"][0]["matched"]


@pytest.mark.parametrize("rule", ["lagrest", "", "a//b", "[z-a]/*"])
def test_a_rule_that_is_none_is_refused(cli, mixed, rule):
    assert cli("duplicates", mixed, "--keep", rule).code == 1
    with pytest.raises(QueryError):
        find_duplicates(mixed, keep=rule)


def test_what_is_missing_or_has_changed_keeps_nothing_and_is_not_printed(cli, mixed):
    (mixed / ALL[0]).unlink()
    touch_later(copy(SEA, mixed / ALL[2]))
    done = cli("duplicates", mixed, "--output", "paths")
    # The first that is there, and as the index knows it, is kept.
    assert done.out.decode().split() == [str(mixed / one) for one in ALL[3:]]
    assert "1 image in the groups: the file is not there." in done.err
    assert "1 image in the groups: the file has changed since the build." in done.err
    assert "2 paths not printed: 1 missing; 1 changed since the build" in done.err
    items = {item.id: item for item in find_duplicates(mixed).groups[0].items}
    assert (items[ALL[0]].problem, items[ALL[2]].problem) == ("missing", "changed")
    assert (items[ALL[1]].match, items[ALL[2]].match, items[ALL[2]].content) == ("kept", "near", 0)
    for one in ALL[3:]:
        (mixed / one).unlink()
    assert removable(find_duplicates(mixed)) == []


def test_an_index_without_its_images_has_groups_and_nothing_to_delete(cli, mixed, tmp_path):
    shutil.move(mixed, tmp_path / "away")
    shutil.move(tmp_path / "away/.clipdex", tmp_path / "index")
    done = cli("duplicates", "--index", tmp_path / "index", "--output", "paths")
    assert (done.code, done.out) == (0, b"")
    assert "4 paths not printed: 4 missing" in done.err


def test_no_rule_ever_prints_every_file_of_one_content(cli, mixed):
    content = {one: (mixed / one).read_bytes() for one in ALL}
    for rule in ("first", "largest", "oldest", "newest", "**", "e/*", "nothing/**"):
        for options in ([], ["--identical"], ["--linkage", "complete"], ["--max-distance", "0"], ["--limit", "1"]):
            done = cli("duplicates", mixed, "--keep", rule, *options, "--output", "paths", "-0")
            gone = {os.path.relpath(path, mixed) for path in done.out.decode().split("\0")[:-1]}
            assert gone < set(ALL)
            if options:
                continue
            assert all(one not in gone for one in kept(find_duplicates(mixed, keep=rule)))
    left = {content[one] for one in ALL}
    delete_what_is_printed(cli, mixed, "--identical")
    assert {path.read_bytes() for path in mixed.rglob("*.jpg")} == left


def test_the_sheet_says_what_is_kept_identical_and_near(cli, mixed, tmp_path):
    from clipdex.report.groups import _match

    items = find_duplicates(mixed).groups[0].items
    assert [_match(item).split(",")[0] for item in items] == ["kept", "identical", "identical", "near", "near"]
    assert cli("duplicates", mixed, "-o", tmp_path / "out").code == 0
    saved = json.loads((tmp_path / "out/duplicates.json").read_text(encoding="utf-8"))
    assert [item["match"] for item in saved["groups"][0]["items"]] == [item.match for item in items]


@pytest.mark.skipif(not importlib.util.find_spec("pyarrow"), reason="pyarrow is not installed")
def test_a_file_that_parquet_names_and_that_was_replaced_keeps_no_copy_from_being_the_last(cli, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    copy(DOG, tmp_path / "a.jpg")
    copy(DOG, tmp_path / "folder/b.jpg")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": "a.jpg"}, {"bytes": FIG.read_bytes(), "path": "fig.jpg"}]
    pq.write_table(pa.table({"image": pa.array(rows, kind)}), tmp_path / "t.parquet")
    targets = tmp_path / "t.parquet", tmp_path / "folder"
    for target in targets:
        build(target)
    assert [item.path for item in find_duplicates(*targets).removable] == [str(tmp_path / "folder/b.jpg")]
    copy(SEA, tmp_path / "a.jpg")
    done = cli("duplicates", *targets, "--output", "paths")
    assert done.out == b""
    assert "1 image in the groups: the file has changed since the build." in done.err


def test_one_share_that_is_mounted_twice_is_one_place(tmp_path, monkeypatch):
    copy(DOG, tmp_path / "one/a.jpg")
    pack_zip(tmp_path / "one/a.zip", {"x.jpg": SEA})
    (tmp_path / "two").mkdir()
    for name in ("a.jpg", "a.zip"):
        os.link(tmp_path / "one" / name, tmp_path / "two" / name)
    copy(DOG, tmp_path / "copy/a.jpg")
    for name in ("one", "two", "copy", "one/a.zip", "two/a.zip"):
        build(tmp_path / name)
    real = os.stat

    def stat(path, **options):
        status = real(path, **options)
        if not str(path).startswith(str(tmp_path / "two/")):
            return status
        times = {name: getattr(status, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")}
        return os.stat_result((*status[:2], status.st_dev + 1, *status[3:]), times)

    monkeypatch.setattr(os, "stat", stat)
    result = find_duplicates(tmp_path / "one", tmp_path / "two")
    assert (ids(result), same(result)) == ([], [("a.jpg", "a.jpg")])
    assert find_duplicates(tmp_path / "one/a.zip", tmp_path / "two/a.zip").total_same_file == 1
    result = find_duplicates(tmp_path / "one", tmp_path / "two", tmp_path / "copy")
    assert [item.path for item in result.removable] == [str(tmp_path / "copy/a.jpg")]


def test_a_member_without_a_time_is_not_the_oldest(cli, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("x.jpg")
        info.size = DOG.stat().st_size
        with DOG.open("rb") as file:
            archive.addfile(info, file)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("y.jpg"), DOG.read_bytes())
    copy(DOG, tmp_path / "c/z.jpg")
    targets = [tmp_path / name for name in ("a.tar", "b.zip", "c")]
    for target in targets:
        build(target)
    for rule in ("oldest", "newest"):
        assert kept(find_duplicates(*targets, keep=rule)) == ["z.jpg"]
    done = cli("duplicates", *targets[:2], "--keep", "oldest")
    assert "1 group without an image of known time: the first image is kept." in done.err
