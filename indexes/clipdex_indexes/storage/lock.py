"""One writer at a time: an advisory lock on a file in the index folder.

The operating system releases the lock when its process ends, however it ends. So a dead writer never blocks a new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from clipdex_indexes.errors import IndexLocked, IndexWriteFailed

if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes against readers too, so the locked byte is beyond the text that names the owner.
    _LOCKED_BYTE = 1 << 30

    def _acquire(handle: IO[str]) -> None:
        os.lseek(handle.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _acquire(handle: IO[str]) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(path: str, flags: int) -> int:
    # A writer empties the file. In an index from elsewhere, it may be a link to a file that must not be emptied.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


# Errors of the operating system when another process holds the lock. All others mean that locking does not work.
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


# A lock file is empty or names its owner.
_OWNER = re.compile(r"(?:process \d+ on .*)?", re.DOTALL)


_POLL_SECONDS = 0.1


class WriterLock:
    """Exclusive lock of an index folder, held while the object is entered.

    Parameters
    ----------
    folder
        The index folder; it must exist.
    wait
        Wait as long as another process holds it.
    waiting
        Called with the owner, such as ``process 7 on host``, when waiting for that owner begins.

    Raises
    ------
    IndexLocked
        On entering, when another process holds it and ``wait`` is off; the message names its process id and host.
    IndexWriteFailed
        On entering, when the lock file cannot be made.
    """

    def __init__(self, folder: Path, *, wait: bool = False, waiting: Callable[[str], None] | None = None) -> None:
        self._path = folder / "lock"
        self._wait = wait
        self._waiting = waiting
        self._handle: IO[str] | None = None

    def __enter__(self) -> WriterLock:
        handle = self._acquired()
        try:
            handle.seek(0)
            if not _OWNER.fullmatch(handle.read(400)):
                raise IndexWriteFailed(f"{self._path} is a file of somebody else's: name another folder with --index.")
            handle.truncate(0)
            os.write(handle.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
        except OSError as error:
            handle.close()
            raise self._failed(error) from error
        except BaseException:
            handle.close()
            raise
        self._handle = handle
        return self

    def _acquired(self) -> IO[str]:
        told = ""
        while True:
            try:
                handle = open(self._path, "a+", encoding="utf-8", errors="replace", opener=_open)  # noqa: SIM115
            except OSError as error:
                raise self._failed(error) from error
            try:
                _acquire(handle)
                if self._is_in_place(handle):
                    return handle
                handle.close()
                continue
            except OSError as error:
                if error.errno not in _HELD:
                    handle.close()
                    raise self._failed(error) from error
                handle.seek(0)
                # For a moment after it is taken, and before it is released, a lock names nobody.
                owner = handle.read(200).strip() or told or "another process"
                handle.close()
                if not self._wait:
                    raise IndexLocked(
                        f"{self._path.parent} is being written by {owner}. Wait for it to end, then try again."
                    ) from error
            except BaseException:
                handle.close()
                raise
            if owner != told and self._waiting is not None:
                self._waiting(owner)
            told = owner
            time.sleep(_POLL_SECONDS)

    def _is_in_place(self, handle: IO[str]) -> bool:
        """Tell whether the locked file is still the one that other processes would lock."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(handle.fileno()), self._path.stat())
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.truncate(0)
            self._handle.close()
            self._handle = None

    def _failed(self, error: OSError) -> IndexWriteFailed:
        return IndexWriteFailed(
            f"cannot lock {self._path}: {error.strerror or error}. Name a folder that can be written with --index."
        )
