"""Reading COCO: layouts, names of files, ids, damage, and what is said of it."""

from __future__ import annotations

import json
import unicodedata

import pytest

from clipdex import build
from clipdex.errors import ClipdexError, DatasetError
from clipdex.readers.annotated import json_stream
from clipdex.readers.annotated.coco import CocoReader
from clipdex.readers.formats import choose
from clipdex.testing import check_reader
from helpers_coco import ANNOTATIONS, CAT, DOG, IMAGES, Read, body, dataset, write
from helpers_engine import make_folder

FOUND = {"train/a.jpg": "cat", "train/b.jpg": "dog"}


@pytest.mark.parametrize(
    ("file", "folder", "subset"),
    [
        ("annotations/instances_train2017.json", "train2017", "train2017"),
        ("annotations/instances_train2017.json", "images/train2017", "train2017"),
        ("annotations/instances_train2017.json", "images/train", "train2017"),
        ("annotations/instances_train2017.json", "images", "train2017"),
        ("annotations/instances_train2017.json", "Images/Train2017", "train2017"),
        ("annotations/instances_train2017.json", "photos", "train2017"),
        ("annotations/instances_minival2014.json", "val2014", "minival2014"),
        ("annotations/instances_default.json", "images", "default"),
        ("annotations/instances_default.json", "images/default", "default"),
        ("result.json", "images", "default"),
        ("annotations/instances_val.json", "valid", "val"),
        ("annotations/captioned_train_v2.json", "train", "train"),
        ("annotations/train/instances.json", "images/train", "train"),
        ("annotations/lvis_v1_val.json", "val", "val"),
        ("annotations/stuff_test-dev.json", "test-dev", "test-dev"),
        ("labels.json", "data", "default"),
        ("train/labels.json", "train/data", "train"),
        ("train/_annotations.coco.json", "train", "train"),
        ("valid/_annotations.coco.json", "valid", "valid"),
        ("train/annotations/instances_default.json", "train/images", "train"),
        ("_annotations.coco.json", "", "default"),
        ("anything.json", "", "default"),
        ("anything.json", "images", "default"),
        ("train.json", "images", "train"),
        ("train.json", "train", "train"),
        ("train.json", "images/train", "train"),
        ("coco_train.json", "train/images", "train"),
    ],
)
def test_layouts(tmp_path, file, folder, subset):
    root = dataset(tmp_path / "ds", file=file, folder=folder)
    assert CocoReader.detect(root) == f"it has {file}"
    chosen = choose(root)
    assert (chosen.format, len(chosen.notices)) == ("coco", 1)
    read = Read(root)
    assert read.items == {f"{subset}/a.jpg": "cat", f"{subset}/b.jpg": "dog"}
    assert (read.failed, read.problems, read.remarks) == ({}, [], [])
    check_reader(CocoReader, root, items={"a.jpg": (subset, ("cat",)), "b.jpg": (subset, ("dog",))}, failures={})


@pytest.mark.parametrize("folder", ["train", "images/train", "annotations", "annotations/data"])
def test_an_annotation_file_alone_is_a_dataset(tmp_path, folder):
    file = dataset(tmp_path / "ds", folder=folder) / "annotations" / "instances_train.json"
    make_folder(tmp_path / "ds", "annotations/elsewhere/c.jpg")
    assert choose(file).format == "coco"
    read = Read(file)
    assert read.items == FOUND
    check_reader(CocoReader, file, items={"a.jpg": ("train", ("cat",)), "b.jpg": ("train", ("dog",))}, failures={})


@pytest.mark.parametrize(
    "files",
    [
        {"list.json": '["a.jpg", "b.jpg"]'},
        {"meta.json": '{"images": ["a.jpg"], "title": "photos"}'},
        {"meta.json": '{"images": [{"file_name": "a.jpg"}]}'},
        {"annotations/train.json": '{"infos": {}, "categories": {"label": {"labels": []}}, "items": []}'},
        {"a.json": '{"version": "5.0", "shapes": [], "imagePath": "a.jpg"}'},
        {"train/_annotations.createml.json": '[{"image": "a.jpg", "annotations": []}]'},
        {"a.json": '{"image": {"image_id": 1}, "annotations": [{"id": 1, "bbox": []}]}'},
        {"broken.json": '{"images": [{"id": 1,'},
        {"empty.json": ""},
        {"notes.json": "{}"},
        {"deep.json": "[" * 100_000},
        {"noise.json": bytes(range(256)).decode("latin-1")},
    ],
)
def test_other_json_in_a_folder_of_photos_is_no_coco(tmp_path, files):
    root = make_folder(tmp_path / "photos", "a.jpg", "train/b.jpg")
    for name, content in files.items():
        assert CocoReader.detect(write(root / name, content)) is None
    assert CocoReader.detect(root) is None


