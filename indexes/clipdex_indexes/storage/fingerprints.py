"""Fingerprints of items: 61 bits each that stand for what an item table says of a file.

They tell which of a million files are as an index has them without reading a row. A fingerprint is of the folder of the
file, the subset and the labels of its item, and of the file's name, size and modification time. An item whose media is
not at its id has none.

The fingerprints of a segment are kept beside it in a file of their own, which is a copy only: where the file is missing
or damaged, or of another table, they are made again from the table. It holds ``MAGIC``, the SHA-256 of the table, a
fingerprint of a made-up file, the BLAKE2b hash of what follows, and a little-endian int64 for each row. Which numbers
they are may change with the version of Python; the fingerprint of the made-up file tells.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipdex_indexes.arrays import Ints
from clipdex_indexes.errors import IndexFailure
from clipdex_indexes.storage.files import atomic_write, read_bounded
from clipdex_indexes.storage.manifest import SegmentStamp
from clipdex_indexes.storage.table import TableReader

MAGIC = b"clipdex fingerprints 1\n"
# What an item has that has none.
NONE = 0
_HEAD = struct.Struct(f"<{len(MAGIC)}s32sq32s")
# A prime, so that names that differ in a few characters do not have the same remainder. Below 2 ** 61 - 1, by which
# Python divides numbers to hash them.
_PRIME = 902590989356606003


def place_of(folder: str, subset: str, labels: Sequence[str]) -> int:
    """Return what the fingerprints of all files of a folder have in common.

    Parameters
    ----------
    folder
        The path of the folder below the root of the dataset; empty for the root.
    subset, labels
        Those of its items.
    """
    text = json.dumps([folder, subset, *labels])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


def fingerprint(place: int, name: str, size: int, mtime_ns: int) -> int:
    """Return the fingerprint of a file.

    Parameters
    ----------
    place
        What ``place_of`` returns for its folder.
    name
        Its name in the folder.
    size, mtime_ns
        Its size in bytes and modification time in nanoseconds.

    Raises
    ------
    UnicodeEncodeError
        When the name is not valid UTF-8, so that no index has it.
    """
    return hash((place, int.from_bytes(name.encode(), "big") % _PRIME, size, mtime_ns))


def fingerprints_path(folder: Path, name: str) -> Path:
    """Return the path of the fingerprints of segment ``name``."""
    return folder / f"{name}.fingerprints"


def read_fingerprints(folder: Path, stamp: SegmentStamp) -> Ints | None:
    """Return the fingerprints of all rows of a segment, int64 ``[items]``; None where they are not kept.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    stamp
        The stamp of the segment.
    """
    size = _HEAD.size + 8 * stamp.items
    with contextlib.suppress(OSError, IndexFailure):
        data = read_bounded(fingerprints_path(folder, stamp.name), size)
        values = data[_HEAD.size :]
        if len(data) == size and data[: _HEAD.size] == _head(stamp, values):
            return np.frombuffer(values, "<i8").astype(np.int64, copy=False)
    return None


def keep_fingerprints(folder: Path, stamp: SegmentStamp, values: Ints) -> None:
    """Keep the fingerprints of a segment beside it. Do nothing where that fails."""
    data = values.astype("<i8").tobytes()
    with contextlib.suppress(OSError, IndexFailure):
        atomic_write(fingerprints_path(folder, stamp.name), _head(stamp, data) + data)


def fingerprints_of(table: TableReader) -> Ints:
    """Return the fingerprints of all rows of an item table, by position, int64 ``[items]``.

    Raises
    ------
    IndexCorrupt
        When the table is damaged.
    """
    folders, subsets, lists = table.folders(), table.subsets(), table.label_lists()
    places: dict[tuple[int, int, int], int] = {}
    values = np.empty(table.items, np.int64)
    try:
        for start, records in table.files():
            made = []
            for folder, subset, labels, name, size, mtime_ns, media in records:
                place = places.get((folder, subset, labels))
                if place is None:
                    place = place_of(folders[folder], subsets[subset], lists[labels])
                    places[folder, subset, labels] = place
                made.append(NONE if media is not None else fingerprint(place, name, size, mtime_ns))
            values[start : start + len(made)] = made
    except (KeyError, TypeError, AttributeError) as error:
        raise table.corrupt("a value has the wrong type, or is not in the table") from error
    return values


def _head(stamp: SegmentStamp, values: bytes) -> bytes:
    made_up = fingerprint(place_of("a", "b", ["c"]), "d.jpg", 5, 6)
    checksum = hashlib.blake2b(values, digest_size=32).digest()
    return _HEAD.pack(MAGIC, bytes.fromhex(stamp.table.sha256), made_up, checksum)
