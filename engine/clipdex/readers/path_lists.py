"""Reading a text file of paths, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from clipdex.errors import DatasetError
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_there
from clipdex.readers.listed import NOT_UTF8, BadLine, ListedReader, Row, lines

_SUFFIXES = (".txt", ".lst", ".list")
_LINES_LOOKED_AT = 20


class PathListReader(ListedReader):
    """A text file of paths, one a line. Empty lines and lines that begin with ``# `` are skipped."""

    format = "list"
    about = "a text file of paths, one a line"

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take text files whose first line names an image."""
        if suffix_of(location.name) not in _SUFFIXES or not is_there(location) or not location.is_file():
            return None
        try:
            for _, line in islice(lines(location), _LINES_LOOKED_AT):
                path = _path(line or "")
                if path and suffix_of(path) in IMAGE_SUFFIXES:
                    return f"it names images, such as {path[:100]}"
        except DatasetError:
            pass
        return None

    def rows(self) -> Iterator[Row | BadLine]:
        """Yield the paths."""
        for number, line in lines(self.location):
            if line is None:
                yield BadLine(number, NOT_UTF8)
            elif path := _path(line):
                yield Row(number, path)


def _path(line: str) -> str:
    path = line.strip("\r\n")
    return "" if path.startswith("# ") or path.strip() in ("", "#") else path
