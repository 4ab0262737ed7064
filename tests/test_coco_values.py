"""Values in files of COCO that other tools write otherwise: every label that can be read is kept, the rest is named."""

from __future__ import annotations

import json

import pytest

from clipdex import build
from clipdex.datasets.info import describe
from clipdex.errors import DatasetError
from clipdex.readers.formats import choose
from helpers_coco import ANNOTATIONS, CAT, DOG, IMAGES, Read, body, dataset, write
from helpers_engine import make_folder

FILE = "annotations/instances_train.json"
FOUND = {"train/a.jpg": "cat", "train/b.jpg": "dog"}
BY_ID = {"train/a.jpg": "1", "train/b.jpg": "2"}
IDS_ARE_LABELS = f"{FILE}: it has no categories with ids: the ids in its annotations are the labels, such as 1."


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("\n" + json.dumps(body()), "line 2: another JSON object follows after the end of its JSON, and is not read"),
        ("\n\n]", "line 3: something else follows after the end of its JSON, and is not read"),
        (" \n\0\x1a\ufeff\n", ""),
    ],
)
def test_what_follows_after_the_json_is_named(tmp_path, rest, said):
    read = Read(dataset(tmp_path / "ds", json.dumps(body()) + rest))
    assert read.items == FOUND
    assert read.problems == ([f"{FILE}: {said}"] if said else [])


def test_images_that_only_a_second_json_in_the_file_names_are_taken_in(tmp_path):
    more = body([{"id": 1, "file_name": "c.jpg"}])
    root = dataset(tmp_path / "ds", f"{json.dumps(body())}\n{json.dumps(more)}")
    make_folder(root / "train", "c.jpg")
    assert Read(root).items == {**FOUND, "train/c.jpg": ""}


@pytest.mark.parametrize("file", [FILE, "train/_annotations.coco.json", "labels.json", "train.json"])
@pytest.mark.parametrize("content", ["", " \n", "\0" * 20])
def test_an_only_and_empty_file_is_named(tmp_path, file, content):
    root = dataset(tmp_path / "ds", content, file)
    (notice,) = choose(root).notices
    assert f"{root} is read as a folder of images, and its annotations are not: {file} is" in notice
    assert (" is empty." in notice) == (not content)
    if "\0" not in content:
        read = Read(root)
        assert read.problems == [f"{file}: it is empty"]
        assert {item.partition("/")[2] for item in read.items} == {"a.jpg", "b.jpg"}


def test_an_empty_file_of_one_subset_is_named_beside_a_good_one(tmp_path):
    root = dataset(tmp_path / "ds", file="train.json")
    make_folder(root / "val", "c.jpg")
    write(root / "val.json", "")
    write(root / "results_val.json", "[]")
    read = Read(root)
    assert (read.items, read.problems) == ({**FOUND, "val/c.jpg": ""}, ["val.json: it is empty"])


def test_a_folder_without_annotation_file_says_what_a_json_file_has_instead(tmp_path):
    root = dataset(tmp_path / "ds", "", "x.json")
    with pytest.raises(DatasetError, match=r"no annotation file of COCO in .*ds\. x\.json is none: it is empty\."):
        Read(root)


@pytest.mark.parametrize("categories", [None, [], ["cat", "dog"], {}, "cat"])
def test_without_ids_of_categories_the_ids_are_labels(tmp_path, categories):
    read = Read(dataset(tmp_path / "ds", body(categories=categories)))
    assert read.items == BY_ID
    assert read.remarks == [IDS_ARE_LABELS]
    assert len(read.problems) == (categories == "cat")


def test_categories_that_are_texts_are_named_by_annotations(tmp_path):
    annotations = [{"image_id": 1, "category_id": "cat"}, {"image_id": 2, "category_id": "dog"}]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations, categories=["dog", "cat"])))
    assert (read.items, read.problems, read.remarks) == (FOUND, [], [])
    annotations = [*annotations, {"image_id": 2, "category_id": "bird"}]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations)))
    assert read.items == {"train/a.jpg": "cat", "train/b.jpg": "dog;bird"}
    assert read.problems == [f'{FILE}: line 1: there is no category of the category_id "bird", which is the label']


def test_where_categories_are_cut_off_ids_stand_for_names(tmp_path):
    text = json.dumps({"images": IMAGES, "annotations": ANNOTATIONS, "categories": [CAT, DOG]})
    read = Read(dataset(tmp_path / "ds", text[:-14]))
    assert read.items == {"train/a.jpg": "cat", "train/b.jpg": "2"}
    assert read.remarks == [
        f"{FILE}: not all of its categories can be read: the ids in its annotations are the labels, such as 2."
    ]


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        (True, "true", ""),
        (7, "7", ""),
        (["cat"], "1", "the category 1 has a list as its name, and is called by its id"),
        ("", "1", "the category 1 has no name, and is called by its id"),
        ("x" * 5000, "x" * 1000 + "...", "the name of the category 1 has 5,000 characters: it is read as xxx"),
    ],
)
def test_names_of_categories_of_any_kind(tmp_path, name, label, said):
    read = Read(dataset(tmp_path / "ds", body(categories=[{"id": 1, "name": name}, DOG])))
    assert read.items == {**FOUND, "train/a.jpg": label}
    assert [said in problem for problem in read.problems] == ([True] if said else [])


