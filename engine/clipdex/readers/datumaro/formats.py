"""The formats that Datumaro reads: their names, which one fits a location, and their readers."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from clipdex.errors import DatasetError
from clipdex.extras import optional
from clipdex.readers.base import Reader
from clipdex.readers.datumaro.layouts import evidence
from clipdex.readers.datumaro.library import EXTRA, is_installed
from clipdex.readers.datumaro.quiet import PACKAGE
from clipdex.readers.datumaro.reader import DatumaroReader

_SPECS = "plugins/specs.json"
_MAX_SPECS_BYTES = 16 << 20
# The importers of Datumaro 1.13: known without it, so that a name of one gets the command that installs it.
KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "ade20k2017": "ADE20K of 2017: scenes with masks of objects and parts",
        "ade20k2020": "ADE20K of 2020: scenes with masks of objects and parts",
        "align_celeba": "CelebA, aligned faces with attributes",
        "arrow": "Datumaro's Arrow files, images inside",
        "ava": "AVA, actions in frames of films",
        "brats": "BraTS, scans of brains (no images)",
        "brats_numpy": "BraTS as NumPy arrays (no images)",
        "camvid": "CamVid, street scenes with masks",
        "celeba": "CelebA, faces with attributes",
        "cifar": "CIFAR-10 and CIFAR-100 for Python, images inside",
        "cityscapes": "Cityscapes, street scenes with masks",
        "coco": "COCO: annotations/<task>_<subset>.json of any task",
        "coco_captions": "COCO, captions only",
        "coco_image_info": "COCO, images only",
        "coco_instances": "COCO, boxes and polygons of objects",
        "coco_labels": "COCO, labels of images",
        "coco_panoptic": "COCO, panoptic masks",
        "coco_person_keypoints": "COCO, keypoints of people",
        "coco_stuff": "COCO, masks of stuff",
        "common_semantic_segmentation": "images and masks with dataset_meta.json",
        "common_semantic_segmentation_with_subset_dirs": "the same, a folder for each subset",
        "cvat": "CVAT for images 1.1: XML",
        "datumaro": "Datumaro's own: annotations/<subset>.json",
        "datumaro_binary": "Datumaro's own, binary: annotations/<subset>.datum",
        "dota": "DOTA, rotated boxes in pictures from the air",
        "icdar_text_localization": "ICDAR, boxes of text",
        "icdar_text_segmentation": "ICDAR, masks of text",
        "icdar_word_recognition": "ICDAR, words",
        "image_dir": "a folder of images, by Datumaro",
        "image_zip": "a ZIP of images, by Datumaro",
        "imagenet": "ImageNet: a folder for each class, by Datumaro",
        "imagenet_txt": "ImageNet with lists of labels",
        "imagenet_with_subset_dirs": "ImageNet, a folder for each subset",
        "kinetics": "Kinetics, actions in videos (no images)",
        "kitti": "KITTI: detection and segmentation",
        "kitti3d": "KITTI 3D, boxes in space",
        "kitti_detection": "KITTI, boxes",
        "kitti_raw": "KITTI raw, point clouds (no images)",
        "kitti_segmentation": "KITTI, masks",
        "label_me": "LabelMe: an XML for each image",
        "lfw": "LFW, faces in pairs",
        "mapillary_vistas": "Mapillary Vistas, street scenes with masks",
        "mapillary_vistas_instances": "Mapillary Vistas, masks of objects",
        "mapillary_vistas_panoptic": "Mapillary Vistas, panoptic masks",
        "market1501": "Market-1501, people by identity",
        "mars": "MARS, people by identity",
        "mmdet_coco": "COCO as MMDetection lays it out",
        "mnist": "MNIST and its like, images inside",
        "mnist_csv": "MNIST as CSV, images inside",
        "mot_seq": "MOT, objects followed through a video",
        "mots": "MOTS, masks of objects followed through a video",
        "mpii": "MPII, poses of people (MATLAB)",
        "mpii_json": "MPII, poses of people (JSON)",
        "mvtec": "MVTec AD, defects",
        "mvtec_classification": "MVTec AD, labels",
        "mvtec_detection": "MVTec AD, boxes",
        "mvtec_segmentation": "MVTec AD, masks",
        "nyu_depth_v2": "NYU Depth V2, rooms with depth",
        "open_images": "Open Images: annotations/*.csv",
        "roboflow_coco": "Roboflow's COCO",
        "roboflow_create_ml": "Roboflow's CreateML",
        "roboflow_multiclass": "Roboflow's multi-class CSV",
        "roboflow_voc": "Roboflow's VOC",
        "roboflow_yolo": "Roboflow's YOLO",
        "roboflow_yolo_obb": "Roboflow's YOLO with rotated boxes",
        "segment_anything": "Segment Anything, masks",
        "sly_pointcloud": "Supervisely's point clouds (no images)",
        "synthia_al": "SYNTHIA-AL, synthetic street scenes",
        "synthia_rand": "SYNTHIA-RAND, synthetic street scenes",
        "synthia_sf": "SYNTHIA-SF, synthetic street scenes",
        "tabular": "tables (no images)",
        "vgg_face2": "VGGFace2, faces by identity",
        "video_frames": "frames of videos (no images)",
        "video_keyframes": "key frames of videos (no images)",
        "voc": "Pascal VOC: ImageSets, JPEGImages, Annotations",
        "voc_action": "Pascal VOC, actions",
        "voc_classification": "Pascal VOC, labels",
        "voc_detection": "Pascal VOC, boxes",
        "voc_instance_segmentation": "Pascal VOC, masks of objects",
        "voc_layout": "Pascal VOC, parts of people",
        "voc_segmentation": "Pascal VOC, masks of classes",
        "vott_csv": "VoTT, CSV",
        "vott_json": "VoTT, JSON",
        "wider_face": "WIDER FACE, boxes of faces",
        "yolo": "YOLO: Darknet's obj.data, or data.yaml",
    }
)


def names() -> Mapping[str, str]:
    """Return the formats by name, with a few words on each, without importing Datumaro.

    Those of Datumaro 1.13 and, where another version is installed, those that it lists beside them.
    """
    return MappingProxyType({**KNOWN, **_listed()})


@functools.cache
def _listed() -> dict[str, str]:
    """Return the importers that the installed Datumaro lists and that are not known here."""
    package = importlib.util.find_spec(PACKAGE)
    for folder in (package.submodule_search_locations or []) if package is not None else []:
        path = Path(folder) / _SPECS
        try:
            if path.stat().st_size > _MAX_SPECS_BYTES:
                continue
            plugins = json.loads(path.read_text(encoding="utf-8"))
            importers = [plugin["plugin_name"] for plugin in plugins if plugin["plugin_type"] == "Importer"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return {str(name): "one more format of Datumaro's" for name in importers if name not in KNOWN}
    return {}


def detect(location: Path) -> dict[str, str]:
    """Return the formats that fit a location, and what speaks for each, whether Datumaro is installed or not."""
    return evidence(location)


def reader_class(name: str, called: str = "") -> type[Reader]:
    """Return the reader of a format.

    Parameters
    ----------
    name
        Name of Datumaro's importer.
    called
        Name of the format here; that of the importer where it is empty.

    Raises
    ------
    DatasetError
        When Datumaro has no such format.
    ExtraMissing
        When it is not installed.
    """
    if name not in names():
        raise DatasetError(f"Datumaro has no format {name!r}.")
    if not is_installed():
        optional(PACKAGE, EXTRA, f"Reading the format {name}")
    return _class_of(name, called or name)


@functools.cache
def _class_of(name: str, called: str) -> type[Reader]:
    attributes = {"format": called, "importer": name, "about": names()[name]}
    return type(f"DatumaroReader_{name}", (DatumaroReader,), attributes)
