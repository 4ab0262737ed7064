"""Unpacking an archive of a model folder, which is untrusted: bounded, plain files only, nothing outside the folder."""

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
# What the libraries raise for damaged archives.
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
    """Tell whether a file is a ZIP or a TAR archive; one that ends in its first block is taken for none."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except DAMAGES:
        return False


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a ZIP or TAR archive; return the folder that holds its files, which is its top folder where it has one.

    Raises
    ------
    ModelCorrupt
        When it is damaged or too large, or holds a link, a device, or a name that leads out of the folder.
    """
    try:
        members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
        left = _MAX_BYTES
        for number, (name, stream) in enumerate(members):
            if number >= _MAX_FILES:
                raise ModelCorrupt(f"{archive} holds more than {_MAX_FILES:,} files.")
            target = into / _inside(name, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, target.open("xb") as file:
                left = _copy(stream, file, left, archive)
    except DAMAGES as error:
        raise ModelCorrupt(f"{archive} cannot be unpacked: {error}.") from error
    entries = list(into.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else into


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            # The upper half holds the kind of a file that was packed on Unix; 0 where it was not said.
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


def _copy(source: IO[bytes], target: IO[bytes], left: int, archive: Path) -> int:
    while block := source.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise ModelCorrupt(f"{archive} unpacks to more than {_MAX_BYTES >> 30} GiB.")
        target.write(block)
    return left
