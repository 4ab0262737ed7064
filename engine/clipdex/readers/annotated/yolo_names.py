"""What folders of YOLO are called: those of images, those of their labels, and those of subsets."""

from __future__ import annotations

import re
from collections.abc import Iterator

LABEL_FOLDERS = ("labels", "labelTxt", "Labels", "label", "annotations", "Annotations", "txt")
IMAGE_FOLDERS = ("images", "Images", "JPEGImages", "img", "imgs")
IMAGE_FOLDER = re.compile(r"(?i)images|jpegimages|imgs?")
# What is before and after is the same in the folder of the labels: images_train and labels_train.
_IMAGES_OF = re.compile(r"(?i)(?P<before>.*[-_ .])?(?:images?|imgs?)(?P<after>[-_ .].*)?")
_LABELS_OF = re.compile(r"(?i)(?P<before>.*[-_ .])?(?:labels?|labeltxt|annotations?|txt)(?P<after>[-_ .].*)?")
_SUBSET = re.compile(
    r"(?i)(train|training|trainval|val|valid|validation|minival|test|testing|test-dev|dev|eval)[-_]?\d*"
)
_OF_DARKNET = re.compile(r"(?i)obj_(\w+?)_data")


def is_subset(name: str) -> bool:
    """Tell whether a file or a folder is called as a subset."""
    return _SUBSET.fullmatch(name) is not None


def speaks_of_subset(name: str) -> bool:
    """Tell whether the usual name of a subset is in a name."""
    return _SUBSET.search(name) is not None


def subset_of(name: str) -> str:
    """Return the subset that a folder of this name is of; empty where it is of none."""
    darknet = _OF_DARKNET.fullmatch(name)
    if darknet:
        return darknet[1]
    return name if is_subset(name) else ""


def subset_of_images(name: str) -> str:
    """Return the subset of a folder that is called after its images and its subset, such as ``images_train``."""
    called = _IMAGES_OF.fullmatch(name)
    rest = "".join(part for part in called.groups() if part) if called else ""
    return subset_of(rest.strip("-_ ."))


def is_label_folder(name: str) -> bool:
    """Tell whether a folder is called as one of labels."""
    return _LABELS_OF.fullmatch(name) is not None


def label_folders(images: str) -> Iterator[str]:
    """Yield what a folder of labels may be called, by the name of that of the images: nothing where that is none."""
    called = None if IMAGE_FOLDER.fullmatch(images) else _IMAGES_OF.fullmatch(images)
    if called or IMAGE_FOLDER.fullmatch(images):
        before, after = called.groups("") if called else ("", "")
        yield from (f"{before}{name}{after}" for name in LABEL_FOLDERS)


def image_folders(labels: str) -> Iterator[str]:
    """Yield what a folder of images may be called, by the name of that of the labels: nothing where that is none."""
    called = _LABELS_OF.fullmatch(labels)
    if called:
        before, after = called.groups("")
        yield from (f"{before}{name}{after}" for name in (*IMAGE_FOLDERS, "image"))
