"""Which format of Datumaro's a folder is of, where two are alike; and the images that an importer leaves out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from clipdex import build
from clipdex.readers.datumaro.layouts import evidence
from clipdex.readers.formats import choose
from clipdex.readers.sources import Source, open_reader
from helpers_datumaro import LAYOUTS, export
from helpers_engine import make_folder, skip_without
from test_datumaro_reports import ade20k

skip_without("datumaro")


def with_files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if "." in name.rpartition("/")[2]:
            (root / name).write_text("1 1\n")
        else:
            (root / name).mkdir(exist_ok=True)
    return root


IDENTITY = "Anno/identity_CelebA.txt"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((IDENTITY, "Img/img_align_celeba"), ["align_celeba"]),
        ((IDENTITY, "Img/img_celeba"), ["celeba"]),
        ((IDENTITY, "Img/img_align_celeba", "Img/img_celeba"), ["align_celeba", "celeba"]),
        ((IDENTITY, "Img/img_align_celeba", "Anno/list_bbox_celeba.txt"), ["align_celeba"]),
        ((IDENTITY, "Anno/list_landmarks_align_celeba.txt"), ["align_celeba"]),
        ((IDENTITY, "Anno/list_bbox_celeba.txt", "Anno/list_landmarks_align_celeba.txt"), ["celeba"]),
        (("Anno/list_attr_celeba.txt",), ["celeba"]),
        (("RGB", "GT", "GTTXT"), ["synthia_rand"]),
        (("RGB", "SemSeg", "Depth"), ["synthia_al"]),
        (("RGBLeft", "GTLeft", "DepthLeft"), ["synthia_sf"]),
        (("train/images", "train/instances/a.png"), ["mots"]),
        (("train/images", "train/instances/0002/1.png"), ["mots"]),
        (("training/street/a.jpg", "training/street/a_seg.png", "training/street/a_atr.txt"), ["ade20k2017"]),
        (("street/a.jpg", "street/a_seg.png"), []),
    ],
)
def test_layouts_that_are_alike_are_told_apart(tmp_path, names, expected):
    assert sorted(evidence(with_files(tmp_path / "data", *names))) == expected


OLD_DATUMARO = '{"info": {}, "categories": {"label": {"labels": []}}, "items": []}'
STARTS = {
    "annotations/default.json": (OLD_DATUMARO, ["datumaro"]),
    "annotations/coco.json": ('{"info": {}, "categories": [{"id": 1}], "images": []}', []),
    "pets-export.csv": ('"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",1,1,5,5,"cat"\n', ["vott_csv"]),
    "sales-export.csv": ("product,label\n1,2\n", []),
    "train/gt_img_1.txt": ("377,117,463,117,465,130,378,130,Genaxis Theatre\n", ["icdar_text_localization"]),
    "train/gt_img_2.txt": ('38, 43, 920, 215, "Tiredness"\n', ["icdar_text_localization"]),
    "train/gt_notes.txt": ("nothing of the kind\n", []),
    "train/gt.txt": ('word_1.png, "Tiredness"\n', ["icdar_word_recognition"]),
    "video/gt.txt": ("1,1,912,484,97,109,0,7,1\n", []),
    "Annotations/users/me/a.xml": ("<annotation><object><deleted>0</deleted></object></annotation>", ["label_me"]),
}


@pytest.mark.parametrize("name", STARTS)
def test_files_of_annotations_are_told_by_their_beginnings(tmp_path, name):
    text, expected = STARTS[name]
    root = with_files(tmp_path / "data", name)
    (root / name).write_text(text)
    assert sorted(evidence(root)) == expected


def test_ade20k_of_2020_is_told(tmp_path):
    assert list(evidence(ade20k(tmp_path / "ade", ["car"]))) == ["ade20k2020"]


def test_aligned_celeba_is_read_as_such(cli, tmp_path):
    root = tmp_path / "celeba"
    make_folder(root / "Img" / "img_align_celeba", "000001.jpg", "000002.jpg")
    with_files(root, IDENTITY)
    (root / IDENTITY).write_text("000001.jpg 1\n000002.jpg 2\n")
    done = cli("build", root)
    assert done.code == 0
    assert "is read as align_celeba: it has Anno/identity_CelebA.txt" in done.err
    assert "2 added" in done.err


def zipped(path: Path) -> Path:
    source = make_folder(path.parent.parent / "source", "a.jpg", "b.jpg")
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.jpg", "b.jpg"):
            archive.write(source / name, name)
    return path


def test_a_folder_of_nothing_but_a_zip_of_images_is_told_from_the_zip(tmp_path, monkeypatch):
    path = zipped(tmp_path / "data" / "default.zip")
    assert choose(path).format == "zip"
    assert choose(path.parent).format == "image_zip"
    report = build(path.parent)
    assert (report.items, report.failed) == (2, ())
    (path.parent / "readme.txt").write_text("x")
    assert choose(path.parent).format == "folder"


def test_a_folder_without_images_names_its_archive(cli, tmp_path):
    path = zipped(tmp_path / "data" / "default.zip")
    (path.parent / "readme.txt").write_text("x")
    done = cli("build", path.parent)
    assert done.code == 1
    assert f"Its archive is a dataset: clipdex build {path}" in done.err


def test_images_that_datumaro_leaves_out_are_counted(tmp_path):
    root = export(tmp_path / "label_me", LAYOUTS["label_me"])
    beside = next(root.rglob("cat_0.png")).parent
    make_folder(beside, "extra.png", "Masks/cat_0_mask.png")
    reader = open_reader(Source(root, "label_me"))
    found = list(reader.read())
    assert len(found) == 5
    (remark,) = reader.remarks
    assert remark.startswith("1 image of the folder is left out, because no annotation names it, such as ")
    assert "extra.png" in remark
    assert "--format folder" in remark
    report = build(root)
    assert report.remarks == (remark,)
