"""A map on disk: its layout, and the coordinates of the segments that were placed.

The file begins with ``clipdex map`` and a new line, the length of a header (uint32, little-endian), and the header,
which is JSON. The arrays that the header lists follow, each with its SHA-256. It is replaced atomically.

A map may come from elsewhere: sizes, checksums and values are checked when it is read, in bounded memory. Only what an
index needs is read.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from clipdex.mapping.area import NAME_BYTES
from clipdex.mapping.landmarks import MOST_LANDMARKS
from clipdex.mapping.placing import PCA, TSNE, Axes, Floats, Landmarks, Layout
from clipdex_indexes.storage.files import atomic_path

FORMAT_VERSION = 1
ONE, SEVERAL = "dataset.map", "datasets.map"
_MAGIC = b"clipdex map\n"
_LENGTH = struct.Struct("<I")
_MOST_HEADER = 4 << 20
# Far more than any map reaches, and little enough to compute with.
_FARTHEST = 1000.0
_SEGMENT = re.compile(r"segment:([0-9a-f]{32})")
_MOST_ROWS = 1 << 40


class Unusable(Exception):
    """A kept map cannot be used; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a map is of.

    Attributes
    ----------
    model
        Digest of the model that made the keys.
    bits
        Length of a key.
    indexes
        Of a map of several datasets, their index folders, sorted; otherwise empty.
    """

    model: str
    bits: int
    indexes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """A map as it is kept.

    Attributes
    ----------
    layout
        What places items.
    made_from
        Number of items that the landmarks were drawn from.
    generations
        For each index folder, or of one dataset for the empty text, the generation that was placed last.
    placed
        By name of the segment, the coordinates of all its rows, float32 ``[rows, 2]``.
    """

    layout: Layout
    made_from: int
    generations: Mapping[str, int]
    placed: Mapping[str, Floats]


def name_of(layout: Layout) -> bytes:
    """Return what tells a layout from others: three bytes of a checksum."""
    arrays = _arrays_of(layout)
    content = b"".join(np.ascontiguousarray(array, _type_of(name)).tobytes() for name, array in arrays.items())
    return hashlib.sha256(content).digest()[:NAME_BYTES]


def write_map(path: Path, stamp: Stamp, kept: Kept) -> None:
    """Keep a map, in place of what was there.

    Raises
    ------
    IndexWriteFailed
        When it cannot be written.
    """
    arrays = {**_arrays_of(kept.layout), **{f"segment:{name}": rows for name, rows in kept.placed.items()}}
    contents = {name: np.ascontiguousarray(array, _type_of(name)).data for name, array in arrays.items()}
    header = json.dumps(
        {
            "format": FORMAT_VERSION,
            "model": stamp.model,
            "bits": stamp.bits,
            "indexes": stamp.indexes,
            "method": kept.layout.method,
            "made_from": kept.made_from,
            "generations": dict(kept.generations),
            "arrays": [
                {"name": name, "rows": len(array), "sha256": hashlib.sha256(array).hexdigest()}
                for name, array in contents.items()
            ],
        }
    ).encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + _LENGTH.pack(len(header)) + header)
        for array in contents.values():
            file.write(array)


def read_map(path: Path, stamp: Stamp, segments: Mapping[str, int]) -> Kept | None:
    """Read a kept map; None where there is none, or it is of other datasets.

    Parameters
    ----------
    path
        The file.
    stamp
        What it should be of.
    segments
        Names of the segments whose coordinates are wanted, with their numbers of rows.

    Raises
    ------
    Unusable
        When it is damaged, of another model, or from a later version.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise Unusable("it is not a regular file")
            return None
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, stamp, segments)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unusable("it is damaged") from error


def _read(file: IO[bytes], size: int, stamp: Stamp, segments: Mapping[str, int]) -> Kept | None:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no map")
    (length,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    if length > _MOST_HEADER:
        raise ValueError("a header too long")
    header = json.loads(_exactly(file, length))
    if not isinstance(header, dict):
        raise TypeError("no object")
    if _number(header["format"]) > FORMAT_VERSION:
        raise Unusable("a later version of clipdex made it")
    indexes = header["indexes"]
    if not isinstance(indexes, list) or (not stamp.indexes and indexes):
        raise ValueError("no map of one dataset")
    if tuple(indexes) != stamp.indexes:
        return None
    if (header["model"], header["bits"]) != (stamp.model, stamp.bits):
        raise Unusable("it is of the hash keys of another model")
    arrays: dict[str, npt.NDArray[Any]] = {}
    at, width = file.tell(), stamp.bits // 8
    for one in header["arrays"]:
        name, rows = one["name"], _number(one["rows"])
        kind = _type_of(name)
        columns = width if name == "keys" else 2
        count = rows * columns * kind.itemsize
        if at + count > size:
            raise ValueError("cut off")
        if _is_wanted(name, rows, stamp, segments):
            file.seek(at)
            content = _exactly(file, count)
            if hashlib.sha256(content).hexdigest() != one["sha256"]:
                raise ValueError("another checksum")
            arrays[name] = np.frombuffer(content, kind).reshape(rows, columns)
            if name != "keys" and not (np.abs(arrays[name]) <= _FARTHEST).all():
                raise ValueError("no coordinates")
        at += count
    if at != size:
        raise ValueError("another size")
    generations = {str(name): _number(number) for name, number in dict(header["generations"]).items()}
    placed = {match[1]: array for name, array in arrays.items() if (match := _SEGMENT.fullmatch(name))}
    return Kept(_layout_of(header["method"], arrays), _number(header["made_from"]), generations, placed)


def _is_wanted(name: str, rows: int, stamp: Stamp, segments: Mapping[str, int]) -> bool:
    """Tell whether to read an array.

    Raises
    ------
    ValueError
        When it cannot have so many rows.
    """
    segment = _SEGMENT.fullmatch(name)
    if segment is None:
        most = {"origin": 1, "steps": stamp.bits}.get(name, MOST_LANDMARKS)
        if not 1 <= rows <= most:
            raise ValueError("too many rows")
        return True
    if segment[1] not in segments:
        return False
    if rows != segments[segment[1]]:
        raise ValueError("another number of rows")
    return True


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise ValueError("cut off")
    return content


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_ROWS:
        raise ValueError("no number")
    return value


def _type_of(name: str) -> np.dtype[Any]:
    """Return the type of an array in the file, by its name."""
    if name == "keys":
        return np.dtype("u1")
    if name in ("origin", "steps"):
        return np.dtype("<f8")
    if name == "coordinates" or _SEGMENT.fullmatch(name):
        return np.dtype("<f4")
    raise ValueError("an unknown array")


def _arrays_of(layout: Layout) -> dict[str, npt.NDArray[Any]]:
    if isinstance(layout, Landmarks):
        return {"keys": layout.keys, "coordinates": layout.coordinates}
    if isinstance(layout, Axes):
        return {"origin": layout.origin[None], "steps": layout.steps}
    raise TypeError("an unknown layout")


def _layout_of(method: object, arrays: Mapping[str, npt.NDArray[Any]]) -> Layout:
    if method == TSNE:
        if len(arrays["keys"]) != len(arrays["coordinates"]):
            raise ValueError("landmarks without coordinates")
        return Landmarks(arrays["keys"], arrays["coordinates"].astype(np.float32, copy=False))
    if method == PCA:
        steps = arrays["steps"].astype(np.float64, copy=False)
        _ = steps.reshape(-1, 8, 2)
        return Axes(arrays["origin"][0].astype(np.float64, copy=False), steps)
    raise ValueError("an unknown method")
