"""Looking at the files of a folder: one by one, or in threads where each look takes long, as on a share.

A look is a ``stat`` of the system. A directory entry of Python keeps what it said, so whoever asks the entry later has
the answer at once, in whatever order. How long looks take is measured throughout: on a disk of this machine, threads
would take longer than the looks.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from types import TracebackType

# Handing a look over to a thread takes about 30 microseconds.
_SLOW_SECONDS = 0.0002
_THREADS = 16
_MEASURED = 16


class Looks:
    """Looks at files ahead of whoever needs their size and time. Enter it; leaving it ends the threads."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_MEASURED)
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Looks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def look(self, entries: Sequence[os.DirEntry[str]]) -> None:
        """Look at files, if that is worth while; what cannot be looked at is left to whoever asks for it."""
        slow = self._is_slow
        measured = entries[: 1 if slow else _MEASURED]
        for entry in measured:
            begin = time.perf_counter()
            _look(entry)
            self._seconds.append(time.perf_counter() - begin)
        if (slow or self._is_slow) and len(entries) > len(measured):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="clipdex-look")
            deque(self._pool.map(_look, entries[len(measured) :]), maxlen=0)

    @property
    def _is_slow(self) -> bool:
        """Whether most of the looks that were measured last took long: one may have to wait for something else."""
        return len(self._seconds) == _MEASURED and median(self._seconds) > _SLOW_SECONDS


def _look(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        entry.stat()
