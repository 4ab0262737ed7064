"""Notes of the checks that passed on this machine, so that a query need not read gigabytes of a model again.

A note holds everything that its check depends on: the files (size, times, inode) and how they are run. While all of it
stays the same, the checksums and the self-test would give the same result. A note can only save a check.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipdex.encoder.model import Model
from clipdex.errors import ClipdexError
from clipdex.user_folders import cache_folder
from clipdex.version import WRITER
from clipdex_indexes.storage.files import atomic_write

_CHARACTERS = 32


def model_cache(model: Model) -> Path:
    """Return the folder where this machine keeps notes and compiled towers of a model.

    Raises
    ------
    OutputError
        When the user has no home folder.
    """
    return cache_folder() / "models" / model.digest[:_CHARACTERS]


class Note:
    """A note that some files of a model were checked, and that a tower passed the self-test when run in one way.

    Parameters
    ----------
    model
        The model.
    files
        Names of the checked files; also an attribute.
    way
        Everything else that the result of the check depends on.
    """

    def __init__(self, model: Model, files: Sequence[str], way: Mapping[str, object]) -> None:
        self._model = model
        self.files = files
        self._way = {"clipdex": WRITER, **way}
        name = hashlib.sha256(json.dumps(self._way, sort_keys=True).encode()).hexdigest()[:_CHARACTERS]
        try:
            self._path: Path | None = model_cache(model) / f"checked-{name}.json"
        except ClipdexError:
            self._path = None

    def holds(self) -> bool:
        """Tell whether the check passed before, and nothing has changed since."""
        try:
            return self._path is not None and self._path.read_text(encoding="utf-8") == self._content()
        except (OSError, ValueError):
            return False

    def write(self) -> None:
        """Note that the check passed. Where the note cannot be written, the check is repeated next time."""
        if self._path is None:
            return
        with contextlib.suppress(OSError, ClipdexError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic_write(self._path, self._content().encode())

    def _content(self) -> str:
        files = {}
        for name in self.files:
            status = (self._model.folder / name).stat()
            files[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
        return json.dumps({"folder": str(self._model.folder), "files": files, "way": self._way}, sort_keys=True)
