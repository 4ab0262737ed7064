"""Inside an indexed dataset: a folder or an image without an index of its own is searched in the index above it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from clipdex import (
    Explorer,
    ItemFilter,
    ItemQuery,
    TextQuery,
    build,
    export_hash_keys,
    find_duplicates,
    join,
    read_result,
)
from clipdex.datasets.info import describe
from clipdex.errors import DatasetError, DatasetNotIndexed, IndexCorrupt
from clipdex.readers.folder import FolderReader
from helpers_engine import distance, make_folder, rows_and_keys


def found(result):
    return [(hit.id, hit.distance, hit.path) for hit in result]


@pytest.mark.parametrize("topk", [1, 3, 50])
@pytest.mark.parametrize("query", ["a dog", ["train", "water"], [ItemQuery("plants/dahlia"), TextQuery("a bus")]])
def test_a_folder_in_a_dataset_is_searched_in_the_index_above(photos, query, topk):
    with Explorer(photos) as whole, Explorer(photos / "places") as part:
        expected = whole.explore_topk(query, topk=topk, filter=ItemFilter(paths=("places/",)))
        answer = part.explore_topk(query, topk=topk)
    assert found(answer) == found(expected)
    assert len(answer) == min(topk, len(list((photos / "places").iterdir())))


def test_the_nearest_of_a_part_are_found_although_others_are_nearer(photos):
    """A brute-force oracle over the keys of the part."""
    keys = {row.id: key for row, key in rows_and_keys(photos / ".clipdex")}
    asked = keys["animals/koala.jpg"]
    nearest = sorted((distance(asked, key), name) for name, key in keys.items() if name.startswith("plants/"))
    with Explorer(photos / "plants") as part:
        answer = part.explore_topk(ItemQuery("animals/koala"), topk=3)
    assert [(hit.distance, hit.id) for hit in answer] == nearest[:3]


def test_a_part_has_its_items_and_says_so(photos):
    with Explorer(photos / "food") as part:
        names = [item.id for item in part.items()]
        record = part.explore_topk("a fig").datasets[0]
        assert (part.item("plants/dahlia").id, len(part)) == ("plants/dahlia.jpg", len(names))
    assert names == sorted(f"food/{path.name}" for path in (photos / "food").iterdir())
    assert (record.name, record.root, record.part, record.items) == ("photos", str(photos), "food/", len(names))


def test_an_image_in_a_dataset_is_a_part_of_one_item(photos):
    with Explorer(photos / "food" / "fig.jpg") as part:
        assert [hit.id for hit in part.explore_topk("a dog")] == ["food/fig.jpg"]
    info = describe(photos / "food" / "fig.jpg")
    assert (info.items, info.labels, info.part, info.root) == (1, {"food": 1}, "food/fig.jpg", photos)


def test_an_item_may_be_named_by_its_path_in_the_part(photos):
    with Explorer(photos / "food") as part:
        assert part.explore_topk(ItemQuery("fig"), topk=1)[0].id == "food/fig.jpg"


def test_the_filter_of_a_query_narrows_the_part_further(photos, odd):
    with Explorer(odd / "train") as part:
        assert {hit.id for hit in part.explore_topk("x", filter=ItemFilter(labels=("dog",)))} == {
            "train/dog/comma, and 'quote\".png"
        }
        assert list(part.explore_topk("x", filter=ItemFilter(subsets=("val",)))) == []


def test_parts_in_each_other_are_searched_once_and_others_stay_apart(odd):
    with Explorer(odd / "train" / "cat", odd / "train", odd / "val", odd / "train" / "dog") as parts:
        assert [(one.name, one.part, len(one)) for one in parts.datasets] == [
            ("odd", "train/", 3),
            ("odd-2", "val/", 2),
        ]
        assert len(parts.explore_topk("x")) == 5
    with Explorer(odd / "train", odd, odd / "val") as whole:
        assert [(one.name, one.part) for one in whole.datasets] == [("odd", "")]


def test_duplicates_are_those_of_the_part(odd_copy):
    for name in ("train/cat/b.png", "val/dog/b.png", "val/dog/c.png"):
        shutil.copy(odd_copy / "train" / "cat" / "a.png", odd_copy / name)
    build(odd_copy)
    inside = find_duplicates(odd_copy / "train", max_distance=0)
    assert [[item.id for item in group.items] for group in inside.groups] == [["train/cat/a.png", "train/cat/b.png"]]
    assert inside.to_dict()["datasets"][0]["part"] == "train/"
    both = find_duplicates(odd_copy / "train", odd_copy / "val", max_distance=0, across="datasets")
    assert [len(group.items) for group in both.groups] == [4]


def test_hash_keys_of_a_part_are_exported(photos, tmp_path):
    assert export_hash_keys(tmp_path / "keys.json", photos / "food").keys == len(list((photos / "food").iterdir()))
    names = json.loads((tmp_path / "keys.json").read_text())["hashkey"]
    assert all(name.startswith("default/food/") for name in names)


def test_the_description_of_a_part_counts_the_part(odd_copy):
    (odd_copy / "train" / "cat" / "broken.png").write_bytes(b"no image")
    (odd_copy / "val" / "broken.png").write_bytes(b"no image")
    build(odd_copy)
    make_folder(odd_copy, "val/new.png", "train/cat/a.png", seed=50)
    (odd_copy / "val" / "dog" / "a.png").unlink()
    train, val = describe(odd_copy / "train"), describe(odd_copy / "val")
    assert (train.items, train.subsets, train.labels) == (3, {"train": 3}, {"cat": 2, "dog": 1})
    assert (list(train.failed), train.new, train.changed, train.gone) == (["train/cat/broken.png"], 0, 1, 0)
    assert (list(val.failed), val.new, val.changed, val.gone) == (["val/broken.png"], 1, 0, 1)
    assert train.to_dict()["part"] == "train/"


def test_removed_items_are_in_no_part(odd_copy):
    (odd_copy / "val" / "dog" / "a.png").unlink()
    build(odd_copy)
    with Explorer(odd_copy / "val") as part:
        assert [hit.id for hit in part.explore_topk("x")] == ["val/猫/ünï code.png"]
        assert (len(part), part.refresh()) == (1, False)


def test_an_explorer_of_a_part_sees_the_items_of_a_later_build(odd_copy):
    with Explorer(odd_copy / "val") as part:
        make_folder(odd_copy, "val/new.png", "train/new.png", seed=50)
        build(odd_copy)
        assert len(part) == 2
        assert part.refresh()
        assert len(part) == 3


def test_the_nearest_index_with_items_there_is_taken(odd_copy):
    build(odd_copy / "train")
    with Explorer(odd_copy / "train" / "cat") as inner, Explorer(odd_copy / "val") as outer:
        assert (inner.datasets[0].root, inner.datasets[0].part) == (odd_copy / "train", "cat/")
        assert outer.datasets[0].root == odd_copy
    shutil.rmtree(odd_copy / "train" / "cat")
    build(odd_copy / "train", prune=True)
    (odd_copy / "train" / "cat").mkdir()
    with Explorer(odd_copy / "train" / "cat") as further:
        assert further.datasets[0].root == odd_copy


def test_links_are_followed_to_the_index_that_has_the_items(odd_copy, tmp_path):
    (tmp_path / "link").symlink_to(odd_copy / "val")
    other = make_folder(tmp_path / "other", "x.png")
    (odd_copy / "linked").symlink_to(other)
    build(odd_copy)
    with Explorer(tmp_path / "link") as by_link, Explorer(odd_copy / "linked") as below:
        assert (by_link.datasets[0].root, by_link.datasets[0].part) == (odd_copy, "val/")
        assert [item.id for item in below.items()] == ["linked/x.png"]


def test_names_of_folders_are_no_patterns(tmp_path):
    root = make_folder(tmp_path / "d", "[ab]/x.png", "a/y.png", "*/z.png", "[ab]c/w.png")
    build(root)
    for name, expected in (("[ab]", ["[ab]/x.png"]), ("*", ["*/z.png"])):
        with Explorer(root / name) as part:
            assert [item.id for item in part.items()] == expected


def test_the_part_of_an_annotated_dataset_is_by_the_path_of_the_images(tmp_path):
    root = make_folder(tmp_path / "d", "images/train/a.png", "images/val/a.png", "images/val/b.png")
    files = ["train/a.png", "val/a.png", "val/b.png"]
    (root / "annotations").mkdir()
    for name in ("train", "val"):
        images = [
            {"id": number, "file_name": Path(file).name, "width": 64, "height": 48}
            for number, file in enumerate(files)
            if file.startswith(name)
        ]
        body = {"images": images, "annotations": [], "categories": []}
        (root / "annotations" / f"instances_{name}.json").write_text(json.dumps(body))
    assert build(root, format="coco").items == 3
    with Explorer(root / "images" / "val") as part:
        assert sorted(Path(hit.path).relative_to(root).as_posix() for hit in part.explore_topk("x")) == [
            "images/val/a.png",
            "images/val/b.png",
        ]
    # Its files alone tell a dataset, too.
    with pytest.raises(DatasetNotIndexed, match=r"annotations has no index yet, and the index of .*, above it, has no"):
        Explorer(root / "annotations")


def test_without_an_index_above_the_command_that_builds_one_is_named(tmp_path):
    folder = make_folder(tmp_path / "d", "a/x.png") / "a"
    with pytest.raises(DatasetNotIndexed, match=r"has no index yet. Build it: clipdex build"):
        Explorer(folder)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (".hidden/a.png", "hidden folders"),
        ("ignored/b/a.png", "ignored/.clipdexignore"),
        ("new/a.png", "bring that up"),
    ],
)
def test_an_index_above_without_items_there_is_named_with_the_reason(odd_copy, place, why):
    make_folder(odd_copy, place)
    if place.startswith("ignored"):
        (odd_copy / "ignored" / ".clipdexignore").touch()
        build(odd_copy)
    for target in ((odd_copy / place).parent, odd_copy / place):
        with pytest.raises(DatasetNotIndexed, match=why) as raised:
            Explorer(target)
        assert f"the index of {odd_copy}, above it, has no image there" in str(raised.value)


def test_a_file_that_is_in_no_index_is_told_from_a_dataset(odd_copy, tmp_path):
    make_folder(odd_copy, "new.png")
    (odd_copy / "list.csv").write_text("path\nloose.png\n")
    with pytest.raises(DatasetNotIndexed, match=r"is an image, and the index of .*, above it, .*--image"):
        Explorer(odd_copy / "new.png")
    with pytest.raises(DatasetNotIndexed, match="is an image, and no folder above it has an index"):
        Explorer(make_folder(tmp_path / "d", "a.png") / "a.png")
    with pytest.raises(DatasetNotIndexed, match=r"list.csv has no index yet. Build it: clipdex build"):
        Explorer(odd_copy / "list.csv")
    with pytest.raises(DatasetNotIndexed, match=r"\*.png has no index yet. Build it: clipdex build"):
        Explorer(odd_copy / "train" / "*" / "*.png")


def test_a_broken_index_above_is_said(odd_copy):
    (odd_copy / ".clipdex" / "manifest.json").write_text("{")
    with pytest.raises(IndexCorrupt, match=r"the one above it cannot be used: .*is damaged"):
        Explorer(odd_copy / "train")


def test_an_index_of_another_dataset_or_format_above_is_not_taken(odd_copy, tmp_path):
    folder = make_folder(tmp_path / "d", "a/x.png")
    build(odd_copy, index=folder / ".clipdex")
    with pytest.raises(DatasetNotIndexed, match=f"is of {odd_copy} as folder"):
        Explorer(folder / "a")
    build(folder / "a", index=tmp_path / "index")
    with pytest.raises(DatasetNotIndexed, match="as folder"):
        Explorer(f"{odd_copy / 'train'}:coco")


def test_a_part_is_not_merged(odd_copy, photos, tmp_path):
    with pytest.raises(DatasetError, match="cannot be merged as a part"):
        join([odd_copy / "train", photos], tmp_path / "both")


def test_a_saved_result_of_a_part_is_asked_again(cli, odd_copy):
    """Also where the part has an index of its own later, or nothing but the index is left."""
    first = cli("query", odd_copy / "train", "--text", "x", "--output", "json", "-o", "saved")
    assert first.err.splitlines()[0] == (
        f"no index in {odd_copy / 'train'}: searching the part train/ of the index of {odd_copy}"
    )
    assert read_result(Path("saved/result.json")).datasets[0].part == "train/"
    build(odd_copy / "train")
    again = cli("query", "--from", "saved", "--output", "json")
    assert (again.json["hits"], again.json["datasets"]) == (first.json["hits"], first.json["datasets"])
    kept = odd_copy.rename(odd_copy.with_name("kept"))
    odd_copy.mkdir()
    (kept / ".clipdex").rename(odd_copy / ".clipdex")
    assert cli("query", "--from", "saved", "--output", "json").ids == first.ids


@pytest.mark.parametrize("part", ["/etc/", "../x/", "a//b", 7])
def test_a_part_in_the_file_of_a_result_is_checked(cli, odd, part):
    cli("query", odd, "--text", "x", "-o", "saved")
    body = json.loads(Path("saved/result.json").read_text())
    body["datasets"][0]["part"] = part
    Path("saved/result.json").write_text(json.dumps(body))
    assert "is not a result of a query" in cli("query", "--from", "saved").err


def test_without_a_target_commands_find_the_index_above_the_current_folder(cli, photos, monkeypatch, tmp_path):
    monkeypatch.chdir(photos / "food")
    names = sorted(f"food/{path.name}" for path in (photos / "food").iterdir())
    where = f"no index in {photos / 'food'}: "
    done = cli("query", "--text", "a fig", "--output", "json")
    assert (sorted(done.ids), done.err) == (names, f"{where}searching the part food/ of the index of {photos}\n")
    done = cli("query", "--item", "fig.jpg", "-k", "1", "--output", "json")
    assert done.ids == ["food/fig.jpg"]
    done = cli("info")
    assert f"{where}showing the part food/ of the index of {photos}\n" == done.err
    assert ("part       food/", f"items      {len(names)}") == (done.lines[1], done.lines[3])
    done = cli("duplicates", "--quiet")
    assert f"{where}searching the part food/ of" in done.err
    assert f"0 of {len(names)} images" in done.err
    done = cli("export", "--hash-keys", tmp_path / "k.json")
    assert f"{where}exporting the part food/ of" in done.err
    assert f"{len(names)} hash keys" in done.err
    done = cli("verify")
    assert f"{where}checking all of the index of {photos}\n" == done.err
    assert done.lines[0].startswith(f"{photos}: all is well (40 items")


def test_optimizing_inside_a_dataset_is_of_the_index_above(cli, odd_copy):
    done = cli("optimize", odd_copy / "train")
    assert done.code == 0
    assert f"no index in {odd_copy / 'train'}: optimizing all of the index of {odd_copy}" in done.err


def test_an_image_as_the_target_is_searched_alone_and_pointed_out(cli, photos, monkeypatch):
    image = photos / "food" / "fig.jpg"
    done = cli("query", image, "--text", "a fig", "--output", "json")
    assert done.ids == ["food/fig.jpg"]
    assert f"That is one image. To search with it: --image {image}" in done.err
    monkeypatch.chdir(photos)
    assert "Did you mean clipdex query . --image food/fig.jpg?" in cli("query", "food/fig.jpg").err


def test_a_folder_that_is_in_no_dataset_still_needs_a_target(cli):
    for command in (["query", "--text", "x"], ["duplicates"]):
        done = cli(*command)
        assert (done.code, "in no dataset that has one" in done.err) == (2, True)


def test_a_build_without_a_target_names_the_dataset_above(cli, odd, monkeypatch):
    monkeypatch.chdir(odd / "train")
    done = cli("build")
    assert done.code == 2
    assert f"clipdex build {odd}. " in done.err


def test_describing_a_part_looks_at_no_other_folder(odd_copy, monkeypatch):
    (odd_copy / "train" / "cat" / "a.png").unlink()
    make_folder(odd_copy, "val/dog/new.png", "train/new.png", seed=50)
    seen = []
    entries = FolderReader._entries
    monkeypatch.setattr(FolderReader, "_entries", lambda self, *where: seen.append(where[2]) or entries(self, *where))
    info = describe(odd_copy / "val" / "dog")
    assert (info.items, info.new, info.gone, seen) == (1, 1, 0, ["", "val/", "val/dog/"])


def test_in_a_project_a_folder_of_a_dataset_is_searched_where_it_is_named(cli, odd_copy, monkeypatch):
    cli("project", "create", odd_copy.parent)
    cli("project", "add", odd_copy, "-p", odd_copy.parent)
    monkeypatch.chdir(odd_copy / "val")
    done = cli("query", "--text", "x", "--output", "json")
    assert (len(done.ids), "This folder alone: name it, as ." in done.err) == (6, True)
    done = cli("query", ".", "--text", "x", "--output", "json")
    assert (len(done.ids), "searching the part val/ of" in done.err) == (2, True)
