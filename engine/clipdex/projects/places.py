"""Where a project is. Cheap to import: every command looks."""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "clipdex.toml"
# What is kept of a project beside that file; hidden, so that no reader of folders takes it for images.
STATE_FOLDER = ".clipdex-project"
PLUGINS_FOLDER = "plugins"


def find_project(folder: Path | None = None) -> Path | None:
    """Return the folder of the project that ``folder`` (None: the current one) is in; None where it is in none."""
    start = Path(os.path.abspath(folder or Path()))  # noqa: PTH100
    return next((one for one in (start, *start.parents) if (one / FILE_NAME).is_file()), None)
