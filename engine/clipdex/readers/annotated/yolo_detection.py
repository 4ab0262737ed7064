"""Telling datasets of YOLO by the files that are typical of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from clipdex.errors import DatasetError
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.annotated.yolo_data import (
    YAML_SUFFIXES,
    Description,
    darknet_files,
    description_files,
    read_description,
)
from clipdex.readers.annotated.yolo_label_files import SUFFIX
from clipdex.readers.annotated.yolo_labels import looks_like_labels
from clipdex.readers.annotated.yolo_places import LABEL_FOLDERS, Finder
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.layout import Layout

_MOST_FILES = 20
_PATTERNS = tuple(
    f"{before}*{SUFFIX}"
    for before in (
        *(f"{name}/" for name in LABEL_FOLDERS),
        *(f"{name}/*/" for name in LABEL_FOLDERS[:2]),
        *(f"*/{name}/" for name in LABEL_FOLDERS[:2]),
        *("", "*/", "images/*/"),
    )
)


def evidence(location: Path) -> str | None:
    """Return why a location may be a dataset of YOLO; None where it is none."""
    if location.is_file():
        return _of_file(location) if suffix_of(location.name) in (*YAML_SUFFIXES, ".data") else None
    if not location.is_dir():
        return None
    layout = Layout(location)
    labels = ""
    for file in (*description_files(layout), *darknet_files(layout)):
        said = read_description(location, file, AnnotationProblems())
        if not said.says_something:
            continue
        if _finds_images(location, said):
            return f"it has {file}"
        labels = labels or next(_files_of_labels(layout), "")
        if labels:
            return f"it has {file} and {labels}"
    labels = labels or next(_files_of_labels(layout), "")
    return f"it has {labels}" if labels else None


def _of_file(file: Path) -> str | None:
    said = read_description(file.parent, file.name, AnnotationProblems())
    if said.names and (said.splits or said.others):
        return "it names classes and images"
    return "it names images" if said.splits and _finds_images(file.parent, said) else None


def _finds_images(root: Path, said: Description) -> bool:
    """Tell whether a description names classes and a place of images, or images that are there."""
    finder = Finder(root, said)
    try:
        return any(finder.find(text)[0] for texts in said.splits.values() for text in texts)
    except DatasetError:
        return False


def _files_of_labels(layout: Layout) -> Iterator[str]:
    """Yield files of labels that belong to an image, out of a few that are looked at, if most of them are labels."""
    looked_at = 0
    right = []
    for pattern in _PATTERNS:
        for path in layout.find(pattern):
            data = layout.start(path)
            if not data.strip() or not _has_image(layout, path):
                continue
            looked_at += 1
            if looks_like_labels(data.encode()):
                right.append(path)
            if looked_at == _MOST_FILES:
                break
    if len(right) * 2 > looked_at:
        yield from right


def _has_image(layout: Layout, path: str) -> bool:
    """Tell whether a file of labels has an image in one of the places where that may be."""
    stem = path[: -len(SUFFIX)]
    folder, _, name = stem.rpartition("/")
    parts = folder.split("/") if folder else []
    candidates = [folder]
    for at, part in enumerate(parts):
        if part in LABEL_FOLDERS:
            rest = parts[at + 1 :]
            candidates += ["/".join([*parts[:at], images, *rest]) for images in ("images", "JPEGImages", "img", "imgs")]
            candidates.append("/".join([*parts[:at], *rest]))
    return any(
        os.path.lexists(os.path.join(layout.location, one, name + suffix))  # noqa: PTH118
        for one in candidates
        for suffix in _SUFFIXES
    )


_SUFFIXES = (*sorted(IMAGE_SUFFIXES), *(suffix.upper() for suffix in sorted(IMAGE_SUFFIXES)))
