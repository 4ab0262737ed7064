"""Parquet files with a column of images: single rows, read in bounded memory.

The name of a member is ``COLUMN/ROW``; rows are numbered from 0.
"""

from __future__ import annotations

import bisect
import io
import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from clipdex.errors import ImageError
from clipdex.extras import optional
from clipdex.media.files import open_regular
from clipdex.media.members import MAX_MEMBER_BYTES, Found, damaged, size_problem

EXTRA = "parquet"
_MAGIC = b"PAR1"
# Rows that are decoded at once, and number of such batches that are kept: threads ask for rows nearly in order.
_ROWS_AT_ONCE = 16
_BATCHES_KEPT = 5
_BUFFER = 1 << 20
# What pyarrow raises on damaged files: all of its errors are one of these.
ERRORS = (OSError, ValueError, MemoryError, RuntimeError, LookupError, TypeError)


def fits(path: Path, member: str) -> bool:
    """Tell whether a file is a Parquet file, and a member one of its rows."""
    return is_parquet(path) and member.rpartition("/")[2].isdecimal()


def is_parquet(path: Path) -> bool:
    """Tell from its first bytes whether something is a Parquet file."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.read(len(_MAGIC)) == _MAGIC


def open_container(path: Path) -> ParquetContainer:
    """Open a Parquet file."""
    return ParquetContainer(path)


def open_parquet(path: Path) -> Any:  # noqa: ANN401 - pyarrow is there only with the extra
    """Open a Parquet file with pyarrow.

    Raises
    ------
    ExtraMissing
        When pyarrow is not installed.
    DatasetError
        When it is no Parquet file, or is damaged.
    """
    parquet = optional("pyarrow.parquet", EXTRA, "reading Parquet")
    try:
        # Without the buffer, a whole column of a row group would be read at once.
        return parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except ERRORS as error:
        raise damaged(path, error) from error


class ParquetContainer:
    """A Parquet file.

    Raises
    ------
    ExtraMissing, DatasetError
        When pyarrow is not installed; when the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parquet = open_parquet(path)
        weakref.finalize(self, self._parquet.close, force=True)
        self._columns: dict[str, _Column] = {}
        self._outside: dict[str, bool] = {}
        self._lock = threading.Lock()

    def open(self, member: str) -> IO[bytes]:
        """Open the image of one row.

        Raises
        ------
        ImageError
            When there is none, or it cannot be read.
        """
        data = self._value(member)
        if isinstance(data, Path):
            with open_regular(data) as file:
                data = file.read(MAX_MEMBER_BYTES + 1)
        if not isinstance(data, bytes):
            raise ImageError("there is no image in this row")
        problem = size_problem(len(data))
        if problem:
            raise ImageError(problem)
        return io.BytesIO(data)

    def find(self, member: str) -> Found:
        """Return where the image of one row is: in the row, or in a file that the row names.

        Raises
        ------
        ImageError
            When there is none, or it cannot be read.
        """
        name = member.rpartition("/")[0]
        time = self._path.stat().st_mtime_ns
        if not self._may_be_outside(name):
            return Found(member, mtime_ns=time)
        data = self._value(member)
        return Found(data) if isinstance(data, Path) else Found(member, mtime_ns=time)

    def _value(self, member: str) -> Any:  # noqa: ANN401
        """Return the bytes of the image of one row, or the path of the file that has them."""
        name, _, number = member.rpartition("/")
        if not number.isdecimal() or len(number) > 18:
            raise ImageError(f"{member!r} is no row of a column")
        try:
            with self._lock:
                if name not in self._columns:
                    self._columns[name] = _Column(self._parquet, name)
                value = self._columns[name].value(int(number))
        except ERRORS as error:
            raise ImageError(f"the row cannot be read: {error}") from error
        if not isinstance(value, dict):
            return value
        path = value.get("path")
        if value.get("bytes") is None and isinstance(path, str) and path:
            return self._path.parent / path
        return value.get("bytes")

    def _may_be_outside(self, name: str) -> bool:
        """Tell whether a row of a column may name a file; the statistics of the file mostly know that none does."""
        with self._lock:
            if name not in self._outside:
                self._outside[name] = _lacks_bytes(self._parquet.metadata, name)
            return self._outside[name]


def _lacks_bytes(metadata: Any, name: str) -> bool:  # noqa: ANN401
    """Tell whether a column has the paths of files, and may have rows without bytes."""
    try:
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        columns = [group.column(number) for group in groups for number in range(group.num_columns)]
        if not any(column.path_in_schema == f"{name}.path" for column in columns):
            return False
        counts = [column.statistics for column in columns if column.path_in_schema == f"{name}.bytes"]
        return not all(count is not None and count.has_null_count and not count.null_count for count in counts)
    except ERRORS:
        return True


def names_files_only(metadata: Any, name: str) -> bool:  # noqa: ANN401
    """Tell whether the statistics of a file say that no row of a column has bytes, so that all name files outside."""
    try:
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        columns = [(group, group.column(number)) for group in groups for number in range(group.num_columns)]
        counts = [
            column.statistics is not None
            and column.statistics.has_null_count
            and column.statistics.null_count == group.num_rows
            for group, column in columns
            if column.path_in_schema == f"{name}.bytes"
        ]
        return bool(counts) and all(counts) and any(column.path_in_schema == f"{name}.path" for _, column in columns)
    except ERRORS:
        return False


class _Column:
    """The values of one column, read forwards. A row further back reads its row group again."""

    def __init__(self, parquet: Any, name: str) -> None:  # noqa: ANN401
        if name not in parquet.schema_arrow.names:
            raise ImageError(f"there is no column {name!r}")
        self._parquet = parquet
        self._name = name
        metadata = parquet.metadata
        counts = (metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
        # The first row of each row group, and the number of rows.
        self._starts = list(itertools.accumulate(counts, initial=0))
        self._batches: Iterator[tuple[int, list[Any]]] = iter(())
        self._next = -1
        self._kept: OrderedDict[int, list[Any]] = OrderedDict()

    def value(self, row: int) -> Any:  # noqa: ANN401
        if row >= self._starts[-1]:
            raise ImageError(f"there is no row {row:,}: the file has {self._starts[-1]:,}")
        for start, values in reversed(self._kept.items()):
            if start <= row < start + len(values):
                return values[row - start]
        group = bisect.bisect_right(self._starts, row) - 1
        if not self._starts[group] <= self._next <= row:
            self._kept.clear()
            self._next = self._starts[group]
            self._batches = self._read(group)
        for start, values in self._batches:
            self._next = start + len(values)
            self._kept[start] = values
            if len(self._kept) > _BATCHES_KEPT:
                self._kept.popitem(last=False)
            if row < self._next:
                return values[row - start]
        raise ImageError("the file has fewer rows than it says")

    def _read(self, first: int) -> Iterator[tuple[int, list[Any]]]:
        """Yield the values from a row group on, each piece with the number of its first row."""
        for group in range(first, len(self._starts) - 1):
            start = self._starts[group]
            for batch in self._parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=[self._name]):
                values = batch.column(0).to_pylist()
                yield start, values
                start += len(values)
