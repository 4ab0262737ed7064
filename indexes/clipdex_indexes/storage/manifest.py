"""The manifest: the small JSON file that names the live segments of an index.

It is replaced atomically and carries the SHA-256 of its own content. So a reader sees the old index, the new one, or a
clear error, never a mixture. It may come from elsewhere: its size, types and values are checked when it is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from clipdex_indexes.errors import IndexCorrupt, IndexNotFound, IndexTooNew
from clipdex_indexes.storage.files import atomic_write, read_bounded

FORMAT_VERSION = 1
FILE_NAME = "manifest.json"
# Beside the manifest; it holds the files of all segments.
SEGMENTS_FOLDER = "segments"
MAX_BITS = 8192
_MAX_BYTES = 16 << 20
_MAX_ITEMS = 1 << 40
_SEGMENT_NAME = re.compile(r"[0-9a-f]{32}")
_REMOVED_NAME = re.compile(r"([0-9a-f]{32})-[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """The expected size and checksums of one file of a segment.

    Attributes
    ----------
    size
        In bytes.
    sha256
        SHA-256 of all of it, hexadecimal.
    sample
        SHA-256 of some of its blocks (``files.sample_of``), which is quick enough to check whenever an index is opened.
    """

    size: int
    sha256: str
    sample: str


@dataclass(frozen=True, slots=True)
class RemovedStamp:
    """The file that marks the removed items of a segment: its name, the number of marks, its size and its SHA-256."""

    name: str
    count: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SegmentStamp:
    """One segment: its name, its number of items, the stamps of its two files, and of the marks of removed items."""

    name: str
    items: int
    keys: FileStamp
    table: FileStamp
    removed: RemovedStamp | None = None

    @property
    def live_items(self) -> int:
        """Number of items that are not removed."""
        return self.items - (self.removed.count if self.removed is not None else 0)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self.keys.size + self.table.size + (self.removed.size if self.removed is not None else 0)


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """The model that hashed the items. Hash keys of different models cannot be compared.

    Attributes
    ----------
    name
        Name of the model, for messages.
    digest
        SHA-256 of its description, which identifies the model.
    bits
        Length of a hash key in bits, a multiple of 8.
    precision
        Arithmetic that the image tower ran in, such as ``f32``.
    location
        Folder of a model that is not bundled, as the user gave it; empty otherwise.
    """

    name: str
    digest: str
    bits: int
    precision: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a manifest: everything that an index records about itself.

    Attributes
    ----------
    model
        The model that hashed its items.
    source_format
        Format of the dataset.
    generation
        Counts commits, from 1.
    segments
        The live segments.
    writer
        Name and version of the program that wrote the index.
    root
        Root of the dataset, absolute, where the index is not beside it; otherwise empty.
    source_options
        How the dataset is read, for its reader: texts by name.
    complete
        Whether the index has all items of its dataset; False while a build that commits as it goes is not done.
    """

    model: ModelStamp
    source_format: str
    generation: int
    segments: tuple[SegmentStamp, ...]
    writer: str
    root: str = ""
    source_options: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    format: int = FORMAT_VERSION

    @property
    def items(self) -> int:
        """Number of items in all segments, without the removed ones."""
        return sum(segment.live_items for segment in self.segments)

    def following(self, segments: tuple[SegmentStamp, ...], complete: bool) -> Manifest:
        """Return the manifest of the next generation, which names ``segments``."""
        return replace(self, segments=segments, generation=self.generation + 1, complete=complete)


def _checksum(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of the index in ``folder``; raises ``IndexWriteFailed`` when it cannot."""
    body = asdict(manifest)
    text = json.dumps({**body, "checksum": _checksum(body)}, indent=1, ensure_ascii=True)
    atomic_write(folder / FILE_NAME, text.encode() + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of the index in ``folder``.

    Raises
    ------
    IndexNotFound
        When there is none.
    IndexTooNew
        When its format version is newer than ``FORMAT_VERSION``.
    IndexCorrupt
        When it cannot be read, or is not exactly as a writer wrote it.
    """
    path = folder / FILE_NAME
    try:
        data = read_bounded(path, _MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexNotFound(f"there is no index in {folder}.") from error
    except OSError as error:
        raise IndexCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        body = json.loads(data.decode("utf-8"))
        if not isinstance(body, dict):
            raise ValueError("it is not a JSON object")
        version = body.get("format")
        if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT_VERSION:
            raise IndexTooNew(
                f"the index in {folder} has format {version}; this clipdex reads up to {FORMAT_VERSION}. "
                "Update clipdex, or build the index again."
            )
        if body.pop("checksum", None) != _checksum(body):
            raise ValueError("its checksum does not match its content")
        return _from_body(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else "it is not a manifest"
        raise IndexCorrupt(f"{path} is damaged: {reason}. {rebuild_advice(folder)}") from error


def rebuild_advice(folder: Path) -> str:
    """Say how to replace a damaged index."""
    return f"Build it again with --rebuild; only {folder} is replaced."


def _from_body(body: dict[str, Any]) -> Manifest:
    model = ModelStamp(**body["model"])
    segments = tuple(_segment_from(entry) for entry in body["segments"])
    _require(all(isinstance(v, str) for v in (model.name, model.digest, model.precision, model.location)), "model")
    _require(_is_count(model.bits, MAX_BITS) and model.bits > 0 and model.bits % 8 == 0, "number of bits")
    _require(len({segment.name for segment in segments}) == len(segments), "list of segments")
    _require(body["format"] == FORMAT_VERSION and _is_count(body["generation"], 1 << 62), "format or generation")
    _require(all(isinstance(body[name], str) for name in ("source_format", "writer", "root")), "text")
    _require(isinstance(body["complete"], bool), "value of complete")
    options = body["source_options"]
    _require(isinstance(options, dict) and all(isinstance(value, str) for value in options.values()), "source options")
    # A lone surrogate, which JSON can hold, could not be shown.
    texts = (model.name, model.digest, model.precision, body["source_format"], body["writer"], body["root"])
    "".join((*texts, *options, *options.values())).encode()
    return Manifest(
        model,
        body["source_format"],
        body["generation"],
        segments,
        body["writer"],
        body["root"],
        options,
        body["complete"],
    )


def _segment_from(entry: dict[str, Any]) -> SegmentStamp:
    removed = RemovedStamp(**entry["removed"]) if entry["removed"] is not None else None
    segment = SegmentStamp(
        entry["name"], entry["items"], FileStamp(**entry["keys"]), FileStamp(**entry["table"]), removed
    )
    _require(bool(_SEGMENT_NAME.fullmatch(segment.name)), "segment name")
    _require(_is_count(segment.items, _MAX_ITEMS) and segment.items > 0, "number of items")
    for stamp in (segment.keys, segment.table):
        _require(_is_count(stamp.size, 1 << 62), "file size")
        _require(bool(_SHA256.fullmatch(stamp.sha256)) and bool(_SHA256.fullmatch(stamp.sample)), "file checksum")
    if removed is not None:
        match = _REMOVED_NAME.fullmatch(removed.name)
        _require(match is not None and match[1] == segment.name, "name of removed items")
        _require(_is_count(removed.count, segment.items) and removed.count > 0, "number of removed items")
        _require(removed.size == -(-segment.items // 8) and bool(_SHA256.fullmatch(removed.sha256)), "removed items")
    return segment


def _is_count(value: object, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"bad {what}")
