"""Where the images of a dataset of YOLO are: layouts, ids, subsets."""

from __future__ import annotations

import os
import shutil

import pytest

from clipdex.errors import DatasetError
from clipdex.readers.annotated.yolo import YoloReader
from clipdex.testing import check_reader
from helpers_yolo import CAT, DOG, NAMES, TWO, USUAL, Read, write

BOTH = {"train/a.jpg": ["cat"], "val/b.jpg": ["dog"]}


def moved(*pairs: tuple[str, str]) -> dict[str, str]:
    """The files of two images, with parts of their paths replaced."""
    files = {}
    for name, content in TWO.items():
        for old, new in pairs:
            name = name.replace(old, new)
        files[name] = content
    return files


ROBOFLOW = moved(
    *(
        (f"{kind}/{old}", f"{new}/{kind}")
        for kind in ("images", "labels")
        for old, new in (("train",) * 2, ("val",) * 2)
    )
)
LAYOUTS = {
    "images/train": {"data.yaml": USUAL, **TWO},
    "train/images": {"data.yaml": "train: train/images\nval: val/images\n" + NAMES, **ROBOFLOW},
    "folders of the subsets": {"data.yaml": "train: ./train\nval: ./val\n" + NAMES, **ROBOFLOW},
    "above, as Roboflow writes it": {"data.yaml": "train: ../train/images\nval: ../val/images\n" + NAMES, **ROBOFLOW},
    "absolute of elsewhere": {"data.yaml": "train: /gone/ds/images/train\nval: /gone/ds/images/val\n" + NAMES, **TWO},
    "of Windows": {"data.yaml": "train: C:\\gone\\images\\train\nval: images\\val\n" + NAMES, **TWO},
    "path that is gone": {"data.yaml": "path: /gone/ds\n" + USUAL, **TWO},
    "path in quotes that are no YAML": {"data.yaml": 'path: "C:\\data\\new"\n' + USUAL, **TWO},
    "path to a folder": {"data.yaml": "path: ds\n" + USUAL, **{f"ds/{name}": text for name, text in TWO.items()}},
    "path above": {"data.yaml": "path: ../datasets/ds\n" + USUAL, **{f"ds/{name}": text for name, text in TWO.items()}},
    "list of folders": {"data.yaml": "train: [images/train]\nval:\n- images/val\n" + NAMES, **TWO},
    "pattern": {"data.yaml": "train: images/train/*.jpg\nval: images/val/**\n" + NAMES, **TWO},
    "images themselves": {"data.yaml": "train: images/train/a.jpg\nval: [images/val/b.jpg]\n" + NAMES, **TWO},
    "lists": {
        "data.yaml": "train: train.txt\nval: lists/val.txt\n" + NAMES,
        **{"train.txt": "./images/train/a.jpg\n", "lists/val.txt": "# images\n\nimages/val/b.jpg\r\n", **TWO},
    },
    "lists of elsewhere": {
        "data.yaml": "train: train.txt\nval: val.txt\n" + NAMES,
        **{"train.txt": "/gone/ds/images/train/a.jpg\n", "val.txt": "D:\\ds\\images\\val\\b.jpg\n", **TWO},
    },
    "lists in UTF-16": {
        "data.yaml": "train: train.txt\nval: val.txt\n" + NAMES,
        "train.txt": "images/train/a.jpg\r\n".encode("utf-16"),
        "val.txt": "images/val/b.jpg".encode("utf-16-le"),
        **TWO,
    },
    "lists in UTF-16 without YAML": {
        **{"classes.txt": "cat\ndog\n".encode("utf-16"), **TWO},
        "train.txt": "images/train/a.jpg\r\n".encode("utf-16"),
        "val.txt": "images/val/b.jpg".encode("utf-16-le"),
    },
    "lists beside their images": {
        "data.yaml": "train: lists/train.txt\nval: lists/val.txt\n" + NAMES,
        **{"lists/train.txt": "./a.jpg\n", "lists/val.txt": "./b.jpg\n", "lists/a.jpg": "", "lists/b.jpg": ""},
        **{"lists/a.txt": CAT, "lists/b.txt": DOG},
    },
    "labels beside": {
        "data.yaml": "train: train\nval: val\n" + NAMES,
        **{"train/a.jpg": "", "train/a.txt": CAT, "val/b.jpg": "", "val/b.txt": DOG},
    },
    "other name of val": {"data.yaml": USUAL.replace("val", "valid").replace("valid:", "val:"), **TWO},
    "other file": {"thing.yml": USUAL, **TWO},
    "labels only at the top": {
        "data.yaml": USUAL,
        **{"images/train/a.jpg": "", "images/val/b.jpg": "", "labels/a.txt": CAT, "labels/b.txt": DOG},
    },
    "corners in labelTxt": {
        "data.yaml": USUAL,
        **{"images/train/a.jpg": "", "images/val/b.jpg": ""},
        **{"labelTxt/train/a.txt": "1 1 5 1 5 5 1 5 cat 0\n", "labelTxt/val/b.txt": "1 1 5 1 5 5 1 5 1 0\n"},
    },
    "Darknet": {
        "obj.data": "classes=2\ntrain = data/train.txt\nval = data/val.txt\nnames = data/obj.names\nbackup = backup/\n",
        **{"obj.names": "cat\ndog\n", "train.txt": "data/obj_train_data/a.jpg\n", "val.txt": "data/obj_val_data/b.jpg"},
        **{
            "obj_train_data/a.jpg": "",
            "obj_train_data/a.txt": CAT,
            "obj_val_data/b.jpg": "",
            "obj_val_data/b.txt": DOG,
        },
    },
    "Darknet in data": {
        "data/obj.data": "train = data/train.txt\nval = data/val.txt\nnames = data/obj.names\n",
        **{"data/obj.names": "cat\ndog\n", "data/train.txt": "data/obj/a.jpg\n", "data/val.txt": "data/obj/b.jpg\n"},
        **{"data/obj/a.jpg": "", "data/obj/a.txt": CAT, "data/obj/b.jpg": "", "data/obj/b.txt": DOG},
    },
    "lists and labels without YAML": {"classes.txt": "cat\ndog", "train.txt": "images/train/a.jpg", **TWO}
    | {"val.txt": "images/val/b.jpg"},
    "a folder of the archive": {"ds/data.yaml": USUAL, **{f"ds/{name}": text for name, text in TWO.items()}},
    "folders of the archive, without YAML": {
        **{"up/ds/classes.txt": "cat\ndog\n", "README.md": "hello"},
        **{f"up/ds/{name}": text for name, text in TWO.items()},
    },
    "YAML in a folder beside": {"config/my.yaml": USUAL.replace(": images", ": ../images"), **TWO},
    "images_train": {"classes.txt": "cat\ndog\n", **moved(("s/", "s_"))},
    "images_train with YAML": {"data.yaml": USUAL.replace("images/", "images_"), **moved(("s/", "s_"))},
    "train_images": {
        "classes.txt": "cat\ndog\n",
        **{"train_images/a.jpg": "", "train_labels/a.txt": CAT, "val_images/b.jpg": "", "val_labels/b.txt": DOG},
    },
    "train/img and train/txt": {
        "classes.txt": "cat\ndog\n",
        **{"train/img/a.jpg": "", "train/txt/a.txt": CAT, "val/img/b.jpg": "", "val/txt/b.txt": DOG},
    },
    "images/train without YAML": {"classes.txt": "cat\ndog\n", **TWO},
    "train/images without YAML": {"classes.txt": "cat\ndog\n", **ROBOFLOW},
    "Roboflow for Darknet": {
        **{"train/_darknet.labels": "cat\ndog", "val/_darknet.labels": "cat\ndog"},
        **{"train/a.jpg": "", "train/a.txt": CAT, "val/b.jpg": "", "val/b.txt": DOG},
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_subsets_ids_and_labels(name, tmp_path):
    root = write(tmp_path / "ds", LAYOUTS[name])
    assert YoloReader.detect(root) is not None
    read = Read(root)
    assert (read.items, read.failed) == (BOTH, {})
    assert [problem for problem in read.problems if "YAML" not in problem] == []
    assert "in no subset" not in read.remarks


@pytest.mark.parametrize("name", ["images/train", "lists", "labels beside", "Darknet"])
def test_the_contract_of_readers_holds(name, tmp_path):
    check_reader(YoloReader, write(tmp_path / "ds", LAYOUTS[name]))


def test_an_absolute_path_that_is_there_is_read_and_the_yaml_alone_is_a_dataset(tmp_path):
    ds = write(tmp_path / "ds", TWO)
    write(tmp_path / "yaml", {"my.yaml": f"path: {ds}\n{USUAL}", "other.jpg": "", "images/train/z.jpg": ""})
    for location in (tmp_path / "yaml", tmp_path / "yaml" / "my.yaml"):
        assert YoloReader.detect(location)
        read = Read(location)
        assert read.items == BOTH
        assert read.media["train/a.jpg"] == str(ds / "images/train/a.jpg")
        assert ("in no subset" in read.remarks) == location.is_dir()


def test_subsets_are_called_after_their_keys_also_unusual_ones(tmp_path):
    files = {"data.yaml": USUAL.replace("val:", "minival:") + "valid: images/other\nlabels: labels/train\nproject: .\n"}
    read = Read(write(tmp_path, {**files, **TWO, "images/other/o.jpg": ""}))
    assert set(read.items) == {"train/a.jpg", "minival/b.jpg", "valid/o.jpg"}


def test_folders_of_one_subset_keep_all_images_and_the_later_of_one_name_gets_more_of_its_path(tmp_path):
    files = {
        "data.yaml": f"train: [images/day, images/night, images/day, images/night/late]\n{NAMES}",
        **{"images/day/a.jpg": "", "images/night/a.jpg": "", "images/night/late/c.jpg": ""},
        **{"labels/day/a.txt": CAT, "labels/night/a.txt": DOG, "labels/night/late/c.txt": DOG},
    }
    read = Read(write(tmp_path, files))
    assert read.items == {"train/a.jpg": ["cat"], "train/night/a.jpg": ["dog"], "train/late/c.jpg": ["dog"]}
    assert read.media["train/night/a.jpg"] == "images/night/a.jpg"


def test_nested_folders_stay_in_the_id_and_extensions_too(tmp_path):
    files = {"images/train/x/y/a.jpg": "", "images/train/a.png": "", "labels/train/x/y/a.txt": DOG}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **TWO, **files}))
    assert read.items == {**BOTH, "train/x/y/a.jpg": ["dog"], "train/a.png": ["cat"]}


