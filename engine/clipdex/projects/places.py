"""Finding the folder of a project. Every command imports this module, so it imports little."""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "clipdex.toml"
# The folder for the state of a project. It is hidden, so that readers of folders ignore it.
STATE_FOLDER = ".clipdex-project"
PLUGINS_FOLDER = "plugins"


def find_project(folder: Path | None = None) -> Path | None:
    """Return the folder of the project that contains ``folder`` (None: the current one); None where there is none."""
    start = Path(os.path.abspath(folder or Path()))  # noqa: PTH100
    return next((one for one in (start, *start.parents) if (one / FILE_NAME).is_file()), None)
