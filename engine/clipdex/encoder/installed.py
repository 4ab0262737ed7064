"""Finding installed models by name: each is a folder below ``models`` in the user's data folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from clipdex.errors import OutputError
from clipdex.user_folders import data_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def models_folder() -> Path:
    """Return the folder of all installed models, which need not exist."""
    return data_folder() / "models"


def is_name(name: str) -> bool:
    """Tell whether a folder of a model can be be called ``name``."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".")


def installed_folder(name: str) -> Path | None:
    """Return the folder of the installed model ``name``; None where there is none."""
    if not is_name(name):
        return None
    try:
        folder = models_folder() / name
    except OutputError:
        return None
    return folder if (folder / "model.json").is_file() else None


def is_installed(folder: Path) -> bool:
    """Tell whether a model folder is one of the installed ones."""
    try:
        return os.path.realpath(folder.parent) == os.path.realpath(models_folder())
    except OutputError:
        return False


def installed_names() -> list[str]:
    """Return the names of the installed models, sorted."""
    try:
        folders = sorted(models_folder().iterdir())
    except (OSError, OutputError):
        return []
    return [folder.name for folder in folders if installed_folder(folder.name) is not None]
