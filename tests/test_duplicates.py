"""Groups of near-duplicates: against an oracle on made-up keys, and on pictures from the command line."""

from __future__ import annotations

import csv
import io
import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from clipdex import build
from clipdex.datasets.dataset import Dataset
from clipdex.errors import ModelMismatch, QueryError
from clipdex.search.duplicate_settings import DuplicateSettings
from clipdex.search.duplicates import default_distance, duplicates_of, find_duplicates
from clipdex.wording import counted
from clipdex_indexes import Index, IndexWriter
from helpers_engine import PHOTOS, distance, make_folder, renamed_model
from helpers_index import POPCOUNT, complete_by_definition, random_pairs, row, split, table_of, write_index

DOG, SEA, FIG = "animals/german-shepherd.jpg", "places/sea.jpg", "food/fig.jpg"


def resave(source, target, quality=90):
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        image.convert("RGB").save(target, "JPEG", quality=quality)


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """A dog three times, one of them saved again and in another subset; a sea twice; a fig once."""
    root = tmp_path_factory.mktemp("leaky") / "leaky"
    copy(PHOTOS / DOG, root / "train/dog/a.jpg")
    copy(PHOTOS / DOG, root / "train/dog/copy, of a.jpg")
    resave(PHOTOS / DOG, root / "val/dog/again.jpg")
    copy(PHOTOS / SEA, root / "train/sea/b.jpg")
    copy(PHOTOS / SEA, root / "train/sea/c.jpg")
    copy(PHOTOS / FIG, root / "val/fig/d.jpg")
    build(root)
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another dataset that has the fig, saved again, and nothing else of the first."""
    root = tmp_path_factory.mktemp("other") / "other"
    resave(PHOTOS / FIG, root / "fig.jpg")
    copy(PHOTOS / "vehicles/bicycle.jpg", root / "bicycle.jpg")
    build(root)
    return root


def ids(result):
    return [[item.id for item in group.items] for group in result.groups]


DOGS = ["train/dog/a.jpg", "train/dog/copy, of a.jpg", "val/dog/again.jpg"]
SEAS = ["train/sea/b.jpg", "train/sea/c.jpg"]


def test_a_copy_and_a_picture_saved_again_are_found_and_others_are_not(leaky):
    result = find_duplicates(leaky)
    assert ids(result) == [DOGS, SEAS]
    assert (result.total_groups, result.total_items, result.max_distance) == (2, 5, 16)
    assert [item.distance for item in result.groups[0].items][:2] == [0, 0]
    assert result.groups[0].subsets == ("train", "val")
    assert result.groups[0].items[2].labels == ("dog",)


def test_an_image_that_was_removed_is_in_no_group(leaky, tmp_path):
    root = shutil.copytree(leaky, tmp_path / "leaky")
    (root / SEAS[1]).unlink()
    build(root)
    with Index(root / ".clipdex") as index:
        assert [segment.live is not None for segment in index.segments] == [True]
    assert ids(find_duplicates(root)) == [DOGS]


def test_a_group_across_datasets(leaky, other):
    result = find_duplicates(leaky, other)
    assert ids(result) == [DOGS, SEAS, ["val/fig/d.jpg", "fig.jpg"]]
    assert result.groups[2].datasets == ("leaky", "other")
    assert (result.total_across_subsets, result.total_across_datasets) == (2, 1)
    assert ids(find_duplicates(other, leaky))[1] == ["fig.jpg", "val/fig/d.jpg"]


def test_only_groups_that_cross(leaky, other):
    assert ids(find_duplicates(leaky, other, across="datasets")) == [["val/fig/d.jpg", "fig.jpg"]]
    assert ids(find_duplicates(leaky, across="subsets")) == [DOGS]
    assert ids(find_duplicates(leaky, across="datasets")) == []


def test_the_largest_groups_and_how_many_there_are(leaky):
    result = find_duplicates(leaky, limit=1)
    assert ids(result) == [DOGS]
    assert (result.total_groups, result.total_items) == (2, 5)


def test_at_distance_0_only_equal_keys_are_near_and_at_the_highest_all_are(leaky):
    assert ids(find_duplicates(leaky, max_distance=0))[-1] == SEAS
    (group,) = find_duplicates(leaky, max_distance=512).groups
    assert len(group.items) == 6


def test_bad_arguments_are_refused(leaky):
    for arguments in (
        {"max_distance": -1},
        {"max_distance": 513},
        {"across": "labels"},
        {"limit": 0},
        {"linkage": "x"},
    ):
        with pytest.raises(QueryError):
            find_duplicates(leaky, **arguments)


def test_datasets_of_different_models_are_not_compared(leaky, tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    copy(PHOTOS / DOG, tmp_path / "photos/a.jpg")
    build(tmp_path / "photos", model=str(model))
    with pytest.raises(ModelMismatch):
        find_duplicates(leaky, tmp_path / "photos")


def test_the_default_distance_goes_with_the_bits():
    assert [default_distance(bits) for bits in (512, 768, 64)] == [16, 24, 2]


def oracle(keys, most):
    """Connected components of at least two items by brute force; ``keys`` has the key of each item."""
    group = {item: {item} for item in keys}
    for one, other in combinations(keys, 2):
        if distance(keys[one], keys[other]) <= most and group[one] is not group[other]:
            group[one] |= group[other]
            for item in group[other]:
                group[item] = group[one]
    return {tuple(sorted(members)) for members in group.values() if len(members) > 1}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("bits", "most", "distinct"), [(64, 18, 0), (64, 4, 30), (16, 2, 0), (64, 0, 30)])
def test_groups_over_segments_and_datasets_are_those_of_the_oracle(tmp_path, bits, most, distinct, masked):
    datasets = []
    for number in range(2):
        parts = split(random_pairs(120, bits, seed=number, distinct=distinct), 3, seed=number)
        folder = write_index(tmp_path / str(number), parts, bits)
        if masked:
            remove_some(folder, 0.4, seed=number)
        datasets.append(Dataset(str(number), folder, Index(folder)))
    keys = {
        (number, row.id, row.subset): dataset.index.key(location).tobytes()
        for number, dataset in enumerate(datasets)
        for location, row in dataset.index.items()
    }
    expected = oracle(keys, most)
    assert expected
    result = duplicates_of(datasets, most, read_at_once=3)
    found = [tuple((int(item.dataset), item.id, item.subset) for item in group.items) for group in result.groups]
    assert found == sorted(expected, key=lambda group: (-len(group), group[0]))
    for group, items in zip(result.groups, found, strict=True):
        first = np.frombuffer(keys[items[0]], np.uint8)
        distances = [int(POPCOUNT[np.frombuffer(keys[item], np.uint8) ^ first].sum()) for item in items]
        assert [item.distance for item in group.items] == distances
    assert (result.total_groups, result.total_items) == (len(found), sum(map(len, found)))
    assert result.total_across_datasets == sum(len({number for number, _, _ in group}) > 1 for group in found)
    assert result.total_across_subsets == sum(len({subset for _, _, subset in group}) > 1 for group in found)
    for dataset in datasets:
        dataset.index.close()


def open_split(folder, name, pairs, bits, seed):
    return Dataset(name, folder, Index(write_index(folder, split(pairs, 3, seed=seed), bits)))


@pytest.mark.parametrize(("bits", "most", "distinct"), [(64, 24, 0), (16, 4, 0), (16, 4, 15)])
def test_complete_linkage_over_segments_and_datasets_is_that_of_its_definition(tmp_path, bits, most, distinct):
    datasets = [
        open_split(tmp_path / str(number), str(number), random_pairs(20, bits, number, distinct), bits, number)
        for number in range(2)
    ]
    items = [
        (number, row, dataset.index.key(location))
        for number, dataset in enumerate(datasets)
        for location, row in dataset.index.items()
    ]
    table = table_of(np.stack([key for *_, key in items]))
    expected = [group for group in complete_by_definition(table, most) if len(group) > 1]
    result = duplicates_of(datasets, most, DuplicateSettings(linkage="complete"), read_at_once=5)
    found = [sorted((int(item.dataset), item.id, item.subset) for item in group.items) for group in result.groups]
    names = [[(items[one][0], *items[one][1].order) for one in group] for group in expected]
    assert found == sorted(names, key=lambda group: (-len(group), group[0]))
    assert expected
    single = duplicates_of(datasets, most)
    for one in (result, single):
        for group in one.groups:
            at = [
                number
                for number, (dataset, row, _) in enumerate(items)
                if (str(dataset), row.id, row.subset) in {(item.dataset, item.id, item.subset) for item in group.items}
            ]
            assert group.greatest_distance == table[np.ix_(at, at)].max()
    assert all(group.greatest_distance <= most for group in result.groups)
    assert any(group.greatest_distance > most for group in single.groups)
    for dataset in datasets:
        dataset.index.close()


def test_items_far_from_what_is_kept_are_not_removable(tmp_path):
    """Three keys in a row: the third is near the second only."""
    root = make_folder(tmp_path / "set", "a.png", "b.png", "c.png")
    keys = [np.packbits(np.arange(64) < ones).tobytes() for ones in (0, 10, 20)]
    pairs = [(_row_of(root, name), key) for name, key in zip(("a.png", "b.png", "c.png"), keys, strict=True)]
    with Index(write_index(root / ".clipdex", [pairs], 64)) as index:
        datasets = [Dataset("set", root, index)]
        for keep, kept, removable in (("a*", "a.png", ["b.png"]), ("b*", "b.png", ["a.png", "c.png"])):
            result = duplicates_of(datasets, 10, DuplicateSettings(keep=keep))
            (group,) = result.groups
            assert (group.items[0].id, [item.id for item in result.removable]) == (kept, removable)
            assert group.greatest_distance == 20
            assert [item.id for item in group.items if item.problem == "far"] == ["c.png"] * (keep == "a*")
        complete = duplicates_of(datasets, 10, DuplicateSettings(linkage="complete"))
        assert ids(complete) == [["a.png", "b.png"]]


def test_a_file_with_two_hash_keys_connects_nothing(tmp_path):
    """Indexes of two precisions: what only the second key of a file connects is no group."""
    root = make_folder(tmp_path / "set", "a.png", "b.png")
    first, second, third = (np.packbits(np.arange(64) < ones).tobytes() for ones in (0, 10, 20))
    whole = write_index(tmp_path / "i", [[(_row_of(root, "a.png"), first), (_row_of(root, "b.png"), third)]], 64)
    again = write_index(tmp_path / "j", [[(_row_of(root, "a.png"), second)]], 64)
    with Index(whole) as one, Index(again) as other:
        result = duplicates_of([Dataset("one", root, one), Dataset("other", root, other)], 10)
        assert (ids(result), result.total_same_file) == ([], 1)
        assert ids(duplicates_of([Dataset("one", root, one)], 20)) == [["a.png", "b.png"]]


def _row_of(root, name):
    status = (root / name).stat()
    return row(name, size=status.st_size, mtime=status.st_mtime_ns, content=hash(name))


def test_contents_that_are_not_known_are_not_compared_and_counted(tmp_path):
    pairs = [
        (row("a.jpg", content=0), bytes(8)),
        (row("b.jpg", content=0), bytes(8)),
        (row("c.jpg", content=1), bytes(8)),
    ]
    with Index(write_index(tmp_path / "i", [pairs], 64)) as index:
        result = duplicates_of([Dataset("set", tmp_path, index)], 0, DuplicateSettings(identical=True))
        assert (result.groups, result.total_unknown_content) == ((), 2)
        (group,) = duplicates_of([Dataset("set", tmp_path, index)], 0).groups
        assert [item.content for item in group.items] == [0, 0, 1]


def remove_some(folder, share, seed):
    """Remove some items of an index, here and there in its segments."""
    random = np.random.default_rng(seed)
    with IndexWriter(folder) as writer:
        for location, _ in list(writer.base.items()):
            if random.random() < share:
                writer.remove(location)
        writer.commit()


def test_table(cli, leaky, other):
    done = cli("duplicates", leaky, other)
    assert done.code == 0
    assert done.lines[0].split() == [
        *("group", "greatest", "distance", "match", "dataset", "id", "subset", "labels"),
    ]
    assert [line.split()[0] for line in done.lines[1:]] == ["1", "1", "1", "2", "2", "3", "3"]
    assert [word for word in done.out.decode().split() if word in ("kept", "identical", "near")] == [
        *("kept", "identical", "near", "kept", "identical", "kept", "near"),
    ]
    said = "7 of 8 images in 3 groups within 16 bits; groups across subsets: 2, across datasets: 1."
    assert said in done.err


def test_the_summary_of_groups_across_subsets_says_so_once(cli, leaky):
    done = cli("duplicates", leaky, "--across", "subsets", "--quiet")
    assert done.err.splitlines()[0] == "3 of 6 images in 1 group across subsets within 16 bits."


def test_json_is_that_of_the_documentation(cli, leaky):
    body = cli("duplicates", leaky, "--output", "json", "--limit", "1", "--quiet").json
    assert {name: body[name] for name in body if name not in ("datasets", "groups")} == {
        "schema": 1,
        "max_distance": 16,
        "across": "",
        "linkage": "single",
        "keep": "first",
        "identical": False,
        "transforms": False,
        "total_groups": 2,
        "total_items": 5,
        "total_across_subsets": 1,
        "total_across_datasets": 0,
        "total_identical_groups": 1,
        "total_identical_items": 4,
        "total_same_file": 0,
        "total_same_file_across_subsets": 0,
        "total_missing": 0,
        "total_changed": 0,
        "total_unknown_content": 0,
        "total_not_turned": 0,
        "same_file": [],
    }
    assert body["datasets"][0]["name"] == "leaky"
    (group,) = body["groups"]
    assert (group["number"], group["datasets"], group["subsets"]) == (1, ["leaky"], ["train", "val"])
    assert (group["identical"], group["matched"]) == (False, True)
    assert group["greatest_distance"] == group["items"][2]["distance"] > 0
    assert [item["id"] for item in group["items"]] == DOGS
    assert group["items"][1] == {
        "distance": 0,
        "dataset": "leaky",
        "id": DOGS[1],
        "subset": "train",
        "path": str(leaky / DOGS[1]),
        "labels": ["dog"],
        "match": "identical",
        "content": 1,
        "size": (leaky / DOGS[1]).stat().st_size,
        "removable": True,
        "problem": "",
        "orientation": "",
    }


def test_csv(cli, leaky):
    rows = list(csv.DictReader(io.StringIO(cli("duplicates", leaky, "--output", "csv").out.decode())))
    assert [(row["group"], row["id"]) for row in rows] == [*(("1", one) for one in DOGS), *(("2", one) for one in SEAS)]


def test_paths_are_those_of_all_but_the_first_of_each_group(cli, leaky):
    done = cli("duplicates", leaky, "--output", "paths", "-0")
    expected = [str(leaky / one) for one in (*DOGS[1:], *SEAS[1:])]
    assert done.out.decode().split("\0")[:-1] == expected


def test_no_duplicates_print_nothing(cli, other):
    done = cli("duplicates", other)
    assert (done.code, done.out) == (0, b"")
    assert "0 of 2 images in 0 groups" in done.err


def test_saved_sheet_shows_the_pictures_of_each_group(cli, leaky, tmp_path):
    out = tmp_path / "out"
    done = cli("duplicates", leaky, "-o", out)
    assert done.code == 0
    assert {path.name for path in out.iterdir()} == {".clipdexignore", "groups-1.png", "duplicates.json"}
    assert (out / "duplicates.json").read_bytes() + b"\n" == cli("duplicates", leaky, "--output", "json").out
    with Image.open(out / "groups-1.png") as sheet:
        sheet.load()
        cells = [(column, row) for row in range(2) for column in range(6) if _middle(sheet, column, row).any()]
    assert cells == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    assert cli("duplicates", leaky, "-o", out).code == 1
    assert cli("duplicates", leaky, "-o", out, "--force").code == 0
    assert (out / "groups-1-2.png").is_file()


def _middle(sheet, column, row):
    """How the pixels in the middle of a picture of the sheet differ from paper; rows are as high on any sheet."""
    from clipdex.report.drawing import CELL, GAP, MARGIN, PICTURE, line_height

    head, name = line_height(22) + GAP, line_height(15) + GAP
    height = name + PICTURE[1] + 3 * line_height(13) + 2 * GAP
    x, y = MARGIN + column * CELL + PICTURE[0] // 2, MARGIN + head + row * height + name + PICTURE[1] // 2
    return 255 - np.asarray(sheet.crop((x - 20, y - 20, x + 20, y + 20)).convert("RGB"))


def test_more_groups_and_items_than_a_sheet_holds_are_named(leaky, tmp_path, monkeypatch):
    from clipdex.report import groups

    monkeypatch.setattr(groups, "_GROUPS_A_SHEET", 1)
    monkeypatch.setattr(groups, "_MOST_OF_A_GROUP", 2)
    result = find_duplicates(leaky)
    assert groups._title(result, 0, result.groups[:1]) == "2 groups within 16 bits (here 1 to 1) in leaky"
    assert groups._heading(1, result.groups[0]) == (
        f"1. 3 images (the first 2 shown), up to {counted(result.groups[0].greatest_distance, 'bit')} apart, "
        "across subsets train, val"
    )
    assert groups._heading(2, result.groups[1]) == "2. 2 images, identical files"
    saved = groups.save_duplicates(result, tmp_path / "out")
    assert [path.name for path in saved.sheets] == ["groups-1.png", "groups-2.png"]
    monkeypatch.setattr(groups, "_MOST_SHEETS", 1)
    assert groups.save_duplicates(result, tmp_path / "fewer").drawn == 1


def test_wrong_usage_is_refused(cli, leaky):
    assert cli("duplicates").code == 2
    assert cli("duplicates", leaky, "-0").code == 2
    assert cli("duplicates", leaky, "--max-distance", "-1").code == 2
    assert cli("duplicates", leaky, "--max-distance", "600").code == 1
    assert cli("duplicates", leaky.parent).code == 1


def test_one_dataset_has_nothing_across_datasets_and_that_is_said(cli, leaky):
    done = cli("duplicates", leaky, "--across", "datasets")
    assert done.code == 0
    assert "There is one dataset only" in done.err


def test_no_groups_make_no_folder(cli, leaky, tmp_path):
    done = cli("duplicates", leaky, "--across", "datasets", "-o", tmp_path / "out")
    assert (done.code, done.out) == (0, b"")
    assert "nothing is saved" in done.err
    assert not (tmp_path / "out").exists()
