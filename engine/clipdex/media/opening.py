"""Opening an image by its locator: a file, or a member of a container (a file that holds many images).

Nothing but the locator is needed. It may come from elsewhere, in a saved result, so sizes are bounded, and no member of
an archive leads out of it.

A *kind* of container is a module of two functions. ``fits(path, member)`` says, from names and the beginning of the
file, whether the file is of that kind; ``open_container(path)`` returns a ``Container``. A file may be of several
kinds, such as an archive that is also a dataset of Datumaro. Modules above this room add kinds with ``add_kind``. A
container may have a method ``find(member)`` too, which returns where the bytes of a member are (``Found`` in
``members``).
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

# Names of modules, imported when a member is opened; the first that fits opens the file.
_KINDS = ["clipdex.media.zips", "clipdex.media.tars", "clipdex.media.parquet"]
# Containers kept open: opening one reads the names of all its members.
_KEPT = 4


class Container(Protocol):
    """An open container; several threads may use it at once."""

    def open(self, member: str) -> IO[bytes]:
        """Open one member, for reading; it can seek. Raises ``ImageError`` where that is impossible."""
        ...


class Kept:
    """The containers that were used last; a file that has changed is opened again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[tuple[object, ...], Container] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, opener: Callable[[Path], Container]) -> Container:
        """Return the container at ``path``; ``opener`` opens it where it is not open, or has changed."""
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
    """Add a kind of container by the name of its module; the kinds that are known already come first."""
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
        opened = _open_as(name, path, member)
        if isinstance(opened, ImageError):
            first = first or opened
        elif opened is not None:
            return opened
    raise first or ImageError(f"{path.name} is no archive that can be read")


def container_of(path: Path, member: str) -> Container | None:
    """Open the container that ``open_member`` opens first; None where the file is none, or cannot be read."""
    for name in _KINDS:
        module = importlib.import_module(name)
        try:
            if module.fits(path, member):
                container: Container = _kept.get(path, module.open_container)
                return container
        except (OSError, ImageError, DatasetError, ExtraMissing):
            continue
    return None


def _open_as(kind: str, path: Path, member: str) -> IO[bytes] | ImageError | None:
    """Open a member of a container of one kind; return the error, or None where the file is of another kind."""
    module = importlib.import_module(kind)
    try:
        return _kept.get(path, module.open_container).open(member) if module.fits(path, member) else None
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(f"cannot be read: {error.strerror or error}")
    except (DatasetError, ExtraMissing) as error:
        return ImageError(error.message.rstrip("."))
