"""The user's folders: models, compiled models and the last result, which belong to no dataset."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clipdex.errors import OutputError
from clipdex.paths import expanded

HOME_VARIABLE = "CLIPDEX_HOME"
# The variable and the folder below the user's home, as the XDG Base Directory Specification has them.
_ON_LINUX = {
    "user_data_dir": ("XDG_DATA_HOME", ".local/share"),
    "user_cache_dir": ("XDG_CACHE_HOME", ".cache"),
    "user_state_dir": ("XDG_STATE_HOME", ".local/state"),
}


def data_folder() -> Path:
    """Return the folder of the user's data: ``$CLIPDEX_HOME``, or the platform's (``~/.local/share/clipdex``)."""
    return _folder("", "user_data_dir")


def cache_folder() -> Path:
    """Return the cache folder: ``$CLIPDEX_HOME/cache``, or the platform's (``~/.cache/clipdex``)."""
    return _folder("cache", "user_cache_dir")


def state_folder() -> Path:
    """Return the folder of the last result: ``$CLIPDEX_HOME/state``, or the platform's (``~/.local/state/clipdex``)."""
    return _folder("state", "user_state_dir")


def _folder(below: str, kind: str) -> Path:
    """Return one of the folders.

    Raises
    ------
    OutputError
        When the user has no home folder, and the variable names none.
    """
    named = os.environ.get(HOME_VARIABLE, "")
    if named:
        return expanded(named).absolute() / below
    if (folder := _on_linux(kind)) is not None:
        return folder
    import platformdirs

    try:
        folder = Path(getattr(platformdirs, kind)("clipdex", appauthor=False))
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise OutputError(f"there is no home folder to keep anything in; name one in the variable {HOME_VARIABLE}.")
    return folder


def _on_linux(kind: str) -> Path | None:
    """Return the folder that ``platformdirs`` gives, without importing it; None where it is to be asked."""
    variable, below = _ON_LINUX[kind]
    base, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if not sys.platform.startswith("linux") or not (base or home).startswith("/"):
        return None
    return Path(base or f"{home}/{below}") / "clipdex"