@pytest.mark.parametrize(
    "name",
    [
        "./a.jpg",
        "train/a.jpg",
        "images/train/a.jpg",
        "./images//train/a.jpg",
        "images/other/../train/a.jpg",
        r"train\a.jpg",
        r".\images\train\a.jpg",
        r"C:\Users\me\ds\images\train\a.jpg",
        r"\\server\share\ds\train\a.jpg",
        "/home/other/ds/images/train/a.jpg",
        "/data/a.jpg",
        "ds/images/train/a.jpg",
        "http://images.cocodataset.org/train/a.jpg",
        "A.JPG",
        "a",
        "a.png",
    ],
)
def test_names_of_files_as_other_tools_and_machines_write_them(tmp_path, name):
    images = [{"id": 1, "file_name": name}, {"id": 2, "file_name": "./b.jpg"}]
    read = Read(dataset(tmp_path / "ds", body(images), folder="images/train"))
    assert (read.items, read.failed) == (FOUND, {})
    assert read.media["train/a.jpg"] == "images/train/a.jpg"


def test_absolute_names_of_images_here_are_taken_as_they_are(tmp_path):
    root = tmp_path / "ds"
    make_folder(tmp_path / "pictures", "x/c.jpg")
    inside, outside = root / "images" / "train" / "a.jpg", tmp_path / "pictures" / "x" / "c.jpg"
    images = [{"id": 1, "file_name": str(inside)}, {"id": 2, "file_name": str(outside)}]
    read = Read(dataset(root, body(images), folder="images/train"))
    assert read.items == {"train/a.jpg": "cat", f"train{outside}": "dog"}
    assert read.media[f"train{outside}"] == str(outside)


@pytest.mark.parametrize("here", ["NFC", "NFD"])
def test_letters_with_accents_may_be_composed_or_not(tmp_path, here):
    name = unicodedata.normalize(here, "café.jpg")
    other = unicodedata.normalize("NFD" if here == "NFC" else "NFC", "café.jpg")
    root = dataset(tmp_path / "ds", body([{"id": 1, "file_name": other}]))
    make_folder(root / "train", name)
    assert Read(root).items == {f"train/{name}": "cat"}
    (root / "train" / name).rename(root / "train" / f"{name[:-4].upper()}.JPG")
    assert list(Read(root).items) == [f"train/{name[:-4].upper()}.JPG"]


