"""Telling Pascal VOC by its folders and by the beginnings of a few of its files."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.annotated.voc_folders import ANNOTATION_FOLDERS, IMAGE_FOLDERS, LIST_FOLDER, holds_masks
from clipdex.readers.layout import Layout

_FILES_LOOKED_AT = 8
_FOLDERS_LOOKED_AT = 50
_ANNOTATION = re.compile(r"<(?:\w+:)?annotation[\s>]", re.IGNORECASE)
_OF_VOC = re.compile(r"<(?:\w+:)?(?:filename|folder|size|object|bndbox|segmented)[\s>]", re.IGNORECASE)
# LabelMe has annotations of the same form, with polygons.
_OF_LABEL_ME = re.compile(r"<(?:sourceImage|sourceAnnotation|submittedBy|polygon|imagesize|deleted)>")
_BOX = re.compile(r"<bndbox[\s>]")


def evidence(location: Path) -> str | None:
    """Return why a location may be in the format, such as "it has Annotations/a.xml"; None where it is not."""
    if not location.is_dir():
        return None
    layout = Layout(location)
    return (
        _of_dataset(layout, "") or _of_files_beside(layout) or _of_folders(layout, "") or _of_folders_of_folders(layout)
    )


def _of_dataset(layout: Layout, folder: str) -> str | None:
    """Return the evidence that a folder holds the typical folders."""
    inside = {name.lower(): name for name in _folders(layout, folder)}
    for kind in sorted(ANNOTATION_FOLDERS & inside.keys()):
        base = f"{folder}{inside[kind]}"
        found = _of_voc(
            layout, [f"{base}/*.xml", f"{base}/*.XML", f"{base}/*/*.xml", f"{base}/*/*/*.xml", f"{base}/*/*"]
        )
        if found:
            return f"it has {found}"
    if "jpegimages" not in inside:
        return None
    lists = layout.find(f"{folder}{inside[LIST_FOLDER]}/*/*.txt") if LIST_FOLDER in inside else []
    if lists:
        return f"it has {lists[0]} and {folder}{inside['jpegimages']}"
    others = layout.find(f"{folder}{inside['annotations']}/*.xml") if "annotations" in inside else []
    if others and not any(_is_of_label_me(layout.start(path)) for path in others[:_FILES_LOOKED_AT]):
        return f"it has {others[0]} and {folder}{inside['jpegimages']}"
    return None


def _of_files_beside(layout: Layout) -> str | None:
    """Return the evidence that most images have a file of annotations beside them."""
    images = 0
    annotated = []
    for folder in itertools.chain([""], _folders(layout, ""), *([f"{one}/{two}"] for one, two in _nested(layout))):
        names = [entry.name for entry in layout.entries(folder)]
        stems = {os.path.splitext(name)[0] for name in names if suffix_of(name) in IMAGE_SUFFIXES}  # noqa: PTH122
        found = [name for name in names if suffix_of(name) == ".xml" and os.path.splitext(name)[0] in stems]  # noqa: PTH122
        images += len(stems)
        annotated += [f"{folder}/{name}" if folder else name for name in found]
    if not annotated or 2 * len(annotated) < images:
        return None
    found_first = _of_voc(layout, annotated)
    return f"it has {found_first} beside its image" if found_first else None


def _nested(layout: Layout) -> Iterable[tuple[str, str]]:
    """Return the folders in folders of images, such as images/train."""
    for folder in _folders(layout, ""):
        if folder.lower() in IMAGE_FOLDERS:
            for inner in _folders(layout, folder):
                yield folder, inner


def _of_folders(layout: Layout, above: str) -> str | None:
    """Return the evidence that folders are datasets, such as VOC2007 or train, and that no other holds images."""
    found = None
    for name in _folders(layout, above):
        why = _of_dataset(layout, f"{above}{name}/")
        if why is None and _has_images(layout, f"{above}{name}"):
            return None
        found = found or why
    return found


def _of_folders_of_folders(layout: Layout) -> str | None:
    found = None
    for name in _folders(layout, ""):
        why = _of_folders(layout, f"{name}/")
        if why is None and _has_images(layout, name):
            return None
        found = found or why
    return found


def _has_images(layout: Layout, folder: str) -> bool:
    """Tell whether there are images in a folder, or in the folders in it."""
    inside = [folder, *(f"{folder}/{name}" for name in _folders(layout, folder) if not holds_masks(name))]
    return any(suffix_of(entry.name) in IMAGE_SUFFIXES for one in inside for entry in layout.entries(one))


def _folders(layout: Layout, folder: str) -> list[str]:
    found = (entry.name for entry in layout.entries(folder.rstrip("/")) if _is_folder(entry))
    return list(itertools.islice(found, _FOLDERS_LOOKED_AT))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _of_voc(layout: Layout, patterns: list[str]) -> str | None:
    """Return the first of the files that patterns match that begins as an annotation of Pascal VOC."""
    for pattern in patterns:
        for path in layout.find(pattern)[:_FILES_LOOKED_AT] if "*" in pattern else [pattern]:
            text = layout.start(path).replace("\0", "")
            if _ANNOTATION.search(text) and _OF_VOC.search(text) and not _is_of_label_me(text):
                return path
    return None


def _is_of_label_me(text: str) -> bool:
    return _OF_LABEL_ME.search(text) is not None and _BOX.search(text) is None
