r"""Paths in lists that were written on another system, found here.

Windows writes ``train\cat\a.jpg`` and ``C:\photos\train\cat\a.jpg``; macOS decomposes the letters of names. A path
that exists as it is written stays as it is.
"""

from __future__ import annotations

import ntpath
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

# An address in a list or an annotation file: it is not fetched.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|.*\\", re.DOTALL)
# Deeper folders of another system are not compared with those here.
_MOST_FOLDERS = 64


class Elsewhere:
    """Finds the files of one list.

    Parameters
    ----------
    root
        The folder that relative paths of the list start from.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # Folders of the other system that stand for the root; a list nearly always has one.
        self._same_as_root: list[str] = []
        self._flat = ""

    def here(self, path: str) -> str:
        """Return the path under which a file of the list is here, or ``path`` where that is not known.

        Backslashes become slashes. Of a path with a drive or a server, the folders that stand for the root are left
        out: as many as make the rest lead to a file.
        """
        foreign = _WINDOWS.match(path) is not None
        if (not foreign and path.isascii()) or self._exists(path):
            return path
        for found in self._candidates(path) if foreign else (path,):
            for spelling in spellings(found):
                if self._exists(spelling):
                    return spelling
        absolute = foreign and ntpath.splitdrive(path)[0]
        return path.replace("\\", "/") if foreign and not absolute else path

    def _candidates(self, path: str) -> Iterator[str]:
        drive, rest = ntpath.splitdrive(path)
        if not drive:
            yield path.replace("\\", "/")
            return
        whole = ntpath.normpath(path).replace("\\", "/")
        for folder in self._same_as_root:
            if whole.startswith(folder):
                yield whole[len(folder) :]
                return
        parts = [part for part in ntpath.normpath(rest).replace("\\", "/").split("/") if part]
        for start in range(max(0, len(parts) - _MOST_FOLDERS), len(parts)):
            tail = "/".join(parts[start:])
            if not any(map(self._exists, spellings(tail))):
                continue
            folder = whole[: len(whole) - len(tail)]
            # A name alone may be that of another file: only one folder may stand for the root because of that.
            if start == len(parts) - 1:
                if self._flat not in ("", folder):
                    continue
                self._flat = folder
            self._same_as_root.append(folder)
            yield tail
            return

    def _exists(self, path: str) -> bool:
        try:
            return os.path.lexists(os.path.join(self._root, path))  # noqa: PTH118 - millions of them
        except ValueError:
            return False


def spellings(path: str) -> tuple[str, ...]:
    """Return a path, and its other spellings in Unicode."""
    if path.isascii():
        return (path,)
    return tuple(dict.fromkeys((path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))))
