"""TAR archives: the list of members, and single members.

A member of an archive that is not compressed is read where it is. A compressed archive can only be read from its
beginning, so the first member that is opened unpacks the whole stream into a temporary file, once.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import tarfile
import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from clipdex.errors import DatasetError, ImageError
from clipdex.media.kinds import START, suffix_of
from clipdex.media.members import Archive, ArchiveFile, Member, MemberTable, damaged, path_of, size_problem

# A stream that unpacks to more is refused: it may never end.
MAX_UNPACKED_BYTES = 64 << 30
# Longest header of one member. Longer ones are made to exhaust memory.
_MAX_HEADER_BYTES = 16 << 20
_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BUFFER = 1 << 20
_ERRORS = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, ValueError, OverflowError, MemoryError)


def compression_of(path: Path) -> str:
    """Return the name of the compression of a file; empty where it has none that is known."""
    with path.open("rb") as handle:
        start = handle.read(6)
    return next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), "")


def fits(path: Path, member: str) -> bool:
    """Tell whether a file is a TAR archive, compressed or not; the name of the member does not matter."""
    if not path.is_file():
        return False
    with contextlib.suppress(*_ERRORS, DatasetError), _open_stream(path) as stream:
        tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        return True
    return False


def open_container(path: Path) -> TarContainer:
    """Open a TAR archive."""
    return TarContainer(path)


def _open_stream(path: Path) -> IO[bytes]:
    """Open the unpacked bytes of an archive.

    Raises
    ------
    DatasetError
        When this Python cannot unpack them.
    """
    compression = compression_of(path)
    if compression == "zstd":
        return _open_zstd(path)
    openers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    stream: IO[bytes] = openers[compression](path, "rb") if compression else path.open("rb", buffering=_BUFFER)
    return stream


def _open_zstd(path: Path) -> IO[bytes]:
    try:
        zstd: Any = importlib.import_module("compression.zstd")
    except ImportError as error:
        raise DatasetError(
            f"{path} is compressed with zstd, which Python reads from version 3.14 on: unpack it "
            f"(zstd -d {path.name}), or compress it with gzip."
        ) from error
    stream: IO[bytes] = zstd.open(path, "rb")
    return stream


class _Bounded(io.RawIOBase):
    """A stream that gives a bounded piece at a time, up to a bounded end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes is more than {_MAX_HEADER_BYTES:,}")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset > MAX_UNPACKED_BYTES:
            raise tarfile.ReadError(f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        return self._stream.seek(offset, whence)


class TarContainer(Archive):
    """A TAR archive, which may be compressed.

    Raises
    ------
    DatasetError
        When its list of members cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.file = ArchiveFile(path)
            self._compressed = bool(compression_of(path))
            self.table = MemberTable(self._members())
        except RecursionError as error:
            raise damaged(path, "it has headers of headers without end") from error
        except _ERRORS as error:
            raise damaged(path, error) from error
        self._unpacking = threading.Lock()
        self._unpacked: IO[bytes] | None = None

    def open(self, member: str) -> IO[bytes]:
        """Read one member.

        Raises
        ------
        ImageError
            When there is none of that name, or it cannot be read.
        """
        entry = self.table.get(member)
        try:
            if not self._compressed:
                with self.file.open() as handle:
                    return _piece(handle, entry)
            with self._unpacking:
                if self._unpacked is None:
                    self._unpacked = self._unpack()
                return _piece(self._unpacked, entry)
        except _ERRORS as error:
            raise ImageError(f"the archive {self.file.path.name} cannot be read: {error}") from error

    def _unpack(self) -> IO[bytes]:
        """Unpack the stream into a temporary file, which is deleted with this object."""
        if self.file.changed():
            raise ImageError(f"the archive {self.file.path.name} has changed meanwhile")
        file = tempfile.TemporaryFile(prefix="clipdex-")  # noqa: SIM115 - it stays open
        weakref.finalize(self, file.close)
        with _open_stream(self.file.path) as stream:
            limited = _Limited(stream)
            while block := limited.read(_BUFFER):
                file.write(block)
        return file

    def _members(self) -> Iterator[Member]:
        compressed = self._compressed
        with (
            _open_stream(self.file.path) as stream,
            tarfile.open(fileobj=_Bounded(stream) if compressed else _Plain(stream), mode="r:") as archive,
        ):
            last = -1
            while (entry := archive.next()) is not None:
                # Sizes below zero lead back; not every version of Python refuses them.
                if entry.offset <= last or archive.offset <= entry.offset:
                    raise tarfile.ReadError(f"it is damaged at byte {entry.offset:,}")
                last = entry.offset
                # Otherwise the archive keeps all of them in memory.
                archive.members = []  # type: ignore[attr-defined]
                if not entry.isdir():
                    yield self._member(entry, stream)
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"it is damaged at byte {archive.offset:,}")

    def _member(self, entry: tarfile.TarInfo, stream: IO[bytes]) -> Member:
        path, problem = path_of(entry.name)
        if not entry.isreg() or entry.issparse():
            problem = problem or "it is a link, a device or a sparse file, which is not followed"
        problem = problem or size_problem(entry.size)
        if not self._compressed and entry.offset_data + entry.size > self.file.size:
            problem = problem or "the archive ends before it does"
        start = b""
        if not problem and not suffix_of(path):
            stream.seek(entry.offset_data)
            start = stream.read(min(START, entry.size))
        time = int(entry.mtime * 1_000_000_000)
        return Member(path, entry.name, entry.size, time, entry.offset_data, problem=problem, start=start)


class _Plain(_Bounded):
    """A file: its end is no bound."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)


class _Limited:
    """A stream that refuses to give more than ``MAX_UNPACKED_BYTES``."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_UNPACKED_BYTES

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        return data


def _piece(handle: IO[bytes], entry: Member) -> IO[bytes]:
    handle.seek(entry.offset)
    data = handle.read(entry.size)
    if len(data) != entry.size:
        raise ImageError("the archive ends before it does")
    return io.BytesIO(data)
