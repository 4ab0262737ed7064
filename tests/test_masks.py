"""Masks are no items where the layout of a folder says that they are masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipdex import build
from clipdex.errors import DatasetError
from clipdex.readers import formats
from clipdex.readers.layout import Layout
from clipdex.readers.masks import is_usually_mask, known_masks
from clipdex.readers.sources import Source, open_fitting
from helpers_engine import make_folder

# Images and masks of each layout.
LAYOUTS = {
    "Cityscapes": (
        ["leftImg8bit/train/aachen/a_leftImg8bit.png"],
        ["gtFine/train/aachen/a_gtFine_labelIds.png", "gtFine_trainvaltest/x.png"],
    ),
    "Pascal VOC": (
        ["VOC2012/JPEGImages/a.jpg"],
        ["VOC2012/SegmentationClass/a.png", "VOC2012/SegmentationObject/a.png"],
    ),
    "ADE20K": (
        ["training/street/1.jpg"],
        ["training/street/1_seg.png", "training/street/1_parts_1.png", "training/street/1/instance_000_1.png"],
    ),
    "ADE20K challenge": (
        ["images/training/a.jpg", "images/validation/b.jpg"],
        ["annotations/training/a.png", "annotations/validation/b.png"],
    ),
    "SYNTHIA": (["RGB/a.png"], ["GT/LABELS/a.png", "GT/COLOR/a.png", "Depth/a.png"]),
    "MOTS": (["train/images/a.png"], ["train/instances/a.png"]),
    "MOTS by video": (["train/images/0002/1.png"], ["train/instances/0002/1.png"]),
    "KITTI": (["training/image_2/a.png"], ["training/semantic/a.png", "training/instance/a.png"]),
    "CamVid": (["train/a.png", "val/b.png"], ["trainannot/a.png", "valannot/b.png"]),
    "images with masks": (["images/a.jpg", "images/b.jpg"], ["masks/a.png", "masks/b_mask.png"]),
    "masks by subset": (["train/images/a.jpg"], ["train/labels/a.png"]),
    "train and train_masks": (["train/a.jpg"], ["train_masks/a_mask.gif"]),
    "masks beside the images": (["train/a.jpg", "valid/b.jpg"], ["train/a_mask.png", "valid/b_mask.png"]),
}


def ids(root: Path) -> list[str]:
    return open_fitting(Source(root), lambda reader: [item.id for item in reader.read()])


@pytest.fixture
def _no_datumaro(monkeypatch):
    monkeypatch.setattr("clipdex.readers.datumaro.formats.detect", lambda location: {})
    formats.reload()
    yield
    formats.reload()


@pytest.mark.usefixtures("_no_datumaro")
@pytest.mark.parametrize("name", LAYOUTS)
def test_masks_of_known_layouts_are_left_out_and_that_is_said(tmp_path, name):
    images, masks = LAYOUTS[name]
    root = make_folder(tmp_path / "data", *images, *masks)
    assert ids(root) == images
    (notice,) = formats.choose(root).notices
    assert "without its masks" in notice
    assert "--rebuild --format folder reads them too" in notice
    named = [item.id for item in formats.reader_class("folder")(root).read()]
    assert sorted(named) == sorted(images + masks)


@pytest.mark.parametrize(
    "names",
    [
        ["cat/a.jpg", "dog/b.jpg"],
        ["images/a.jpg", "labels/other.png"],
        ["images/a.jpg", "masks/a.jpg"],  # masks lose nothing, so these are photographs
        ["carnival/a_seg.png", "carnival/b.png"],
        ["carnival/a_mask.png", "carnival/a.png", "carnival/my_mask.png"],
        ["annotations/d.png", "images/e.png"],
        ["GT/a.png", "Ferrari/b.png"],
        ["segmentation/a.jpg", "instances/b.jpg"],
    ],
)
def test_ordinary_folders_have_no_masks(tmp_path, names):
    assert known_masks(Layout(make_folder(tmp_path / "data", *names))) is None


def test_labels_and_instances_of_mapillary_vistas_are_both_masks(tmp_path):
    root = make_folder(tmp_path / "data", "training/images/a.jpg", "training/instances/a.png", "training/labels/a.png")
    (root / "config.json").write_text("{}")
    masks = known_masks(Layout(root))
    assert masks is not None
    assert masks.layout == "Mapillary Vistas"


def test_an_index_remembers_that_masks_are_left_out(cli, tmp_path):
    images, masks = LAYOUTS["images with masks"]
    root = make_folder(tmp_path / "data", *images, *masks)
    done = cli("build", root)
    assert "2 added" in done.err
    assert "passed over: 1 masks folder" in done.err
    assert "2 unchanged" in cli("build", root).err
    done = cli("build", root, "--rebuild", "--format", "folder")
    assert "4 added" in done.err
    assert "4 unchanged" in cli("build", root).err


@pytest.mark.parametrize("name", ["a[1]", "a,b", " a, b"])
def test_masks_are_left_out_by_names_that_stand_for_nothing_else(tmp_path, name):
    images = [f"{name}/0.png", "a/0.png", "a1_masks/1.png"]
    root = make_folder(tmp_path / "data", *images, f"{name}_masks/0.png")
    assert ids(root) == sorted(images)


def test_a_user_names_what_is_left_out(tmp_path):
    root = make_folder(tmp_path / "data", "a.jpg", "a_raw.jpg", "old/b.jpg", "new/old/c.jpg", "older/d.jpg")
    report = build(root, format="folder", options={"skip": "old, *_raw.*"})
    assert (report.items, dict(report.passed_over)) == (2, {"*_raw.*": 1, "old/": 2})
    with pytest.raises(DatasetError, match="has no option 'nonsense': its options are skip"):
        build(tmp_path, format="folder", options={"nonsense": "x"})


def test_what_is_usually_a_mask_is_told_by_folder_or_name():
    for path in ("gtFine/a.png", "x/SegmentationClass/a.png", "train/masks/a.jpg", "a_seg.png", "trainannot/b.png"):
        assert is_usually_mask(path), path
    for path in ("images/a.png", "leftImg8bit/a.png", "cat/mask.png", "dog/segments.jpg", "annotated.jpg"):
        assert not is_usually_mask(path), path
