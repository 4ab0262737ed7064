"""Locators: one text that says where an image is.

The locator of a file is its path. The locator of a member of an archive is the path of the archive, ``!/`` and the name
of the member. Results carry locators, so that pictures can be saved long after the query.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from clipdex.paths import base_of, is_there

MEMBER = "!/"


def locator(location: Path, item_id: str, media: str) -> str:
    """Return the locator of an item.

    Parameters
    ----------
    location
        Where the dataset is.
    item_id, media
        As the index has them. ``media`` is empty where the id is a path below the location; it begins with ``!/`` where
        the location is an archive; otherwise it is a path.
    """
    if media.startswith(MEMBER):
        return f"{location}{MEMBER}{media[len(MEMBER) :] or item_id}"
    return os.path.join(base_of(location), media or item_id)  # noqa: PTH118 - a text, for each hit


def split_locator(where: str) -> tuple[Path, str]:
    """Return the file of a locator and the name of its member; the name is empty where the file itself is meant.

    The name of a folder may end in ``!``, so a locator that exists as a path is taken for a file.
    """
    if MEMBER in where and not os.path.lexists(where):
        for cut in _positions(where):
            if is_there(Path(where[:cut])):
                return Path(where[:cut]), where[cut + len(MEMBER) :]
            # A later one is in this folder. So nobody can make us look for more files than there are folders.
            if not os.path.isdir(where[: cut + 1]):  # noqa: PTH112 - a text, for each hit
                break
    return Path(where), ""


def is_media_there(where: str) -> bool:
    """Tell whether the file of a locator exists; an archive is not searched for the member."""
    return os.path.exists(where) or is_there(split_locator(where)[0])  # noqa: PTH110 - a text, for each hit


def _positions(where: str) -> Iterator[int]:
    cut = where.find(MEMBER)
    while cut >= 0:
        yield cut
        cut = where.find(MEMBER, cut + 1)
