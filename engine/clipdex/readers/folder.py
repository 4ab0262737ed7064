"""Reading a folder of images, of any depth.

The id of an item is its POSIX path below the root; ``naming`` gets subset and label from it.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import operator
import os
import re
import stat
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from clipdex.errors import DatasetNotFound
from clipdex.media.kinds import IMAGE_SUFFIXES, NOT_READ, START, looks_like_image, suffix_of
from clipdex.readers.base import AWAY, NO_OPTIONS, UNREADABLE, Reader, ReadItem, Unchanged, UnreadableItem
from clipdex.readers.listing import Lister
from clipdex.readers.looking import Looks
from clipdex.readers.mounts import holds_nothing, is_mount_point, may_be_there
from clipdex.readers.naming import IGNORE_MARK, is_hidden, is_system_folder, shown, subset_and_labels
from clipdex.version import WRITER

if TYPE_CHECKING:
    from clipdex_indexes.known import KnownItems

FORMAT = "folder"
SKIP = "skip"


class FolderReader(Reader):
    """The images below a folder.

    Parameters
    ----------
    location
        The folder.
    options
        ``skip``: names of folders and files that are left out, such as masks.

    Attributes
    ----------
    only
        The part that is read, as ``Source.part`` has it; empty for all. Images beside the folders on the way to it are
        read, too.

    Raises
    ------
    DatasetNotFound
        When it is no folder.
    """

    format = FORMAT
    about = "any tree of images; the label is the name of an image's folder"
    option_names: ClassVar[Mapping[str, str]] = {
        SKIP: "names of folders and files to leave out, with * and ?, and commas between them"
    }
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        if not location.is_dir():
            what = "is a file, and not a folder of images" if location.exists() else "does not exist"
            raise DatasetNotFound(f"{location} {what}.")
        super().__init__(location, options)
        self.only = ""
        self._real_root = Path(os.path.realpath(self.root))
        names = [name.strip() for name in self.options.get(SKIP, "").split(",")]
        self._skipped = [(name, re.compile(fnmatch.translate(name)).match) for name in names if name]

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take every folder that is not empty; other formats go first."""
        try:
            with os.scandir(location) as entries:
                return "it is a folder" if next(entries, None) is not None else None
        except OSError:
            return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items in item order (code points of the id), in bounded memory.

        Hidden files and folders, folders of systems, other files than images, folders with a ``.clipdexignore``, and
        what the user wants left out are skipped. A link to a folder is followed only if the folder would not be
        found otherwise, and once, so that loops end. An empty mount point and a link that leads to nothing are
        unseen: their disk may be away.
        """
        # Nothing is known, so nothing is unchanged.
        yield from cast("Iterator[ReadItem | UnreadableItem]", self._read(None))

    def read_unlike(self, known: KnownItems) -> Iterator[ReadItem | UnreadableItem | Unchanged]:
        """Yield the items that an index does not have as they are, and count the others; see ``Reader``."""
        return self._read(known)

    def _read(self, known: KnownItems | None) -> Iterator[ReadItem | UnreadableItem | Unchanged]:
        self._followed: set[tuple[int, int]] = set()
        self.passed_over.clear()
        with Looks() as looks:
            lister = Lister(looks, known)
            # A stack of our own, because folders may be nested deeper than calls in Python may be.
            stack = [self._entries(lister, os.fspath(self.root), "")]
            while stack:
                step = next(stack[-1], None)
                if step is None:
                    stack.pop()
                elif isinstance(step, str):
                    if self._enters(step):
                        stack.append(self._entries(lister, os.path.join(self.root, step), step))  # noqa: PTH118
                else:
                    yield step

    def _enters(self, folder: str) -> bool:
        """Tell whether there may be items in a folder, whose path below the root ends in a slash."""
        return self.only.startswith(folder) or folder.startswith(self.only)

    def _wants(self, item_id: str) -> bool:
        """Tell whether a file is one that the user asked for."""
        return True

    def rules(self) -> str | None:
        """Return the version of the program, the format and its options; None for readers that are built on this one.

        A dataset can be moved with its index, so they do not say where it is.
        """
        return self._rules() if type(self) is FolderReader else None

    def _rules(self) -> str:
        where = os.path.relpath(self.location, self.root)
        return " ".join(map(ascii, (WRITER, self.format, where, sorted(self.options.items()), self.only)))

    def _entries(
        self, lister: Lister, folder: str, prefix: str
    ) -> Iterator[ReadItem | UnreadableItem | Unchanged | str]:
        """Yield the items of one folder, and the paths of the folders in it, which end in a slash."""
        try:
            listed, ticks = lister.entries(folder, prefix)
        except OSError as error:
            reason = f"the folder cannot be read: {error.strerror or error}"
            # Also where there is no such folder: it was listed a moment ago, and a share may go away in between.
            yield UnreadableItem(prefix.rstrip("/") or ".", reason, unseen=True)
            return
        # The user named the root, and wants it read.
        if prefix and any(entry.name == IGNORE_MARK for entry in listed):
            return
        if ticks is not None:
            ticks.tick_off()
            yield Unchanged(prefix, subset_and_labels(prefix)[0], ticks.count)
        visible = [entry for entry in listed if not entry.name.startswith(".")]
        if ticks is None and holds_nothing(entry.name for entry in visible) and is_mount_point(folder):
            yield UnreadableItem(prefix.rstrip("/") or ".", "it is an empty mount point", AWAY, unseen=True)
            return
        # Sorting folders by their name with the slash makes the ids below come out in their own order.
        left = sorted(_with_slashes(visible), key=operator.itemgetter(0), reverse=True)
        del listed, visible
        while left:
            # Entries are let go one by one, because readers may keep something of each.
            name, entry = left.pop()
            is_folder = name[-1] == "/"
            if not name.isascii() and not _is_utf8(name):
                if is_folder or suffix_of(name) in IMAGE_SUFFIXES:
                    yield UnreadableItem(shown(prefix + name), "the name is not valid UTF-8; rename it")
                continue
            if self._skipped and self._skips(entry.name, is_folder=is_folder):
                continue
            if not is_folder:
                yield from self._file(entry, prefix + name)
            elif is_system_folder(entry.name):
                if self._enters(prefix + name):
                    self.passed_over[name] += 1
            elif not entry.is_symlink() or self._worth_following(entry):
                yield prefix + name

    def _skips(self, name: str, *, is_folder: bool) -> bool:
        """Tell whether the user wants a folder or a file left out; count it where it may have images."""
        skipped = next((text for text, matches in self._skipped if matches(name)), None)
        if skipped is not None and (is_folder or suffix_of(name) in IMAGE_SUFFIXES):
            self.passed_over[f"{name}/" if is_folder else skipped] += 1
        return skipped is not None

    def _worth_following(self, entry: os.DirEntry[str]) -> bool:
        real = Path(os.path.realpath(entry.path))
        if self._real_root.is_relative_to(real):
            return False
        if real.is_relative_to(self._real_root) and not is_hidden(f"{real.relative_to(self._real_root).as_posix()}/"):
            return False
        status = real.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._followed:
            return False
        self._followed.add(identity)
        return True

    def _file(self, entry: os.DirEntry[str], item_id: str) -> Sequence[ReadItem | UnreadableItem]:
        """Return the item of a file, if it is one."""
        suffix = suffix_of(entry.name)
        if suffix not in IMAGE_SUFFIXES and entry.is_symlink() and _leads_to_nothing(entry):
            return (UnreadableItem(item_id, "the link leads to nothing", AWAY, unseen=True),)
        if suffix and suffix not in IMAGE_SUFFIXES:
            if suffix in NOT_READ and self._wants(item_id):
                self.passed_over[suffix] += 1
            return ()
        try:
            status = entry.stat()
            if not stat.S_ISREG(status.st_mode):
                return (UnreadableItem(item_id, "not a regular file"),) if suffix else ()
            if not suffix and not looks_like_image(_start(entry.path)):
                return ()
        except OSError as error:
            unseen = may_be_there(entry.path, error)
            # Without an extension, it may be no image, and is no news before an index turns out to have it.
            kind = UNREADABLE if suffix else AWAY
            failed = UnreadableItem(item_id, f"cannot be read: {error.strerror or error}", kind, unseen)
            return (failed,) if suffix or unseen else ()
        return (ReadItem(item_id, *subset_and_labels(item_id), status.st_size, status.st_mtime_ns),)


def count_images(folder: Path, most: int = 20_000) -> tuple[int, bool]:
    """Count the images below a folder by their names, at a glance.

    Parameters
    ----------
    folder
        The folder. Links to folders are not followed.
    most
        Number of files and folders to look at, at most.

    Returns
    -------
    The number of images, and whether all files and folders were looked at.
    """
    images = seen = 0
    folders = deque([os.fspath(folder)])
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.popleft()) as entries:
            for entry in entries:
                seen += 1
                if seen > most:
                    return images, False
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not is_system_folder(entry.name):
                        folders.append(entry.path)
                else:
                    images += suffix_of(entry.name) in IMAGE_SUFFIXES
    return images, True


def _leads_to_nothing(link: os.DirEntry[str]) -> bool:
    """Tell whether what a link leads to is not there; a link that leads to itself leads to something."""
    try:
        link.stat()
    except OSError as error:
        return error.errno != errno.ELOOP
    return False


def _with_slashes(entries: list[os.DirEntry[str]]) -> list[tuple[str, os.DirEntry[str]]]:
    """Return the name of each entry, with a slash after that of a folder, and the entry."""
    try:
        return [(f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in entries]
    except OSError:
        return [(f"{entry.name}/" if _is_folder(entry) else entry.name, entry) for entry in entries]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _start(path: str) -> bytes:
    with open(path, "rb") as handle:  # noqa: PTH123 - millions of them: no Path object for each
        return handle.read(START)
