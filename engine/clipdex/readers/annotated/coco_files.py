"""The annotation files of a COCO dataset: which files they are, the subset of each, and where its images may be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from clipdex.readers.annotated.image_folders import Folders
from clipdex.readers.annotated.json_stream import NO_OBJECT, JsonError, JsonStream, members_or_one
from clipdex.readers.base import DEFAULT_SUBSET
from clipdex.readers.layout import Layout
from clipdex.readers.naming import IGNORE_MARK, is_system_folder

SUFFIX = ".json"
ROBOFLOW = "_annotations.coco.json"
NO_COCO = "it has neither images nor annotations as COCO has them"
# Of a file that may be something else than a dataset, such as results.
NO_DATASET = (NO_COCO, NO_OBJECT)
# How much of a file is looked at to tell whether it is one, at a glance and where a dataset is read.
GLANCE_BYTES = 1 << 16
_LOOK_BYTES = 16 << 20
# So many images, annotations and categories of it are.
_LOOKED_AT = 5
_DEPTH = 3
# In a folder with more JSON files, only those with usual names are looked at.
_MOST_FILES = 100
_MOST_OTHERS = 32
_TASK = re.compile(r"(?:instances|person_keypoints|captions|labels|image_info|panoptic|stuff)_(?P<subset>.+)", re.I)
_CAPTIONS = re.compile(r"captions?(?:[_\-. ]|\Z)", re.I)
_SPLIT = r"(?:(?:mini|valminusmini)?(?:train(?:ing|val)?|val(?:id(?:ation)?)?|test(?:ing)?(?:-dev)?)|dev|unlabeled)\d*"
_SPLIT_NAME = re.compile(_SPLIT, re.I)
_SPLIT_IN_NAME = re.compile(rf"(?:\A|[_\-. ])({_SPLIT})(?=[_\-. ]|\Z)", re.I)
_USUAL_NAME = re.compile(r"labels|annotations?|coco|_annotations\.coco", re.I)
_ANNOTATION_FOLDER = re.compile(r"annotations?|anno|labels?|json", re.I)
_IMAGE_FOLDERS = ("images", "image", "data", "img", "imgs", "jpegimages")
# Folders whose pictures are annotations: masks of objects and of stuff.
_MASKS = re.compile(
    r"(?:panoptic|stuff|semantic|segmentation|masks?|annotations?)(?:[_\-. ]?.*)?|.*_(?:masks?|pixelmaps)", re.I
)
_SAME_SPLIT = (("train", "training"), ("val", "valid", "validation"), ("test", "testing"))
# Where annotation files are, at a glance; those with the best names first.
_PLACES = (
    "annotations/*.json",
    "annotations/*.JSON",
    ROBOFLOW,
    f"*/{ROBOFLOW}",
    "labels.json",
    "*/labels.json",
    "*.json",
    "*.JSON",
    "annotations/*/*.json",
    "*/*.json",
    "*/annotations/*.json",
)
_MOST_LOOKED_AT = 20
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")


class AnnotationFile(NamedTuple):
    """One annotation file.

    Attributes
    ----------
    path
        Its path relative to the root.
    subset
        The subset of its images.
    problem
        Why it cannot be one although its name or its folder says so; empty where it can.
    """

    path: str
    subset: str
    problem: str = ""

    @property
    def folder(self) -> str:
        """Its folder relative to the root, with a slash after it; empty for the root."""
        return self.path[: self.path.rfind("/") + 1]


def is_coco(path: Path, most: int = GLANCE_BYTES) -> bool:
    """Tell whether the beginning of a file is that of a COCO dataset.

    Raises
    ------
    JsonError
        When it is no JSON object, or is broken before that can be told.
    OSError
        When it cannot be read.
    """
    with path.open("rb") as handle:
        stream = JsonStream(handle, most)
        empty: set[str] = set()
        has_categories = False
        try:
            for key in stream.members():
                if key not in _TESTS or stream.opening() not in ("[", "{"):
                    continue
                count = 0
                for element in members_or_one(stream):
                    count += 1
                    if count <= _LOOKED_AT and _TESTS[key](*element):
                        # Categories alone are those of another format, such as the notes beside labels of YOLO.
                        if key != "categories":
                            return True
                        has_categories = True
                if not count:
                    empty.add(key)
        except JsonError:
            if handle.tell() < most:
                raise
            return has_categories or len(empty) > 1
        return len(empty) > 1 or (has_categories and "images" in empty)


def _is_image(key: str | None, value: object) -> bool:
    named = isinstance(value, dict) and not {"file_name", "coco_url"}.isdisjoint(value)
    return named and (key is not None or "id" in value)  # type: ignore[operator]


def _is_annotation(_key: str | None, value: object) -> bool:
    return isinstance(value, dict) and "image_id" in value


def _is_category(_key: str | None, value: object) -> bool:
    return isinstance(value, dict) and "id" in value and "name" in value


_TESTS: dict[str, Callable[[str | None, object], bool]] = {
    "images": _is_image,
    "annotations": _is_annotation,
    "categories": _is_category,
}


def archive(root: Path) -> str:
    """Return the path of an archive that may have images; empty where there is none."""
    layout = Layout(root)
    found = (path for place in ("", "*/") for end in _ARCHIVES for path in layout.find(f"{place}*{end}"))
    return next((path for path in found if not is_mask(f"{path}/")), "")


def evidence(location: Path) -> str | None:
    """Return what makes a location a COCO dataset, at a glance; None where nothing does."""
    if location.is_file():
        fits = location.suffix.lower() == SUFFIX and _fits(location)
        return "it has images and annotations as COCO has them" if fits else None
    layout = Layout(location)
    looked_at = 0
    seen = set()
    for place in _PLACES:
        for path in layout.find(place):
            if path in seen:
                continue
            seen.add(path)
            looked_at += 1
            if looked_at > _MOST_LOOKED_AT:
                return None
            if _fits(location / path):
                return f"it has {path}"
    return None


def _fits(path: Path) -> bool:
    try:
        return path.is_file() and is_coco(path)
    except (JsonError, OSError, ValueError):
        return False


def annotation_files(location: Path, root: Path, note: Callable[[str], None]) -> list[AnnotationFile]:
    """Return the annotation files of a dataset: those with captions last, otherwise by path.

    Parameters
    ----------
    location
        The folder of the dataset, or its one annotation file.
    root
        The folder that paths are relative to.
    note
        Is told in a sentence of files that were not looked at.
    """
    if location.is_file():
        subset = _subset_of(f"{root.parent.name}/{root.name}/{location.name}")
        return [AnnotationFile(location.name, subset, _problem_of(location))]
    files = []
    for path in _json_files(os.fspath(root), note):
        problem = _problem_of(root / path)
        if not problem or _is_named_so(path) or (problem not in NO_DATASET and _is_called_as_subset(path)):
            files.append(AnnotationFile(path, _subset_of(path), problem))
    return sorted(files, key=lambda file: (bool(_CAPTIONS.match(file.path.rpartition("/")[2])), file.path))


def why_none(root: Path) -> str:
    """Return what the first JSON file in a folder without annotation files has instead; empty where there is none."""
    path = min(_json_files(os.fspath(root), lambda _: None), default="")
    return f" {path} is none: {_problem_of(root / path)}." if path else ""


def _problem_of(path: Path) -> str:
    """Return why a file is no annotation file; empty where it is one."""
    try:
        return "" if is_coco(path, _LOOK_BYTES) else NO_COCO
    except JsonError as error:
        return error.reason
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def _json_files(root: str, note: Callable[[str], None]) -> Iterator[str]:
    """Yield the paths of the JSON files that may be annotation files, relative to the root."""
    folders = [("", 0)]
    while folders:
        folder, depth = folders.pop()
        names: list[str] = []
        below: list[tuple[str, int]] = []
        try:
            with os.scandir(f"{root}/{folder}") as entries:
                for entry in entries:
                    name = entry.name
                    if name == IGNORE_MARK and folder:
                        names.clear()
                        below.clear()
                        break
                    if name[0] == "." or not is_text(name):
                        continue
                    if name.lower().endswith(SUFFIX) and entry.is_file():
                        names.append(name)
                    elif depth < _DEPTH and entry.is_dir() and not is_system_folder(name):
                        below.append((f"{folder}{name}/", depth + 1))
        except OSError:
            continue
        folders += below
        if len(names) > _MOST_FILES:
            usual = [name for name in names if _is_named_so(name) or _SPLIT_IN_NAME.search(name[: -len(SUFFIX)])]
            left_out = len(names) - len(usual[:_MOST_FILES])
            were = "was" if left_out == 1 else "were"
            note(f"{left_out:,} of {len(names):,} JSON files in {folder or 'the folder'} {were} not looked at.")
            names = usual[:_MOST_FILES]
        yield from (folder + name for name in names)


def is_text(text: str) -> bool:
    """Tell whether a text, such as the name of a file, can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_named_so(path: str) -> bool:
    """Tell whether the name of a file, or of its folder, says that it has annotations."""
    folder, _, name = path.rpartition("/")
    stem = name[: -len(SUFFIX)]
    return (
        _TASK.fullmatch(stem) is not None
        or _USUAL_NAME.fullmatch(stem) is not None
        or _ANNOTATION_FOLDER.fullmatch(folder.rpartition("/")[2]) is not None
    )


