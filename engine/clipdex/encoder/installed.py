"""The models of this user: a folder for each, below ``models`` in the user's data folder, found by name.

A model is put together under a temporary name in the same folder and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from clipdex.errors import ModelError, ModelExists, ModelNotFound, OutputError
from clipdex.user_folders import data_folder
from clipdex_indexes.storage.files import TEMPORARY_PREFIX, fsync_file, fsync_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
# Names that mean something else, to clipdex or to some file system.
_RESERVED = re.compile(r"starter|auto|none|con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
_ABANDONED_AFTER = 24 * 3600


def models_folder() -> Path:
    """Return the folder that holds the installed models; it need not be there."""
    return data_folder() / "models"


def check_name(name: str) -> str:
    """Return ``name`` if a model can be called that.

    Raises
    ------
    ModelError
        When it is no plain name of up to 64 letters, digits, dots, dashes and underscores, or is taken by clipdex.
    """
    if not _NAME.fullmatch(name) or name.endswith(".") or _RESERVED.fullmatch(name.partition(".")[0]):
        raise ModelError(
            f"a model cannot be called {name!r}: give it a name of up to 64 letters, digits, dots, dashes and "
            "underscores that begins with a letter or digit, and is not starter, auto or none."
        )
    return name


def installed_folder(name: str) -> Path | None:
    """Return the folder of the installed model called ``name``; None where there is none."""
    if not _NAME.fullmatch(name) or name.endswith("."):
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


@contextlib.contextmanager
def staged(name: str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder to put a model together in; on success it becomes the model ``name``, else it is deleted.

    Raises
    ------
    ModelExists
        When there is such a model, and ``replace`` is not given.
    ModelError
        When it is no name, or the folder cannot be written.
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
    """Delete what an adding that was killed has left."""
    for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(path, ignore_errors=True)


def remove_installed(name: str) -> Path:
    """Delete an installed model, also one whose description is damaged; return where it was.

    Raises
    ------
    ModelNotFound
        When there is none of that name.
    ModelError
        When it cannot be deleted.
    """
    folder = models_folder() / name
    if not _NAME.fullmatch(name) or not (folder.is_dir() or folder.is_symlink()):
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