def test_categories_may_be_ids_by_name(tmp_path):
    assert Read(dataset(tmp_path / "ds", body(categories={"cat": 1, "dog": 2}))).items == FOUND


def test_one_object_may_stand_for_a_list_of_one(tmp_path):
    annotation = {**ANNOTATIONS[0], "bbox": [1, 2, 3, 4], "segmentation": {"counts": "x", "size": [1, 1]}}
    read = Read(dataset(tmp_path / "ds", body(IMAGES[0], annotation, CAT)))
    assert (read.items, read.problems) == ({"train/a.jpg": "cat"}, [])


@pytest.mark.parametrize(
    ("image", "failed", "reason"),
    [
        ({"id": 1, "file_name": 5}, "5", f"no such file: 5 (in {FILE})"),
        ({"id": 1, "file_name": None}, f"{FILE}, line 1", "the image 1 has no file_name"),
        ({"id": 1, "file_name": ["a.jpg"]}, f"{FILE}, line 1", "the image 1 has a list as its file_name"),
        ({"file_name": True}, f"{FILE}, line 1", "an image has true as its file_name"),
        ("a.jpg", f"{FILE}, line 1", "an image is a text, and no object"),
    ],
)
def test_a_file_name_of_another_kind_is_named(tmp_path, image, failed, reason):
    read = Read(dataset(tmp_path / "ds", body([image, IMAGES[1]], [])))
    assert read.reasons == {failed: reason}


def test_a_number_is_the_name_of_an_image_without_extension(tmp_path):
    root = dataset(tmp_path / "ds", body([{"id": 1, "file_name": 139}]))
    make_folder(root / "train", "139.jpg")
    read = Read(root)
    assert read.items == {"train/139.jpg": "cat"}
    assert f"{FILE}: 1 image is called otherwise here, such as train/139.jpg for 139." in read.remarks


@pytest.mark.parametrize("name", ["a%20b.jpg", "/elsewhere/a%20b.jpg", "A%20B.JPG", "train%2Fa%20b.jpg"])
def test_names_with_escapes_of_addresses_are_found_and_told(tmp_path, name):
    root = dataset(tmp_path / "ds", body([{"id": 1, "file_name": name}]))
    make_folder(root / "train", "a b.jpg")
    read = Read(root)
    assert read.items == {"train/a b.jpg": "cat"}
    assert any("1 image is called otherwise here, such as train/a b.jpg for" in remark for remark in read.remarks)
    make_folder(root / "train", "a%20b.jpg")
    write(root / FILE, body([{"id": 1, "file_name": "a%20b.jpg"}]))
    assert list(Read(root).items) == ["train/a%20b.jpg"]


def test_ids_of_thousands_of_digits_are_ids(tmp_path):
    text = json.dumps(body()).replace('_id": 1', '_id": ' + "9" * 5000).replace('"id": 1', '"id": ' + "9" * 5000)
    read = Read(dataset(tmp_path / "ds", text))
    assert (read.items, read.problems) == (FOUND, [])
    read = Read(dataset(tmp_path / "other", text.replace('"image_id": 9', '"image_id": 8')))
    assert read.items == {**FOUND, "train/a.jpg": ""}
    assert len(read.problems[0]) < 300


def test_a_name_without_end_is_cut_in_messages(tmp_path, cli):
    root = dataset(tmp_path / "ds", body([{"id": 1, "file_name": "x" * 5000}, IMAGES[1]]))
    done = cli("build", root)
    assert max(map(len, done.err.splitlines())) < 900
    assert f"(5,000 characters) (in {FILE})" in done.err
    (failed,) = describe(root).failed
    assert len(failed) < 450
    assert build(root).failed[0].reason.endswith(f"(in {FILE})")


def test_an_image_in_a_folder_and_in_one_below_it_is_taken_in_once(tmp_path):
    make_folder(tmp_path, "a.jpg", "images/b.jpg", "images/c.jpg", "images/x/d.jpg")
    file = write(tmp_path / "t.json", body([{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "images/b.jpg"}]))
    read = Read(file, unlisted="yes")
    assert read.items == {"default/a.jpg": "cat", "default/b.jpg": "dog", "default/c.jpg": "", "default/x/d.jpg": ""}
    (remark,) = Read(file).remarks
    assert remark.startswith("2 images in images/ are in no annotation file, such as c.jpg;")


@pytest.mark.parametrize("key", ["category_name", "category", "label", "category_ids"])
def test_other_keys_may_tell_the_category(tmp_path, key):
    annotations = [{"image_id": 1, key: "cat"}, {"image_id": 2, "category_id": None, key: 2}]
    assert Read(dataset(tmp_path / "ds", body(annotations=annotations))).items == FOUND


