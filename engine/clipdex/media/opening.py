"""Opening the media of an item: a file, or a member of a file that holds those of many (ZIP, TAR, Parquet).

A *kind* of container is a module of two functions: ``fits(path, member)`` says, from names and the beginning of the
file, whether it is of that kind, and ``open_container(path)`` opens it. What it opens has ``open(member)``. A file may
be of several kinds: an archive is one, and a dataset that Datumaro reads.
"""

from __future__ import annotations

import importlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from clipdex.errors import DatasetError, ExtraMissing, ImageError
from clipdex.media.files import open_regular
from clipdex.media.locators import split_locator

# Modules, imported when a member is asked for, in the order in which they are asked whether a file is theirs.
_KINDS = ["clipdex.media.zips", "clipdex.media.tars", "clipdex.media.parquet"]
# Containers kept open: opening one reads the names of all its members.
_KEPT = 4


class Container(Protocol):
    """An open container; several threads may use it at once."""

    def open(self, member: str) -> IO[bytes]:
        """Open one member, for reading; it can seek. Raises ``ImageError`` where that is impossible."""
        ...


class Kept:
    """The containers that were used last, by path, size and modification time of their files."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[tuple[object, ...], Container] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, opener: Callable[[Path], Container]) -> Container:
        """Return the container at ``path``, opened by ``opener`` where it is not open, or has changed."""
        status = path.stat()
        key = (path, opener, status.st_size, status.st_mtime_ns, status.st_ino)
        with self._lock:
            container = self._open.pop(key, None) or opener(path)
            self._open[key] = container
            if len(self._open) > self._most:
                self._open.popitem(last=False)
            return container


_kept = Kept(_KEPT)


def add_kind(module: str) -> None:
    """Let a module, given by its name, open containers too; those that are known already are asked before it."""
    if module not in _KINDS:
        _KINDS.append(module)


def open_media(where: str) -> IO[bytes]:
    """Open the media at a locator, for reading; it can seek.

    Raises
    ------
    ImageError
        When it is not there or cannot be read.
    """
    path, member = split_locator(where)
    if member:
        return open_member(path, member)
    return open_regular(path)


def open_member(path: Path, member: str) -> IO[bytes]:
    """Open a member of a container of any kind, for reading; it can seek.

    Raises
    ------
    ImageError
        When the file is no container, has no such member, or it cannot be read.
    """
    first: ImageError | None = None
    for name in _KINDS:
        found = _open_as(name, path, member)
        if isinstance(found, ImageError):
            first = first or found
        elif found is not None:
            return found
    raise first or ImageError(f"{path.name} is no archive that can be read")


def _open_as(kind: str, path: Path, member: str) -> IO[bytes] | ImageError | None:
    """Open a member of a container of one kind; return why that is impossible, or None where it is of another kind."""
    module = importlib.import_module(kind)
    try:
        return _kept.get(path, module.open_container).open(member) if module.fits(path, member) else None
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(f"cannot be read: {error.strerror or error}")
    except (DatasetError, ExtraMissing) as error:
        return ImageError(error.message.rstrip("."))
