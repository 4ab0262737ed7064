"""Places where the files of another disk or of a share appear while it is there: mount points, and links to them."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

# Files that name mount points, and the column that does: what is mounted now, and what is not always.
TABLES = ((Path("/proc/self/mountinfo"), 4), (Path("/etc/fstab"), 1))
# What a disk without files of its user has in it.
OF_THE_DISK = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
_OCTAL = re.compile(rb"\\([0-7]{3})")


def may_be_there(path: str, error: OSError | ValueError) -> bool:
    """Tell whether there may be a file of a path although looking at it failed.

    So it is where permission is denied. Where there is no such file, its disk may be away: at the end of a link that
    leads to nothing, and below an empty mount point.

    Parameters
    ----------
    path
        Absolute path.
    error
        What looking at it raised.
    """
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return isinstance(error, OSError)
    place = path
    try:
        while not os.path.exists(place):  # noqa: PTH110 - millions of them
            if os.path.islink(place):  # noqa: PTH114
                return True
            if place == (above := os.path.dirname(place)):  # noqa: PTH120
                return False
            place = above
        status = os.stat(place)  # noqa: PTH116
        return _is_bare(place, status.st_dev, status.st_ino, status.st_mtime_ns) and is_mount_point(place)
    except OSError as failed:
        return not isinstance(failed, (FileNotFoundError, NotADirectoryError))


@functools.lru_cache(1024)
def _is_bare(folder: str, *state: int) -> bool:
    """Tell whether a folder, in the state that these numbers stand for, holds nothing of its user."""
    with os.scandir(folder) as entries:
        return holds_nothing(entry.name for entry in entries)


def holds_nothing(names: Iterable[str]) -> bool:
    """Tell whether a folder with files and folders of these names holds nothing of its user."""
    return all(name.startswith(".") or name in OF_THE_DISK for name in names)


def is_mount_point(folder: str) -> bool:
    """Tell whether something is mounted at a folder, or is to be mounted there according to the system's table."""
    real = os.path.realpath(folder)
    return os.path.ismount(real) or os.fsencode(real) in _named()


def _named() -> set[bytes]:
    """Return the mount points that the tables of the system name; none where there are no such tables."""
    found = set()
    for table, column in TABLES:
        with contextlib.suppress(OSError):
            for line in table.read_bytes().splitlines():
                words = line.split()
                if len(words) > column and not words[0].startswith(b"#"):
                    found.add(_OCTAL.sub(lambda code: bytes([int(code[1], 8) & 0xFF]), words[column]))
    return found
