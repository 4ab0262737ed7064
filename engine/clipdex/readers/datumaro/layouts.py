"""Telling the formats that Datumaro reads by the files that are typical of them.

Datumaro's own detection walks through the whole dataset, takes any folder of folders for ImageNet, and costs seconds to
import. This one looks for files of annotations that hardly anything else has, in the places where they belong, and at
the first bytes of a few of them. Folders that are nothing but images are left to our own reader.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.layout import Layout

_SUBSET = "*"
_MOST_BYTES_IN_ZIPS = 1 << 30


_Test = Callable[[Layout], str | None]


def _files(*patterns: str, starts: str = "") -> _Test:
    """Make a test that each pattern matches, and that a file of the last one begins with the expression ``starts``."""

    def test(layout: Layout) -> str | None:
        shown = []
        for pattern in patterns:
            found = layout.find(pattern)
            if pattern == patterns[-1] and starts:
                found = [path for path in found[:5] if re.search(starts, layout.start(path))]
            if not found:
                return None
            shown.append(found[0])
        return f"it has {' and '.join(shown)}"

    return test


def _any(*tests: _Test) -> _Test:
    def test(layout: Layout) -> str | None:
        return next((said for said in (test(layout) for test in tests) if said), None)

    return test


def _without(marker: str, then: _Test) -> _Test:
    def test(layout: Layout) -> str | None:
        return None if layout.find(marker) else then(layout)

    return test


def _both(one: _Test, other: _Test) -> _Test:
    def test(layout: Layout) -> str | None:
        said = one(layout)
        return said if said is not None and other(layout) is not None else None

    return test


def _zips_alone(layout: Layout) -> str | None:
    """Take a folder that has nothing but a few ZIP archives of images: Datumaro holds all of them in memory."""
    entries = layout.entries()
    if not entries or not all(entry.name.lower().endswith(".zip") and entry.is_file() for entry in entries):
        return None
    if sum(entry.stat().st_size for entry in entries) > _MOST_BYTES_IN_ZIPS:
        return None
    try:
        with zipfile.ZipFile(entries[0].path) as archive:
            has_images = any(suffix_of(name) in IMAGE_SUFFIXES for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None
    return f"it has {entries[0].name}" if has_images else None


# The first versions, and CVAT's exports in this format, begin with "info", as COCO does; COCO's categories are a list.
_DATUMARO_JSON = r'^\s*\{\s*("info"\s*:\s*\{[^{}]*\}\s*,\s*)?"(dm_format_version|infos|media_type|categories"\s*:\s*\{)'
_KITTI_DETECTION = _files(f"{_SUBSET}/image_2", f"{_SUBSET}/label_2/*.txt")
_CELEBA = _any(_files("Anno/identity_CelebA.txt"), _files("Anno/list_attr_celeba.txt"))
_ALIGNED = "Img/img_align_celeba"
_OF_THE_WILD = _any(_files("Anno/list_bbox_celeba.txt"), _without("Anno/list_*_align_celeba.txt", _CELEBA))
_ADE20K = _any(*(_files(f"{'*/' * depth}*_seg.png") for depth in range(1, 6)))
_TESTS: dict[str, _Test] = {
    "ade20k2017": _both(_ADE20K, _any(*(_files(f"{'*/' * depth}*_atr.txt") for depth in range(1, 6)))),
    "ade20k2020": _both(
        _ADE20K,
        _any(*(_files(f"{'*/' * depth}*.json", starts=r'^\s*\{\s*"annotation"\s*:') for depth in range(1, 6))),
    ),
    "align_celeba": _both(
        _CELEBA,
        _any(
            _files(_ALIGNED),
            _without("Img/img_celeba", _without("Anno/list_bbox_celeba.txt", _files("Anno/list_*_align_celeba.txt"))),
        ),
    ),
    "camvid": _files("label_colors.txt", "train.txt", starts=r"\.(png|jpg)"),
    "celeba": _any(_both(_CELEBA, _files("Img/img_celeba")), _without(_ALIGNED, _both(_CELEBA, _OF_THE_WILD))),
    "cifar": _any(_files("batches.meta"), _files("test", "train", "meta", starts="fine_label_names")),
    "cityscapes": _files("leftImg8bit", "gtFine"),
    "datumaro": _files("annotations/*.json", starts=_DATUMARO_JSON),
    "datumaro_binary": _files("annotations/*.datum"),
    "icdar_text_localization": _files(f"{_SUBSET}/gt_*.txt", starts=r"^(-?\d+(,\s*|\s+)){4,8}\S"),
    "icdar_word_recognition": _files(f"{_SUBSET}/gt.txt", starts=r"^\S+\.(png|jpe?g), "),
    "image_zip": _zips_alone,
    "kitti_detection": _KITTI_DETECTION,
    "kitti_segmentation": _without(
        f"{_SUBSET}/label_2/*.txt", _files(f"{_SUBSET}/image_2", f"{_SUBSET}/instance/*.png")
    ),
    "label_me": _any(
        *(
            _files(pattern, starts=r"<annotation>[\s\S]*<(sourceAnnotation|deleted|submittedBy|verified)>")
            for pattern in ("*.xml", "Annotations/*.xml", "Annotations/*/*.xml", "Annotations/*/*/*.xml", "*/*.xml")
        )
    ),
    "lfw": _any(_files("annotations/pairs.txt"), _files(f"{_SUBSET}/annotations/pairs.txt")),
    "mapillary_vistas": _any(_files("config_v*.json", "*/images"), _files("config_v*.json", "*/v*/labels")),
    "market1501": _any(
        _files("bounding_box_*", "images_*.txt"), _files("bounding_box_train", "bounding_box_test", "query")
    ),
    "mnist": _files("*-labels-idx1-ubyte.gz"),
    "mnist_csv": _files("mnist_*.csv"),
    "mot_seq": _files("gt/gt.txt"),
    "mots": _without(
        "config*.json",
        _any(
            _files("images", "instances/*.png"),
            _files(f"{_SUBSET}/images", f"{_SUBSET}/instances/*.png"),
            _files(f"{_SUBSET}/images", f"{_SUBSET}/instances/*/*.png"),
        ),
    ),
    "open_images": _any(
        _files("annotations/*class-descriptions*.csv"), _files("annotations/*-annotations-human-imagelabels*.csv")
    ),
    "roboflow_create_ml": _files(f"{_SUBSET}/_annotations.createml.json"),
    "roboflow_multiclass": _files(f"{_SUBSET}/_classes.csv"),
    "synthia_al": _files("RGB", "SemSeg"),
    "synthia_rand": _files("RGB", "GTTXT", "GT"),
    "synthia_sf": _files("RGBLeft", "GTLeft"),
    "vgg_face2": _files("bb_landmark/loose_bb_*.csv"),
    "vott_csv": _files("*-export.csv", starts=r'^"?image"?,"?xmin'),
    "wider_face": _files("wider_face_split/wider_face_*.txt"),
}
# Of a single file.
_FILE_TESTS = {
    ".json": ("datumaro", _DATUMARO_JSON, "it begins as Datumaro's JSON"),
}


def evidence(location: Path) -> dict[str, str]:
    """Return the formats that may fit a location, each with the reason, such as "it has annotations/train.json"."""
    layout = Layout(location)
    if location.is_file():
        name, starts, said = _FILE_TESTS.get(location.suffix.lower(), ("", "", ""))
        fits = bool(name) and re.search(starts, layout.start("")) is not None
        if fits and name == "datumaro":  # the images are beside the folder of the annotations
            fits = location.parent.name == "annotations"
        return {name: said} if fits else {}
    if not location.is_dir():
        return {}
    return {name: what for name, test in _TESTS.items() if (what := test(layout)) is not None}


def importer_for(format_name: str, location: Path) -> str:
    """Return the name of the importer for a format. For ``kitti``, it is that of the task whose files are there.

    Datumaro's own importer of ``kitti`` loses all subsets but one where a folder could hold several tasks.
    """
    if format_name != "kitti":
        return format_name
    return "kitti_detection" if _KITTI_DETECTION(Layout(location)) else "kitti_segmentation"
