"""Listing the entries of a folder, without the files that an index has as they are.

Of a file that the index has, nothing is asked but its size and time: by its fingerprint, the rules of the reader made
it an item before.
"""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.base import Unchanged
from clipdex.readers.looking import Looks
from clipdex.readers.naming import subset_and_labels

if TYPE_CHECKING:
    from clipdex_indexes.known import KnownItems

# Entries of a folder that are held at once, but for those that differ.
_AT_ONCE = 4096
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

    def entries(self, folder: str, prefix: str) -> tuple[list[os.DirEntry[str]], array[int]]:
        """Return the entries of a folder that differ from the index, and the numbers of the items that do not.

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
        known = self._known
        with os.scandir(folder) as entries:
            if known is not None:
                listed, numbers = self._unlike(known, entries, prefix)
                if known.are_different(numbers):
                    return listed, numbers
        # Or two files have the fingerprint of one item: all of the folder is compared.
        with os.scandir(folder) as entries:
            listed = list(entries)
        self._looks.look([entry for entry in listed if _may_be_image(entry.name)])
        return listed, array("q")

    def tick_off(self, prefix: str, numbers: array[int]) -> Unchanged:
        """Note that the dataset has the items of these numbers, which are in one folder."""
        if self._known is not None:
            self._known.tick_off(numbers)
        return Unchanged(prefix, subset_and_labels(prefix)[0], len(numbers))

    def _unlike(
        self, known: KnownItems, entries: Iterator[os.DirEntry[str]], prefix: str
    ) -> tuple[list[os.DirEntry[str]], array[int]]:
        place = known.place_of(prefix[:-1], *subset_and_labels(prefix))
        fingerprint, apart = known.fingerprint, known.apart
        numbers = array("q")
        listed: list[os.DirEntry[str]] = []
        while some := list(itertools.islice(entries, _AT_ONCE)):
            likely: list[os.DirEntry[str]] = []
            for entry in some:
                (likely if _may_be_image(entry.name) else listed).append(entry)
            self._looks.look(likely)
            files, fingerprints = [], []
            for entry in likely:
                try:
                    if entry.is_file() and not (apart and prefix + entry.name in apart):
                        status = entry.stat()
                        fingerprints.append(fingerprint(place, entry.name, status.st_size, status.st_mtime_ns))
                        files.append(entry)
                        continue
                except (OSError, UnicodeEncodeError):
                    pass  # the reader says what is wrong with it
                listed.append(entry)
            found = known.find(fingerprints)
            listed += [files[number] for number in (found < 0).nonzero()[0].tolist()]
            numbers.frombytes(found[found >= 0].tobytes())
        return listed, numbers


def _may_be_image(name: str) -> bool:
    """Tell whether a file of this name may be an item, so that its size and time are worth a look."""
    return name[0] != "." and (name[-4:] in _USUAL_ENDS or suffix_of(name) in _ENDS)