def test_only_an_address_is_said_and_the_image_is_here(tmp_path):
    images = [{"id": 1, "coco_url": "http://images.cocodataset.org/train/a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    assert Read(dataset(tmp_path / "ds", body(images))).items == FOUND
    read = Read(dataset(tmp_path / "other", body([{"id": 1, "coco_url": "https://x.y/z%20z.jpg"}, IMAGES[1]])))
    assert read.failed == {"https://x.y/z%20z.jpg": "missing"}
    assert "addresses are not fetched" in read.reasons["https://x.y/z%20z.jpg"]


def test_what_stands_for_the_folders_of_another_machine_is_said(tmp_path):
    images = [{"id": n, "file_name": f"/mnt/disk/{name}.jpg"} for n, name in ((1, "a"), (2, "b"))]
    read = Read(dataset(tmp_path / "ds", body(images)))
    assert read.items == FOUND
    assert read.remarks == [
        "annotations/instances_train.json: its images are in /mnt/disk, which is not here: they are read from train/."
    ]


def test_a_name_alone_never_stands_for_two_files(tmp_path):
    images = [{"id": 1, "file_name": "/x/a.jpg"}, {"id": 2, "file_name": "/y/a.jpg"}]
    read = Read(dataset(tmp_path / "ds", body(images)))
    assert (read.items, read.failed) == ({"train/a.jpg": "cat"}, {"/y/a.jpg": "missing"})


def test_an_image_of_another_subset_is_not_taken_for_one_that_is_missing(tmp_path):
    root = dataset(tmp_path / "ds", folder="train")
    write(root / "annotations" / "instances_val.json", body())
    read = Read(root)
    assert read.items == FOUND
    assert read.failed == {"a.jpg": "missing", "b.jpg": "missing"}
    assert read.reasons["a.jpg"] == "no such file: a.jpg (in annotations/instances_val.json)"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-32"),
        lambda text: text.replace(": 2", ': NaN, "x": 2', 0).replace('"images"', '"score": NaN, "images"').encode(),
        lambda text: text.replace("}]", "},]").replace("}}", "},}").encode(),
        lambda text: text.replace("1}", "1,}").encode(),
        lambda text: ("\n\n  " + text.replace(",", " ,\n\t") + "\n\n").encode(),
    ],
)
def test_encodings_and_json_that_is_not_quite_right(tmp_path, encode):
    read = Read(dataset(tmp_path / "ds", encode(json.dumps(body()))))
    assert (read.items, read.problems) == (FOUND, [])


def test_keys_may_come_in_any_order_and_large_ones_are_passed_over(tmp_path):
    said = body()
    noise = {"info": {"a": ["]", {"b": '"'}]}, "x": "y" * 5000, "n": -1.5e10, "t": True, "l": [[[]], {}]}
    for order in (["annotations", "images", "categories"], ["categories", "annotations", "images"]):
        root = tmp_path / order[0]
        read = Read(dataset(root, {**noise, **{key: said[key] for key in order}, "licenses": [{}]}))
        assert (read.items, read.problems) == (FOUND, [])


def test_images_annotations_and_categories_may_be_objects(tmp_path):
    content = body(
        images={"1": {"file_name": "a.jpg"}, "2": "b.jpg"},
        annotations={"1": [{"category_id": 1}], "2": [{"category_id": "2"}, {"category_id": "cat"}]},
        categories={"1": "cat", "2": {"name": "dog"}},
    )
    assert Read(dataset(tmp_path / "ds", content)).items == {"train/a.jpg": "cat", "train/b.jpg": "dog;cat"}


@pytest.mark.parametrize("missing", [{"annotations": None}, {"annotations": None, "categories": None}])
def test_images_alone_are_items_without_labels(tmp_path, missing):
    read = Read(dataset(tmp_path / "ds", body(**missing)))
    assert (read.items, read.problems) == ({"train/a.jpg": "", "train/b.jpg": ""}, [])


@pytest.mark.parametrize("ids", [(0, 5), ("x", "y"), ("1", "2"), (1.0, 2.0), (-1, 10**15), (2**70, 2**71), (0.5, 1.5)])
def test_ids_of_any_kind(tmp_path, ids):
    images = [{**image, "id": one} for image, one in zip(IMAGES, ids, strict=True)]
    annotations = [{"image_id": one, "category_id": one} for one in ids]
    categories = [{"id": one, "name": name} for one, name in zip(ids, ("cat", "dog"), strict=True)]
    for number, order in enumerate((("images", "annotations"), ("annotations", "images"))):
        said = body(images, annotations, categories)
        read = Read(dataset(tmp_path / str(number), {key: said[key] for key in (*order, "categories")}))
        assert (read.items, read.problems, read.remarks) == (FOUND, [], [])


@pytest.mark.parametrize(
    ("image_ids", "said"),
    [(("1", "2"), (1, 2)), ((1, 2), ("1", "2")), ((1, 2), ("0001", "2.0")), ((1, 2), ("a", "b.jpg"))],
)
def test_ids_that_are_texts_here_and_numbers_there_are_the_same(tmp_path, image_ids, said):
    images = [{**image, "id": one} for image, one in zip(IMAGES, image_ids, strict=True)]
    annotations = [{"image_id": one, "category_id": str(n)} for n, one in enumerate(said, 1)]
    read = Read(dataset(tmp_path / "ds", body(images, annotations)))
    if "2.0" in said:
        assert read.problems == ['annotations/instances_train.json: line 1: there is no image of the image_id "2.0"']
    else:
        assert (read.items, read.problems) == (FOUND, [])
    assert ("by another id than its own" if "2.0" in said else "by other ids than theirs") in read.remarks[0]


