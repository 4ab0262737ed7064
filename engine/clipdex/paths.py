"""Paths as users write them: any text, which need not be a path that can exist."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` with ``~`` expanded; with a ``~`` that means no known user, as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


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
