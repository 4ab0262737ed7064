"""One writer at a time: an advisory lock on a file in the index folder.

The operating system drops the lock when its process ends, however it ends, so a dead writer never blocks a new one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from clipdex_indexes.errors import IndexLocked, IndexWriteFailed

if sys.platform == "win32":
    import msvcrt

    def _acquire(handle: IO[str]) -> None:
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _acquire(handle: IO[str]) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class WriterLock:
    """Exclusive lock of an index folder, held while the object is entered.

    Parameters
    ----------
    folder
        The index folder; it must exist.

    Raises
    ------
    IndexLocked
        On entering, when another process holds it; the message names its process id and host.
    IndexWriteFailed
        On entering, when the lock file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._handle: IO[str] | None = None

    def __enter__(self) -> WriterLock:
        try:
            handle = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise IndexWriteFailed(f"cannot write {self._path}: {error.strerror or error}.") from error
        try:
            _acquire(handle)
        except OSError as error:
            handle.seek(0)
            owner = handle.read(200).strip() or "another process"
            handle.close()
            raise IndexLocked(
                f"{self._path.parent} is being written by {owner}. Wait for it to end, then try again."
            ) from error
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.truncate(0)
            self._handle.close()
            self._handle = None
