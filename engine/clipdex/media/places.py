"""Places: which locators lead to the same bytes on disk.

Two paths lead to one file where device and inode are the same: hard links, links and what they lead to, a folder that
has two names. A share that is mounted twice may show one file on two devices: inode, size, and the times of both its
content and its inode are the same then, of which nobody can set the last. Two members are one where their containers
are one file, and their names or their data are the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from clipdex.errors import ImageError
from clipdex.media.contents import content_of
from clipdex.media.files import open_regular
from clipdex.media.locators import split_locator
from clipdex.media.members import Found
from clipdex.media.opening import Container, container_of

_TOKEN_BYTES = 16


class Place(NamedTuple):
    """Where bytes are.

    Attributes
    ----------
    token
        16 bytes, the same for two locators that lead to the same bytes.
    there
        Whether there is a file, or a member, now.
    size, mtime_ns
        Its size in bytes and its modification time in nanoseconds, as a reader takes them; 0 where they are not known.
    content
        The hash of its content, where size and time are not known; otherwise 0.
    elsewhere
        16 bytes, the same for two locators that lead to the same bytes through different devices; empty where that is
        not known.
    """

    token: bytes
    there: bool
    size: int = 0
    mtime_ns: int = 0
    content: int = 0
    elsewhere: bytes = b""


class Places:
    """Finds the places of locators. One thread at a time may use it; it keeps the last container open."""

    def __init__(self) -> None:
        self._last: tuple[Path, Container | None] | None = None

    def find(self, where: str) -> Place:
        """Return the place of a locator; nothing is raised for what is not there."""
        try:
            return _file(where)
        except (OSError, ValueError):
            path, member = split_locator(where)
            return self._member(path, member) if member else nowhere(where)

    def _member(self, path: Path, member: str) -> Place:
        try:
            file = _file(str(path))
            if self._last is None or self._last[0] != path:
                self._last = path, container_of(path, member)
            container = self._last[1]
            find = getattr(container, "find", None)
            if container is None:
                return nowhere(f"{path}!/{member}")
            found = Found(member) if find is None else find(member)
            if isinstance(found.data, Path):
                return _outside(found.data)
        except (OSError, ValueError, ImageError):
            return nowhere(f"{path}!/{member}")
        return Place(
            _token(file.token, found.data),
            True,
            found.size,
            found.mtime_ns,
            found.content,
            _token(file.elsewhere, found.data) if file.elsewhere else b"",
        )


def nowhere(where: str) -> Place:
    """Return the place of a locator of which nothing can be found out; its path decides, with links followed."""
    try:
        path = os.path.normcase(os.path.realpath(where))
    except (OSError, ValueError):
        path = where
    return Place(_token(path), False)


def _file(where: str) -> Place:
    status = os.stat(where)  # noqa: PTH116 - a text, for each item
    if not stat.S_ISREG(status.st_mode):
        return nowhere(where)
    if not status.st_ino:  # a file system that numbers no files
        return nowhere(where)._replace(there=True, size=status.st_size, mtime_ns=status.st_mtime_ns)
    size, time, number = status.st_size, status.st_mtime_ns, status.st_ino
    elsewhere = _token(number, size, time, status.st_ctime_ns)
    return Place(_token(status.st_dev, number), True, size, time, elsewhere=elsewhere)


def _outside(path: Path) -> Place:
    """Return the place of a file that a member names; the reader takes neither its size nor its time, but its content.

    Raises
    ------
    OSError, ValueError, ImageError
        When it cannot be read.
    """
    place = _file(str(path))
    with open_regular(path) as file:
        return place._replace(size=0, mtime_ns=0, content=content_of(file)[0])


def _token(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(errors="backslashreplace"), digest_size=_TOKEN_BYTES).digest()
