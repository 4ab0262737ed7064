"""What a dataset of YOLO says of itself: ``data.yaml``, Darknet's ``obj.data``, or a list of classes alone."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clipdex.errors import DatasetError
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import quoted
from clipdex.readers.annotated.small_files import read_start
from clipdex.readers.annotated.yaml_text import read_yaml
from clipdex.readers.annotated.yolo_names import is_label_folder
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.encodings import text_bytes
from clipdex.readers.layout import Layout
from clipdex.readers.naming import SUBSETS, shown

YAML_SUFFIXES = (".yaml", ".yml")
_USUAL_FILES = ("data", "dataset")
_DARKNET = ("obj.data", "data/obj.data", "*.data", "data/*.data", "cfg/*.data")
# Files of names alone, a line for each class.
_NAMES = (
    *("classes.txt", "obj.names", "*.names", "data/*.names", "predefined_classes.txt", "_darknet.labels"),
    *(
        "labels/classes.txt",
        "labels/*/classes.txt",
        "*/labels/classes.txt",
        "*/classes.txt",
        "images/*/classes.txt",
        "*/_darknet.labels",
    ),
)
NAME_FILES = frozenset({"classes.txt", "predefined_classes.txt"})
# What there may be very many of in one folder.
BESIDE = IMAGE_SUFFIXES | {".txt"}
_KEYS_OF_NAMES = ("names", "class_names", "classes")
_KEY_OF_IMAGES = re.compile(r"(?i)images?|imgs?|path|dir|folder")
_NO_VALUE = ("", "~", "null", "Null", "NULL", "None")
# Longer names of classes are cut.
MOST_NAME = 200
_MOST_BYTES = 1 << 20
_MOST_FILES = 20
_MOST_PLACES = 1000
_MOST_TEXT = 4096
_MOST_SHOWN = 50
_DARKNET_LINE = re.compile(r"^[ \t]*(\w+)[ \t]*=(.*)$", re.MULTILINE)
_NUMBER = re.compile(r"\s*\+?(\d{1,9})(?:\.0*)?\s*")
# Keys of data.yaml, or of obj.data, that name no images.
_OTHER_KEYS = frozenset(
    {
        *("path", "nc", "download", "roboflow", "backup", "results", "eval", "kpt_shape", "kpt_names", "flip_idx"),
        *("skeleton", "colors", "channels", "labels", "label", "annotations", "weights", "model", "cfg", "hyp"),
        *("project", "name", "task", "save_dir", "yaml_file", "root", "license", "version", "author", "description"),
        *_KEYS_OF_NAMES,
    }
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of a dataset.

    Attributes
    ----------
    file
        Path of the file, relative to the root of the dataset; empty where there is none.
    names
        Names of the classes by their numbers.
    splits
        What it calls each subset, and where its images are, as it is written: folders, lists or patterns.
    others
        The same of keys that may be something else: they are subsets if there are images.
    path
        The folder that the others start from, as it is written; empty where it does not say.
    folder
        The folder of the dataset relative to the root; empty for the root itself.
    labels
        Where the labels of a subset are, as it is written, where that is said.
    """

    file: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""
    folder: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def says_something(self) -> bool:
        """Whether it names classes, or images of subsets with the usual names."""
        return bool(self.names or self.splits)


def describe(location: Path, wanted: str, problems: AnnotationProblems, folder: str = "") -> Description:
    """Return what a dataset says of itself.

    Parameters
    ----------
    location
        The folder of the dataset, or its file.
    wanted
        Name of the file in the folder; empty where the user named none.
    problems
        What is told of what cannot be read.
    folder
        The folder in it that the dataset is in, relative to it; empty where it is the folder itself.

    Raises
    ------
    DatasetError
        When there is no such file, or several files describe the dataset and none has a usual name.
    """
    root = location.parent if location.is_file() else location
    if location.is_file() or wanted:
        name = location.name if location.is_file() else wanted
        if not (root / name).is_file():
            raise DatasetError(f"{root / name} does not exist: the option data names a YAML file of the dataset.")
        found = read_description(root, name, problems)
        if not found.says_something and not found.others and not problems.count:
            raise no_images(root / name)
    else:
        found = replace(_chosen(root, folder, problems), folder=folder)
    return found if found.names else _with_names(root, found, problems)


def no_images(file: Path, why: str = "") -> DatasetError:
    """Return the error of a file that names nothing that can be read."""
    return DatasetError(
        f"{file} names no images that are there{f' ({why})' if why else ''}: it describes no YOLO dataset."
    )


