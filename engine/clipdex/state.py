"""Where clipdex remembers the last result of this user, so that it can be saved after the query."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clipdex.errors import OutputError
from clipdex.result import Result, read_result
from clipdex_indexes.files import atomic_write


def state_folder() -> Path:
    """Return the folder for the user's state: that of the platform, or ``$XDG_STATE_HOME/clipdex``.

    Raises
    ------
    OutputError
        When the user has no home folder.
    """
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_STATE_HOME")
    named = os.environ.get(variable, "")
    if named:
        return Path(named) / "clipdex"
    below = {"win32": "AppData/Local", "darwin": "Library/Application Support"}.get(sys.platform, ".local/state")
    try:
        home = Path.home()
    except RuntimeError as error:
        raise OutputError("there is no home folder to keep the last result in.") from error
    if not home.is_absolute():
        raise OutputError("there is no home folder to keep the last result in.")
    return home / below / "clipdex"


def _last_path() -> Path:
    return state_folder() / "last-result.json"


def remember(result: Result) -> None:
    """Keep ``result`` as the last one; raises ``ClipdexError`` or ``OSError`` when that is impossible."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic_write(_last_path(), result.to_json().encode(errors="backslashreplace"))


def last_result() -> Result:
    """Return the result of the user's last query.

    Raises
    ------
    OutputError
        When there was none, or it cannot be read.
    """
    if not _last_path().exists():
        raise OutputError("there is no last result to save: run clipdex query first, or name a result saved as JSON.")
    return read_result(_last_path())
