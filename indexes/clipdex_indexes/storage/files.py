"""File primitives of the index: atomic writes, checksums, bounded reads.

A file that must never be seen half-written is always written in this way: a temporary name in the same folder, fsync,
rename, fsync of the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from clipdex_indexes.errors import IndexCorrupt, IndexFailure, IndexWriteFailed

TEMPORARY_PREFIX = ".tmp-"
_BLOCK = 1 << 20
_SAMPLE_BLOCK = 4096
_SAMPLE_BLOCKS = 16
_BINARY: int = getattr(os, "O_BINARY", 0)


# Tests set it to stop a write at a step; it is called with the name of each step.
on_step: Callable[[str], None] | None = None


def step(name: str) -> None:
    """Report that a write has reached the step ``name``."""
    if on_step is not None:
        on_step(name)


def temporary_beside(path: Path) -> Path:
    """Name a temporary file in the folder of ``path``, keeping its suffix."""
    return path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}{path.suffix}")


def fsync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable; a system that cannot sync folders is left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def fsync_file(path: Path) -> None:
    """Make the content of a file durable, also where the file is read-only or is reached through a link."""
    with path.open("rb+" if os.name == "nt" else "rb") as handle:
        os.fsync(handle.fileno())


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path to fill; on success it replaces ``path`` durably, on failure it is removed.

    Raises
    ------
    IndexWriteFailed
        When the operating system refuses (full disk, no permission); ``path`` is then unchanged.
    """
    temporary = temporary_beside(path)
    try:
        step(f"begin {path.suffix}")
        yield temporary
        step(f"written {path.suffix}")
        fsync_file(temporary)
        step(f"synced {path.suffix}")
        temporary.replace(path)
        step(f"renamed {path.suffix}")
        fsync_folder(path.parent)
        step(f"done {path.suffix}")
    except OSError as error:
        raise IndexWriteFailed(
            f"cannot write {path}: {error.strerror or error}. What was there is unchanged."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def require_utf8(folder: Path) -> None:
    """Refuse a folder whose path is not valid UTF-8.

    Raises
    ------
    IndexFailure
        When it is not.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        shown = str(folder).encode(errors="backslashreplace").decode()
        raise IndexFailure(
            f"the path {shown} is not valid UTF-8, so no index can be kept there. Name another folder with --index."
        ) from error


def atomic_write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace the contents of ``path`` by ``data``, all or nothing; with ``private``, only its owner may read it."""
    with atomic_path(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if private else 0o666)
        with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
            file.write(data)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal, reading it in blocks of 1 MiB."""
    with path.open("rb") as handle:
        return sha256_of_open(handle)


def sha256_of_open(file: IO[bytes]) -> str:
    """Return the SHA-256 of what is left of an open file, as ``sha256_of`` does."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def sample_of(path: Path) -> str:
    """Return the SHA-256 of a sample of a file, in hexadecimal: of 16 blocks of 4 KiB.

    Block ``i`` of 0 to 15 begins at ``(size - 4096) * i // 15``, so the first is at the beginning and the last at the
    end. A file of at most 64 KiB is read whole, so that its sample is its checksum.
    """
    size = path.stat().st_size
    if size <= _SAMPLE_BLOCKS * _SAMPLE_BLOCK:
        return sha256_of(path)
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as handle:
        for number in range(_SAMPLE_BLOCKS):
            handle.seek((size - _SAMPLE_BLOCK) * number // (_SAMPLE_BLOCKS - 1))
            digest.update(handle.read(_SAMPLE_BLOCK))
    return digest.hexdigest()


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a small file whole, and refuse one of more than ``limit`` bytes.

    Raises
    ------
    IndexCorrupt
        When the file is larger than ``limit``, or is a folder, a pipe or a device, which may have no end.
    OSError
        When it cannot be read.
    """
    return bytes(_read(path, limit))


def read_text(path: Path, limit: int) -> str:
    """Read a small text file in UTF-8 whole, and refuse one of more than ``limit`` bytes.

    A byte 0 ends the reading at once: a sparse file of any size takes no space on a disk, and is full of them.

    Raises
    ------
    IndexCorrupt
        As ``read_bounded``, or when there is a byte 0.
    UnicodeDecodeError
        When it is not UTF-8.
    OSError
        When it cannot be read.
    """
    return _read(path, limit, is_text=True).decode("utf-8")


def _read(path: Path, limit: int, *, is_text: bool = False) -> bytearray:
    if not path.is_file() and path.exists():
        raise IndexCorrupt(f"{path} is not a regular file.")
    data = bytearray()
    with path.open("rb") as handle:
        # Python allocates as much as it is asked to read, and a forged manifest may give any size.
        while block := handle.read(min(_BLOCK, limit + 1 - len(data))):
            if is_text and b"\0" in block:
                raise IndexCorrupt(f"{path} is not a text: byte {len(data) + block.index(0):,} of it is 0.")
            data += block
    if len(data) > limit:
        raise IndexCorrupt(f"{path} is larger than the {limit:,} bytes such a file can have.")
    return data
