"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from clipdex.wording import printable
from clipdex_cli.printing import say, standard_error

if TYPE_CHECKING:
    from clipdex import BuildProgress

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_DRAWINGS = 0.1
# A rate of the first moment says nothing: 1 image in a microsecond.
_SECONDS_BEFORE_AN_ESTIMATE = 2.0
_BYTES_FROM = 100_000
_BAR_WIDTH = 20
_D = TypeVar("_D", bound="_Display")


class _Display:
    """Shows how far one piece of work is. Each of its steps has a name, which may be empty."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = printable(name)
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._step: tuple[str, bool] = ("", False)
        self._begin = self._last = time.monotonic()
        self._first = 0

    def __enter__(self: _D) -> _D:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
            from rich.table import Column

            self._bar = Progress(
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
                BarColumn(bar_width=_BAR_WIDTH),
                TextColumn("{task.fields[text]}", markup=False),
                console=Console(file=standard_error()),
                transient=True,
            )
            self._task = self._bar.add_task(self._name, total=None, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _is_due(self, what: str, done: int, total: int | None) -> bool:
        """Tell whether to show this step now: it is new, or the last one is some time ago."""
        if self._quiet:
            return False
        now = time.monotonic()
        new = what != self._step[0]
        if (what, total is not None) != self._step:
            self._step = what, total is not None
            self._begin, self._first = now, done
        if not new and now - self._last < (_SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_DRAWINGS):
            return False
        self._last = now
        return True

    def _rate(self, done: int) -> float:
        """Return how much is done in a second; 0 while that is not known."""
        seconds = time.monotonic() - self._begin
        return (done - self._first) / seconds if seconds > _SECONDS_BEFORE_AN_ESTIMATE else 0.0

    def _left(self, done: int, total: int | None) -> str:
        rate = self._rate(done)
        return f"{_duration(max(total - done, 0) / rate)} left" if total and rate > 0 else ""

    def _show(self, what: str, done: int, total: int | None, *parts: str) -> None:
        text = ", ".join(filter(None, parts))
        if self._bar is not None:
            description = f"{self._name}: {printable(what)}" if what else self._name
            self._bar.update(self._task, description=description, completed=done, total=total, text=text)
        else:
            say(f"{self._name}: {', '.join(filter(None, (what, text)))}")


class BuildDisplay(_Display):
    """Shows the progress of one build; call it with each ``BuildProgress``."""

    def __call__(self, progress: BuildProgress) -> None:
        """Show one step, unless the last one was shown just now."""
        done, total = progress.done, progress.total
        if not self._is_due("", done, total):
            return
        if total is None:
            self._show("", done, total, f"{done:,} files found")
            return
        rate = self._rate(done)
        self._show(
            "",
            done,
            total,
            f"{done:,} of {total:,} images",
            f"{rate:,.0f}/s" if rate > 0 else "",
            f"{progress.failed:,} failed" if progress.failed or self._bar is None else "",
            self._left(done, total),
        )


class WorkDisplay(_Display):
    """Shows the steps of a longer piece of work; call it with what is done, how much of it, and of how much.

    Steps counted in large numbers are bytes.
    """

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show one step, unless the last one was shown just now."""
        if self._is_due(what, done, total):
            count = _count(done, total) if done or self._bar is not None else ""
            self._show(what, done, total, count, self._left(done, total))


def _count(done: int, total: int | None) -> str:
    if not total:
        return ""
    if total >= _BYTES_FROM:
        return f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
    return f"{done:,} of {total:,}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
