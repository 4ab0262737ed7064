"""Reading tables of images: CSV, TSV and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from clipdex.errors import DatasetError
from clipdex.media.kinds import suffix_of
from clipdex.paths import is_there
from clipdex.readers.base import NO_OPTIONS
from clipdex.readers.listed import NOT_UTF8, BadLine, ListedReader, Row, lines

LABELS_BETWEEN = ";"
# What the columns are called where no option says it: the first one that is there.
_USUAL = {
    "path": ("path", "file_name", "filename", "file", "image"),
    "id": ("id",),
    "subset": ("subset", "split"),
    "label": ("label", "labels"),
}
_ABOUT = {
    "path": "column of the path [path, file_name, filename, file, image]",
    "id": "column of the id [id]",
    "subset": "column of the subset [subset, split]",
    "label": "column of the label, or of several with ';' between them [label, labels]",
}
_DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "bar": "|"}
_COLUMNS_SHOWN = 20


class TableReader(ListedReader):
    """A table of images, with columns for path, id, subset and label. Only the path is required."""

    option_names: ClassVar[Mapping[str, str]] = _ABOUT

    @classmethod
    def _is_file_called_so(cls, location: Path) -> bool:
        return suffix_of(location.name) in cls.suffixes and is_there(location) and location.is_file()

    def _columns(self, names: Iterable[str]) -> dict[str, str]:
        """Return the names of the columns for path, id, subset and label, where there are any; case does not matter."""
        there = {name.strip().lower(): name for name in reversed(list(names))}
        columns = {}
        for what, usual in _USUAL.items():
            wanted = [self.options[what].strip().lower()] if what in self.options else usual
            found = next((there[name] for name in wanted if name in there), None)
            if found is not None:
                columns[what] = found
        return columns

    def _require(self, columns: Mapping[str, str], names: Iterable[str], line: int) -> None:
        """Refuse a table without a column for the path, or without one that an option names.

        Raises
        ------
        DatasetError
            When one is missing.
        """
        for what, usual in _USUAL.items():
            if what not in columns and (what == "path" or what in self.options):
                called = repr(self.options[what]) if what in self.options else f"called {' or '.join(usual)}"
                shown = ", ".join(list(names)[:_COLUMNS_SHOWN]) or "none"
                raise DatasetError(
                    f"{self.location}, line {line}: there is no column {called} (the columns are: {shown}). "
                    f"Name the one that has the {what}: --option {what}=COLUMN"
                )


class CsvReader(TableReader):
    """A table as CSV or TSV, whose first line names the columns."""

    format = "csv"
    about = "a table of paths, and ids, subsets and labels where it has them, as CSV or TSV"
    suffixes = (".csv", ".tsv")
    option_names: ClassVar[Mapping[str, str]] = {
        **_ABOUT,
        "delimiter": "what is between columns: comma, tab, semicolon or bar [the likeliest]",
    }

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        name = self.options.get("delimiter", "")
        if name and name not in _DELIMITERS:
            raise DatasetError(f"the delimiter {name!r} is none of {', '.join(_DELIMITERS)}.")

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take files called so whose first line has a column for the path."""
        if not cls._is_file_called_so(location):
            return None
        try:
            reader = cls(location)
            columns = reader._columns(next(reader._parsed([]), []))
        except (DatasetError, csv.Error):
            return None
        return f"it is a table with a column {columns['path']}" if "path" in columns else None

    def rows(self) -> Iterator[Row | BadLine]:
        """Yield the rows below the first line."""
        not_utf8: list[BadLine] = []
        parsed = self._parsed(not_utf8)
        line = 1
        try:
            names = next(parsed, [])
            columns = self._columns(names)
            self._require(columns, names, line)
            for values in parsed:
                yield from not_utf8
                not_utf8.clear()
                line = parsed.line_num
                if len(values) > len(names):
                    yield BadLine(line, f"it has {len(values)} columns, and the first line has {len(names)}")
                elif values:
                    row: dict[str, object] = dict(zip(names, values, strict=False))
                    if "label" in columns and columns["label"] in row:
                        parts = str(row[columns["label"]]).split(LABELS_BETWEEN)
                        row[columns["label"]] = [part.strip() for part in parts]
                    yield _row(line, columns, row)
            yield from not_utf8
        except csv.Error as error:
            raise DatasetError(f"{self.location}, line {parsed.line_num}: {error}.") from error

    def _parsed(self, not_utf8: list[BadLine]) -> _CsvRows:
        """Return the lines cut into columns. A line that is not valid UTF-8 is empty, and added to ``not_utf8``."""

        def texts() -> Iterator[str]:
            for number, line in lines(self.location):
                if line is None:
                    not_utf8.append(BadLine(number, NOT_UTF8))
                yield line if line is not None else "\n"

        _, head = next(lines(self.location), (0, None))
        return csv.reader(texts(), delimiter=self._delimiter(head or ""), strict=True)

    def _delimiter(self, head: str) -> str:
        if "delimiter" in self.options:
            return _DELIMITERS[self.options["delimiter"]]
        return max(_DELIMITERS.values(), key=head.count)


class JsonLinesReader(TableReader):
    """A table as JSON lines: an object a line, whose labels are a text or a list of texts."""

    format = "jsonl"
    about = "JSON lines: an object for each image, with path, and id, subset and labels where it has them"
    suffixes = (".jsonl", ".ndjson")

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take files called so whose first line is an object with a path."""
        if not cls._is_file_called_so(location):
            return None
        try:
            reader = cls(location)
            first = next((_parsed(line) for _, line in lines(location) if line is None or line.strip()), None)
        except DatasetError:
            return None
        columns = reader._columns(first) if isinstance(first, dict) else {}
        return f"its lines are objects with a {columns['path']}" if "path" in columns else None

    def rows(self) -> Iterator[Row | BadLine]:
        """Yield the rows; empty lines are passed over."""
        first = True
        for number, line in lines(self.location):
            if line is not None and not line.strip():
                continue
            values = _parsed(line)
            if isinstance(values, str):
                yield BadLine(number, values)
                continue
            columns = self._columns(values)
            if first:
                self._require(columns, values, number)
                first = False
            if "path" in columns:
                yield _row(number, columns, values)
            else:
                yield BadLine(number, "it does not say a path")


class _CsvRows(Protocol):
    """What ``csv.reader`` returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def _parsed(line: str | None) -> dict[str, object] | str:
    """Return the object that a line is, or what is wrong with it."""
    if line is None:
        return NOT_UTF8
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return values if isinstance(values, dict) else "it is no JSON object"


def _row(line: int, columns: Mapping[str, str], values: Mapping[str, object]) -> Row | BadLine:
    """Return the row of a line, whose values are texts, numbers, or, for labels, lists of them; or what is wrong."""
    said: dict[str, str] = {}
    for what in ("path", "id", "subset"):
        value = values.get(columns[what]) if what in columns else None
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            return BadLine(line, f"its {what} is no text")
        said[what] = "" if value is None else str(value).strip() if what != "path" else str(value)
    if not said["path"]:
        return BadLine(line, "its path is empty")
    labels = _labels(values.get(columns["label"])) if "label" in columns else None
    if "label" in columns and labels is None:
        return BadLine(line, "its label is neither a text nor a list of texts")
    return Row(line, said["path"], said["id"] or None, said["subset"] if "subset" in columns else None, labels)


def _labels(value: object) -> tuple[str, ...] | None:
    """Return the labels that a value says; None: it cannot be one."""
    several = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(label, str | int | float) and not isinstance(label, bool) for label in several):
        return None
    return tuple(dict.fromkeys(str(label) for label in several if label != ""))
