"""Installing and removing models. An installed model is always complete.

A model is assembled in a folder with a temporary name beside its final place, and that folder is then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from clipdex.encoder.installed import is_name, models_folder
from clipdex.errors import ModelError, ModelExists, ModelNotFound
from clipdex_indexes.storage.files import TEMPORARY_PREFIX, fsync_file, fsync_folder

# Names with another meaning, in clipdex or in some file systems.
_RESERVED = re.compile(r"starter|auto|none|con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
_ABANDONED_AFTER = 24 * 3600


def check_name(name: str) -> str:
    """Return ``name`` where it is a valid name of a model.

    Raises
    ------
    ModelError
        When the name is not one of up to 64 letters, digits, dots, dashes and underscores, or is reserved.
    """
    if not is_name(name) or _RESERVED.fullmatch(name.partition(".")[0]):
        raise ModelError(
            f"a model cannot be called {name!r}: give it a name of up to 64 letters, digits, dots, dashes and "
            "underscores that begins with a letter or digit, and is not starter, auto or none."
        )
    return name


@contextlib.contextmanager
def staged(name: str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder for the files of a model. On success it becomes the model ``name``, else it is deleted.

    Raises
    ------
    ModelExists
        When there is a model of that name, and ``replace`` is false.
    ModelError
        When the name is invalid, or the folder cannot be written.
    """
    target = models_folder() / check_name(name)
    if not replace and target.exists():
        raise ModelExists(
            f"there is a model {name!r} already, in {target}. Give another name with --name, or remove it first: "
            f"clipdex model remove {name}"
        )
    folder = target.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _delete_abandoned(target.parent)
            folder.mkdir()
            yield folder
            _put_in_place(folder, target, replace=replace)
        except OSError as error:
            raise ModelError(f"the model cannot be written to {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(folder: Path, target: Path, *, replace: bool) -> None:
    for path in folder.iterdir():
        fsync_file(path)
    old = folder.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    if replace and target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError as error:
        if old.exists():
            old.rename(target)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise ModelExists(f"there is a model {target.name!r} already: it was added in the meantime.") from error
        raise
    fsync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _delete_abandoned(parent: Path) -> None:
    """Delete the folders that killed processes left."""
    for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(path, ignore_errors=True)


def remove_installed(name: str) -> Path:
    """Delete an installed model, even one with a damaged description; return its former folder.

    Raises
    ------
    ModelNotFound
        When no installed model has that name.
    ModelError
        When the folder cannot be deleted.
    """
    folder = models_folder() / name
    if not is_name(name) or not (folder.is_dir() or folder.is_symlink()):
        raise ModelNotFound(f"there is no installed model {name!r}. See what there is: clipdex model list")
    doomed = folder.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    try:
        if folder.is_symlink():
            folder.unlink()
            return folder
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise ModelError(f"{folder} cannot be deleted: {error.strerror or error}.") from error
    return folder
