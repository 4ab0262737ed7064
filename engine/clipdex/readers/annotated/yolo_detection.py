"""Telling datasets of YOLO by the files that are typical of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_folder, quoted
from clipdex.readers.annotated.yolo_data import (
    YAML_SUFFIXES,
    Description,
    darknet_files,
    description_files,
    name_files,
    read_description,
)
from clipdex.readers.annotated.yolo_label_files import SUFFIX, LabelFolders
from clipdex.readers.annotated.yolo_labels import looks_like_labels
from clipdex.readers.annotated.yolo_names import LABEL_FOLDERS, image_folders, is_label_folder
from clipdex.readers.annotated.yolo_places import Finder, Places, has_images, is_in, overlap, relative
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.layout import Layout
from clipdex.readers.naming import is_system_folder, shown

_MOST_FILES = 20
_MOST_EMPTY = 2000
_MOST_TEXTS = 100
_MOST_DATASETS = 30
_MOST_FOLDERS = 5
_MOST_DEPTH = 3
_MOST_SHOWN = 5
_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG")
_PATTERNS = tuple(
    f"{before}*{suffix}"
    for before in (
        *(f"{name}/" for name in LABEL_FOLDERS),
        *(f"{name}/*/" for name in LABEL_FOLDERS),
        *(f"*/{name}/" for name in LABEL_FOLDERS),
        *("*_labels/", "labels_*/", "*-labels/", "labels-*/"),
        *("", "*/", "images/*/"),
    )
    for suffix in (SUFFIX, SUFFIX.upper())
)


def evidence(location: Path) -> str | None:
    """Return why a location may be a dataset of YOLO; None where it is none."""
    if location.is_file():
        return _of_file(location) if suffix_of(location.name) in (*YAML_SUFFIXES, ".data") else None
    if not location.is_dir():
        return None
    found = _files_of(location)
    return shown(f"it has {' and '.join(found)}") if found else None


def dataset_folder(location: Path) -> str:
    """Return the folder below a location that holds its dataset, as an archive unpacks; empty for the location itself.

    That is the only folder that holds a dataset, where there are no images beside it.
    """
    return _only_one_below(location) if location.is_dir() and not _described(location) else ""


def _files_of(location: Path) -> list[str]:
    """Return the files that make a folder a dataset, or one folder in it."""
    own = _described(location)
    if own:
        return own
    folder = _only_one_below(location)
    if folder:
        below = _described(location / folder) or [_a_file_of_labels(Layout(location / folder))]
        return [f"{folder}/{path}" for path in below]
    labels = "" if len(_described_below(location)) > 1 else _a_file_of_labels(Layout(location))
    return [labels] if labels else []


def _described(location: Path) -> list[str]:
    """Return the file that describes the dataset in a folder, perhaps with one of labels; empty where none does."""
    layout = Layout(location)
    labels = None
    for file in (*description_files(layout), *darknet_files(layout)):
        said = read_description(location, file, AnnotationProblems())
        if not said.says_something:
            continue
        if _finds_images(location, said):
            return [file]
        labels = _a_file_of_labels(layout) if labels is None else labels
        if labels:
            return [file, labels]
    return []


def _only_one_below(location: Path) -> str:
    """Return the only folder in a folder that holds a dataset; empty where images are beside it, or there are more."""
    folder = ""
    for _ in range(_MOST_DEPTH):
        here = location / folder
        entries = Layout(here).entries()
        if any(suffix_of(entry.name) in IMAGE_SUFFIXES for entry in entries):
            return ""
        folders = _folders(entries)
        found = _described_below(here)
        if not found and (len(folders) > _MOST_FOLDERS or _a_file_of_labels(Layout(here))):
            return ""
        found = found or [name for name in folders if _a_file_of_labels(Layout(here / name))]
        if found:
            path = f"{folder}/{found[0]}".lstrip("/")
            return path if len(found) == 1 and not _images_beside(here, found[0], folders) else ""
        if len(folders) != 1:
            return ""
        folder = f"{folder}/{folders[0]}".lstrip("/")
    return ""


def _described_below(location: Path) -> list[str]:
    """Return the names of the folders in a folder where a file describes a dataset."""
    folders = _folders(Layout(location).entries())[:_MOST_DATASETS]
    return [name for name in folders if _described(location / name)]


def _folders(entries: list[os.DirEntry[str]]) -> list[str]:
    """Return the names of folders, without those that an index cannot keep."""
    names = [entry.name for entry in entries if is_folder(Path(entry.path)) and not is_system_folder(entry.name)]
    return [name for name in names if shown(name) == name]


def _images_beside(location: Path, dataset: str, folders: list[str]) -> bool:
    """Tell whether folders beside that of a dataset have images that its description does not name."""
    files = _described(location / dataset)
    said = read_description(location, f"{dataset}/{files[0]}", AnnotationProblems()) if files else Description()
    named = [place.folder for place in Places(location, said, whole=False).places]
    for name in folders:
        path = (location / name).as_posix()
        if name != dataset and not any(overlap(path, one) for one in named) and has_images(path):
            return True
    return False


def hint(location: Path) -> str:
    """Return a sentence on datasets in a folder that is none, or on one that it is a part of; empty without one."""
    below = _described_below(location)
    if below:
        which = "it" if len(below) == 1 else "each of them"
        one = quoted(location / below[0])
        return f"But {_are_datasets(below)} of YOLO: to read labels, build {which}: clipdex build {one}"
    for above in location.parents[:_MOST_DEPTH]:
        file = _names_part(above, location)
        if file:
            return f"But it is a part of a dataset of YOLO ({file}): to read labels: clipdex build {quoted(above)}"
    return ""


def read_as_one(location: Path) -> str:
    """Return a sentence on the datasets in a folder that was read as one of them; empty where there are none."""
    below = _described_below(location)
    if not below:
        return ""
    theirs, which = ("its own", "it") if len(below) == 1 else ("their own", "each of them")
    commands = " ".join(quoted(location / name) for name in below[:_MOST_SHOWN])
    return (
        f"{_are_datasets(below)} of YOLO with {theirs} names of classes and subsets, which were not read: to read "
        f"them, build {which}: clipdex build {commands}"
    )


def _are_datasets(names: Sequence[str]) -> str:
    shown_names = ", ".join(names[:_MOST_SHOWN]) + (", and more" if len(names) > _MOST_SHOWN else "")
    return f"{shown_names} in it {'is a dataset' if len(names) == 1 else 'are datasets'}"


def names_above(root: Path) -> Path | None:
    """Return a file above a folder that names classes, and images in the folder; None where there is none."""
    for above in root.parents[:_MOST_DEPTH]:
        file = _names_part(above, root)
        if file and read_description(above, file, AnnotationProblems()).names:
            return above / file
    return None


def _names_part(above: Path, location: Path) -> str:
    """Return a file in a folder that names images in another one below, or a file of labels of those."""
    path = location.as_posix()
    layout = Layout(above)
    for file in description_files(layout):
        said = read_description(above, file, AnnotationProblems())
        if said.splits:
            places = Places(above, said, whole=False).places
            holds_labels = is_label_folder(relative(path, above.as_posix()).partition("/")[0])
            if places and (holds_labels or any(overlap(place.folder, path) for place in places)):
                return file
    folders = LabelFolders(above.as_posix()).of(path, path, "")
    if any(is_in(one, above.as_posix()) and not is_in(one, path) for one in folders):
        labels = _a_file_of_labels(layout)
        if any(is_in((above / labels).as_posix(), one) and not is_in(one, path) for one in folders):
            return labels
    return ""


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
    if not texts:
        return _an_empty_one(layout)
    right = [path for path, text in texts.items() if looks_like_labels(text.encode())]
    return right[0] if len(right) * 2 > len(texts) else ""


def _an_empty_one(layout: Layout) -> str:
    """Return a list of classes and an empty file of labels of an image, as of a dataset where nothing is labelled."""
    names = next((path for path in name_files(layout) if layout.start(path).strip()), "")
    if names:
        for pattern in _PATTERNS:
            for path in layout.find(pattern, _MOST_FILES):
                if layout.is_empty(path) and _has_image(layout, path):
                    return f"{names} and {path}"
    return ""


def _with_text(layout: Layout, pattern: str) -> Iterator[str]:
    """Yield the first files that a pattern matches and that are not empty, as those of backgrounds are."""
    found = (path for path in layout.find(pattern, _MOST_EMPTY) if not layout.is_empty(path))
    return itertools.islice(found, _MOST_FILES)


def _has_image(layout: Layout, path: str) -> bool:
    """Tell whether a file of labels has an image in one of the places where that may be."""
    folder, _, name = path.rpartition("/")
    stem = name[: -len(SUFFIX)]
    parts = folder.split("/") if folder else []
    candidates = [folder]
    for at, part in enumerate(parts):
        rest = parts[at + 1 :]
        candidates += ["/".join([*parts[:at], images, *rest]) for images in image_folders(part)]
        if part in LABEL_FOLDERS:
            candidates.append("/".join([*parts[:at], *rest]))
    return any(_has_image_in(layout, one, stem) for one in candidates)


def _has_image_in(layout: Layout, folder: str, stem: str) -> bool:
    start = f"{folder}/{stem}" if folder else stem
    if suffix_of(stem) in IMAGE_SUFFIXES and layout.has(start):
        return True
    if any(layout.has(start + suffix) for suffix in _SUFFIXES):
        return True
    # Of a very large folder not all names are known, so the usual ones are looked for first.
    wanted = stem.casefold()
    names = (entry.name.casefold().rpartition(".") for entry in layout.entries(folder))
    return any(name == wanted and f".{suffix}" in IMAGE_SUFFIXES for name, _, suffix in names)
