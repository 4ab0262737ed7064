"""Segments: the immutable parts of an index, each a FAISS file of hash keys and an item table.

A bitmap beside the segment marks the items that were removed since. It is immutable too: a commit that removes more
items writes another.

The files may come from elsewhere. Size and header of a FAISS file must agree with the manifest before its keys are
mapped. FAISS itself reads and writes no file here; it is given arrays.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import mmap
import os
import sqlite3
import stat
import struct
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipdex_indexes.arrays import Bools, Keys
from clipdex_indexes.errors import IndexCorrupt, IndexWriteFailed
from clipdex_indexes.storage.files import atomic_path, atomic_write, read_bounded, sample_of, sha256_of, step
from clipdex_indexes.storage.manifest import FileStamp, RemovedStamp, SegmentStamp
from clipdex_indexes.storage.table import ItemRow, TableReader, TableWriter, table_path

if TYPE_CHECKING:
    from clipdex_indexes.storage.columns import Columns

# An IndexBinaryFlat file of FAISS: "IBxF", d (bits), code size (bytes), number of vectors, is_trained, metric,
# length of the key bytes, then the key bytes.
_HEADER = struct.Struct("<4siiqBiQ")
_TRAINED, _METRIC = 1, 1
# Linux keeps what is written at once, from a multiple of its size, in large pages. Reading keys in small pages takes a
# third longer.
_PIECE = 4 << 20


def keys_path(folder: Path, name: str) -> Path:
    """Return the path of the FAISS file of segment ``name``."""
    return folder / f"{name}.faiss"


def removed_path(folder: Path, name: str) -> Path:
    """Return the path of the bitmap called ``name`` in a ``RemovedStamp``."""
    return folder / f"{name}.removed"


def write_segment(
    folder: Path, bits: int, rows: Iterable[tuple[ItemRow, bytes]], piece: int = _PIECE
) -> SegmentStamp | None:
    """Write one segment durably and return its stamp, or None when there are no rows.

    Both files are written as the rows come, in bounded memory.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    bits
        Length of a hash key.
    rows
        Items with their hash keys (``bits / 8`` bytes each), in item order.
    piece
        Bytes of keys that are written at once.

    Raises
    ------
    IndexWriteFailed
        When a file cannot be written; what was written of the segment is then deleted.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return None
    name = uuid.uuid4().hex
    keys_file, table_file = keys_path(folder, name), table_path(folder, name)
    try:
        with atomic_path(keys_file) as keys, atomic_path(table_file) as table:
            items = _write_files(keys, table, bits, itertools.chain([first], remaining), piece)
        return SegmentStamp(name, items, stamp_of(keys_file), stamp_of(table_file))
    except BaseException as error:
        delete_files([keys_file, table_file])
        if isinstance(error, OSError):
            raise IndexWriteFailed(f"cannot write the index in {folder}: {error.strerror or error}.") from error
        raise


def _write_files(keys: Path, table: Path, bits: int, rows: Iterable[tuple[ItemRow, bytes]], piece: int) -> int:
    """Write the two files of a segment and return the number of its rows."""
    code_size = bits // 8
    try:
        with keys.open("wb") as codes, contextlib.closing(TableWriter(table)) as writer:
            pending = bytearray(_HEADER.size)
            for row, key in rows:
                if len(key) != code_size:
                    raise ValueError(f"the hash key of {row.id!r} has {len(key)} bytes, and not {code_size}")
                writer.add(row)
                pending += key
                if len(pending) >= piece:
                    codes.write(pending[:piece])
                    del pending[:piece]
            codes.write(pending)
            writer.finish()
            step("rows written")
            codes.seek(0)
            codes.write(_HEADER.pack(b"IBxF", bits, code_size, writer.rows, _TRAINED, _METRIC, writer.rows * code_size))
            return writer.rows
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def write_removed(folder: Path, segment: SegmentStamp, live: Bools) -> SegmentStamp:
    """Write the marks of the removed items of a segment, durably, and return its new stamp.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    segment
        The stamp of the segment so far.
    live
        bool ``[items]``: False where an item is removed.

    Raises
    ------
    IndexWriteFailed
        When the file cannot be written.
    """
    name = f"{segment.name}-{uuid.uuid4().hex}"
    data = np.packbits(~live).tobytes()
    atomic_write(removed_path(folder, name), data)
    stamp = RemovedStamp(name, int(len(live) - live.sum()), len(data), hashlib.sha256(data).hexdigest())
    return SegmentStamp(segment.name, segment.items, segment.keys, segment.table, stamp)


def stamp_of(path: Path) -> FileStamp:
    """Return the stamp of a file, for the manifest."""
    return FileStamp(path.stat().st_size, sha256_of(path), sample_of(path))


