"""Reading small files whole, in bounded memory: files of labels and what describes a dataset."""

from __future__ import annotations

import os
import stat

# Of larger files the beginning is read.
MOST_BYTES = 16 << 20
_USUAL_BYTES = 1 << 13
_MOST_AT_ONCE = 1 << 20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_start(path: str, most: int = MOST_BYTES) -> bytes | None:
    """Return a file, or its beginning where it has more than ``most`` bytes; None where there is no such file.

    Raises
    ------
    OSError
        When it cannot be read, or is no regular file.
    """
    try:
        handle = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    try:
        data = os.read(handle, min(_USUAL_BYTES, most))
        if not data and not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is not a regular file")
        # A share may return less than it was asked for although more follows: only nothing is the end.
        blocks = [data]
        left = most - len(data)
        while left > 0 and (data := os.read(handle, min(left, _MOST_AT_ONCE))):
            blocks.append(data)
            left -= len(data)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)
    finally:
        os.close(handle)
