"""Which folders and files are taken for YOLO, and which are not."""

from __future__ import annotations

import os

import pytest

from clipdex import build
from clipdex.errors import DatasetEmpty, DatasetError
from clipdex.readers.annotated.yolo import YoloReader
from clipdex.readers.formats import choose
from helpers_yolo import CAT, NAMES, TWO, USUAL, Read, write

TAKEN = {
    "YAML with names and subsets": ({"data.yaml": USUAL, **TWO}, "it has data.yaml"),
    "YAML of any name": ({"birds.yml": USUAL, **TWO}, "it has birds.yml"),
    "YAML without names": ({"data.yaml": "train: images/train\n", **TWO}, "it has data.yaml"),
    "YAML with many names first": (
        {"data.yaml": "names:\n" + "".join(f"- name {n}\n" for n in range(3000)) + "train: images/train\n", **TWO},
        "it has data.yaml",
    ),
    "YAML with names alone": ({"data.yaml": NAMES, **TWO}, "it has data.yaml and labels/train/a.txt"),
    "YAML that is broken": ({"data.yaml": "[", **TWO}, "it has labels/train/a.txt"),
    "YAML, and no labels": ({"data.yaml": USUAL, "images/train/a.jpg": ""}, "it has data.yaml"),
    "Darknet": ({"obj.data": "train = train.txt\n", "train.txt": "a.jpg", "a.jpg": ""}, "it has obj.data"),
    "labels alone": (TWO, "it has labels/train/a.txt"),
    "labels beside": ({"a.jpg": "", "a.txt": CAT, "classes.txt": "cat\n"}, "it has a.txt"),
    "labels beside in subsets": ({"train/a.jpg": "", "train/a.txt": CAT}, "it has train/a.txt"),
    "some labels that are odd": (
        {"a.jpg": "", "a.txt": "odd", "b.jpg": "", "b.txt": CAT, "c.jpg": "", "c.txt": CAT},
        "it has b.txt",
    ),
    "labels in UTF-16": (
        {"images/a.jpg": "", "labels/a.txt": CAT.encode("utf-16"), "data.yaml": NAMES.encode("utf-16")},
        "it has data.yaml and labels/a.txt",
    ),
    "nothing labelled": (
        {"classes.txt": "cat\n", "images/a.jpg": "", "labels/a.txt": ""},
        "it has classes.txt and labels/a.txt",
    ),
    "nothing labelled beside": (
        {"classes.txt": "cat\n", "a.jpg": "", "a.txt": ""},
        "it has classes.txt and a.txt",
    ),
    "names in capital letters": ({"images/IMG_1.JPG": "", "labels/img_1.TXT": CAT}, "it has labels/img_1.TXT"),
    "a folder below": ({"ds/data.yaml": USUAL, **{f"ds/{n}": t for n, t in TWO.items()}}, "it has ds/data.yaml"),
    "a folder below with images in it": (
        {"ds/data.yaml": "train: images\n" + NAMES, "ds/images/a.jpg": "", "ds/labels/a.txt": CAT},
        "it has ds/data.yaml",
    ),
    "polygons alone": ({"images/a.jpg": "", "labels/a.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5\n"}, "it has labels/a.txt"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_folders_of_yolo_are_told_by_a_file(name, tmp_path):
    files, why = TAKEN[name]
    assert YoloReader.detect(write(tmp_path / "ds", files)) == why
    assert choose(tmp_path / "ds").format == "yolo"


IMAGES = {"cat/a.jpg": "", "dog/b.jpg": ""}
LEFT = {
    "images": IMAGES,
    "notes": {**IMAGES, "README.txt": "0 0.5 0.5 0.2 0.2", "notes.yaml": "title: mine\n"},
    "settings of a training": {**IMAGES, "hyp.yaml": "train: 0.8\nval: 0.2\nlr0: 0.01\n"},
    "names of people": {**IMAGES, "album.yaml": "names: [Ann, Bob]\n"},
    "captions": {"a.jpg": "", "a.txt": "a cat on a mat", "b.jpg": "", "b.txt": "1 dog, 2 cats"},
    "numbers that are no places": {"a.jpg": "", "a.txt": "1 200 300 400 500\n", "b.jpg": "", "b.txt": "3.5\n"},
    "labels without images": {**IMAGES, "labels/x.txt": CAT},
    "KITTI": {"training/image_2/a.png": "", "training/label_2/a.txt": "Car 0.00 0 -1.57 1 2 3 4 5 6 7 8 9 10 0\n"},
    "a YAML of containers": {**IMAGES, "compose.yml": "services: {web: {image: nginx}}\n"},
    "empty texts": {"a.jpg": "", "a.txt": ""},
    "names of classes alone": {**IMAGES, "classes.txt": "cat\ndog\n"},
    "a dataset beside images": {**IMAGES, "ds/data.yaml": USUAL, **{f"ds/{n}": t for n, t in TWO.items()}},
    "several datasets": {
        f"{ds}/{name}": text
        for ds in ("one", "two")
        for name, text in {"data.yaml": f"train: images\n{NAMES}", "images/a.jpg": "", "labels/a.txt": CAT}.items()
    },
    "a broken YAML": {**IMAGES, "data.yaml": "\0["},
    "a folder called so": {**IMAGES, "data.yaml/a.jpg": ""},
    "a table": {**IMAGES, "labels.txt": "cat/a.jpg 0\ndog/b.jpg 1\n"},
}


@pytest.mark.parametrize("name", LEFT)
def test_other_folders_are_left_alone(name, tmp_path):
    assert YoloReader.detect(write(tmp_path / "ds", LEFT[name])) is None


def test_a_yaml_file_is_a_dataset_and_another_one_is_told_what_is_wrong(tmp_path):
    root = write(tmp_path, {"data.yaml": USUAL, "other.yaml": "title: mine\n", **TWO})
    assert choose(root / "data.yaml").format == "yolo"
    assert choose(root / "other.yaml").format == "yolo"
    for text in ("title: mine\n", "[1]", "", "train: gone\n"):
        (root / "other.yaml").write_text(text)
        if text == "[1]":  # the images are read by their layout
            assert Read(root / "other.yaml").items["train/a.jpg"] == ["0"]
            continue
        with pytest.raises(DatasetError, match=r"other\.yaml names no images that are there"):
            Read(root / "other.yaml")
    assert YoloReader.detect(root / "images/train/a.jpg") is None


def test_a_dataset_of_two_formats_is_asked_about(tmp_path):
    files = {"data.yaml": USUAL, "annotations/instances_train.json": '{"images": [], "annotations": []}', **TWO}
    with pytest.raises(DatasetError, match=r"(?s)--format coco.*--format yolo|--format yolo.*--format coco"):
        choose(write(tmp_path, files))


def test_names_that_are_not_utf_8_are_escaped_and_no_dataset_is_read_in_such_a_folder(tmp_path):
    name = os.fsdecode(b"\xff")
    write(tmp_path / "one", {f"images/{name}.jpg": "", f"labels/{name}.txt": CAT})
    assert YoloReader.detect(tmp_path / "one") == r"it has labels/\udcff.txt"
    assert r"labels/\udcff.txt looks like labels" in Read(tmp_path / "one").remarks
    assert YoloReader.detect(write(tmp_path / "two", {f"{name}/{path}": text for path, text in TWO.items()})) is None


def notice(location) -> str:
    choice = choose(location)
    assert choice.format == "folder"
    return " ".join(choice.notices)


def test_a_dataset_below_with_several_files_is_asked_about_as_one_that_is_not(tmp_path):
    files = {
        "ds/one.yaml": USUAL,
        "ds/two.yaml": USUAL.replace("cat", "bird"),
        **{f"ds/{n}": t for n, t in TWO.items()},
    }
    write(tmp_path, files)
    assert YoloReader.detect(tmp_path) == "it has ds/one.yaml"
    with pytest.raises(DatasetError, match=r"--option data=ds/one\.yaml"):
        Read(tmp_path)
    assert Read(tmp_path, data="ds/two.yaml").items == {"train/a.jpg": ["bird"], "val/b.jpg": ["dog"]}


UNREAD = {
    "yolo_txt/a.txt": {"pics/a.jpg": "", "yolo_txt/a.txt": CAT},
    "boxes/A.TXT": {"pics/a.jpg": "", "boxes/A.TXT": CAT},
    "train.txt": {"pics/a.jpg": "", "train.txt": "pics/a.jpg 50,100,150,200,0 30,50,200,120,3\n"},
}


@pytest.mark.parametrize("file", UNREAD)
def test_a_folder_of_images_says_which_labels_were_not_understood(file, tmp_path):
    assert f"its annotations are not: {file} is of no format" in notice(write(tmp_path, UNREAD[file]))


def test_a_folder_says_which_datasets_are_in_it_and_what_to_type(tmp_path):
    root = write(tmp_path / "both", LEFT["several datasets"])
    assert "But one, two in it are datasets of YOLO: to read labels, build each of them" in notice(root)
    assert notice(root).endswith(f"clipdex build {root / 'one'}")
    root = write(tmp_path / "one", LEFT["a dataset beside images"])
    assert notice(root).endswith(
        f"But ds in it is a dataset of YOLO: to read labels, build it: clipdex build {root / 'ds'}"
    )


def test_datasets_that_are_read_as_one_are_named_with_what_to_type(tmp_path):
    root = write(tmp_path / "both", LEFT["several datasets"])
    read = Read(root)
    assert read.items == {"default/one/images/a.jpg": ["0"], "default/two/images/a.jpg": ["0"]}
    said = (
        "one, two in it are datasets of YOLO with their own names of classes and subsets, which were not read: to read "
        f"them, build each of them: clipdex build {root / 'one'} {root / 'two'}"
    )
    assert said in read.remarks
    root = write(tmp_path / "one", LEFT["a dataset beside images"])
    assert "ds in it is a dataset of YOLO with its own names of classes and subsets" in Read(root).remarks
    assert "of YOLO" not in Read(root / "ds").remarks


def test_folders_of_classes_are_told_how_to_become_labels(tmp_path):
    files = {"data.yaml": f"train: train\nval: val\n{NAMES}", "train/cat/a.jpg": "", "val/dog/b.jpg": ""}
    root = write(tmp_path / "classes", files)
    said = (
        "if the folders of images, such as cat, are their classes: clipdex build --rebuild --format folder "
        f"{root} reads them as labels."
    )
    assert said in Read(root).remarks
    assert (
        "--format folder"
        not in Read(write(tmp_path / "flat", {"data.yaml": USUAL, **dict(list(TWO.items())[:2])})).remarks
    )
    assert "--format folder" not in Read(write(root, {"train/cat/a.txt": CAT})).remarks


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("inner", ["images", "images/train"])
def test_a_folder_in_a_dataset_says_where_its_labels_are(inner, described, tmp_path):
    root = write(tmp_path / "ds", {**({"data.yaml": USUAL} if described else {}), **TWO})
    file = "data.yaml" if described else "labels/train/a.txt"
    said = f"But it is a part of a dataset of YOLO ({file}): to read labels: clipdex build {root}"
    assert notice(root / inner).endswith(said)


def test_a_folder_of_labels_says_which_dataset_it_is_of(tmp_path):
    root = write(tmp_path / "ds", {"data.yaml": USUAL, **TWO})
    for folder in ("labels", "labels/train"):
        with pytest.raises(DatasetEmpty, match=rf"part of a dataset of YOLO \(data.yaml\).*clipdex build {root}$"):
            build(root / folder)


def test_other_folders_beside_a_dataset_are_not_said_to_be_parts_of_it(tmp_path):
    root = write(tmp_path, {"photos/a.jpg": "", "my_images/b.jpg": "", **{f"ds/{n}": t for n, t in TWO.items()}})
    for name in ("photos", "my_images"):
        assert "YOLO" not in notice(root / name)


def test_a_part_that_is_read_without_names_says_where_they_are(tmp_path):
    root = write(tmp_path / "ds", {"data.yaml": "train: train/images\n" + NAMES, "train/images/a.jpg": ""})
    write(root, {"train/labels/a.txt": CAT})
    said = f"numbers are the labels. {root / 'data.yaml'} names classes: clipdex build {root} reads them."
    assert said in Read(root / "train").remarks
