"""Files and values that are kept for a while: the least recently used go first."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

from clipdex_indexes.errors import IndexWriteFailed
from clipdex_indexes.storage.files import atomic_write

_NAME = re.compile(r"[0-9a-f]{64}")
# After files were deleted, so much of the limit is used.
_FILLED = 0.9
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class KeptValues(Generic[_Key, _Value]):
    """Values by key, in memory, for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the value of a key; ``make`` makes it where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


class KeptFiles:
    """Files in a folder, by a SHA-256 in hexadecimal, for several threads and processes.

    Parameters
    ----------
    folder
        Where they are.
    most_bytes
        When they are more than that, those that were used least recently are deleted.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._bytes: int | None = None
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """Return where the file of a name is, or would be."""
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name of a kept file.")
        return self._folder / name[:2] / name

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, which counts as used; None where it is not there."""
        path = self.path(name)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def write(self, name: str, content: bytes) -> bool:
        """Keep a file; return whether that was possible, which it is not on a full disk."""
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic_write(path, content)
        except (OSError, IndexWriteFailed):
            return False
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += len(content)
            if self._bytes > self._most_bytes:
                self._bytes = self._make_room(path)
        return True

    def _files(self) -> list[tuple[int, int, Path]]:
        """Return time of use, size and path of each file."""
        found = []
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            if _NAME.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime_ns, status.st_size, path))
        return found

    def _make_room(self, newest: Path) -> int:
        files = self._files()
        left = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if left <= self._most_bytes * _FILLED:
                break
            if path != newest:
                with contextlib.suppress(OSError):
                    path.unlink()
                left -= size
        return left