def test_a_text_and_a_number_that_are_both_ids_are_two(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}]
    annotations = [{"image_id": 1, "category_id": 1}, {"image_id": "1", "category_id": 2}]
    assert Read(dataset(tmp_path / "ds", body(images, annotations))).items == FOUND


def test_annotations_need_nothing_but_an_image_and_a_category(tmp_path):
    annotations = [
        {"image_id": 1, "category_id": 2, "segmentation": None, "bbox": None, "area": None, "iscrowd": None},
        {"image_id": 1, "category_id": 1, "bbox": "?", "segmentation": {"counts": "x", "size": [1, 1]}},
        {"image_id": 1, "category_id": 2},
        {"image_id": 2, "segments_info": [{"id": 1, "category_id": 2}, {"id": 2, "category_id": 1}]},
    ]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations)))
    assert read.items == {"train/a.jpg": "dog;cat", "train/b.jpg": "dog;cat"}
    assert read.problems == []


def test_what_cannot_be_read_of_annotations_is_named_and_the_rest_is_kept(tmp_path):
    rows = [
        *(
            '{"image_id": 1, "category_id": 1}',
            '{"image_id": 2, "category_id": 2}',
            '{"id": 3, "image_id": 9, "category_id": 1}',
        ),
        *(
            '{"image_id": 9, "category_id": 1}',
            '{"image_id": 1, "category_id": 7}',
            "null",
            '{"id": 8, "category_id": 1}',
        ),
        *(
            '{"image_id": 1}',
            '{"image_id": [1], "category_id": 1}',
            '{"image_id": 1, "category_id": NaN}',
            '{"a": 1 "b": 2}',
        ),
        *('{"image_id": true, "category_id": {}}', '"x"', "[" * 3000 + "]" * 3000, '{"image_id": ' + "9" * 5000 + "}"),
    ]
    text = f'{{"images": {json.dumps(IMAGES)}, "categories": {json.dumps([CAT, DOG])}, "annotations": [\n'
    read = Read(dataset(tmp_path / "ds", text + ",\n".join(rows) + "\n]}"))
    assert read.items == FOUND
    start = "annotations/instances_train.json: line"
    assert read.problems == [
        f"{start} 7: an annotation is null, and no object",
        f"{start} 8: the annotation 8 has no image_id",
        f"{start} 9: an annotation has no category_id",
        f"{start} 10: an annotation has [1] as its image_id",
        f"{start} 11: an annotation has NaN as its category_id",
        f"{start} 12: an annotation cannot be read: expecting ',' delimiter",
        f"{start} 13: an annotation has true as its image_id",
        f"{start} 14: an annotation is a text, and no object",
        f"{start} 15: an annotation cannot be read: it is nested too deeply",
        f"{start} 16: an annotation has no category_id",
        f"{start} 4: there is no image of the image_id 9",
        f"{start} 6: there is no category of the category_id 7",
    ]
    assert read.count == 13


def test_categories(tmp_path):
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "pets", "supercategory": "pets"},
        {"id": 2, "name": 7},
        {"id": 2, "name": "eight"},
        {"id": 3},
        {"name": "no id"},
        None,
        {"id": 4, "name": " thin \ud800"},
    ]
    annotations = [{"image_id": 1, "category_id": n} for n in (0, 1)] + [
        {"image_id": 2, "category_id": n} for n in (3, 2, 4)
    ]
    read = Read(dataset(tmp_path / "ds", body(annotations=annotations, categories=categories)))
    assert read.items == {"train/a.jpg": "pets", "train/b.jpg": "3;7;thin ?"}
    assert [problem.partition("line 1: ")[2] for problem in read.problems] == [
        "the category 2 is 7 and eight: the first counts",
        "the category 3 has no name, and is called by its id",
        "a category has no id",
        "a category is null, and no object",
        "the name of the category 4 is no plain text: it is read as thin ?",
    ]


