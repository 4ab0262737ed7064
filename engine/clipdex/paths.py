"""Paths from users, which can be any text: functions here do not fail on a path that cannot exist."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")
# ``Path`` makes one slash of two.
_URL = re.compile(r"[a-z][a-z0-9+.-]+://.|(?:https?|ftps?|file|s3|gs|hf|az|abfss?):/.", re.IGNORECASE | re.DOTALL)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` with ``~`` expanded, or unchanged where ``~`` names no known user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def quoted(path: str | os.PathLike[str]) -> str:
    """Return ``path`` for a command line in a message, in quotes where a shell needs them."""
    return shlex.quote(os.fspath(path))


def is_folder(path: Path) -> bool:
    """Tell whether ``path`` is a folder; False for a path that is too long or not accessible."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Tell whether ``path`` is a file; False for a path that is too long or not accessible."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Tell whether ``path`` exists; False for a path that is too long or not accessible."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_url(text: str) -> bool:
    """Tell whether ``text`` is the address of something on a network, and no path of something that exists."""
    return _URL.match(text) is not None and not is_there(Path(text))


def is_pattern(text: str) -> bool:
    """Tell whether ``text`` contains a wildcard: ``*``, ``?`` or ``[``."""
    return _WILDCARD.search(text) is not None


def before_wildcards(pattern: Path) -> Path:
    """Return the folder where a pattern starts: its parts before the first one with a wildcard.

    The name of an existing folder, for example ``photos [2020]``, is not a wildcard.
    """
    start = Path()
    for part in pattern.parts:
        if is_pattern(part) and not is_there(start / part):
            break
        start /= part
    return start


def base_of(location: Path) -> Path:
    """Return the folder to which the paths of a dataset are relative.

    A folder is its own base. The base of a file is its parent, that of a pattern the folder before its first wildcard.
    """
    if is_folder(location):
        return location
    if is_there(location):
        return location.parent
    return before_wildcards(location) if is_pattern(str(location)) else location
