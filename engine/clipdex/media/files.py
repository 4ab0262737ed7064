"""Opening regular files, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from clipdex.errors import ImageError


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading; the path may lead to anything.

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
