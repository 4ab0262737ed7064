"""The pool of threads that all searches of a process share."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from clipdex_indexes.kernels import library

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Part = TypeVar("Part")
Result = TypeVar("Result")


def available_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(call: Callable[[Part], Result], parts: Sequence[Part], *, here: bool) -> list[Result]:
    """Call ``call`` with each part and return the results in order of the parts.

    Parameters
    ----------
    call
        What to do with a part. It must not use the pool itself.
    parts
        The parts.
    here
        Use the calling thread instead of the pool: small work costs less than handing it over.
    """
    return list(map(call, parts) if here else _pool().map(call, parts))


def stream(steps: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """Run steps in the pool, a few ahead of the caller, and yield their results in order of the steps."""
    ahead = 2 * available_threads()
    waiting: deque[Future[Result]] = deque()
    try:
        for step in steps:
            waiting.append(_pool().submit(step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # late: a small search needs no thread

    return ThreadPoolExecutor(
        available_threads(), thread_name_prefix="clipdex-search", initializer=library.keep_to_one_thread
    )


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: a child that kept the pool would wait for them for ever.
    os.register_at_fork(after_in_child=_pool.cache_clear)
