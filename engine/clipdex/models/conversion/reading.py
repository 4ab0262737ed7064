"""Reading the small files of an untrusted folder, with bounded sizes and checked types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clipdex.errors import IndexCorrupt, ModelCorrupt
from clipdex_indexes.storage.files import read_bounded

_MAX_SETTINGS = 16 << 20


def read_file(path: Path, limit: int) -> bytes | None:
    """Return the contents of a file, or None where there is none.

    Raises
    ------
    ModelCorrupt
        When the file is larger than ``limit`` bytes, not a regular file, or cannot be read.
    """
    try:
        return read_bounded(path, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IndexCorrupt as error:
        raise ModelCorrupt(f"a file of the source cannot be used: {error}") from error
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error


def read_settings(path: Path, limit: int = _MAX_SETTINGS) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None where there is no such file.

    Raises
    ------
    ModelCorrupt
        When the file holds anything else.
    """
    data = read_file(path, limit)
    if data is None:
        return None
    try:
        settings = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelCorrupt(f"{path} is not JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise ModelCorrupt(f"{path} holds no JSON object.")
    return settings


def part(settings: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return the object ``name`` of ``settings``, empty where it is missing or null.

    Raises
    ------
    ModelCorrupt
        When ``name`` is not an object.
    """
    value = settings.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ModelCorrupt(f"{path}: {name} is {_shown(value)}, and no object.")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