def test_images_that_make_no_sense_are_named_and_the_others_are_read(tmp_path):
    root = tmp_path / "ds"
    make_folder(root / "train", "sub/c.jpg")
    (root / "train" / "odd.jpg").mkdir(parents=True)
    names = [
        "a.jpg",
        "b.jpg",
        "gone.jpg",
        "",
        "film.mp4",
        "odd.jpg",
        "\0",
        "x" * 5000,
        "\ud800.jpg",
        7,
        ["a.jpg"],
        ".",
        "sub/c.jpg",
    ]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names, 1)]
    read = Read(dataset(root, body([*images, {"id": 90}, 5, None])))
    assert read.items == {**FOUND, "train/sub/c.jpg": ""}
    start = "annotations/instances_train.json, line 1"
    assert read.failed == {
        **dict.fromkeys(["gone.jpg", "odd.jpg", "\0", "x" * 5000, "\\ud800.jpg", ".", "7"], "missing"),
        "film.mp4": "no image",
        start: "unreadable",
    }
    failed = [item for item in read.reader.read() if getattr(item, "id", "") == start]
    assert len(failed) == 5


def test_an_image_that_is_there_twice_is_one_item_and_ids_are_never_mixed_up(tmp_path):
    images = [*IMAGES, {"id": 3, "file_name": "./a.jpg"}, {"id": 2, "file_name": "train/a.jpg"}]
    annotations = [*ANNOTATIONS, {"image_id": 3, "category_id": 2}]
    read = Read(dataset(tmp_path / "ds", body(images, annotations)))
    assert read.items == {"train/a.jpg": "cat;dog", "train/b.jpg": "dog"}
    assert read.problems == [
        "annotations/instances_train.json: line 1: the id 2 is of several images: its annotations count for the first"
    ]


def test_no_image_is_lost_where_two_have_one_id(tmp_path):
    root = tmp_path / "ds"
    make_folder(root, "train/a.jpg")
    images = [{"id": n, "file_name": name} for n, name in enumerate(["b.jpg", "images/train/a.jpg", "train/a.jpg"])]
    read = Read(dataset(root, body(images, []), folder="images/train"))
    assert set(read.items) == {"train/a.jpg", "train/b.jpg"}
    make_folder(root, "pictures/train/a.jpg")
    images = [{"id": n, "file_name": name} for n, name in enumerate(["a.jpg", str(root / "train" / "a.jpg")])]
    write(root / "annotations" / "instances_train.json", body(images, []))
    assert Read(root).media == {"train/a.jpg": "images/train/a.jpg", "train/train/a.jpg": ""}


def test_the_files_of_several_tasks_are_one_set_of_items(tmp_path):
    root = dataset(tmp_path / "ds")
    folder = root / "annotations"
    shared = {"images": [{"id": 7, "file_name": "a.jpg"}]}
    write(folder / "captions_train.json", {**shared, "annotations": [{"image_id": 7, "caption": "a picture"}]})
    write(
        folder / "person_keypoints_train.json",
        body(shared["images"], [{"image_id": 7, "category_id": 1}], [{"id": 1, "name": "person"}]),
    )
    write(
        folder / "panoptic_train.json",
        body(shared["images"], [{"image_id": 7, "segments_info": [{"category_id": 9}]}], [{"id": 9, "name": "sky"}]),
    )
    write(folder / "image_info_train.json", {"images": IMAGES, "categories": [CAT]})
    make_folder(folder / "panoptic_train", "a.png")
    read = Read(root)
    assert read.items == {"train/a.jpg": "cat;sky;person", "train/b.jpg": "dog"}
    assert (read.problems, read.remarks, read.failed) == ([], [], {})