def is_surely_meant(path: str) -> bool:
    """Tell whether the name of a file is one that annotation files have, and not only its folder."""
    stem = path.rpartition("/")[2][: -len(SUFFIX)]
    return any(name.fullmatch(stem) for name in (_TASK, _USUAL_NAME, _SPLIT_NAME))


def _is_called_as_subset(path: str) -> bool:
    return _SPLIT_NAME.fullmatch(path.rpartition("/")[2][: -len(SUFFIX)]) is not None


def _subset_of(path: str) -> str:
    """Return the subset of an annotation file: what its name says, or else the name of a folder, or else default."""
    *folders, name = path.split("/")
    stem = name[: -len(SUFFIX)]
    task = _TASK.fullmatch(stem)
    if task and task["subset"].lower() != DEFAULT_SUBSET:
        return task["subset"]
    splits = _SPLIT_IN_NAME.findall(stem)
    if splits:
        return str(splits[-1])
    return next((folder for folder in reversed(folders) if _SPLIT_NAME.fullmatch(folder)), DEFAULT_SUBSET)


def subset_of_folder(folder: str) -> str:
    """Return the subset of images in a folder that no annotation file speaks of."""
    return next((part for part in folder.split("/") if _SPLIT_NAME.fullmatch(part)), DEFAULT_SUBSET)


