"""Paths as users write them: any text, which need not be a path that can exist."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` with ``~`` expanded; with a ``~`` that means no known user, as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def quoted(path: str | os.PathLike[str]) -> str:
    """Return ``path`` as a command line that is advised can have it: with quotes where a shell needs them."""
    return shlex.quote(os.fspath(path))


def is_folder(path: Path) -> bool:
    """Tell whether ``path`` is a folder; what is too long or may not be looked at is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Tell whether there is something at ``path``; what is too long or may not be looked at is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_pattern(text: str) -> bool:
    """Tell whether ``text`` has a wildcard in it: ``*``, ``?`` or ``[``."""
    return _WILDCARD.search(text) is not None


def before_wildcards(pattern: Path) -> Path:
    """Return the folder that a pattern starts from: its parts before the first one with a wildcard.

    A folder that is there under such a name, as ``photos [2020]``, is no wildcard.
    """
    start = Path()
    for part in pattern.parts:
        if is_pattern(part) and not is_there(start / part):
            break
        start /= part
    return start


def base_of(location: Path) -> Path:
    """Return the folder that paths within a dataset are relative to.

    That is the location; of a file, the folder that it is in; of a pattern, the one before its first wildcard.
    """
    if is_folder(location):
        return location
    if is_there(location):
        return location.parent
    return before_wildcards(location) if is_pattern(str(location)) else location
