"""Reading an image from standard input, which is named ``-``."""

from __future__ import annotations

import sys

import click

STANDARD_INPUT = "-"
MOST_BYTES = 256 << 20


def read_image() -> bytes:
    """Return all of standard input.

    Raises
    ------
    UsageError
        When it is a terminal, or closed.
    QueryImageError
        When it is empty, or longer than ``MOST_BYTES``.
    """
    from clipdex.errors import QueryImageError

    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError(
            "--image - reads an image from standard input, and nothing is sent there: give it one, as in "
            "clipdex query PHOTOS --image - < cat.jpg. (A file of that name is ./-)"
        )
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    if not content:
        raise QueryImageError("the query image '-' cannot be used: standard input is empty.")
    if len(content) > MOST_BYTES:
        raise QueryImageError(
            f"the query image '-' cannot be used: standard input has more than {MOST_BYTES >> 20} MiB. Give a file."
        )
    return content