def _chosen(root: Path, folder: str, problems: AnnotationProblems) -> Description:
    """Return what the YAML file of a folder below the root says; without one, Darknet's."""
    above = f"{folder}/" if folder else ""
    layout = Layout(root / folder, BESIDE)
    own = {above + name: AnnotationProblems() for name in description_files(layout)}
    read = [read_description(root, name, own[name]) for name in own]
    saying = [one for one in read if one.says_something]
    usual = [one for one in saying if _is_usual(one.file)]
    whole = [one for one in saying if one.names and one.splits]
    chosen = usual[:1] or whole or saying
    if not chosen:
        for path in (above + name for name in darknet_files(layout)):
            own[path] = AnnotationProblems()
            found = read_description(root, path, own[path])
            if found.says_something:
                problems.add_all(own[path])
                return found
        # What is wrong with a file that cannot be read is to be told.
        chosen = [one for one in read if own[one.file].count and _is_usual(one.file)][:1]
    if len(chosen) > 1:
        names = ", ".join(one.file for one in chosen)
        raise DatasetError(
            f"{root} has several files that describe a dataset of YOLO: {names}. Say which one it is, such as "
            f"--option data={quoted(chosen[0].file)}"
        )
    if not chosen:
        return Description()
    problems.add_all(own[chosen[0].file])
    return chosen[0]


def _is_usual(file: str) -> bool:
    return os.path.splitext(os.path.basename(file.lower()))[0] in _USUAL_FILES  # noqa: PTH119, PTH122


def description_files(layout: Layout) -> list[str]:
    """Return the names of YAML files in a folder, those with the usual names first."""
    names = [
        entry.name
        for entry in layout.entries()
        if suffix_of(entry.name) in YAML_SUFFIXES and shown(entry.name) == entry.name
    ]
    return sorted(names, key=lambda name: (not _is_usual(name), name))[:_MOST_FILES]


def darknet_files(layout: Layout) -> list[str]:
    """Return the paths of Darknet's files in a folder, the likeliest first."""
    return list(dict.fromkeys(path for pattern in _DARKNET for path in layout.find(pattern)))[:_MOST_FILES]


def name_files(layout: Layout) -> list[str]:
    """Return the paths of the files in a folder that have names of classes and nothing else."""
    return list(dict.fromkeys(path for pattern in _NAMES for path in layout.find(pattern)))


def read_description(root: Path, file: str, problems: AnnotationProblems) -> Description:
    """Return what a file says of a dataset.

    Parameters
    ----------
    root
        Root of the dataset.
    file
        Path of the file, relative to the root.
    problems
        What is told of what cannot be read.
    """
    text = _text_of(root / file, file, problems)
    if suffix_of(file) in YAML_SUFFIXES:
        values, wrong = read_yaml(text)
        for one in wrong:
            problems.add(file, one.reason, one.line)
    else:
        values = {key: value.strip() for key, value in _DARKNET_LINE.findall(text)}
    # Keys may be written with capital letters; the usual spelling counts.
    values = {**{key.lower(): values[key] for key in values if key.lower() in _OTHER_KEYS}, **values}
    names: dict[int, str] = {}
    for key in _KEYS_OF_NAMES:
        if values.get(key) not in (None, *_NO_VALUE):
            names = _names(root, values[key], file, problems)
            break
    splits: dict[str, tuple[str, ...]] = {}
    others: dict[str, tuple[str, ...]] = {}
    labels: dict[str, tuple[str, ...]] = {}
    left = _MOST_PLACES
    for key, value in sorted(values.items(), key=lambda pair: pair[0].lower() not in SUBSETS):
        is_subset = key.lower() in SUBSETS
        if not is_subset and (not key.strip() or len(key) > MOST_NAME or key.lower() in _OTHER_KEYS):
            continue
        images, of_labels = _images_and_labels(value) if is_subset else (value, [])
        places = tuple(itertools.islice(_places(images), left))
        left -= len(places)
        if places and of_labels:
            labels[_sound(key)] = tuple(itertools.islice(_places(of_labels), _MOST_PLACES))
        if places:
            (splits if is_subset else others)[_sound(key)] = places
        elif is_subset and left and value not in (*_NO_VALUE, []):
            problems.add(file, f"{key} names no folder, list or pattern of images")
        if not left:
            problems.add(file, f"it names more than {_MOST_PLACES:,} places: what is behind {key} was not read")
            break
    path = values.get("path", "")
    usable = isinstance(path, str) and path not in _NO_VALUE and len(path) <= _MOST_TEXT
    return Description(file, names, splits, others, path if usable else "", labels=labels)


def _text_of(path: Path, file: str, problems: AnnotationProblems) -> str:
    """Return a text file; bytes that are not valid UTF-8 are replaced."""
    try:
        data = read_start(str(path), _MOST_BYTES + 1)
    except OSError as error:
        problems.add(file, f"it cannot be read: {error.strerror or error}")
        return ""
    if data is None:
        problems.add(file, "there is no such file")
        return ""
    if len(data) > _MOST_BYTES:
        problems.add(file, f"it is larger than {_MOST_BYTES >> 20} MiB: what is behind was not read")
    data = text_bytes(data[:_MOST_BYTES])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(file, "it is not valid UTF-8: letters were replaced", line)
        return data.decode("utf-8", "replace")


