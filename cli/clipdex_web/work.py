"""Work beside the event loop, in bounded pools of threads: refused when too much waits, dropped with its client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from starlette.requests import Request

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Busy(Exception):
    """Too much work waits already."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Pool:
    """A few threads, and a queue of bounded length. It belongs to one event loop.

    Parameters
    ----------
    name
        What the threads are called.
    workers
        Number of threads.
    most_waiting
        Calls that may wait for a thread.
    """

    def __init__(self, name: str, workers: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._most = workers + most_waiting
        self._pending = 0

    async def run(self, request: Request, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a thread, and return what it returns.

        Raises
        ------
        Busy
            At once, when too many calls wait.
        ClientGone
            When the client left before; a call that was waiting is not made any more.
        """
        answer = self._begun(lambda: call(*args, **kwargs))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientGone
            return answer.result()
        finally:
            leaving.cancel()
            if not answer.done():
                answer.cancel()

    async def answer(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in a thread, and return what it returns.

        Where the task is cancelled while the call waits, it is not made any more.

        Raises
        ------
        Busy
            At once, when too many calls wait.
        """
        return await self._begun(lambda: call(*args, **kwargs))

    def _begun(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        if self._pending >= self._most:
            raise Busy
        self._pending += 1
        work = self._executor.submit(call)
        work.add_done_callback(_at(asyncio.get_running_loop(), self._ended))
        return asyncio.wrap_future(work)

    def close(self) -> None:
        """Drop what waits; what runs is let go on."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _ended(self) -> None:
        self._pending -= 1


def _at(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> Callable[[object], None]:
    """Return a callback for any thread that lets a loop make a call."""

    def later(work: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(call)

    return later


async def _left(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
