"""Finding the images that an annotation file names, in the folders where datasets keep them.

A name is first looked for as it is written. The names that other machines wrote begin with folders that are not here,
and a part of those folders may stand for one that is.
"""

from __future__ import annotations

import errno
import functools
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.elsewhere import ADDRESS, spellings
from clipdex.readers.mounts import is_away
from clipdex.readers.naming import comparable
from clipdex.wording import counted, shortened

# Anything else is looked at more closely: folders such as ./ and .., backslashes, addresses, other letters than ASCII.
_PLAIN = re.compile(r"(?!\.{0,2}/)[ -\[\]-~]+", re.ASCII)
_ODD_PART = re.compile(r"/\.{0,2}(?:/|\Z)|://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\|//")
# Deeper folders of another machine are not compared with those here.
_MOST_PARTS = 64
# Of a larger folder, names are not compared without their letter case.
_MOST_NAMES = 300_000
_MOST_FRONTS = 1000


class Found(NamedTuple):
    """An image file: its path, relative to the root where it is below it, and its size and time in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Guesses:
    """Images that were found under another name than the one that was written.

    Attributes
    ----------
    fronts
        The folders that names began with and that are not here, with the folder that stands for them.
    respelled
        Number of images whose names differ in letter case, extension, escapes of addresses or blanks around them.
    example
        The first of them: as written, and as it is called here.
    """

    fronts: dict[str, str] = field(default_factory=dict)
    respelled: int = 0
    example: tuple[str, str] = ("", "")

    def remark(self) -> str:
        """Say how many images are called otherwise, without a full stop; empty where none is."""
        if not self.respelled:
            return ""
        written, here = map(shortened, self.example)
        are = "is" if self.respelled == 1 else "are"
        return f"{counted(self.respelled, 'image')} {are} called otherwise here, such as {here} for {written}"


class ImageFinder:
    """Finds the images of one annotation file.

    Parameters
    ----------
    root
        The folder that all paths are relative to.
    folders
        Folders to look in, relative to the root, each with a slash after it; the root is empty. The first one that has
        an image is right.
    others
        Folders where an image may be as well; it counts only if just one of them has it.
    usual
        Where such folders usually are, existing or not.

    Attributes
    ----------
    guesses
        Images that were found under another name.
    others_used
        Those of the other folders that have images.
    """

    def __init__(
        self, root: str, folders: Sequence[str], others: Sequence[str] = (), usual: Sequence[str] = ()
    ) -> None:
        self._root = root.rstrip("/") + "/"
        self._usual = [f"{place.rstrip('/')}/" for place in usual if place]
        self._folders = list(folders)
        self._others = list(others)
        self._stands_for: dict[str, str] = {}
        self._flat: dict[str, str] = {}
        self._listed: dict[str, dict[str, str]] = {}
        self.others_used: dict[str, None] = {}
        self.guesses = Guesses()

    def find(self, name: str) -> Found | str:
        """Return the image of a name; otherwise why there is none, as the end of a sentence.

        Raises
        ------
        OSError
            When nobody can tell whether it is there, such as where permission is denied.
        """
        if "/" in name:
            plain = _PLAIN.fullmatch(name) is not None and _ODD_PART.search(name) is None
        else:
            plain = name.isascii() and "\\" not in name
        found = self._in_folders(name) if plain else self._as_written(name)
        return found or self._elsewhere(name)

    @functools.cached_property
    def may_be_away(self) -> bool:
        """Whether one of the usual folders is on a disk that may be away, so that nobody can tell what is missing."""
        return any(is_away(self._root + place.rstrip("/")) for place in self._usual)

    def id_of(self, name: str) -> str:
        """Return the id of the image of a name, without looking for it: its path below a usual folder."""
        path = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
        return path[len(max((place for place in self._usual if path.startswith(place)), key=len, default="")) :]

    def _in_folders(self, name: str) -> Found | None:
        for folder in self._folders:
            found = self._at(folder + name)
            if found is not None:
                if "/" not in name:
                    self._flat.setdefault(folder, "")
                return found
        return None

    def _as_written(self, name: str) -> Found | None:
        """Look for an odd name: as it is, with slashes, and in other spellings."""
        if os.path.isabs(name):  # noqa: PTH117 - millions of them
            return self._at(self._below_root(name))
        for written in dict.fromkeys((name, name.replace("\\", "/"))):
            for spelling in spellings(written):
                for folder in self._folders:
                    found = self._at(posixpath.normpath(folder + spelling))
                    if found is not None:
                        return found
        return None

    def _elsewhere(self, name: str) -> Found | str:
        """Look for a name whose first folders are not here, in other folders, and with other letters."""
        parts = _parts(name)
        if len(parts) > 1:
            found = self._with_other_front(name, parts)
            if found is not None:
                return found
        tail = "/".join(parts)
        places = {folder: found for folder in self._others if tail and (found := self._at(folder + tail)) is not None}
        if len(places) == 1:
            ((folder, found),) = places.items()
            self.others_used[folder] = None
            return found
        if places:
            return f"several folders have it, {' and '.join(list(places)[:2])}"
        found = self._respelled(name, parts) or self._decoded(name)
        if found is not None:
            return found
        return "addresses are not fetched" if ADDRESS.match(name) else "no such file"

    def _with_other_front(self, name: str, parts: list[str]) -> Found | None:
        for cut in range(max(0, len(parts) - _MOST_PARTS), len(parts)):
            front, tail = "/".join(parts[:cut]), "/".join(parts[cut:])
            last = cut == len(parts) - 1
            for folder in self._folders:
                # A name alone may be that of another file: only one front may stand for a folder because of that.
                if last and self._flat.get(folder, front) != front:
                    continue
                for spelling in spellings(tail):
                    found = self._at(folder + spelling)
                    if found is None:
                        continue
                    if last:
                        self._flat[folder] = front
                    if front and len(self.guesses.fronts) < _MOST_FRONTS:
                        written = (
                            name[: len(name) - len(tail)] if name[-len(tail) :].replace("\\", "/") == tail else front
                        )
                        self.guesses.fronts.setdefault(written.rstrip("/\\"), folder)
                    return found
        return None

    def _decoded(self, name: str) -> Found | None:
        """Look for a name with escapes as in addresses, such as ``a%20b.jpg``, or with blanks around it."""
        decoded = (unquote(name, errors="surrogateescape") if "%" in name else name).strip()
        if decoded == name:
            return None
        parts = _parts(decoded)
        found = self._as_written(decoded) or self._with_other_front(decoded, parts)
        if found is None:
            return self._respelled(decoded, parts)
        self._tell_respelled(name, found)
        return found

    def _tell_respelled(self, name: str, found: Found) -> None:
        self.guesses.respelled += 1
        if not self.guesses.example[0]:
            self.guesses.example = (name, found.path)

    def _respelled(self, name: str, parts: list[str]) -> Found | None:
        """Look for an image whose name differs in letter case, Unicode spelling or extension only."""
        if not parts:
            return None
        inside = "/".join(parts[:-1])
        base = comparable(parts[-1])
        stem = posixpath.splitext(base)[0] if suffix_of(base) in IMAGE_SUFFIXES else base
        for folder in self._folders:
            there = self._names(folder + inside)
            if not there:
                continue
            actual = there.get(base) or there.get(f"{stem}.")
            found = self._at(posixpath.join(folder, inside, actual)) if actual else None
            if found is not None:
                self._tell_respelled(name, found)
                return found
        return None

    def _names(self, folder: str) -> dict[str, str]:
        """Return the images in a folder by their name in small letters, and without extension; empty if ambiguous."""
        if folder not in self._listed:
            names: dict[str, str] = {}
            try:
                with os.scandir(self._root + folder) as entries:
                    for number, entry in enumerate(entries):
                        if number > _MOST_NAMES:
                            names.clear()
                            break
                        if suffix_of(entry.name) in IMAGE_SUFFIXES:
                            small = comparable(entry.name)
                            for key in (small, f"{posixpath.splitext(small)[0]}."):
                                names[key] = "" if key in names else entry.name
            except (OSError, ValueError):
                names.clear()
            self._listed[folder] = names
        return self._listed[folder]

    def _at(self, path: str) -> Found | None:
        """Return the file at a path; None where there is none."""
        try:
            status = os.stat(path if path[:1] == "/" else self._root + path)  # noqa: PTH116 - millions of them
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
                return None
            raise
        return Found(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

    def _below_root(self, path: str) -> str:
        """Return an absolute path relative to the root, where it is below it."""
        whole = os.path.abspath(path) if "\0" not in path else path  # noqa: PTH100
        return whole[len(self._root) :] if whole.startswith(self._root) else whole


def _parts(name: str) -> list[str]:
    """Return the folders and the name of a path of any system, or of an address, without drive and host."""
    if ADDRESS.match(name):
        try:
            name = unquote(urlsplit(name).path)
        except ValueError:
            return []
    elif "\\" in name or _DRIVE.match(name):
        name = name.replace("\\", "/")
        name = name[2:] if name[1:2] == ":" else name
    path = posixpath.normpath(f"/{name}")
    return [part for part in path.split("/") if part]


class Folders:
    """The folders of a dataset, as far as names in it are compared without their letter case."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._known: dict[str, dict[str, str]] = {}

    def below(self, folder: str) -> dict[str, str]:
        """Return the names of the folders in a folder, by their name in small letters."""
        if folder not in self._known:
            found: dict[str, str] = {}
            try:
                with os.scandir(self._root + folder) as entries:
                    names = sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
            except (OSError, ValueError):
                names = []
            for name in names:
                found.setdefault(name.casefold(), name)
            self._known[folder] = found
        return self._known[folder]

    def actual(self, path: str) -> str | None:
        """Return the path of a folder as it is written here, with a slash after it; None where there is none."""
        here = ""
        for part in path.split("/"):
            if part == "..":
                here += "../"
                continue
            if part in ("", "."):
                continue
            name = self.below(here).get(part.casefold())
            if name is None:
                return None
            here += f"{name}/"
        return here


def existing(folders: Folders, paths: Iterable[str]) -> list[str]:
    """Return those paths of folders that exist, each once, as they are written here, with a slash after them."""
    found = (folders.actual(path) for path in paths)
    return list(dict.fromkeys(folder for folder in found if folder is not None))
