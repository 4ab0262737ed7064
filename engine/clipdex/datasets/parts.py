"""Parts of datasets: the images in a folder below the root, or one image, named by a POSIX path below the root.

The path of a folder ends in a slash. An item belongs to a part by the path of its media, whatever its id.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from clipdex.media.locators import MEMBER
from clipdex_indexes import ItemRow, Snapshot
from clipdex_indexes.arrays import Bools
from clipdex_indexes.filters import select_below


def contains(part: str, other: str) -> bool:
    """Tell whether all of another part is in a part of the same dataset; an empty part is the whole dataset."""
    return not part or part == other or (part.endswith("/") and other.startswith(part))


def items_of(index: Snapshot, root: Path, part: str) -> list[Bools]:
    """Select the items of a part.

    Parameters
    ----------
    index
        The index of the dataset.
    root
        The folder of the dataset.
    part
        The part; not empty.
    """
    return select_below(index, part, is_media_below(_spellings(root), part))


def is_item_below(root: Path, part: str) -> Callable[[ItemRow], bool]:
    """Return a function that tells whether an item of a dataset is in a part."""
    is_below = is_media_below(_spellings(root), part)
    return lambda row: is_below(row.media) if row.media else contains(part, row.id)


def _spellings(root: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys((os.fspath(root), os.path.realpath(root))))


def is_media_below(roots: Sequence[str], part: str) -> Callable[[str], bool]:
    """Return a function that tells whether media that an index names are in a part.

    Parameters
    ----------
    roots
        The folder of the dataset, in each spelling that media may begin with.
    part
        The part.
    """
    places = tuple(os.path.join(root, *part.split("/")) for root in roots)  # noqa: PTH118 - keeps the slash at the end

    def is_below(media: str) -> bool:
        if media.startswith(MEMBER):
            return False
        path = os.path.normpath(os.path.join(roots[0], media))  # noqa: PTH118 - a text, for each of many
        return path.startswith(places) if part.endswith("/") else path in places

    return is_below