def is_mask(path: str) -> bool:
    """Tell whether a picture, from its path, is an annotation itself: a mask of objects or of stuff."""
    return any(_MASKS.fullmatch(folder) for folder in path.split("/")[:-1])


def image_folders(file: AnnotationFile, *, above: bool) -> list[str]:
    """Return the folders where the images of an annotation file may be, the likeliest first, existing or not.

    Parameters
    ----------
    file
        The annotation file.
    above
        Whether the folder above the root is one of them, as where the root is the folder of one annotation file.
    """
    return list(dict.fromkeys(_places_of(file, above)))


def _places_of(file: AnnotationFile, above: bool) -> Iterator[str]:
    parts = file.folder.split("/")[:-1]
    bases = ["".join(f"{part}/" for part in parts[:count]) for count in range(len(parts), -1, -1)]
    if above:
        bases.append("../")
    stem = file.path.rpartition("/")[2][: -len(SUFFIX)]
    for subset in dict.fromkeys([*_called(file.subset), stem]):
        for base in bases:
            yield from (f"{base}{images}/{subset}" for images in _IMAGE_FOLDERS)
            yield from (f"{base}{subset}/{images}" for images in _IMAGE_FOLDERS)
            yield f"{base}{subset}"
    for base in bases:
        yield from (f"{base}{images}" for images in _IMAGE_FOLDERS)
        yield base


def _called(subset: str) -> Iterator[str]:
    """Yield what the folder of a subset may be called."""
    plain = re.sub(r"^(?:mini|valminusmini)(?=\w)", "", subset)
    for name in (subset, plain, plain.rstrip("0123456789"), *_SPLIT_IN_NAME.findall(subset)):
        yield name
        yield from (same for group in _SAME_SPLIT if name in group for same in group)


def other_folders(folders: Folders, files: list[AnnotationFile]) -> list[str]:
    """Return further folders where images may be: none of a subset, and none of annotations."""
    taken = {name.casefold() for file in files for name in _called(file.subset)} - {DEFAULT_SUBSET}
    found = []
    for name in folders.below("").values():
        if name.casefold() in taken or is_mask(f"{name}/x") or is_system_folder(name):
            continue
        found.append(f"{name}/")
        below = [inner for inner in folders.below(f"{name}/").values() if inner.casefold() not in taken]
        found += [f"{name}/{inner}/" for inner in below if not is_mask(f"{inner}/x")]
        if len(found) > _MOST_OTHERS:
            break
    return found[:_MOST_OTHERS]
