"""What was found right on this machine before, so that a query need not read a model of gigabytes to check it again.

A note holds what a check depended on: the files (size, times, number on the disk), and how they were run. Where all of
that is as it was, the checksums and the self-test would be, too. A note is only ever a reason not to check again.
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
    """Return the folder for what is kept of a model on this machine: notes, and compiled towers.

    Raises
    ------
    OutputError
        When the user has no home folder.
    """
    return cache_folder() / "models" / model.digest[:_CHARACTERS]


class Note:
    """A note that some files of a model were checked, and passed the self-test of a tower run in one way.

    Parameters
    ----------
    model
        The model.
    files
        Names of the files that the check covers; an attribute, too.
    way
        Everything else that its outcome depends on.
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
        """Tell whether the check was made, and nothing has changed since."""
        try:
            return self._path is not None and self._path.read_text(encoding="utf-8") == self._content()
        except (OSError, ValueError):
            return False

    def write(self) -> None:
        """Note that the check was passed; where that cannot be written, it will be made again."""
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
