"""Looking at the file of an item that a list or an annotation file names."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePath

from clipdex.media.kinds import OTHER_SUFFIXES, suffix_of
from clipdex.media.locators import MEMBER
from clipdex.readers.base import MISSING, NO_IMAGE, UNREADABLE, ReadItem, UnreadableItem
from clipdex.readers.mounts import may_be_there


def item_of_file(
    root: Path, path: str, item_id: str, subset: str, labels: tuple[str, ...], where: str = ""
) -> ReadItem | UnreadableItem:
    """Look at the file of an item, and return the item.

    Parameters
    ----------
    root
        The folder that relative paths start from.
    path
        Path of the file, absolute or relative to ``root``.
    item_id, subset, labels
        Those of the item.
    where
        What a reason begins with, such as ``line 3: ``.

    Returns
    -------
    ReadItem or UnreadableItem
        The latter where there is no such file, or it is none that may be an image.
    """
    suffix = suffix_of(path)
    if suffix in OTHER_SUFFIXES:
        return UnreadableItem(item_id, f"{where}a {suffix} file is no image", NO_IMAGE)
    whole = os.path.join(root, path)  # noqa: PTH118 - millions of them
    try:
        status = os.stat(whole)  # noqa: PTH116
    except (OSError, ValueError) as error:
        unseen = may_be_there(whole, error)
        if isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError)):
            return UnreadableItem(item_id, f"{where}no such file: {path}", MISSING, unseen)
        return UnreadableItem(item_id, f"{where}{path}: {error.strerror or error}", UNREADABLE, unseen)
    if not stat.S_ISREG(status.st_mode):
        return UnreadableItem(item_id, f"{where}{path} is not a regular file", UNREADABLE)
    media = media_of(path, relative_to(root, path), item_id)
    return ReadItem(item_id, subset, labels, status.st_size, status.st_mtime_ns, media)


def relative_to(root: Path, path: str) -> str:
    """Return a path as an id: relative to the root, or else absolute without the first slash."""
    whole = PurePath(os.path.abspath(os.path.join(root, path)))  # noqa: PTH100, PTH118
    if whole.is_relative_to(root):
        return whole.relative_to(root).as_posix()
    return whole.as_posix().lstrip("/").replace(":", "")


def media_of(path: str, relative: str, item_id: str) -> str:
    """Return the ``media`` of an item: empty where the id is the path.

    Parameters
    ----------
    path
        Path of the file, absolute or relative to the root.
    relative
        The same path as ``relative_to`` returns it.
    item_id
        Id of the item.
    """
    if not os.path.isabs(path) and os.path.normpath(path) == os.path.normpath(relative):  # noqa: PTH117
        path = relative
    if path == item_id:
        return ""
    return f"./{path}" if path.startswith(MEMBER) else path