def test_an_image_in_two_lists_is_an_item_of_each_and_one_twice_in_a_list_is_one(tmp_path):
    files = {
        "data.yaml": "train: train.txt\nval: val.txt\n" + NAMES,
        **{"train.txt": "images/train/a.jpg\n./images/train/a.jpg\nimages/val/b.jpg\n"},
        "val.txt": "images/train/a.jpg\n",
    }
    read = Read(write(tmp_path, {**files, **TWO}))
    assert read.items == {"train/a.jpg": ["cat"], "train/b.jpg": ["dog"], "val/a.jpg": ["cat"]}
    assert read.failed == {}
    assert "the lists of train name 1 image more than once." in read.remarks


def test_images_of_one_name_in_several_places_of_a_list_all_stay(tmp_path):
    files = {"images/a.jpg": "", "other/images/a.jpg": "", "other/labels/a.txt": DOG, "labels/a.txt": CAT}
    files |= {"data.yaml": f"train: train.txt\n{NAMES}", "train.txt": "images/a.jpg\nother/images/a.jpg\n"}
    read = Read(write(tmp_path, files))
    assert read.items == {"train/a.jpg": ["cat"], "train/other/images/a.jpg": ["dog"]}


def test_every_image_keeps_an_id_of_its_own_where_many_have_one_name(tmp_path):
    files = {f"{folder}/images/a.jpg": "" for folder in "pqr"} | {"p/images/q/images/a.jpg": ""}
    for places in ("[p/images, q/images, r/images]", "train.txt"):
        lines = "p/images/a.jpg\np/images/q/images/a.jpg\nq/images/a.jpg\nr/images/a.jpg\n"
        root = write(tmp_path / places[0], {"data.yaml": f"train: {places}\n{NAMES}", "train.txt": lines, **files})
        read = Read(root)
        assert read.failed == {}
        assert sorted(read.media.values()) == sorted(files)
        assert {"train/a.jpg", "train/r/images/a.jpg"} < set(read.items)
        assert Read(root).media == read.media


