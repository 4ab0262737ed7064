"""The user's folders: models, compiled models and the last result, which belong to no dataset."""

from __future__ import annotations

import os
from pathlib import Path

from clipdex.errors import OutputError
from clipdex.paths import expanded

HOME_VARIABLE = "CLIPDEX_HOME"


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
    import platformdirs

    try:
        folder = Path(getattr(platformdirs, kind)("clipdex", appauthor=False))
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise OutputError(f"there is no home folder to keep anything in; name one in the variable {HOME_VARIABLE}.")
    return folder
