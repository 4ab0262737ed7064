"""Work that takes longer than a page should wait: done once in the background, with its progress, and kept a while."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

from clipdex_web.work import Busy

Progress = Callable[[str, int, int], None]
_Value = TypeVar("_Value")
# Seconds. What is done sooner is on the first page.
_WAIT = 1.0
_MOST_KEPT = 8
_MOST_WAITING = 8


class Count(NamedTuple):
    """How far work is: what is counted, how much of it is done, and of how much; 0 of 0 before it begins."""

    what: str = "waiting"
    done: int = 0
    total: int = 0

    @property
    def said(self) -> str:
        """How much is done, in words."""
        return f"{self.done:,} {'' if self.what.startswith('percent ') else f'of {self.total:,} '}{self.what}"


class _Stopped(Exception):
    """The server ends."""


@dataclass(eq=False)
class _Job:
    answer: Future[Any] = field(default_factory=Future)
    count: Count = field(default_factory=Count)


class LongWork:
    """One thread for long work, and what it has made lately, by its question. Several threads may use it.

    Parameters
    ----------
    name
        What the thread is called.
    """

    def __init__(self, name: str = "clipdex-long-work") -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._jobs: OrderedDict[Hashable, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    async def ask(self, question: Hashable, make: Callable[[Progress], _Value], wait: float = _WAIT) -> _Value | Count:
        """Return what ``make`` makes, or how far it is where that takes longer than ``wait`` seconds.

        Work that fails raises its error to whoever asks next, and is then forgotten.

        Raises
        ------
        Busy
            When too much other work waits.
        """
        job = self._job(question, make)
        await asyncio.wait((asyncio.wrap_future(job.answer),), timeout=wait)
        if not job.answer.done():
            return job.count
        if job.answer.exception() is not None:
            self.forget(question)
        return cast(_Value, job.answer.result())

    def knows(self, question: Hashable) -> bool:
        """Tell whether work was asked for, and is not forgotten."""
        with self._lock:
            return question in self._jobs

    def forget(self, question: Hashable) -> None:
        """Drop what was made, so that it is made anew; what is being made goes on."""
        with self._lock:
            if question in self._jobs and self._jobs[question].answer.done():
                del self._jobs[question]

    def close(self) -> None:
        """Drop what waits, and end what runs where it next says how far it is."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _job(self, question: Hashable, make: Callable[[Progress], _Value]) -> _Job:
        with self._lock:
            if question not in self._jobs:
                if sum(not job.answer.done() for job in self._jobs.values()) > _MOST_WAITING:
                    raise Busy
                self._jobs[question] = job = _Job()
                self._executor.submit(self._run, job, make)
            self._jobs.move_to_end(question)
            done = [question for question, job in self._jobs.items() if job.answer.done()]
            for old in done[: max(0, len(done) - _MOST_KEPT)]:
                del self._jobs[old]
            return self._jobs[question]

    def _run(self, job: _Job, make: Callable[[Progress], Any]) -> None:
        def report(what: str, done: int, total: int) -> None:
            if self._closed:
                raise _Stopped
            job.count = Count(what, done, total)

        try:
            job.answer.set_result(make(report))
        except Exception as error:  # noqa: BLE001 - whoever asks raises it
            job.answer.set_exception(error)
