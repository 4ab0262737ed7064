"""Where the media of an item is, and how it is opened.

A *locator* is one text that says it: the path of a file or, for a member of an archive, the path of the archive, ``!/``
and the name of the member. Results carry locators, so that pictures can be saved long after the query.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clipdex.errors import ImageError
from clipdex.paths import base_of, is_there

MEMBER = "!/"


def locator(location: Path, item_id: str, media: str) -> str:
    """Return the locator of an item.

    Parameters
    ----------
    location
        Where the dataset is.
    item_id, media
        As the index has them: ``media`` is empty where the id is a path below the location, begins with ``!/`` where
        the location is an archive, and else is a path.
    """
    if media.startswith(MEMBER):
        return f"{location}{MEMBER}{media[len(MEMBER) :] or item_id}"
    return os.path.join(base_of(location), media or item_id)  # noqa: PTH118 - a text, for each hit


def split_locator(where: str) -> tuple[Path, str]:
    """Return the file of a locator, and the member of it that is meant, if any (else an empty text).

    A folder may have ``!`` at the end of its name: what exists as a file is a file.
    """
    if MEMBER in where and not os.path.lexists(where):
        for cut in _positions(where):
            if is_there(Path(where[:cut])):
                return Path(where[:cut]), where[cut + len(MEMBER) :]
    return Path(where), ""


def is_media_there(where: str) -> bool:
    """Tell whether the file of a locator is there; whether an archive has the member is not looked at."""
    return os.path.exists(where) or is_there(split_locator(where)[0])  # noqa: PTH110 - a text, for each hit


def _positions(where: str) -> Iterator[int]:
    cut = where.find(MEMBER)
    while cut >= 0:
        yield cut
        cut = where.find(MEMBER, cut + 1)


def open_media(where: str) -> IO[bytes]:
    """Open the media at a locator, for reading; it can seek.

    Raises
    ------
    ImageError
        When it is not there or cannot be read.
    """
    path, member = split_locator(where)
    if member:
        from clipdex.containers import open_member

        return open_member(path, member)
    return open_regular(path)


def open_regular(path: Path) -> IO[bytes]:
    """Open a file that may be anything, for reading.

    Raises
    ------
    ImageError
        When it is not there, is no regular file, or cannot be read.
    """
    try:
        # Opening a pipe would wait for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise ImageError("no such file") from error
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a text that cannot be a path
        raise ImageError("no such file") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ImageError("not a regular file")
    return os.fdopen(handle, "rb")
