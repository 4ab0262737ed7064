"""Telling datasets of YOLO by the files that are typical of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from clipdex.media.kinds import suffix_of
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
_MOST_EMPTY = 2000
_MOST_TEXTS = 100
_SUFFIXES = tuple(
    f".{name}" for name in ("jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "JPG", "JPEG", "PNG", "BMP")
)
_IMAGES = ("images", "Images", "JPEGImages", "img", "imgs")
_PATTERNS = tuple(
    f"{before}*{SUFFIX}"
    for before in (
        *(f"{name}/" for name in LABEL_FOLDERS),
        *(f"{name}/*/" for name in LABEL_FOLDERS),
        *(f"*/{name}/" for name in LABEL_FOLDERS),
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
    labels = None
    for file in (*description_files(layout), *darknet_files(layout)):
        said = read_description(location, file, AnnotationProblems())
        if not said.says_something:
            continue
        if _finds_images(location, said):
            return f"it has {file}"
        labels = _a_file_of_labels(layout) if labels is None else labels
        if labels:
            return f"it has {file} and {labels}"
    labels = _a_file_of_labels(layout) if labels is None else labels
    return f"it has {labels}" if labels else None


def _of_file(file: Path) -> str | None:
    said = read_description(file.parent, file.name, AnnotationProblems())
    if said.names and (said.splits or said.others):
        return "it names classes and images"
    return "it names images" if said.splits and _finds_images(file.parent, said) else None


def _finds_images(root: Path, said: Description) -> bool:
    """Tell whether a description names images that are there."""
    finder = Finder(root, said)
    return any(finder.find(text)[0] for texts in said.splits.values() for text in texts)


def _a_file_of_labels(layout: Layout) -> str:
    """Return a file of labels that belongs to an image; empty where most such files are something else."""
    files = (path for pattern in _PATTERNS for path in _with_text(layout, pattern))
    with_image = (path for path in itertools.islice(files, _MOST_TEXTS) if _has_image(layout, path))
    texts = {path: text for path in itertools.islice(with_image, _MOST_FILES) if (text := layout.start(path)).strip()}
    right = [path for path, text in texts.items() if looks_like_labels(text.encode())]
    return right[0] if len(right) * 2 > len(texts) else ""


def _with_text(layout: Layout, pattern: str) -> Iterator[str]:
    """Yield the first files that a pattern matches and that are not empty, as those of backgrounds are."""
    found = (path for path in layout.find(pattern, _MOST_EMPTY) if not layout.is_empty(path))
    return itertools.islice(found, _MOST_FILES)


def _has_image(layout: Layout, path: str) -> bool:
    """Tell whether a file of labels has an image in one of the places where that may be."""
    stem = path[: -len(SUFFIX)]
    folder, _, name = stem.rpartition("/")
    parts = folder.split("/") if folder else []
    candidates = [folder]
    for at, part in enumerate(parts):
        if part in LABEL_FOLDERS:
            rest = parts[at + 1 :]
            candidates += ["/".join([*parts[:at], images, *rest]) for images in _IMAGES]
            candidates.append("/".join([*parts[:at], *rest]))
    return any(
        os.path.lexists(os.path.join(layout.location, one, name + suffix))  # noqa: PTH118
        for one in candidates
        for suffix in _SUFFIXES
    )
