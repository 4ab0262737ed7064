"""What Datumaro and the libraries under it log, warn of and print: held back while they work, and handed on if wanted.

Datumaro logs to the root logger, which then prints on standard error, and warns of its own plugins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

PACKAGE = "datumaro"
# Datumaro is not safe for threads: it keeps state of plugins and open files without locks.
LOCK = threading.RLock()
# Called with a warning or an error in one line.
Heard = Callable[[str], None]
# Warnings of others are about their own code, such as what will be dropped from it.
_OF_DATA = (UserWarning, RuntimeWarning)
_STANDARD_ERROR = 2
# Of what libraries print, so many bytes are heard.
_MOST_PRINTED = 1 << 16


def _ignore(sentence: str) -> None:
    pass


@contextlib.contextmanager
def quiet(heard: Heard = _ignore) -> Iterator[None]:
    """Let Datumaro work without logging, warnings and prints; one thread at a time.

    Parameters
    ----------
    heard
        Called with each warning and error that it reports meanwhile, in one line.
    """

    def hear(text: object) -> None:
        if line := " ".join(str(text).split()):
            heard(line)

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, _OF_DATA):
            hear(message)

    with LOCK, warnings.catch_warnings(), _logging(hear), _printing(hear):
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


class _Listener(logging.Handler):
    """Hears what is logged, and hands it to nobody else."""

    def __init__(self, hear: Heard) -> None:
        super().__init__(logging.WARNING)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(record.getMessage())

    def lets_pass(self, record: logging.LogRecord) -> bool:
        """Tell whether to let a record pass that is not of Datumaro; hear one that is."""
        if f"/{PACKAGE}/" not in record.pathname.replace("\\", "/"):
            return True
        if record.levelno >= self.level:
            self.emit(record)
        return False


@contextlib.contextmanager
def _logging(hear: Heard) -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger(PACKAGE)
    # With a handler there, the first message does not configure the root logger to print.
    handler, listener, propagates = logging.NullHandler(), _Listener(hear), own.propagate
    root.addHandler(handler)
    root.addFilter(listener.lets_pass)
    own.addHandler(listener)
    own.propagate = False
    try:
        yield
    finally:
        own.propagate = propagates
        own.removeHandler(listener)
        root.removeFilter(listener.lets_pass)
        root.removeHandler(handler)


class _Printed:
    """Stands for a stream: the threads that were there before print on, and what this one and new ones print is kept.

    Parameters
    ----------
    stream
        The stream.
    beside
        Where the threads that were there before print.
    hear
        Called with each line that was printed. Lines that overwrite themselves, such as bars of progress, are none.
    """

    def __init__(self, stream: TextIO, beside: TextIO, hear: Heard) -> None:
        self._stream = stream
        self._beside = beside
        self._hear = hear
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        self._begun = ""

    def write(self, text: str) -> int:
        if threading.get_ident() in self._others:
            return self._beside.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if "\r" not in line:
                self._hear(line)
        return len(text)

    def flush(self) -> None:
        self._beside.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)


@contextlib.contextmanager
def _printing(hear: Heard) -> Iterator[None]:
    out, err = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        beside = stack.enter_context(_descriptor(err, hear))
        if out is not None:
            sys.stdout = _Printed(out, out, _ignore)
        if err is not None:
            sys.stderr = _Printed(err, beside, hear)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


@contextlib.contextmanager
def _descriptor(err: TextIO, hear: Heard) -> Iterator[TextIO]:
    """Hold back what libraries in C print on standard error; yield a stream that still leads there."""
    try:
        is_there = err.fileno() == _STANDARD_ERROR
        kept = os.dup(_STANDARD_ERROR)
    except (OSError, ValueError, AttributeError):  # there is none, or another stream stands for it
        yield err
        return
    with tempfile.TemporaryFile() as file, os.fdopen(kept, "w", 1, err.encoding, err.errors) as beside:
        err.flush()
        os.dup2(file.fileno(), _STANDARD_ERROR)
        try:
            yield beside if is_there else err
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            file.seek(0)
            for line in file.read(_MOST_PRINTED).decode(errors="replace").splitlines():
                hear(line)
