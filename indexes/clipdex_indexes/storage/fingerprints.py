"""Fingerprints of items: 61 bits each that stand for what an item table says of a file.

They tell which of a million files are as an index has them without reading a row. A fingerprint is of the folder of the
file, the subset and the labels of its item, and of the file's name, size and modification time. An item whose media is
not at its id has none.

The fingerprints of a segment are kept beside it in a file of their own, which is a copy only: where the file is missing
or damaged, or of another table, they are made again from the table. Which numbers they are may change with the version
of Python; the fingerprint of a made-up file tells.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clipdex_indexes.arrays import Int32s, Ints
from clipdex_indexes.errors import IndexFailure
from clipdex_indexes.storage.files import atomic_write, read_bounded
from clipdex_indexes.storage.manifest import SegmentStamp
from clipdex_indexes.storage.table import TableReader

MAGIC = b"clipdex fingerprints 1\n"
# MAGIC; the SHA-256 of the table; the fingerprint of a made-up file; the BLAKE2b hash of what follows; how many folders
# and how many fingerprints follow.
_HEAD = struct.Struct(f"<{len(MAGIC)}s32sq32sqq")
# A prime, so that names that differ in a few characters do not have the same remainder. Below 2 ** 61 - 1, by which
# Python divides numbers to hash them.
_PRIME = 902590989356606003
# The place of an item whose media is not at its id.
_NOWHERE = -1


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


def fingerprints_in(place: int, files: Iterable[tuple[str, int, int]]) -> list[int]:
    """Return the fingerprints of files of one folder.

    Parameters
    ----------
    place
        What ``place_of`` returns for the folder.
    files
        The name of each in the folder, its size in bytes and its modification time in nanoseconds.

    Raises
    ------
    UnicodeEncodeError
        When a name is not valid UTF-8, so that no index has it.
    """
    number = int.from_bytes
    return [hash((place, number(name.encode(), "big") % _PRIME, size, time)) for name, size, time in files]


def fingerprints_path(folder: Path, name: str) -> Path:
    """Return the path of the fingerprints of segment ``name``."""
    return folder / f"{name}.fingerprints"


class Fingerprints(NamedTuple):
    """The fingerprints of a segment, ordered by folder, then by themselves.

    Attributes
    ----------
    places
        What ``place_of`` returns for each folder, int64 ``[folders]``.
    ends
        Where the fingerprints of each folder end, int64 ``[folders]``.
    values
        The fingerprints, int64 ``[n]``.
    positions
        The position of the row of each, int32 ``[n]``.
    """

    places: Ints
    ends: Ints
    values: Ints
    positions: Int32s

    @classmethod
    def of(cls, table: TableReader) -> Fingerprints:
        """Make them from the rows of an item table.

        Raises
        ------
        IndexCorrupt
            When it is damaged.
        """
        numbered: dict[tuple[int, int, int], int] = {}
        of_rows, values = np.empty((2, table.items), np.int64)
        folders, subsets, lists = table.folders(), table.subsets(), table.label_lists()
        try:
            for start, records in table.files():
                made: list[int] = []
                here: list[int] = []
                for where, some in itertools.groupby(records, lambda record: record[:3]):
                    if where not in numbered:
                        numbered[where] = place_of(folders[where[0]], subsets[where[1]], lists[where[2]])
                    group = list(some)
                    made += fingerprints_in(numbered[where], [record[3:6] for record in group])
                    here += [numbered[where] if record[6] is None else _NOWHERE for record in group]
                of_rows[start : start + len(records)], values[start : start + len(records)] = here, made
        except (KeyError, TypeError, AttributeError) as error:
            raise table.corrupt("a value has the wrong type, or is not in the table") from error
        order = np.lexsort((values, of_rows))
        order = order[of_rows[order] != _NOWHERE]
        ends = np.append(np.flatnonzero(np.diff(of_rows[order])) + 1, len(order)) if len(order) else order
        return cls(of_rows[order][ends - 1], ends, values[order], order.astype(np.int32))

    @classmethod
    def kept(cls, folder: Path, stamp: SegmentStamp) -> Fingerprints | None:
        """Return what is kept beside a segment; None where that is missing, damaged or of another table.

        Parameters
        ----------
        folder
            The ``segments`` folder of the index.
        stamp
            The stamp of the segment.
        """
        with contextlib.suppress(OSError, IndexFailure, struct.error, ValueError):
            data = read_bounded(fingerprints_path(folder, stamp.name), _HEAD.size + 28 * stamp.items)
            *_, folders, count = _HEAD.unpack_from(data)
            if data[: _HEAD.size] == _head(stamp, folders, count, data[_HEAD.size :]):
                numbers = np.frombuffer(data, "<i8", 2 * folders + count, _HEAD.size).astype(np.int64, copy=False)
                positions = np.frombuffer(data, "<i4", count, _HEAD.size + 8 * len(numbers)).astype(
                    np.int32, copy=False
                )
                # Anybody can write a checksum: a stranger's copy may name rows that the table does not have.
                if not count or (positions.min() >= 0 and positions.max() < stamp.items):
                    return cls(numbers[:folders], numbers[folders : 2 * folders], numbers[2 * folders :], positions)
        return None

    def keep(self, folder: Path, stamp: SegmentStamp) -> None:
        """Keep them beside a segment, as ``kept`` takes it. Do nothing where that fails."""
        data = b"".join((*(one.astype("<i8").tobytes() for one in self[:3]), self.positions.astype("<i4").tobytes()))
        with contextlib.suppress(OSError, IndexFailure):
            head = _head(stamp, len(self.places), len(self.values), data)
            atomic_write(fingerprints_path(folder, stamp.name), head + data)


def _head(stamp: SegmentStamp, folders: int, count: int, data: bytes) -> bytes:
    (made_up,) = fingerprints_in(place_of("a", "b", ["c"]), [("d.jpg", 5, 6)])
    checksum = hashlib.blake2b(data, digest_size=32).digest()
    return _HEAD.pack(MAGIC, bytes.fromhex(stamp.table.sha256), made_up, checksum, folders, count)
