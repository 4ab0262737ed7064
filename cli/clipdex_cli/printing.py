r"""Printing: the one place through which text reaches a terminal.

Names, labels, and what is said of them come from datasets, indexes, results, projects and models of strangers. A
control character in one could steer the terminal, hide what follows, or forge a line. So it is printed as an escape, as
``\x1b``: always in what people read, and where the output is a terminal also in data (CSV and paths). In JSON it is an
escape of JSON. Other programs get the paths and the cells of CSV as they are.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TextIO

import click

from clipdex.wording import printable

_STANDARD_ERROR = 2
# In JSON, all of these are inside of texts, but for the ends of lines.
_NOT_PLAIN = re.compile(r"[^\n -~]+")


def say(*lines: str) -> None:
    """Print a message on standard error, in one line or several."""
    for line in lines:
        click.echo(printable(line), err=True)


def write_line(line: str = "") -> None:
    """Print a line on standard output."""
    write(f"{printable(line)}\n")


def write(text: str, *, head: bool = False) -> None:
    """Print text on standard output whose ends of lines are its layout; with ``head``, its first line in bold."""
    lines = [printable(line) for line in text.split("\n")]
    if head:
        lines[0] = _bold(lines[0])
    write_as_it_is("\n".join(lines))


def write_json(value: object) -> None:
    """Print plain values on standard output, as JSON."""
    import json

    write_json_text(json.dumps(value, ensure_ascii=False, indent=1))


def write_json_text(text: str) -> None:
    """Print JSON on standard output, with every character escaped that is not printed as itself."""
    write_as_it_is(_NOT_PLAIN.sub(_escaped, text) + "\n")


def write_cells(text: str) -> None:
    """Print CSV on standard output, whose cells ``shown_cell`` made."""
    write_as_it_is(text)


def shown_cell(text: str) -> str:
    """Return a cell of CSV: as it is for other programs, and printable on a terminal."""
    return printable(text) if sys.stdout.isatty() else text


def write_paths(paths: Iterable[str], end: str) -> None:
    """Print paths on standard output, each with ``end``: their bytes, or printable where that is a terminal."""
    shown = printable if sys.stdout.isatty() else str
    write_as_it_is("".join(f"{shown(path)}{end}" for path in paths))


def write_as_it_is(text: str) -> None:
    """Print text of our own that steers the terminal, such as a picture, as UTF-8 on standard output.

    A path that is not UTF-8 is printed as its bytes.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", errors="surrogateescape"))
    sys.stdout.buffer.flush()


def complain(error: click.ClickException) -> None:
    """Print an error of usage, which repeats what was typed."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx is not None:
        click.echo(ctx.get_usage(), err=True)
        if ctx.command.get_help_option(ctx) is not None:
            say(f"Try '{ctx.command_path} {ctx.help_option_names[-1]}' for help.", "")
    say(f"Error: {error.format_message()}")


def guard_standard_error() -> None:
    """Let what libraries and Python itself print on standard error, such as a traceback, be escaped as well.

    Where it is closed, all of that goes nowhere: otherwise the next file to be opened would be standard error.
    """
    if sys.stderr is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STANDARD_ERROR)
        if nowhere != _STANDARD_ERROR:
            os.close(nowhere)
        sys.stderr = open(_STANDARD_ERROR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - of a handle
    if not isinstance(sys.stderr, _Escaping):
        sys.stderr = _Escaping(sys.stderr)
        sys.excepthook = _say_defect


def standard_error() -> TextIO:
    """Return standard error for what steers the terminal itself: a bar of progress."""
    return sys.stderr.under if isinstance(sys.stderr, _Escaping) else sys.stderr


class _Escaping(io.TextIOBase):
    """A stream of text that escapes control characters, but for the ends of lines."""

    def __init__(self, under: TextIO) -> None:
        self.under = under

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"this stream takes str, and not {type(text).__name__}")
        self.under.write("\n".join(map(printable, text.expandtabs().split("\n"))))
        return len(text)

    def flush(self) -> None:
        self.under.flush()

    def isatty(self) -> bool:
        return self.under.isatty()

    def fileno(self) -> int:
        return self.under.fileno()

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> Any:  # noqa: ANN401
        return self.under.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.under.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.under.errors


def _say_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    say(*"".join(traceback.format_exception(kind, error, trace)).splitlines())


def _escaped(found: re.Match[str]) -> str:
    text = found.group()
    return text if text.isprintable() else "".join(one if one.isprintable() else _of_json(one) for one in text)


def _of_json(one: str) -> str:
    """Return the escape of a character in JSON, which has two parts outside of the first plane."""
    units = one.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _bold(text: str) -> str:
    if not sys.stdout.isatty() or sys.platform == "win32" or os.environ.get("TERM", "dumb") == "dumb":
        return text
    return f"\x1b[1m{text}\x1b[0m"