def test_captions_are_labels_where_there_are_no_categories(tmp_path):
    annotations = [
        {"image_id": 1, "caption": " one "},
        {"image_id": 1, "caption": "two"},
        {"image_id": 9, "caption": "x"},
    ]
    read = Read(
        dataset(tmp_path / "ds", body(annotations=annotations, categories=None), "annotations/captions_train.json")
    )
    assert read.items == {"train/a.jpg": "one;two", "train/b.jpg": ""}
    assert read.count == 1


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (lambda text: text[: text.index('"categories"')], "the file ends before its JSON does"),
        (lambda text: text[: text.index('"category_id": 2') + 8], "the file ends before its JSON does"),
        (lambda text: text.replace('"categories": [', '"categories": ]'), "a value is missing"),
        (lambda text: text.replace('"categories":', '"categories"'), "a key is missing"),
        (lambda text: text.replace('"categories": [', '"categories": [[}'), "its brackets do not match"),
    ],
)
def test_of_broken_json_all_before_the_break_is_read(tmp_path, cut, said):
    text = json.dumps({"images": IMAGES, "annotations": ANNOTATIONS, "categories": [CAT, DOG]})
    read = Read(dataset(tmp_path / "ds", cut(text)))
    assert set(read.items) == set(FOUND)
    assert any(said in problem for problem in read.problems)


def test_images_of_a_subset_whose_file_is_broken_are_still_read(tmp_path):
    root = dataset(tmp_path / "ds", folder="train")
    make_folder(root / "val", "c.jpg", "d.jpg")
    make_folder(root / "test", "e.jpg")
    write(root / "annotations" / "instances_val.json", '{"images": [{"id": 1, "file_name": "c.jpg"}, {"id": 2, "fil')
    write(root / "annotations" / "instances_test.json", "no JSON")
    read = Read(root)
    assert read.items == {**FOUND, "val/c.jpg": "", "val/d.jpg": "", "test/e.jpg": ""}
    assert read.problems == [
        "annotations/instances_test.json: it is no JSON object",
        "annotations/instances_val.json: line 1: the file ends before its JSON does; what comes before is read, and "
        "the rest is not",
    ]


def test_a_dataset_whose_files_are_all_broken_is_read_as_images(tmp_path):
    root = dataset(tmp_path / "ds", "[" * 50_000)
    read = Read(root)
    assert read.items == {"train/a.jpg": "", "train/b.jpg": ""}
    assert len(read.problems) == 1


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "{}", '{"images": []', '{"images": 5}', b"\xff\xfe\x00"])
def test_one_file_that_cannot_be_read_is_an_error_with_a_reason(tmp_path, content):
    file = write(tmp_path / "ds" / "train.json", content)
    with pytest.raises(DatasetError, match=r"train\.json is no annotation file of COCO: (it|the file) "):
        Read(file)
    with pytest.raises(ClipdexError):
        build(file)


def test_images_that_no_file_names_are_counted_and_can_be_taken_in(tmp_path):
    root = dataset(tmp_path / "ds", folder="train")
    make_folder(
        root, "train/x/c.jpg", "train/d.jpg", "test2017/e.jpg", "f.jpg", "masks/a.png", ".hidden/g.jpg", "@eaDir/h.jpg"
    )
    read = Read(root)
    assert read.items == FOUND
    how = "--option unlisted=yes takes it in."
    assert sorted(read.remarks) == [
        f"1 image in test2017/ is in no annotation file, such as e.jpg; {how}",
        f"1 image in the folder of the dataset is in no annotation file, such as f.jpg; {how}",
        "2 images in train/ are in no annotation file, such as d.jpg; --option unlisted=yes takes them in.",
    ]
    assert read.reader.passed_over == {"@eaDir/": 1}
    read = Read(root, unlisted="yes")
    assert read.items == {**FOUND, "train/x/c.jpg": "", "train/d.jpg": "", "test2017/e.jpg": "", "train/f.jpg": ""}
    assert read.remarks == []
    with pytest.raises(DatasetError, match="it may be yes or no"):
        Read(root, unlisted="perhaps")


def test_images_in_a_folder_of_several_subsets_are_of_none_of_them(tmp_path):
    root = dataset(tmp_path / "ds", body([IMAGES[0]]), folder="images")
    write(root / "annotations" / "instances_val.json", body([IMAGES[1]]))
    make_folder(root / "images", "c.jpg")
    assert Read(root).items == {"train/a.jpg": "cat", "val/b.jpg": "dog"}
    assert Read(root, unlisted="yes").items == {"train/a.jpg": "cat", "val/b.jpg": "dog", "default/c.jpg": ""}


