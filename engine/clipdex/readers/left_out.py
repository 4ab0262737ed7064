"""The images in the folders of a dataset that none of its items is of."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from clipdex.readers.base import ReadItem
from clipdex.readers.folder import FolderReader
from clipdex.wording import counted


class ItemFiles:
    """The files that the items of a dataset are of, as hashes of their paths.

    Parameters
    ----------
    root
        Folder of the dataset.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: set[int] = set()

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: str) -> None:
        """Note the file of an item, by its path, absolute or relative to the root."""
        if os.path.isabs(path):  # noqa: PTH117 - for each item
            path = os.path.relpath(path, self._root)
        self._paths.add(_hash(os.path.normpath(path)))

    def remark(self, is_mask: Callable[[str], bool], passed_over: Counter[str]) -> str:
        """Walk the folder of the dataset, and say how many images no item is of; empty where there are none.

        Parameters
        ----------
        is_mask
            Tells of a path relative to the root whether it is known to be a mask, and no image of its own.
        passed_over
            Gets the files and folders that a folder of images would pass over.
        """
        reader = FolderReader(self._root)
        count, example = 0, ""
        for item in reader.read():
            if isinstance(item, ReadItem) and _hash(os.path.normpath(item.id)) not in self._paths:
                if is_mask(item.id):
                    continue
                count += 1
                example = example or item.id
        passed_over.update(reader.passed_over)
        if not count:
            return ""
        return (
            f"{counted(count, 'image')} of the folder {'is' if count == 1 else 'are'} left out, because no annotation "
            f"names {'it' if count == 1 else 'them'}, such as {example}; --rebuild --format folder reads all images."
        )


def _hash(path: str) -> int:
    digest = hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