def test_an_id_that_is_the_path_of_another_image_costs_no_image(tmp_path):
    files = {"data.yaml": f"train: [p/images, q/images]\n{NAMES}"}
    files |= {"p/images/q/images/a.jpg": "", "p/images/a.jpg": "", "q/images/a.jpg": ""}
    read = Read(write(tmp_path, files))
    assert (len(read.items), read.failed) == (3, {})
    assert read.media["train/q/images/a (2).jpg"] == "q/images/a.jpg"


MASKS = {
    "beside": ({"images/a.jpg": "", "labels/a.txt": CAT, "masks/a.png": ""}, "masks/a.png"),
    "by subset": (TWO | {"masks/train/a.png": ""}, "masks/train/a.png"),
    "in the subset": (ROBOFLOW | {"train/masks/a.png": ""}, "train/masks/a.png"),
    "with YAML": ({"data.yaml": USUAL, **TWO, "masks/train/a.png": "", "masks/val/b.png": ""}, "masks/train/a.png"),
    "among the images of a subset": (
        {"data.yaml": f"train: train\n{NAMES}", **ROBOFLOW, "train/masks/a.png": ""},
        "train/masks/a.png",
    ),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_no_items_where_the_layout_says_so_and_they_are_counted(name, tmp_path):
    files, first = MASKS[name]
    read = Read(write(tmp_path, files))
    assert not any("mask" in path for path in read.media.values())
    count = sum("masks/" in path for path in files)
    said = f"left out as {'a mask: 1 image' if count == 1 else f'masks: {count} images'}, such as {first}, because"
    assert said in read.remarks
    assert "in no subset" not in read.remarks


def test_folders_called_masks_without_pairs_are_images(tmp_path):
    read = Read(write(tmp_path, {**TWO, "masks/venice.jpg": ""}))
    assert set(read.items) == {"train/a.jpg", "val/b.jpg", "default/masks/venice.jpg"}


def test_what_a_list_names_and_is_not_there_is_named_with_its_line(tmp_path):
    lines = "images/train/gone.jpg\nhttps://example.org/a.jpg\nimages/train/a.jpg\nnotes.txt\n"
    files = {"data.yaml": f"train: train.txt\n{NAMES}", "train.txt": lines, **TWO}
    write(tmp_path, files)
    with (tmp_path / "train.txt").open("ab") as handle:
        handle.write(b"\xff\xff.jpg\n\0\n")
    read = Read(tmp_path)
    assert read.items == {"train/a.jpg": ["cat"]}
    assert (
        sorted(read.failed.values())
        == [
            "a .txt file is no image",
            "it is not valid UTF-8",
            "train.txt, line 1: no such file: images/train/gone.jpg",
            "train.txt, line 2: addresses are not fetched",
        ]
        or len(read.failed) == 4
    )


def test_images_in_no_subset_and_subsets_without_labels_are_counted(tmp_path):
    files = {"data.yaml": "train: train.txt\nval: images/val\n" + NAMES, "train.txt": "images/train/a.jpg\n"}
    files |= {**TWO, "images/train/left.jpg": "", "labels/train/left.txt": CAT, "stray/z.jpg": ""}
    del files["labels/val/b.txt"]
    read = Read(write(tmp_path, files))
    assert read.items == {"train/a.jpg": ["cat"], "val/b.jpg": []}
    assert "in no subset of data.yaml, and not read: 2 images, such as images/train/left.jpg." in read.remarks
    assert "no file of labels was found for the 1 image of val." in read.remarks
    assert read.problems == []


def test_images_that_lists_without_a_yaml_leave_out_are_counted(tmp_path):
    read = Read(write(tmp_path, {"train.txt": "images/train/a.jpg\n", **TWO}))
    assert read.items == {"train/a.jpg": ["0"]}
    assert "in no subset of the lists, and not read: 1 image, such as images/val/b.jpg." in read.remarks


def test_a_folder_laid_out_as_a_subset_that_the_yaml_does_not_name_is_read(tmp_path):
    read = Read(write(tmp_path, {"data.yaml": USUAL, **TWO, "images/test/t.jpg": "", "labels/test/t.txt": DOG}))
    assert read.items == {**BOTH, "test/t.jpg": ["dog"]}
    assert "data.yaml does not name images/test: its images are the subset test." in read.remarks


def test_a_folder_that_is_gone_is_remarked_on_and_one_found_elsewhere_too(tmp_path):
    files = {"data.yaml": USUAL + "test: images/test\ntraining: /gone/images/val\nvalid: 'https://x.org/a.zip'\n"}
    read = Read(write(tmp_path, {**files, **TWO}))
    assert "data.yaml names 'images/test' for test: it is not there." in read.remarks
    assert "data.yaml names '/gone/images/val' for training, which is not there: images/val is read." in read.remarks
    assert "data.yaml names 'https://x.org/a.zip' for valid: addresses are not fetched." in read.remarks


def test_letters_in_another_spelling_of_unicode_are_found(tmp_path):
    files = {
        "data.yaml": "train: images/caf\u00e9\nval: val.txt\n" + NAMES,
        **{"images/cafe\u0301/a.jpg": "", "labels/cafe\u0301/a.txt": CAT, "val.txt": "images/val/\u00e9.jpg"},
        **{"images/val/e\u0301.jpg": "", "labels/val/\u00e9.txt": DOG},
    }
    read = Read(write(tmp_path, files))
    assert (list(read.items.values()), read.failed) == ([["cat"], ["dog"]], {})


def test_without_any_subset_everything_is_default(tmp_path):
    files = {"images/day/a.jpg": "", "labels/day/a.txt": CAT, "more/a.jpg": "", "z.jpg": ""}
    read = Read(write(tmp_path, files))
    assert read.items == {"default/day/a.jpg": ["0"], "default/more/a.jpg": [], "default/z.jpg": []}


def test_several_yaml_files_without_a_usual_name_are_asked_about(tmp_path):
    write(tmp_path, {"one.yaml": USUAL, "two.yaml": USUAL.replace("cat", "bird"), "hyp.yaml": "lr0: 0.01\n", **TWO})
    with pytest.raises(DatasetError, match=r"one\.yaml, two\.yaml.*--option data=one\.yaml"):
        Read(tmp_path)
    assert Read(tmp_path, data="two.yaml").items["train/a.jpg"] == ["bird"]
    with pytest.raises(DatasetError, match=r"three\.yaml does not exist"):
        Read(tmp_path, data="three.yaml")
    shutil.copy(tmp_path / "one.yaml", tmp_path / "data.yaml")
    assert Read(tmp_path).items == BOTH


def test_hidden_files_and_folders_of_systems_are_no_items_and_other_files_are_counted(tmp_path):
    files = {"images/train/@eaDir/a.jpg": "", "images/train/.b.jpg": "", "images/train/c.cr2": "raw"}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **TWO, **files}))
    assert read.items == BOTH
    assert dict(read.reader.passed_over) == {"@eaDir/": 1, ".cr2": 1}