def _images_and_labels(value: object) -> tuple[object, list[object]]:
    """Return what a subset says of its images and of its labels, where it is a mapping or a list with some."""
    several = value if isinstance(value, list) else [value]
    images: list[object] = []
    labels: list[object] = []
    # Aliases may name a large mapping or list many times.
    entries = (entry for one in several for entry in (one.items() if isinstance(one, dict) else [("images", one)]))
    for key, inner in itertools.islice(entries, _MOST_PLACES + 1):
        found = images if _KEY_OF_IMAGES.fullmatch(key) else labels if is_label_folder(key) else []
        found += inner[: _MOST_PLACES + 1] if isinstance(inner, list) else [inner]
    return (images, labels) if any(isinstance(one, dict) for one in several) else (value, [])


def _places(value: object) -> Iterator[str]:
    """Yield the texts of a value that is a text or a list of them."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        if isinstance(one, str) and len(one) <= _MOST_TEXT and "\0" not in one and one.strip() not in _NO_VALUE:
            yield one.strip()


def _names(root: Path, value: object, file: str, problems: AnnotationProblems) -> dict[int, str]:
    """Return the names of classes by their numbers, of a list, a mapping, or a text that names a file."""
    if isinstance(value, str):
        listed = _list_of_names(root, value, file)
        if listed:
            return _lines(root, listed, problems)
        value = [part.strip().strip("'\"") for part in value.strip("[]").split(",")]
    if isinstance(value, list):
        value = _of_objects(value) or dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    if not any(_number(key) is not None for key in value) and all(_number(one) is not None for one in value.values()):
        value = {number: name for name, number in value.items()}
    names: dict[int, str] = {}
    for key, name in value.items():
        number = _number(key)
        if isinstance(name, dict):
            name = name.get("name", name)
        if number is None or not isinstance(name, str):
            # What a value is made of may be shared so often that nobody can write it out.
            wrong = (
                f"{str(key)[:_MOST_SHOWN]!r} is no number of a class"
                if number is None
                else f"the name of class {number} is no text"
            )
            problems.add(file, f"names: {wrong}")
        else:
            names[number] = name
    return _sound_names(names, file, problems)


def _of_objects(several: list[object]) -> dict[object, object]:
    """Return the names of a list of mappings, such as ``- name: cat`` and ``- 0: cat``; empty where it is none."""
    names: dict[object, object] = {}
    for number, one in enumerate(several):
        if not isinstance(one, dict):
            return {}
        if "name" in one:
            key = one.get("id", number)
            names[f"the id in entry {number}" if isinstance(key, list | dict) else key] = one["name"]
        elif len(one) == 1:
            names.update(one)
    return names


def _number(value: object) -> int | None:
    if isinstance(value, int):
        return value
    match = _NUMBER.fullmatch(value) if isinstance(value, str) and len(value) <= MOST_NAME else None
    return int(match[1]) if match else None


def _sound(name: str) -> str:
    """Return a name as an index can keep it: without half characters and white space around it, and not too long.

    Only the beginning of the name is looked at, because aliases may name a long one many times.
    """
    start = name[:_MOST_TEXT].strip()[:MOST_NAME]
    return start.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _sound_names(names: Mapping[int, str], file: str, problems: AnnotationProblems) -> dict[int, str]:
    """Return names as an index can keep them, without those that are empty, and tell how many were cut."""
    cut = [number for number, name in names.items() if len(name[:_MOST_TEXT].strip()) > MOST_NAME]
    if cut:
        has = "a class has a name" if len(cut) == 1 else f"{len(cut):,} classes have names"
        which = f"class {cut[0]}" if len(cut) == 1 else f"such as class {cut[0]}"
        problems.add(file, f"{has} of more than {MOST_NAME} characters, {which}: the rest was cut", count=len(cut))
    return {number: sound for number, name in names.items() if (sound := _sound(name))}


def _list_of_names(root: Path, text: str, file: str) -> str:
    """Return the path of the file of names that a text names, relative to the root; empty where it names none."""
    name = text.strip().replace("\\", "/")
    if "\0" in name or len(name) > _MOST_TEXT:
        return ""
    last = name.rpartition("/")[2]
    folder = file.rpartition("/")[0]
    for path in dict.fromkeys((name, f"{folder}/{name}", f"{folder}/{last}", last)):
        try:
            if (root / path.lstrip("/")).is_file():
                return path.lstrip("/")
        except OSError:
            continue
    return ""


def _lines(root: Path, file: str, problems: AnnotationProblems) -> dict[int, str]:
    """Return the names in a file that has one in each line."""
    lines = _text_of(root / file, file, problems).splitlines()
    return _sound_names({number: line for number, line in enumerate(lines) if line.strip()}, file, problems)


def _with_names(root: Path, found: Description, problems: AnnotationProblems) -> Description:
    """Return a description with the names of a file of names, where it has none itself."""
    first: dict[int, str] = {}
    first_file = ""
    above = f"{found.folder}/" if found.folder else ""
    for path in (above + name for name in name_files(Layout(root / found.folder, BESIDE))):
        names = _lines(root, path, problems) if (root / path).is_file() else {}
        if names and first and names != first:
            problems.add(path, f"its classes are not those of {first_file}: numbers are the labels")
            return found
        if names and not first:
            first, first_file = names, path
    return replace(found, names=first)
