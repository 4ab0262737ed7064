"""Which folders are mount points: places where the files of another disk or of a share appear while it is there."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

# Files that name mount points, and the column that does: what is mounted now, and what is not always.
TABLES = ((Path("/proc/self/mountinfo"), 4), (Path("/etc/fstab"), 1))
# What a disk without files of its user has in it.
OF_THE_DISK = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
_OCTAL = re.compile(rb"\\([0-7]{3})")


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
