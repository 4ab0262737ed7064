"""The pages say what clipdex reads of a layout. Each line of their tables is built here, and read as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import helpers_coco as coco
from clipdex.errors import DatasetError
from clipdex.readers import ReadItem, formats
from clipdex.readers.base import Reader
from clipdex.readers.ordering import in_item_order
from helpers_engine import REPOSITORY
from helpers_formats import content, write_parquet, write_tar, write_zip
from helpers_voc import voc
from helpers_yolo import CAT, DOG, NAMES, TWO, USUAL

HOW_TO = REPOSITORY / "docs" / "how-to"
IMAGE = ""  # what ``voc`` makes a picture of
BOTH = {"train/a.jpg": "cat", "val/b.jpg": "dog"}
XML = ("cat",)


def of_coco(*names: str, **more: object) -> str:
    """An annotation file of COCO with a cat on each image."""
    images = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    annotations = [{"id": at, "image_id": at, "category_id": 1} for at, _ in enumerate(names)]
    return json.dumps(coco.body(images, annotations, **more))


def captions(name: str) -> str:
    images, said = [{"id": 1, "file_name": name}], [{"id": 1, "image_id": 1, "caption": "a cat"}]
    return json.dumps(coco.body(images, said, None))


def of_cvat(*names: str, meta: str = "", subset: str = "") -> str:
    of = f' subset="{subset}"' if subset else ""
    images = "".join(f'<image id="{at}" name="{name}"{of}><tag label="cat"/></image>' for at, name in enumerate(names))
    return f"<annotations><version>1.1</version>{meta}{images}</annotations>"


@dataclass
class Tree:
    """Files, and what is read of them: labels by subset and id."""

    files: dict[str, str | bytes | tuple[str, ...]]
    items: dict[str, str] = field(default_factory=dict)
    target: str = ""
    format: str = ""
    error: str = ""


ONE, TWO_COCO = {"train2017/a.jpg": "cat"}, {"train/a.jpg": "cat", "val/b.jpg": "cat"}
INSTANCES = {"annotations/instances_train2017.json": of_coco("a.jpg")}
ROBOFLOW_YOLO = {
    **{f"{place}/images/{name}.jpg": IMAGE for place, name in (("train", "a"), ("valid", "b"))},
    **{"train/labels/a.txt": CAT, "valid/labels/b.txt": DOG},
    "data.yaml": "train: ../train/images\nval: ../valid/images\n" + NAMES,
}
VOC = {"JPEGImages/a.jpg": IMAGE, "Annotations/a.xml": XML, "ImageSets/Main/train.txt": "a\n"}
VIDEO = (
    "<annotations><version>1.1</version><meta><task><size>2</size></task></meta><track id='0' label='cat'>"
    "<box frame='0' outside='0'/><box frame='1' outside='1'/></track></annotations>"
)

COCO = {
    "`annotations/instances_train2017.json`, `train2017/` (as COCO's archives unpack)": [
        Tree({**INSTANCES, "train2017/a.jpg": IMAGE}, ONE)
    ],
    "`annotations/instances_train2017.json`, `images/train2017/`, `images/train/` or `images/`": [
        Tree({**INSTANCES, f"images/{folder}a.jpg": IMAGE}, ONE) for folder in ("train2017/", "train/", "")
    ],
    "`annotations/instances_train2017.json`, also `person_keypoints_`, `labels_`, `image_info_`, `panoptic_` and "
    "`stuff_` of the same subset": [
        Tree(
            {
                **INSTANCES,
                f"annotations/{kind}_train2017.json": of_coco("a.jpg", categories=[{"id": 1, "name": "pet"}]),
                "train2017/a.jpg": IMAGE,
            },
            {"train2017/a.jpg": "pet;cat" if kind == "image_info" else "cat;pet"},
        )
        for kind in ("person_keypoints", "labels", "image_info", "panoptic", "stuff")
    ],
    "`annotations/captions_train2017.json`": [
        Tree(
            {"annotations/captions_train2017.json": captions("a.jpg"), "train2017/a.jpg": IMAGE},
            {"train2017/a.jpg": "a cat"},
        ),
        Tree({**INSTANCES, "annotations/captions_train2017.json": captions("a.jpg"), "train2017/a.jpg": IMAGE}, ONE),
    ],
    "`train/_annotations.coco.json` beside its images, `valid/`, `test/` (Roboflow)": [
        Tree(
            {
                f"{subset}/{name}": text
                for subset in ("train", "valid", "test")
                for name, text in (("_annotations.coco.json", of_coco("a.jpg")), ("a.jpg", IMAGE))
            },
            {"train/a.jpg": "cat", "valid/a.jpg": "cat", "test/a.jpg": "cat"},
        )
    ],
    "`labels.json`, `data/` (FiftyOne)": [
        Tree({"labels.json": of_coco("a.jpg"), "data/a.jpg": IMAGE}, {"default/a.jpg": "cat"})
    ],
    "`train.json`, `val.json`, `lvis_v1_train.json`, beside `images/` or the images": [
        Tree(
            {
                f"{name}train.json": of_coco("a.jpg"),
                f"{name}val.json": of_coco("b.jpg"),
                f"{folder}a.jpg": IMAGE,
                f"{folder}b.jpg": IMAGE,
            },
            TWO_COCO,
        )
        for name in ("", "lvis_v1_")
        for folder in ("images/", "")
    ],
    "any other JSON with images and categories or annotations": [
        Tree({"result.json": of_coco("images/a.jpg"), "images/a.jpg": IMAGE}, {"default/a.jpg": "cat"})
    ],
    "a JSON file as the target": [
        Tree({"x.json": of_coco("a.jpg"), "a.jpg": IMAGE}, {"default/a.jpg": "cat"}, "x.json"),
        Tree({**INSTANCES, "train2017/a.jpg": IMAGE}, ONE, next(iter(INSTANCES))),
    ],
}
CVAT = {
    "`annotations.xml` and `images/`": [
        Tree({"annotations.xml": of_cvat("a.jpg"), "images/a.jpg": IMAGE}, {"default/a.jpg": "cat"}),
        Tree(
            {"annotations.xml": of_cvat("a.jpg", subset="train"), "images/train/a.jpg": IMAGE}, {"train/a.jpg": "cat"}
        ),
        Tree({"annotations.xml": of_cvat("a.jpg"), "a.jpg": IMAGE}, {"default/a.jpg": "cat"}),
    ],
    "`annotations.xml` and `images/default/`; `labels.xml` and `data/` (FiftyOne)": [
        Tree({"annotations.xml": of_cvat("a.jpg"), "images/default/a.jpg": IMAGE}, {"default/a.jpg": "cat"}),
        Tree({"labels.xml": of_cvat("a.jpg"), "data/a.jpg": IMAGE}, {"default/a.jpg": "cat"}),
    ],
    "`train.xml`, `val.xml` and `images/`": [
        Tree(
            {
                "train.xml": of_cvat("a.jpg"),
                "val.xml": of_cvat("b.jpg"),
                "images/a.jpg": IMAGE,
                "images/b.jpg": IMAGE,
            },
            TWO_COCO,
        )
    ],
    "`annotations/train.xml` and `images/train/`": [
        Tree({"annotations/train.xml": of_cvat("a.jpg"), "images/train/a.jpg": IMAGE}, {"train/a.jpg": "cat"})
    ],
    "`task_1/annotations.xml`, `task_2/annotations.xml`": [
        Tree(
            {
                f"task_{at}/{name}": text
                for at in (1, 2)
                for name, text in (("annotations.xml", of_cvat("a.jpg")), ("images/a.jpg", IMAGE))
            },
            {"default/task_1/a.jpg": "cat", "default/task_2/a.jpg": "cat"},
        )
    ],
    "a video: tracks, and `images/frame_000000.jpg`": [
        Tree(
            {"annotations.xml": VIDEO, "images/frame_000000.jpg": IMAGE, "images/frame_000001.jpg": IMAGE},
            {"default/frame_000000.jpg": "cat", "default/frame_000001.jpg": ""},
        )
    ],
}
YOLO = {
    "`data.yaml`, `dataset.yaml`, or one other YAML file with `names` or `train`": [
        Tree({name: USUAL, **TWO}, BOTH) for name in ("data.yaml", "dataset.yaml", "pets.yaml")
    ],
    "`train: images/train`, a list of folders, a text file of paths, a pattern": [
        Tree(
            {"data.yaml": f"train: {where}\nval: images/val\n{NAMES}", "train.txt": "images/train/a.jpg\n", **TWO}, BOTH
        )
        for where in ("images/train", "[images/train]", "train.txt", "images/train/*.jpg")
    ],
    "`train: {images: images/train, labels: boxes/train}`": [
        Tree(
            {
                "data.yaml": f"train: {{images: images/train, labels: boxes/train}}\n{NAMES}",
                "images/train/a.jpg": IMAGE,
                "boxes/train/a.txt": DOG,
            },
            {"train/a.jpg": "dog"},
        )
    ],
    "`path:` or `train:` of another machine, `../train/images` of Roboflow": [
        Tree({"data.yaml": f"path: /gone/ds\n{USUAL}", **TWO}, BOTH),
        Tree({"data.yaml": f"train: C:\\gone\\images\\train\nval: /gone/images/val\n{NAMES}", **TWO}, BOTH),
        Tree(ROBOFLOW_YOLO, BOTH),
    ],
    "several YAML files, none with a usual name": [
        Tree({"one.yaml": USUAL, "two.yaml": USUAL, **TWO}, error="--option data=one.yaml")
    ],
    "`images/train` and `labels/train`, or `train/images` and `train/labels`": [
        Tree({"images/train/a.jpg": IMAGE, "labels/train/a.txt": CAT}, {"train/a.jpg": "0"}),
        Tree({"train/images/a.jpg": IMAGE, "train/labels/a.txt": CAT}, {"train/a.jpg": "0"}),
    ],
    "`images_train` and `labels_train`, `train_images` and `train_labels`, `train/img` and `train/txt`": [
        Tree({f"{images}/a.jpg": IMAGE, f"{labels}/a.txt": CAT}, {"train/a.jpg": "0"})
        for images, labels in (
            ("images_train", "labels_train"),
            ("train_images", "train_labels"),
            ("train/img", "train/txt"),
        )
    ],
    "the dataset in the only folder of the one you name, as an archive unpacks": [
        Tree({f"pets/{name}": text for name, text in {"data.yaml": USUAL, **TWO}.items()}, BOTH)
    ],
    "`masks` beside `images`, with the same names in it": [
        Tree({"images/a.jpg": IMAGE, "labels/a.txt": CAT, "masks/a.png": IMAGE}, {"default/a.jpg": "0"}),
        Tree({**ROBOFLOW_YOLO, "train/masks/a.png": IMAGE}, BOTH),
    ],
    "labels beside the images": [
        Tree({"train/a.jpg": IMAGE, "train/a.txt": CAT, "classes.txt": "cat\ndog\n"}, {"train/a.jpg": "cat"})
    ],
    "`labelTxt` (DOTA, rotated boxes of Roboflow)": [
        Tree(
            {"train/images/a.jpg": IMAGE, "train/labelTxt/a.txt": "1 1 5 1 5 5 1 5 plane 0\n"}, {"train/a.jpg": "plane"}
        )
    ],
    "`obj.data`, `obj.names` and `train.txt` (Darknet, CVAT's YOLO 1.1)": [
        Tree(
            {
                "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n",
                "obj.names": "cat\ndog\n",
                "train.txt": "data/obj_train_data/a.jpg\n",
                "obj_train_data/a.jpg": IMAGE,
                "obj_train_data/a.txt": DOG,
            },
            {"train/a.jpg": "dog"},
        )
    ],
    "`classes.txt` (labelImg), `_darknet.labels` (Roboflow)": [
        Tree({"a.jpg": IMAGE, "a.txt": DOG, "classes.txt": "cat\ndog\n"}, {"default/a.jpg": "dog"}),
        Tree(
            {"images/a.jpg": IMAGE, "labels/a.txt": DOG, "labels/classes.txt": "cat\ndog\n"}, {"default/a.jpg": "dog"}
        ),
        Tree({"train/a.jpg": IMAGE, "train/a.txt": DOG, "train/_darknet.labels": "cat\ndog\n"}, {"train/a.jpg": "dog"}),
    ],
    "no YAML at all": [Tree(dict(TWO), {"train/a.jpg": "0", "val/b.jpg": "1"})],
}
OF_VOC = {
    "`JPEGImages/a.jpg`, `Annotations/a.xml`, `ImageSets/Main/train.txt`": [Tree(VOC)],
    "the same without `ImageSets`": [Tree({"JPEGImages/a.jpg": IMAGE, "Annotations/a.xml": XML})],
    "`VOC2007/JPEGImages/a.jpg`, `VOC2007/Annotations/a.xml`, `VOC2007/ImageSets/Main/train.txt`, also several years": [
        Tree({f"VOC2007/{name}": text for name, text in VOC.items()})
    ],
    "`images/a.jpg`, `annotations/a.xml`": [Tree({"images/a.jpg": IMAGE, "annotations/a.xml": XML})],
    "`images/a.jpg`, `annotations/xmls/a.xml`, `annotations/test.txt`": [
        Tree({"images/a.jpg": IMAGE, "annotations/xmls/a.xml": XML, "annotations/test.txt": "a\n"})
    ],
    "`train/a.jpg`, `train/a.xml` (Roboflow)": [Tree({"train/a.jpg": IMAGE, "train/a.xml": XML})],
    "`train/JPEGImages/a.jpg`, `train/Annotations/a.xml`": [
        Tree({"train/JPEGImages/a.jpg": IMAGE, "train/Annotations/a.xml": XML})
    ],
    "`images/train/a.jpg`, `annotations/train/a.xml`, or all XML files in `annotations`": [
        Tree({"images/train/a.jpg": IMAGE, f"annotations/{folder}a.xml": XML}) for folder in ("train/", "")
    ],
    "`cats/a.jpg`, `cats/a.xml`": [Tree({"cats/a.jpg": IMAGE, "cats/a.xml": XML})],
}
ALL = {
    "`2024/06/a.jpg`, `b.jpg`": [
        Tree({"2024/06/a.jpg": IMAGE, "b.jpg": IMAGE}, {"default/2024/06/a.jpg": "06", "default/b.jpg": ""})
    ],
    "`DCIM/Camera/a.jpg` of a phone": [
        Tree({"DCIM/Camera/a.jpg": IMAGE, "DCIM/Camera/a.mp4": "x"}, {"default/DCIM/Camera/a.jpg": "Camera"})
    ],
    "`cat/a.jpg`, `dog/b.jpg`": [
        Tree({"cat/a.jpg": IMAGE, "dog/b.jpg": IMAGE}, {"default/cat/a.jpg": "cat", "default/dog/b.jpg": "dog"})
    ],
    "`train/cat/a.jpg`, `val/dog/b.jpg`": [
        Tree(
            {"train/cat/a.jpg": IMAGE, "val/dog/b.jpg": IMAGE},
            {"train/train/cat/a.jpg": "cat", "val/val/dog/b.jpg": "dog"},
        )
    ],
    "`annotations/instances_train2017.json`, `train2017/a.jpg`": [Tree({**INSTANCES, "train2017/a.jpg": IMAGE}, ONE)],
    "`train/_annotations.coco.json`, `train/a.jpg` (Roboflow)": [
        Tree({"train/_annotations.coco.json": of_coco("a.jpg"), "train/a.jpg": IMAGE}, {"train/a.jpg": "cat"})
    ],
    "`data.yaml`, `images/train/a.jpg`, `labels/train/a.txt`": [
        Tree(
            {"data.yaml": f"train: images/train\n{NAMES}", "images/train/a.jpg": IMAGE, "labels/train/a.txt": CAT},
            {"train/a.jpg": "cat"},
        )
    ],
    "`data.yaml`, `train/images/a.jpg`, `train/labels/a.txt` (Roboflow)": [
        Tree(
            {name: text for name, text in ROBOFLOW_YOLO.items() if not name.startswith("valid")}, {"train/a.jpg": "cat"}
        )
    ],
    "`JPEGImages/a.jpg`, `Annotations/a.xml`, `ImageSets/Main/train.txt`": [Tree(VOC, {"train/a.jpg": "cat"})],
    "`annotations.xml`, `images/a.jpg`": [
        Tree({"annotations.xml": of_cvat("a.jpg"), "images/a.jpg": IMAGE}, {"default/a.jpg": "cat"})
    ],
    "`photos.zip` or `photos.tar` with `train/cat/a.jpg`": [
        Tree({name: b"archive"}, {"train/train/cat/a.jpg": "cat"}, name, name.rpartition(".")[2])
        for name in ("photos.zip", "photos.tar")
    ],
    "`photos.txt`, a list with a line `train/cat/a.jpg`": [
        Tree(
            {"photos.txt": "train/cat/a.jpg\n", "train/cat/a.jpg": IMAGE},
            {"train/train/cat/a.jpg": "cat"},
            "photos.txt",
        )
    ],
    "`photos.csv` with the columns `path` and `label`": [
        Tree(
            {"photos.csv": "path,label\ntrain/x/a.jpg,cat\n", "train/x/a.jpg": IMAGE},
            {"train/train/x/a.jpg": "cat"},
            "photos.csv",
        )
    ],
    "`data/train-00000-of-00001.parquet` (Hugging Face)": [
        Tree({"data/train-00000-of-00001.parquet": b"table"}, {"train/data/train-00000-of-00001/00000000": "cat"})
    ],
    "other files of annotations": [
        Tree({"a.jpg": IMAGE, "annotations.json": '{"shapes": []}'}, {"default/a.jpg": ""}, format="folder")
    ],
}
TABLES = {("formats", 0): ALL, ("formats", 1): COCO, ("formats", 2): CVAT, ("yolo", 0): YOLO, ("voc", 0): OF_VOC}
LAYOUTS = [
    pytest.param(key, layout, tree, id=f"{key[0]} {layout} {number}")
    for key, table in TABLES.items()
    for layout, trees in table.items()
    for number, tree in enumerate(trees)
]


def tables(page: str) -> list[dict[str, list[str]]]:
    """The tables of layouts of a page: the other cells of each line by its first one."""
    text = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| your layout \|.*\n\|[-|:]+\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    cells = ([[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()] for body in found)
    return [{row[0]: row[1:] for row in rows} for rows in cells]


def make(root: Path, tree: Tree) -> Path:
    voc(root, tree.files)
    for name, text in tree.files.items():
        if isinstance(text, bytes):
            members = {"train/cat/a.jpg": content("train/cat/chelsea.jpg")}
            if name.endswith(".parquet"):
                write_parquet(root / name, ["train/cat/chelsea.jpg"])
            else:
                (write_zip if name.endswith(".zip") else write_tar)(root / name, members)
    return root / tree.target if tree.target else root


def read(location: Path) -> Iterator[tuple[str, str]]:
    choice = formats.choose(location)
    reader: Reader = formats.reader_class(choice.format)(location, dict(choice.options))
    for item in in_item_order(reader):
        assert isinstance(item, ReadItem), item
        yield f"{item.subset}/{item.id}", ";".join(item.labels)


def test_every_line_of_the_tables_is_built_here():
    shown = {
        (page, number): set(table) for page in ("formats", "yolo", "voc") for number, table in enumerate(tables(page))
    }
    assert shown == {key: set(table) for key, table in TABLES.items()}


@pytest.mark.parametrize(("key", "layout", "tree"), LAYOUTS)
def test_a_layout_is_read_as_the_table_says(key, layout, tree, tmp_path):
    location = make(tmp_path / "dataset", tree)
    page, number = key
    cells = tables(page)[number][layout]
    if tree.error:
        with pytest.raises(DatasetError, match=re.escape(tree.error)):
            dict(read(location))
        return
    items = dict(read(location))
    if key == ("voc", 0):
        item_id, subset = (cell.strip("`") for cell in cells)
        assert items == {f"{subset}/{item_id}": "cat"}
        return
    assert items == tree.items
    chosen = formats.choose(location).format
    if key != ("formats", 0):
        assert chosen == (page if page != "formats" else "coco" if number == 1 else "cvat")
        return
    assert f"`{tree.format or chosen}`" in cells[0]
    for item, labels in items.items():
        subset, _, item_id = item.partition("/")
        # A cell without a quoted word says it in general: "the categories".
        for cell, found in zip(cells[1:], (item_id, subset, labels), strict=True):
            assert not cell.startswith("`") or not found or f"`{found}`" in cell