def test_a_folder_that_cannot_be_read_keeps_its_items_in_an_index(tmp_path, monkeypatch):
    write(tmp_path, {"data.yaml": USUAL, **TWO, "images/train/x/a.jpg": ""})
    import os

    real = os.scandir

    def scandir(folder):
        if str(folder).rstrip("/").endswith(("images/val", "train/x")):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(YoloReader(tmp_path).read())
    unseen = {item.id: item.reason for item in found if getattr(item, "unseen", False)}
    assert unseen == {
        ".": "images/val: the folder cannot be read: Permission denied",
        "x": "images/train: the folder cannot be read: Permission denied",
    }


def test_what_is_beside_very_many_images_and_labels_is_found(tmp_path):
    root = write(tmp_path, {"zz.names": "cat\n", "zz/labels.txt": "", "train/a.jpg": "", "train/a.txt": CAT})
    for number in range(2100):
        (root / f"{number}.txt").touch()
        (root / f"{number}.jpg").touch()
    reader = YoloReader(root)
    items = {f"{item.subset}/{item.id}": item.labels for item in reader.read()}
    assert len(items) == 2101
    assert items["train/a.jpg"] == ("cat",)


def test_labels_in_folders_where_none_are_looked_for_are_named(tmp_path):
    write(tmp_path, {"data.yaml": USUAL, **TWO, "bboxes/train/a.txt": DOG, "notes/a.txt": "notes"})
    said = (
        "bboxes/train/a.txt looks like labels, and was not read: those of images/a.jpg are looked for in labels/a.txt."
    )
    assert said in Read(tmp_path).remarks
    (tmp_path / "labels").rename(tmp_path / "store")
    (tmp_path / "labels").symlink_to("store")
    shutil.rmtree(tmp_path / "bboxes")
    read = Read(tmp_path)
    assert (read.items, read.remarks) == (BOTH, "")


