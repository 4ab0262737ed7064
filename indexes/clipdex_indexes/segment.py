"""Segments: the immutable parts of an index, each one FAISS file of hash keys and one item table."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import struct
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from clipdex_indexes.errors import IndexCorrupt, IndexWriteFailed
from clipdex_indexes.files import atomic_path, sha256_of
from clipdex_indexes.manifest import FileStamp, SegmentStamp
from clipdex_indexes.table import ItemRow, TableReader, TableWriter

Keys = npt.NDArray[np.uint8]

# An IndexBinaryFlat file of FAISS: "IBxF", d (bits), code size (bytes), number of vectors, is_trained, metric,
# length of the key bytes, then the key bytes.
_HEADER = struct.Struct("<4siiqBiQ")


def keys_path(folder: Path, name: str) -> Path:
    """Return the path of the FAISS file of segment ``name``."""
    return folder / f"{name}.faiss"


def table_path(folder: Path, name: str) -> Path:
    """Return the path of the item table of segment ``name``."""
    return folder / f"{name}.sqlite"


def write_segment(folder: Path, bits: int, rows: Iterable[tuple[ItemRow, bytes]]) -> SegmentStamp | None:
    """Write one segment durably and return its stamp; no rows make no segment.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    bits
        Length of a hash key.
    rows
        Items with their hash keys (``bits / 8`` bytes each), in item order.

    Raises
    ------
    IndexWriteFailed
        When a file cannot be written; nothing of the segment is then left.
    """
    name = uuid.uuid4().hex
    code = bytearray()
    try:
        with atomic_path(table_path(folder, name)) as path:
            items = _write_table(path, rows, code)
        if items == 0:
            remove_segment(folder, name)
            return None
        with atomic_path(keys_path(folder, name)) as path:
            flat = faiss.IndexBinaryFlat(bits)
            flat.add(np.frombuffer(code, np.uint8).reshape(items, bits // 8))
            try:
                faiss.write_index_binary(flat, str(path))
            except RuntimeError as error:
                raise OSError(str(error)) from error
            # FAISS does not notice when the last block cannot be written, as on a full disk.
            if path.stat().st_size != _HEADER.size + len(code):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return SegmentStamp(name, items, _stamp(keys_path(folder, name)), _stamp(table_path(folder, name)))
    except BaseException as error:
        remove_segment(folder, name)
        if isinstance(error, OSError):
            raise IndexWriteFailed(f"cannot write the index in {folder}: {error.strerror or error}.") from error
        raise


def _write_table(path: Path, rows: Iterable[tuple[ItemRow, bytes]], code: bytearray) -> int:
    try:
        table = TableWriter(path)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
    try:
        for row, key in rows:
            table.add(row)
            code += key
        table.close()
    except sqlite3.Error as error:
        table.abort()
        raise OSError(str(error)) from error
    except BaseException:
        table.abort()
        raise
    return table.rows


def _stamp(path: Path) -> FileStamp:
    return FileStamp(path.stat().st_size, sha256_of(path))


def remove_segment(folder: Path, name: str) -> None:
    """Delete the files of a segment that no manifest names."""
    for path in (keys_path(folder, name), table_path(folder, name)):
        with contextlib.suppress(OSError):
            path.unlink()


class _MappedKeys:
    """Keys in memory that belongs to an index of FAISS, which lives as long as an array made of this."""

    def __init__(self, flat: Any, items: int, code_size: int) -> None:  # noqa: ANN401
        self._flat = flat
        view = faiss.rev_swig_ptr(flat.xb.data(), items * code_size)
        self.__array_interface__ = {**view.__array_interface__, "shape": (items, code_size)}


class Segment:
    """One segment, open for reading: its hash keys mapped into memory, its item table open.

    Attributes
    ----------
    stamp
        What the manifest says of it.
    keys
        Hash keys, uint8 ``[items, bits / 8]``; a view of the mapped file, not a copy.
    table
        Its item table.

    Raises
    ------
    IndexCorrupt
        When a file has another size or checksum, or is not what it should be.
    FileNotFoundError
        When a file is missing: a writer may have replaced the segment.
    """

    def __init__(self, folder: Path, stamp: SegmentStamp, bits: int) -> None:
        self.stamp = stamp
        keys_file, table_file = keys_path(folder, stamp.name), table_path(folder, stamp.name)
        _check_files([(keys_file, stamp.keys), (table_file, stamp.table)])
        _check_header(keys_file, stamp, bits)
        try:
            flat: Any = faiss.read_index_binary(str(keys_file), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            keys_file.stat()  # gone since it was checked?
            raise _damaged(keys_file, "FAISS cannot read it") from error
        if flat.ntotal != stamp.items or flat.d != bits:
            raise _damaged(keys_file, "it holds other keys than the manifest says")
        self.keys: Keys = np.asarray(_MappedKeys(flat, stamp.items, bits // 8))
        try:
            self.table = TableReader(table_file, stamp.items)
        except IndexCorrupt:
            table_file.stat()  # gone since it was checked?
            raise

    def __len__(self) -> int:
        return self.stamp.items

    def close(self) -> None:
        """Close the item table; the mapping goes with the last view of the keys."""
        self.table.close()


def _check_files(files: list[tuple[Path, FileStamp]]) -> None:
    for path, stamp in files:
        try:
            status = path.stat()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error
        if not stat.S_ISREG(status.st_mode):
            raise _damaged(path, "it is not a regular file")
        if status.st_size != stamp.size:
            raise _damaged(path, f"it has {status.st_size:,} bytes and not {stamp.size:,}")
    try:
        with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1)) as pool:
            sums = list(pool.map(sha256_of, [path for path, _ in files]))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(files[0][0], error.strerror or str(error)) from error
    for (path, stamp), found in zip(files, sums, strict=True):
        if found != stamp.sha256:
            raise _damaged(path, "its checksum is not the one in the manifest")


def _check_header(path: Path, stamp: SegmentStamp, bits: int) -> None:
    code_size = bits // 8
    with path.open("rb") as handle:
        header = handle.read(_HEADER.size)
    expected_size = _HEADER.size + stamp.items * code_size
    if len(header) < _HEADER.size or stamp.keys.size != expected_size:
        raise _damaged(path, f"{stamp.items:,} keys of {bits} bits do not make its size")
    kind, dimension, code, count, _, _, length = _HEADER.unpack(header)
    if (kind, dimension, code, count, length) != (b"IBxF", bits, code_size, stamp.items, stamp.items * code_size):
        raise _damaged(path, "its header does not describe the keys in the manifest")


def _damaged(path: Path, reason: str) -> IndexCorrupt:
    return IndexCorrupt(f"{path} is damaged: {reason}. Build the index again with --rebuild.")
