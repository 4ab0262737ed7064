"""Reading the classes in a file of labels of YOLO."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Collection, Mapping

from clipdex.readers.annotated.small_files import MOST_BYTES
from clipdex.readers.annotated.yolo_data import MOST_NAME
from clipdex.readers.annotated.yolo_places import relative
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.encodings import text_bytes

# What lines of numbers are made of.
_OF_NUMBERS = b"0123456789.+-eE"
# What is between the numbers of a box.
_BETWEEN_NUMBERS = b"    \n"
_WHOLE = re.compile(rb"\+?(\d{1,9})(?:\.0*)?")
_SEPARATORS = bytes.maketrans(b",;", b"  ")
_BOX = 5
_CORNERS = 8
_MOST_SHOWN = 40
_MOST_DIGITS = 400
_MOST_CLASSES_KEPT = 10_000
# An index keeps labels of 64 KiB as JSON, where a character may take six bytes.
_MOST_LABEL_CHARACTERS = 8_000


class LabelReader:
    """Reads the classes of files of labels.

    A line is a class and numbers: a box, a box with a confidence, a polygon, rotated corners, keypoints. The class may
    be a name. A line of DOTA has eight numbers before the name. Nothing is asked of the numbers but that they are some.

    Parameters
    ----------
    names
        Names of the classes by their numbers; without any, the numbers are the labels.
    problems
        What is told of lines that cannot be read.
    root
        Root of the dataset.
    """

    def __init__(self, names: Mapping[int, str], problems: AnnotationProblems, root: str) -> None:
        self._root = root
        self._names = names
        self._known = set(names.values())
        self._problems = problems
        # The label of each first column that was seen, and what is wrong with it.
        self._classes: dict[bytes, tuple[str, str]] = {}
        # The labels of those with which nothing is wrong.
        self._sound: dict[bytes, str] = {}

    def labels(self, data: bytes, file: str, *, corners_first: bool = False) -> tuple[str, ...]:
        """Return the labels of a file in the order of their first appearance.

        Parameters
        ----------
        data
            What is in the file.
        file
            Absolute path of the file, for problems.
        corners_first
            Whether lines are those of DOTA also where the class is a number.
        """
        if len(data) >= MOST_BYTES:
            self._tell(file, f"it is larger than {MOST_BYTES >> 20} MiB: what is behind was not read")
        between = data.translate(None, _OF_NUMBERS)
        if corners_first or between.strip():
            found = self._of_any(text_bytes(data), file, corners_first=corners_first)
        else:
            found = self._of_boxes(data, between) or self._of_numbers(data, file)
        if len(found) > 1 and sum(map(len, found)) > _MOST_LABEL_CHARACTERS:
            return self._cut(found, file)
        return tuple(found)

    def _of_boxes(self, data: bytes, between: bytes) -> dict[str, None] | None:
        """Return the labels of a file with nothing but boxes of known classes; None where it has anything else.

        Most files are like that. No line of them is looked at alone.

        Parameters
        ----------
        data
            What is in the file.
        between
            What is between its numbers.
        """
        lines = (len(between) + 1) // _BOX
        if between != _BETWEEN_NUMBERS * lines and between + b"\n" != _BETWEEN_NUMBERS * lines:
            return None
        columns = data.split()
        if len(columns) != lines * _BOX:
            return None
        sound = self._sound
        try:
            return dict.fromkeys([sound[column] for column in columns[::_BOX]])
        except KeyError:
            return None

    def _of_numbers(self, data: bytes, file: str) -> dict[str, None]:
        """Return the labels of a file of lines of numbers."""
        found: dict[str, None] = {}
        for number, line in enumerate(data.splitlines(), 1):
            columns = line.split(None, _BOX - 1)
            if not columns:
                continue
            label, problem = self._classes.get(columns[0]) or self._class_of(columns[0])
            if label:
                found[label] = None
            if problem:
                self._tell(file, problem, number)
            elif 1 < len(columns) < _BOX:
                self._tell(file, _too_few(len(columns)), number)
        return found

    def _tell(self, file: str, reason: str, line: int = 0) -> None:
        self._problems.add(relative(file, self._root), reason, line)

    def _of_any(self, data: bytes, file: str, *, corners_first: bool) -> dict[str, None]:
        """Return the labels of a file of lines that have more than numbers in them."""
        found: dict[str, None] = {}
        for number, whole in enumerate(data.splitlines(), 1):
            line = whole.partition(b"#")[0] if b"#" in whole else whole
            columns = line.split()
            if not columns:
                continue
            if b"," in columns[0] or b";" in columns[0]:
                columns = line.translate(_SEPARATORS).split()
            if not columns or columns[0].startswith((b"imagesource:", b"gsd:")):
                continue
            label, problem = self._read_line(columns, corners_first=corners_first)
            if label:
                found[label] = None
            if problem:
                self._tell(file, problem, number)
        return found

    def _read_line(self, columns: list[bytes], *, corners_first: bool) -> tuple[str, str]:
        """Return the label of a line, and what is wrong with the line; each empty where there is none."""
        if len(columns) > _CORNERS and (corners_first or not _is_number(columns[_CORNERS])):
            numbers, rest = columns[:_CORNERS], columns[_CORNERS:]
            if all(map(_is_number, numbers)):
                # The name, which may have spaces, and how difficult the object is.
                name = rest[:-1] if len(rest) > 1 and _is_number(rest[-1]) else rest
                if len(name) == 1 and _is_number(name[0]):
                    return self._class_of(name[0])
                label = _text(b" ".join(name))
                return label, "" if label else f"{_shown(b' '.join(name))} is no name of a class"
        words = next((n for n, column in enumerate(columns) if _is_number(column)), len(columns))
        if words == 0:
            label, problem = self._class_of(columns[0])
            numbers = columns[1:]
        else:
            label, problem = self._named(b" ".join(columns[:words]), columns[words:])
            numbers = columns[words:]
        if problem:
            return label, problem
        bad = next((column for column in numbers if not _is_number(column)), None)
        if bad is not None:
            return label, f"{_shown(bad)} is no number"
        return label, _too_few(len(numbers) + 1) if 0 < len(numbers) < _BOX - 1 else ""

    def _named(self, name: bytes, numbers: list[bytes]) -> tuple[str, str]:
        """Return the label of a class that is a text: a name, or any where there are no names."""
        label = _text(name.strip(b"\"'"))
        if label in self._known or (label and not self._known and len(numbers) >= _BOX - 1):
            return label, ""
        return "", f"{_shown(name)} is neither the number of a class nor its name"

    def _class_of(self, column: bytes) -> tuple[str, str]:
        """Return the label of a class that is a number, and what is wrong with it."""
        if len(self._classes) > _MOST_CLASSES_KEPT:
            self._classes.clear()
            self._sound.clear()
        self._classes[column] = answer = self._looked_up(column)
        if not answer[1]:
            self._sound[column] = answer[0]
        return answer

    def _looked_up(self, column: bytes) -> tuple[str, str]:
        number = _whole(column)
        if number is None:
            name = _text(column)
            return (name, "") if name in self._known else ("", f"{_shown(column)} is no number of a class")
        if number in self._names:
            return self._names[number], ""
        if not self._names:
            return str(number), ""
        return str(number), f"the class {number} has no name: the number is its label"

    def _cut(self, found: Collection[str], file: str) -> tuple[str, ...]:
        kept: list[str] = []
        left = _MOST_LABEL_CHARACTERS
        for label in found:
            left -= len(label)
            if left < 0:
                break
            kept.append(label)
        self._tell(file, f"it has more labels than an index keeps: {len(found) - len(kept):,} are left out")
        return tuple(kept)


def looks_like_labels(data: bytes, *, anywhere: bool = False) -> bool:
    """Tell whether the lines of a text are labels of YOLO or DOTA: a class, and where in the image it is.

    Parameters
    ----------
    data
        The beginning of the text.
    anywhere
        Whether the numbers may be of any size.
    """
    seen = right = 0
    for line in text_bytes(data).splitlines()[:20]:
        columns = line.partition(b"#")[0].translate(_SEPARATORS).split()
        if columns:
            seen += 1
            right += _is_label(columns, anywhere=anywhere)
    return right * 2 > seen


def _is_label(columns: list[bytes], *, anywhere: bool) -> bool:
    if len(columns) < _BOX:
        return False
    if len(columns) > _CORNERS and not _is_number(columns[_CORNERS]):
        return all(map(_is_number, columns[:_CORNERS]))
    numbers = columns[1:]
    if _whole(columns[0]) is None or not all(map(_is_number, numbers)):
        return False
    # Where it is in the image is relative to its size, and may lie a little outside.
    return anywhere or all(-1 <= float(number) <= 2 for number in numbers[: _BOX - 1])


def _whole(column: bytes) -> int | None:
    match = _WHOLE.fullmatch(column)
    if match:
        return int(match[1])
    value = float(column) if _is_number(column) else math.nan
    return int(value) if value.is_integer() and 0 <= value < 10**9 else None


def _is_number(column: bytes) -> bool:
    if len(column) > _MOST_DIGITS or b"_" in column:
        return False
    try:
        return math.isfinite(float(column))
    except ValueError:
        return False


def _text(name: bytes) -> str:
    """Return the name of a class; empty where it is none."""
    with contextlib.suppress(UnicodeDecodeError):
        text = name.decode("utf-8") if len(name) <= MOST_NAME else ""
        return text if text.isprintable() else ""
    return ""


def _shown(column: bytes) -> str:
    text = column[:_MOST_SHOWN].decode("utf-8", "backslashreplace")
    return repr(text) if len(column) <= _MOST_SHOWN else f"{text!r}..."


def _too_few(columns: int) -> str:
    return f"it has {columns} columns, and a box has {_BOX}"