def test_an_annotation_may_name_the_path_of_its_image(tmp_path):
    annotations = [{"image_id": "train/a.jpg", "category_id": 1}, {"image_id": r"x\b", "category_id": 2}]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations)))
    assert (read.items, read.problems) == (FOUND, [])
    assert read.remarks == [
        f'{FILE}: annotations name 2 images by other ids than theirs, such as "train/a.jpg" for a file name; they are '
        "taken for the same."
    ]


def test_blanks_around_a_name_are_no_part_of_it(tmp_path):
    read = Read(dataset(tmp_path / "ds", body([{"id": 1, "file_name": " a.jpg"}, {"id": 2, "file_name": "b.jpg\n"}])))
    assert read.items == FOUND
    assert "2 images are called otherwise here" in read.remarks[0]


@pytest.mark.parametrize("file", ["annotations/instances_train.JSON", "train.JSON"])
def test_the_extension_may_be_in_capital_letters(tmp_path, file):
    root = dataset(tmp_path / "ds", file=file)
    assert choose(root).format == "coco"
    assert Read(root).items == FOUND


@pytest.mark.parametrize("name", ["instances_train2017_small", "instances_train2017_v2", "instances_mini-train2017"])
def test_a_part_of_a_subset_has_its_images_in_the_folder_of_the_subset(tmp_path, name):
    root = dataset(tmp_path / "ds", file="annotations/instances_train2017.json", folder="train2017")
    write(root / "annotations" / f"{name}.json", body([IMAGES[0]]))
    part = name.partition("_")[2]
    read = Read(root)
    assert read.items == {"train2017/a.jpg": "cat", "train2017/b.jpg": "dog", f"{part}/a.jpg": "cat"}
    first, second = sorted(["train2017", part], key=lambda subset: f"instances_{subset}.json")
    assert f"1 image is in several subsets, and an item of each, such as train2017/a.jpg in {first} and {second}." in (
        read.remarks
    )


def test_images_that_two_subsets_share_are_counted(tmp_path):
    root = dataset(tmp_path / "ds", folder="images")
    write(root / "annotations" / "instances_val.json", body())
    write(root / "annotations" / "instances_test.json", body([{"id": 1, "file_name": "x/a.jpg"}], []))
    read = Read(root)
    assert set(read.items) == {"train/a.jpg", "train/b.jpg", "val/a.jpg", "val/b.jpg", "test/a.jpg"}
    assert (
        "2 images are in several subsets, and an item of each, such as images/a.jpg in test and train." in read.remarks
    )


@pytest.mark.parametrize("name", ["train2017.zip", "images/train.tar.gz"])
def test_an_archive_is_named_where_images_are_missing(tmp_path, name):
    root = write(tmp_path / "ds" / FILE, body()).parent.parent
    write(root / "annotations_trainval2017.zip", b"PK")
    write(root / name, b"PK")
    read = Read(root)
    assert (read.items, set(read.failed.values())) == ({}, {"missing"})
    assert read.remarks == [f"{name} may have the images that are missing: it is not read; unpack it."]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("annotations.xml", b"", "is empty."),
        ("annotations.csv", b"\n", "is of no format that clipdex found;"),
        (
            "annotations_trainval2017.zip",
            b"PK",
            "is packed; unpack it, and to name its format, build it with --rebuild",
        ),
        ("annotations/instances_train.json.gz", b"x", "is packed; unpack it, and"),
        ("annotations/instances_train.json", b"// of 2024\n{}", "is of no format that clipdex found;"),
        ("annotations/instances_train.json", b'{"info": {}}', "is of no format that clipdex found;"),
        ("annotations/instances_train.json", json.dumps([body()]).encode(), "is of no format that clipdex found;"),
    ],
)
def test_annotations_that_are_not_read_are_named_where_a_folder_of_images_is(tmp_path, file, content, said):
    make_folder(tmp_path / "ds", "train/a.jpg", "train/b.jpg")
    write(tmp_path / "ds" / file, content)
    chosen = choose(tmp_path / "ds")
    assert chosen.format == "folder"
    assert f"its annotations are not: {file} {said}" in chosen.notices[0]


def test_results_beside_a_dataset_are_named_and_take_in_no_image(tmp_path):
    root = dataset(tmp_path / "ds")
    make_folder(root / "train", "unlabelled.jpg")
    write(root / "annotations" / "detections_train_results.json", [{"image_id": 1, "category_id": 1, "score": 0.5}])
    read = Read(root)
    assert read.items == FOUND
    assert read.problems == ["annotations/detections_train_results.json: it is no JSON object"]
    assert len(read.remarks) == 1


def test_annotations_may_be_lists_of_each_image(tmp_path):
    annotations = [[ANNOTATIONS[0], [ANNOTATIONS[0]]], [ANNOTATIONS[1]], [1, 2]]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations)))
    assert read.items == FOUND
    assert [problem.partition("line 1: ")[2] for problem in read.problems] == [
        "an annotation is a list, and no object",
        "an annotation is a list, and no object",
    ]
