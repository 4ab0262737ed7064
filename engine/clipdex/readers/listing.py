"""Listing the entries of a folder, without the files that an index has as they are.

Of a file that the index has, nothing is asked but its size and time: by its fingerprint, the rules of the reader made
it an item before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.looking import Looks
from clipdex.readers.naming import subset_and_labels

if TYPE_CHECKING:
    from clipdex_indexes.known import KnownItems, Ticks

# Of a file without an extension, its first bytes tell.
_ENDS = IMAGE_SUFFIXES | {""}
# The ends of most names of images; quicker to look up than an extension is to be taken out.
_USUAL_ENDS = frozenset({".jpg", ".JPG", "jpeg", "JPEG", ".png", ".PNG", "webp", ".bmp", ".tif", "tiff", ".gif"})


class Lister:
    """Lists folders.

    Parameters
    ----------
    looks
        What looks at files.
    known
        The items of the index; None where nothing is left out.
    """

    def __init__(self, looks: Looks, known: KnownItems | None) -> None:
        self._looks = looks
        self._known = known

    def entries(self, folder: str, prefix: str) -> tuple[list[os.DirEntry[str]], Ticks | None]:
        """Return the entries of a folder that differ from the index, and what ticks off the items that do not.

        Parameters
        ----------
        folder
            The path of the folder.
        prefix
            Its path below the root, with a slash at the end; empty for the root.

        Raises
        ------
        OSError
            When the folder cannot be read.
        """
        if self._known is not None:
            return self._unlike(self._known, folder, prefix)
        with os.scandir(folder) as entries:
            return list(self._looks.ahead(entries, _may_be_image)), None

    def _unlike(self, known: KnownItems, folder: str, prefix: str) -> tuple[list[os.DirEntry[str]], Ticks | None]:
        files: list[tuple[str, int, int]] = []
        others: list[os.DirEntry[str]] = []
        with os.scandir(folder) as entries:
            for entry in self._looks.ahead(entries, _may_be_image):
                name = entry.name
                try:
                    if (name[-4:] in _USUAL_ENDS or _may_be_image(name)) and entry.is_file():
                        status = entry.stat()
                        files.append((name, status.st_size, status.st_mtime_ns))
                        continue
                except OSError:
                    pass  # the reader says what is wrong with it
                others.append(entry)
        ticks, missing = known.find(prefix[:-1], *subset_and_labels(prefix), files)
        if missing:
            # It is cheaper to list again those that differ than to hold the entries of a million files that do not.
            with os.scandir(folder) as entries:
                others += [entry for entry in entries if entry.name in missing]
        return others, ticks


def _may_be_image(name: str) -> bool:
    """Tell whether a file of this name may be an item, so that its size and time are worth a look."""
    return name[0] != "." and (name[-4:] in _USUAL_ENDS or suffix_of(name) in _ENDS)