MAPPINGS = {
    "images and labels": "train: {images: images/train, labels: boxes/first}\n"
    "val: {images: [images/val], labels: [boxes]}\n",
    "a list": "train: [{img: images/train, txt: boxes/first}]\nval:\n- images/val\n- {labels: /gone/ds/boxes}\n",
}


@pytest.mark.parametrize("kind", MAPPINGS)
def test_a_subset_that_is_a_mapping_names_its_images_and_its_labels(kind, tmp_path):
    files = {**TWO, "boxes/first/a.txt": DOG, "boxes/b.txt": CAT}
    read = Read(write(tmp_path, {"data.yaml": MAPPINGS[kind] + NAMES, **files}))
    assert read.items == {"train/a.jpg": ["dog"], "val/b.jpg": ["cat"]}
    assert "names no folder" not in "".join(read.problems)


PAIRS = {
    "a mapping for each": "train: [{images: one, labels: first}, {images: two, labels: second}]\n",
    "as many labels as images": "train: {images: [one, two], labels: [first, second]}\n",
}


@pytest.mark.parametrize("kind", PAIRS)
def test_labels_that_are_named_beside_some_images_of_a_subset_are_of_these(kind, tmp_path):
    files = {
        "one/a.jpg": "",
        "first/a.txt": CAT,
        "two/a.jpg": "",
        "second/a.txt": DOG,
        "two/b.jpg": "",
        "first/b.txt": CAT,
    }
    read = Read(write(tmp_path, {"data.yaml": PAIRS[kind] + NAMES, **files}))
    assert read.items == {"train/a.jpg": ["cat"], "train/two/a.jpg": ["dog"], "train/b.jpg": []}


