"""Looking at the files of a folder: one by one, or in threads where each look takes long, as on a share.

A look is a ``stat`` of the system. A directory entry of Python keeps what it said, so whoever asks the entry later has
the answer at once, in whatever order. How long looks take is measured throughout: on a disk of this machine, threads
would take longer than the looks.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from types import TracebackType

# Handing a look over to a thread takes about 30 microseconds.
_SLOW_SECONDS = 0.0002
_THREADS = 16
# Looks that are measured in each folder, and so many of the last ones say how long looks take now.
_MEASURED = 4
_LAST = 16
_AT_ONCE = 4096


class Looks:
    """Looks at files ahead of whoever needs their size and time. Enter it; leaving it ends the threads."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_LAST)
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Looks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def ahead(
        self, entries: Iterator[os.DirEntry[str]], is_wanted: Callable[[str], bool]
    ) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a folder, in their order, and look at files before they are yielded where that helps.

        Parameters
        ----------
        entries
            The entries. What cannot be looked at is left to whoever asks for it.
        is_wanted
            Tells by its name whether a file will be asked for its size and time.
        """
        slow = self._is_slow
        measured = 1 if slow else max(_MEASURED, _LAST - len(self._seconds))
        first = list(itertools.islice(entries, measured))
        for entry in first:
            if not is_wanted(entry.name):
                continue
            begin = time.perf_counter()
            _look(entry)
            self._seconds.append(time.perf_counter() - begin)
        if slow or self._is_slow:
            return self._in_threads(itertools.chain(first, entries), is_wanted)
        return itertools.chain(first, entries)

    def _in_threads(
        self, entries: Iterator[os.DirEntry[str]], is_wanted: Callable[[str], bool]
    ) -> Iterator[os.DirEntry[str]]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="clipdex-look")
        while some := list(itertools.islice(entries, _AT_ONCE)):
            deque(self._pool.map(_look, [entry for entry in some if is_wanted(entry.name)]), maxlen=0)
            yield from some

    @property
    def _is_slow(self) -> bool:
        """Whether most of the looks that were measured last took long: one may have to wait for something else."""
        return len(self._seconds) == _LAST and median(self._seconds) > _SLOW_SECONDS


def _look(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        entry.stat()