def files_of(folder: Path, stamp: SegmentStamp) -> list[Path]:
    """Return the paths of the files of a segment."""
    removed = [removed_path(folder, stamp.removed.name)] if stamp.removed is not None else []
    return [keys_path(folder, stamp.name), table_path(folder, stamp.name), *removed]


def delete_files(paths: Iterable[Path]) -> None:
    """Delete files that no manifest names, as far as the operating system lets us."""
    for path in paths:
        step(f"delete {path.suffix}")
        with contextlib.suppress(OSError):
            path.unlink()


class Segment:
    """One segment, open for reading: its hash keys mapped into memory, its item table open.

    Opening checks sizes, headers and a sample of the bytes, and reads nothing whole but the marks of removed items. So
    it takes the same time whatever the number of items. On systems like Linux, an open segment can still be used after
    its files were deleted.

    Attributes
    ----------
    stamp
        Its stamp in the manifest.
    keys
        Hash keys, uint8 ``[items, bits / 8]``, with those of removed items; a view of the mapped file, not a copy.
    live
        bool ``[items]``, False where an item is removed; None when no item is.
    table
        Its item table, which leaves removed items out.

    Raises
    ------
    IndexCorrupt
        When a file has another size or sample, or another format.
    FileNotFoundError
        When a file is missing: a writer may have replaced the segment.
    """

    def __init__(self, folder: Path, stamp: SegmentStamp, bits: int) -> None:
        self.stamp = stamp
        keys_file, table_file = keys_path(folder, stamp.name), table_path(folder, stamp.name)
        for path, expected in ((keys_file, stamp.keys), (table_file, stamp.table)):
            _check_sample(path, expected)
        self.keys = _map_keys(keys_file, stamp, bits)
        self.live = _read_live(folder, stamp)
        try:
            self.table = TableReader(table_file, stamp.items, self.live)
        except IndexCorrupt:
            table_file.stat()  # gone since it was checked?
            raise

    @functools.cached_property
    def columns(self) -> Columns:
        """Subsets and labels of its items, with those of removed items."""
        from clipdex_indexes.storage.columns import Columns  # late: only filters and counts need it

        return Columns(self.table)

    def __len__(self) -> int:
        """Return the number of items that are not removed."""
        return self.stamp.live_items

    def __del__(self) -> None:
        if hasattr(self, "table"):
            self.table.close()

    def close(self) -> None:
        """Close the item table; the keys stay mapped until nothing uses them."""
        self.table.close()


def _check_sample(path: Path, stamp: FileStamp) -> None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _damaged(path, "it is not a regular file")
        if status.st_size != stamp.size:
            raise _damaged(path, f"it has {status.st_size:,} bytes and not {stamp.size:,}")
        if sample_of(path) != stamp.sample:
            raise _damaged(path, "its checksum is not the one in the manifest")
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise IndexCorrupt(f"{path} cannot be read: {error.strerror}. Ask its owner to let you.") from error
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error


def _map_keys(path: Path, stamp: SegmentStamp, bits: int) -> Keys:
    code_size = bits // 8
    length = stamp.items * code_size
    if stamp.keys.size != _HEADER.size + length:
        raise _damaged(path, f"{stamp.items:,} keys of {bits} bits do not make its size")
    try:
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size != stamp.keys.size:
                raise _damaged(path, "it changes while it is read")
            mapped = mmap.mmap(handle.fileno(), stamp.keys.size, access=mmap.ACCESS_READ)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with contextlib.suppress(OSError):
                    mapped.madvise(mmap.MADV_HUGEPAGE)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise _damaged(path, str(error)) from error
    kind, dimension, code, count, trained, _, size = _HEADER.unpack(mapped[: _HEADER.size])
    if (kind, dimension, code, count, trained, size) != (b"IBxF", bits, code_size, stamp.items, _TRAINED, length):
        raise _damaged(path, "its header does not describe the keys in the manifest")
    keys = np.frombuffer(mapped, np.uint8, length, _HEADER.size)
    return keys.reshape(stamp.items, code_size)


def _read_live(folder: Path, stamp: SegmentStamp) -> Bools | None:
    if stamp.removed is None:
        return None
    path = removed_path(folder, stamp.removed.name)
    try:
        data = read_bounded(path, stamp.removed.size)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if len(data) != stamp.removed.size or hashlib.sha256(data).hexdigest() != stamp.removed.sha256:
        raise _damaged(path, "it is not what the manifest says")
    marks = np.unpackbits(np.frombuffer(data, np.uint8)).view(np.bool_)
    if marks[stamp.items :].any() or int(marks.sum()) != stamp.removed.count:
        raise _damaged(path, f"it does not mark {stamp.removed.count:,} of {stamp.items:,} items")
    live: Bools = ~marks[: stamp.items]
    return live


def _damaged(path: Path, reason: str) -> IndexCorrupt:
    return IndexCorrupt(f"{path} is damaged: {reason}. Build the index again with --rebuild.")
