"""Storing the last result of this user, so that it can be saved after the query."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

from clipdex.errors import OutputError
from clipdex.report.query_images import LAST_PREFIX, own_images, with_files
from clipdex.search.result import Result, read_result
from clipdex.user_folders import state_folder
from clipdex_indexes.storage.files import atomic_write


def _last_path() -> Path:
    return state_folder() / "last-result.json"


def remember(result: Result) -> None:
    """Store ``result`` as the last one; raise ``ClipdexError`` or ``OSError`` where it cannot be written."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {}
    for number, own in own_images(result).items():
        files[number] = folder / f"{LAST_PREFIX}{uuid.uuid4().hex}{own.suffix}"
        atomic_write(files[number], own.content, private=True)
    data = with_files(result, files).to_json().encode(errors="backslashreplace")
    atomic_write(_last_path(), data, private=True)
    for path in set(folder.glob(f"{LAST_PREFIX}*")) - set(files.values()):
        with contextlib.suppress(OSError):
            path.unlink()


def last_result() -> Result:
    """Return the result of the user's last query.

    Raises
    ------
    OutputError
        When there is no last result, or it cannot be read.
    """
    if not _last_path().exists():
        raise OutputError("there is no last result to save: run clipdex query first, or name a result saved as JSON.")
    return read_result(_last_path())
