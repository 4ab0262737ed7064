"""Where the media of an item is.

A *locator* is one text that says it: the path of a file or, for a member of an archive, the path of the archive, ``!/``
and the name of the member. Results carry locators, so that pictures can be saved long after the query.
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
        As the index has them: ``media`` is empty where the id is a path below the location, begins with ``!/`` where
        the location is an archive, and else is a path.
    """
    if media.startswith(MEMBER):
        return f"{location}{MEMBER}{media[len(MEMBER) :] or item_id}"
    return os.path.join(base_of(location), media or item_id)  # noqa: PTH118 - a text, for each hit


def split_locator(where: str) -> tuple[Path, str]:
    """Return the file of a locator, and the member of it that is meant, if any (else an empty text).

    A folder may have ``!`` at the end of its name: what exists as a file is a file.
    """
    if MEMBER in where and not os.path.lexists(where):
        for cut in _positions(where):
            if is_there(Path(where[:cut])):
                return Path(where[:cut]), where[cut + len(MEMBER) :]
    return Path(where), ""


def is_media_there(where: str) -> bool:
    """Tell whether the file of a locator is there; whether an archive has the member is not looked at."""
    return os.path.exists(where) or is_there(split_locator(where)[0])  # noqa: PTH110 - a text, for each hit


def _positions(where: str) -> Iterator[int]:
    cut = where.find(MEMBER)
    while cut >= 0:
        yield cut
        cut = where.find(MEMBER, cut + 1)