RICH = {
    "info": {"text": 'a "quoted" } text \\\\ ü', "list": [[], [{}], 1.5e-10, -0.25, True, None, 123456789012345]},
    "images": [*IMAGES, {"id": 3, "file_name": "ü\u2028.jpg", "note": 'x"}'}],
    "annotations": [
        *ANNOTATIONS,
        {"id": 3, "image_id": 3, "category_id": 2, "segmentation": {"counts": "a}b", "size": [1, 2]}},
        {"id": 4, "category_id": 1, "segmentation": [[1.5, 2.5] * 50], "image_id": 3, "note": "image_id"},
        {"id": 5, "image_id": 1, "category_id": 2, "x": '"category_id": 1'},
    ],
    "categories": [CAT, DOG],
}


@pytest.mark.parametrize("size", [1, 7, 64, 300])
@pytest.mark.parametrize("indent", [None, 2])
def test_where_the_pieces_of_a_file_begin_makes_no_difference(tmp_path, monkeypatch, size, indent):
    root = dataset(tmp_path / "ds", json.dumps(RICH, indent=indent, ensure_ascii=size == 7))
    make_folder(root / "train", "ü\u2028.jpg")
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", size)
    read = Read(root)
    assert read.items == {"train/a.jpg": "cat;dog", "train/b.jpg": "dog", "train/ü\u2028.jpg": "dog;cat"}
    assert (read.problems, read.remarks) == ([], [])


@pytest.mark.parametrize("damage", [b"", b"}", b'"', b"\\", b"\xff", b"[" * 50, b"null", b"1e999"])
def test_damage_anywhere_is_an_error_of_ours_or_named_and_no_image_is_lost(tmp_path, damage):
    root = dataset(tmp_path / "ds")
    content = json.dumps(RICH, ensure_ascii=False).encode()
    for position in range(0, len(content), 29):
        write(root / "annotations" / "instances_train.json", content[:position] + damage + content[position + 5 :])
        CocoReader.detect(root)
        read = Read(root, unlisted="yes")
        assert len(read.items) >= 2


def test_a_subset_that_is_several_others_together_makes_no_second_items(tmp_path):
    root = dataset(tmp_path / "ds", body([IMAGES[0]]), folder="images")
    # Only the file of all images has their labels.
    write(root / "annotations" / "image_info_val.json", body([IMAGES[1]], []))
    write(root / "annotations" / "instances_trainval.json", body())
    read = Read(root)
    assert read.items == {"train/a.jpg": "cat", "val/b.jpg": "dog"}
    assert "The subset trainval is just train and val: they have its labels, and it is left out." in read.remarks
    write(root / "annotations" / "instances_val.json", body())
    assert set(Read(root).items) >= {"train/a.jpg", "val/a.jpg", "val/b.jpg"}


@pytest.mark.skipif("sys.platform == 'win32'")
@pytest.mark.parametrize("front", ["", "images/train/", "train/"])
def test_images_on_a_disk_that_is_away_stay_in_the_index(tmp_path, front):
    images = [{**image, "file_name": front + image["file_name"]} for image in IMAGES]
    root = dataset(tmp_path / "ds", body(images), folder="images/train")
    (root / "images" / "train").rename(tmp_path / "disk")
    (root / "images" / "train").symlink_to(tmp_path / "disk")
    assert build(root).added == 2
    (tmp_path / "disk").rename(tmp_path / "away")
    report = build(root)
    assert (report.kept, report.removed, report.items) == (2, 0, 2)
    (tmp_path / "away").rename(tmp_path / "disk")
    assert build(root).unchanged == 2


def test_an_index_that_datumaro_made_is_recognised_by_content(tmp_path):
    pytest.importorskip("datumaro")
    from clipdex.readers import providers

    root = dataset(tmp_path / "ds", folder="images/train")
    with pytest.MonkeyPatch.context() as patch:
        old = providers.Datumaro(()).reader_class("coco")
        patch.setitem(providers.Core._READERS, "coco", ("datumaro.formats", "old_coco"))
        patch.setattr("clipdex.readers.datumaro.formats.old_coco", old, raising=False)
        assert build(root, format="coco").added == 2
    report = build(root)
    assert (report.renamed, report.added, report.changed, report.removed) == (2, 0, 0, 0)
