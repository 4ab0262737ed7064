"""Lists of images: reading their lines, and making an item of a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, NamedTuple

from clipdex.errors import DatasetError, DatasetNotFound, ImageError
from clipdex.media.files import open_regular
from clipdex.readers.base import DEFAULT_SUBSET, MISSING, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.elsewhere import ADDRESS, Elsewhere
from clipdex.readers.encodings import encoding_of
from clipdex.readers.files import item_of_file, relative_to
from clipdex.readers.naming import subset_and_labels

MAX_LINE_BYTES = 1 << 20
_NEWLINES = {"utf-8": b"\n", "utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}


class Row(NamedTuple):
    """One image as a list names it.

    Attributes
    ----------
    line
        Number of the line, from 1.
    path
        Path of the image, absolute or relative to the folder of the list.
    id, subset, labels
        As the list has them; None where it does not.
    """

    line: int
    path: str
    id: str | None = None
    subset: str | None = None
    labels: tuple[str, ...] | None = None


class BadLine(NamedTuple):
    """A line that is no row, with the reason as the end of a sentence."""

    line: int
    reason: str


class ListedReader(Reader):
    """Images that a file names.

    The id of an item is its path relative to the folder of the list; of an image outside of it, the absolute path
    without the first slash. Where the list has no subset and label, they come from the path, as in a folder. Paths may
    be those of Windows.

    Raises
    ------
    DatasetNotFound
        When there is no such file.
    """

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not location.is_file():
            what = "is no file" if location.exists() else "does not exist"
            raise DatasetNotFound(f"the list {location} {what}.")

    @abstractmethod
    def rows(self) -> Iterator[Row | BadLine]:
        """Yield the rows of the list, line by line."""

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items in the order of the list, in bounded memory."""
        elsewhere = Elsewhere(self.root)
        for row in self.rows():
            if isinstance(row, BadLine):
                yield UnreadableItem(f"{self.location.name}, line {row.line}", row.reason)
            elif ADDRESS.match(row.path):
                reason = f"line {row.line}: addresses are not fetched"
                yield UnreadableItem(row.id or row.path, reason, MISSING)
            else:
                yield self._item(row, elsewhere.here(row.path))

    def _item(self, row: Row, path: str) -> ReadItem | UnreadableItem:
        relative = relative_to(self.root, path)
        subset, labels = subset_and_labels(relative)
        item = item_of_file(
            self.root,
            path,
            row.id or relative,
            subset if row.subset is None else row.subset or DEFAULT_SUBSET,
            labels if row.labels is None else row.labels,
            f"line {row.line}: ",
        )
        if isinstance(item, UnreadableItem) and item.kind == MISSING:
            return replace(item, reason=f"line {row.line}: no such file: {row.path}")
        return item


def lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """Yield the lines of a text file in UTF-8 or UTF-16 with their numbers; None for one that is not valid.

    Raises
    ------
    DatasetError
        When the file cannot be read, or a line is longer than ``MAX_LINE_BYTES``.
    """
    try:
        with open_regular(path) as handle:
            encoding = encoding_of(handle.read(2))
            handle.seek(0)
            number = 0
            while line := _line(handle, _NEWLINES[encoding]):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DatasetError(f"{path}, line {number}: it is longer than {MAX_LINE_BYTES:,} bytes.")
                try:
                    text = line.decode(encoding)
                except UnicodeDecodeError:
                    yield number, None
                else:
                    yield number, text.removeprefix("\ufeff") if number == 1 else text
    except (OSError, ImageError) as error:
        reason = str(error) if isinstance(error, ImageError) else error.strerror or error
        raise DatasetError(f"{path} cannot be read: {str(reason).removeprefix('cannot be read: ')}.") from error


def _line(handle: IO[bytes], newline: bytes) -> bytes | bytearray:
    """Return the next line of a file, or what is left of it; a little more than ``MAX_LINE_BYTES`` at most.

    Parameters
    ----------
    handle
        The file.
    newline
        The end of a line in its encoding: two bytes where it is UTF-16.
    """
    start = handle.readline(MAX_LINE_BYTES + 1)
    if len(newline) == 1:
        return start
    # A byte of another character may be that of the end of a line. There may be very many of them.
    line = bytearray(start)
    while line and len(line) <= MAX_LINE_BYTES:
        if newline[0] and line.endswith(b"\n") and len(line) % 2:
            line += handle.read(1)
        if line.endswith(newline) and len(line) % 2 == 0:
            break
        more = handle.readline(MAX_LINE_BYTES + 1 - len(line))
        if not more:
            break
        line += more
    return line


NOT_UTF8 = "it is not valid UTF-8"