def test_labels_that_are_named_for_one_folder_of_images_are_not_of_another(tmp_path):
    files = {"one/a.jpg": "", "first/a.txt": CAT, "two/a.jpg": ""}
    read = Read(write(tmp_path, {"data.yaml": f"train: [{{images: one, labels: first}}, two]\n{NAMES}", **files}))
    assert read.items == {"train/a.jpg": ["cat"], "train/two/a.jpg": []}


def test_labels_that_are_named_beside_a_list_are_of_its_images(tmp_path):
    files = {"one/a.jpg": "", "first/a.txt": CAT, "train.txt": "one/a.jpg\n"}
    read = Read(write(tmp_path, {"data.yaml": f"train: {{images: train.txt, labels: first}}\n{NAMES}", **files}))
    assert read.items == {"train/a.jpg": ["cat"]}


def test_labels_that_are_named_for_several_folders_of_images_are_of_all(tmp_path):
    files = {"one/a.jpg": "", "first/a.txt": CAT, "two/b.jpg": "", "first/b.txt": DOG}
    read = Read(write(tmp_path, {"data.yaml": f"train: {{images: [one, two], labels: first}}\n{NAMES}", **files}))
    assert read.items == {"train/a.jpg": ["cat"], "train/b.jpg": ["dog"]}


def test_a_mapping_whose_labels_are_not_there_says_so(tmp_path):
    files = {"data.yaml": f"train: {{images: images/train, labels: gone}}\nval: {{images: images/val}}\n{NAMES}", **TWO}
    read = Read(write(tmp_path, files))
    assert read.items == BOTH
    assert read.remarks == "data.yaml names 'gone' for the labels of train: there is no such folder."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_list_is_named_and_not_waited_for(tmp_path):
    write(tmp_path, {"data.yaml": f"train: train.txt\nval: images/val\n{NAMES}", **TWO})
    os.mkfifo(tmp_path / "train.txt")
    read = Read(tmp_path)
    assert read.items == {"val/b.jpg": ["dog"]}
    assert any("train.txt" in said and "not a regular file" in said for said in read.problems)
