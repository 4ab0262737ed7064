"""Progress of a build on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clipdex import BuildProgress

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_DRAWINGS = 0.1
_SECONDS_BEFORE_AN_ESTIMATE = 2.0
_BYTES_FROM = 100_000


class BuildDisplay:
    """Shows the progress of one build; call it with each ``BuildProgress``."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._last = time.monotonic()
        self._begin: float | None = None

    def __enter__(self) -> BuildDisplay:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._name, total=None, rate="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: BuildProgress) -> None:
        """Show one step, unless the last one was shown just now."""
        if self._quiet:
            return
        now = time.monotonic()
        if progress.total is not None and self._begin is None:
            self._begin = now
        if now - self._last < (_SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_DRAWINGS):
            return
        self._last = now
        rate = progress.done / max(now - self._begin, 1e-6) if self._begin is not None else 0.0
        if self._bar is not None:
            self._bar.update(
                self._task, completed=progress.done, total=progress.total, rate=f"{rate:,.0f}/s" if rate else ""
            )
        elif progress.total is None:
            click.echo(f"{self._name}: {progress.done:,} files found", err=True)
        else:
            left = (progress.total - progress.done) / rate if rate else 0.0
            click.echo(
                f"{self._name}: {progress.done:,} of {progress.total:,} images, {rate:,.0f}/s, "
                f"{progress.failed:,} failed, {_duration(left)} left",
                err=True,
            )


class WorkDisplay:
    """Shows the steps of a longer piece of work; call it with what is done, how much of it, and of how much.

    Steps counted in large numbers are bytes.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._what = ""
        self._last = self._begin = 0.0
        self._first = 0

    def __enter__(self) -> WorkDisplay:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[count]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._name, total=None, count="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show one step, unless the last one was shown just now."""
        if self._quiet:
            return
        now = time.monotonic()
        new = what != self._what
        between = _SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_DRAWINGS
        if not new and now - self._last < between:
            return
        if new:
            self._begin, self._first = now, done
        self._what, self._last = what, now
        count = _count(done, total)
        seconds = now - self._begin
        if count and done > self._first and seconds > _SECONDS_BEFORE_AN_ESTIMATE:
            count += f", {_duration(seconds / (done - self._first) * max(total - done, 0))} left" if total else ""
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self._name}: {what}", completed=done, total=total, count=count)
        else:
            click.echo(f"{self._name}: {what}{f', {count}' if count and done else ''}", err=True)


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
