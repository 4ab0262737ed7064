"""Unpacking an untrusted archive of a model folder: bounded, only regular files, and none outside the folder."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from clipdex.errors import ModelCorrupt

_MAX_FILES = 1000
_MAX_BYTES = 16 << 30
_BLOCK = 1 << 20
# The errors that the libraries raise for damaged archives.
DAMAGES = (
    OSError,
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    ValueError,
)


def is_archive(path: Path) -> bool:
    """Tell whether a file is a ZIP or a TAR archive. A file that ends within its first block is not."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except DAMAGES:
        return False


def unpack(archive: Path, into: Path, *, most_files: int = _MAX_FILES, most_bytes: int = _MAX_BYTES) -> Path:
    """Unpack a ZIP or TAR archive; return the folder that holds its files.

    That folder is the top folder of the archive where there is only one, else ``into``.

    Parameters
    ----------
    archive
        The archive.
    into
        An empty folder, or one to be made.
    most_files, most_bytes
        An archive with more of either is refused.

    Raises
    ------
    ModelCorrupt
        When the archive is damaged or too large, or holds a link, a device, or a name outside the folder.
    """
    try:
        members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
        left = most_bytes
        for number, (name, stream) in enumerate(members):
            if number >= most_files:
                raise ModelCorrupt(f"{archive} holds more than {most_files:,} files.")
            target = into / _inside(name, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, target.open("xb") as file:
                left -= _copy(stream, file, left)
            if left < 0:
                raise ModelCorrupt(f"{archive} unpacks to more than {most_bytes / (1 << 30):g} GiB.")
    except DAMAGES as error:
        raise ModelCorrupt(f"{archive} cannot be unpacked: {error}.") from error
    entries = list(into.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else into


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            # The upper half holds the type of a file that was packed on Unix, and 0 where there is none.
            if (entry.external_attr >> 28) not in (0, 0o4, 0o10):
                raise ModelCorrupt(f"{path} holds {entry.filename!r}, which is a link or a device.")
            if not entry.is_dir():
                yield entry.filename, archive.open(entry)


def _tar_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isdir():
                continue
            stream = archive.extractfile(entry) if entry.isreg() else None
            if stream is None:
                raise ModelCorrupt(f"{path} holds {entry.name!r}, which is a link or a device.")
            yield entry.name, stream


def _inside(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    odd = "\\" in name or "\0" in name or ":" in name
    if odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise ModelCorrupt(f"{archive} holds {name!r}, which would be written outside the folder.")
    return path


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> int:
    """Copy until the end, or until more than ``most`` bytes came; return how many were read."""
    read = 0
    while read <= most and (block := source.read(_BLOCK)):
        read += len(block)
        target.write(block)
    return read
