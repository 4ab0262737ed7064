"""Reading the images in ZIP and TAR archives, without unpacking the archives."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, ClassVar

from clipdex.errors import DatasetError, DatasetNotFound, ImageError
from clipdex.media.kinds import IMAGE_SUFFIXES, NOT_READ, OTHER_SUFFIXES, looks_like_image, suffix_of
from clipdex.media.locators import MEMBER
from clipdex.media.members import Member, MemberTable
from clipdex.media.tars import TarContainer
from clipdex.media.tars import fits as fits_tar
from clipdex.media.zips import ZipContainer
from clipdex.media.zips import fits as fits_zip
from clipdex.readers.annotation_files import is_annotation_member
from clipdex.readers.base import DUPLICATE, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.naming import IGNORE_MARK, is_hidden, subset_and_labels

_TAR_NAMES = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tzst")
# Documents and programs that are ZIP archives, and no archives of images.
_OTHER_ZIPS = (
    ".docx",
    ".xlsx",
    ".pptx",
    ".odt",
    ".ods",
    ".odp",
    ".jar",
    ".apk",
    ".epub",
    ".npz",
    ".whl",
    ".pt",
    ".pth",
)


class ArchiveReader(Reader):
    """The images in an archive; ids, subsets and labels are those in the folder that it would unpack to.

    Parameters
    ----------
    location
        The archive.
    options
        ``root``: the folder of the archive to read; ids are relative to it.

    Raises
    ------
    DatasetNotFound
        When there is no such file.
    """

    option_names: ClassVar[Mapping[str, str]] = {
        "root": "folder of the archive that ids are relative to; what is not below it is left out"
    }
    in_order = True

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        if not location.is_file():
            what = "is a folder, and not an archive" if location.is_dir() else "does not exist"
            raise DatasetNotFound(f"{location} {what}.")
        self._below = self.options.get("root", "").strip("/")
        self._prefix = f"{self._below}/" if self._below else ""
        self._lock = threading.Lock()
        # The first file that looks like annotations.
        self._annotations = ""
        self._container: ZipContainer | TarContainer | None = None

    @classmethod
    @abstractmethod
    def _open(cls, path: Path) -> ZipContainer | TarContainer:
        """Open the archive."""

    def _current(self) -> ZipContainer | TarContainer:
        """Return the archive; list it again where it has changed."""
        with self._lock:
            if self._container is None or self._container.file.changed():
                self._container = self._open(self.location)
            return self._container

    def open(self, item: ReadItem) -> IO[bytes]:
        """Unpack an image.

        Raises
        ------
        ImageError
            When it is not there, or is damaged.
        """
        try:
            return self._current().open(item.media[len(MEMBER) :] or item.id)
        except DatasetError as error:
            raise ImageError(error.message.rstrip(".")) from error

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the images in item order, in bounded memory; hidden files and other files than images are skipped."""
        self.forget_findings()
        self._annotations = ""
        table = self._current().table
        ignored = self._ignored(table)
        last: Member | None = None
        for member in table.by_path():
            if not self._wanted(member, ignored):
                continue
            if last is not None and last.path == member.path:
                yield UnreadableItem(last.path, "a later file of the archive has this name", DUPLICATE)
            elif last is not None:
                yield self._item(last)
            last = member
        if last is not None:
            yield self._item(last)
        if self._annotations:
            self.remarks.append(
                f"the annotations in the archive, such as {self._annotations}, are not read: unpack it, and build the "
                "folder to read them."
            )

    def _item(self, member: Member) -> ReadItem | UnreadableItem:
        if member.problem:
            return UnreadableItem(member.path, member.problem)
        item_id = member.path[len(self._prefix) :]
        media = MEMBER if member.name == item_id else MEMBER + member.name
        return ReadItem(item_id, *subset_and_labels(item_id), member.size, member.mtime_ns, media)

    def _wanted(self, member: Member, ignored: frozenset[str]) -> bool:
        path = member.path
        if not path.startswith(self._prefix) or is_hidden(path[len(self._prefix) :]):
            return False
        suffix = suffix_of(path)
        read = suffix in IMAGE_SUFFIXES or (not suffix and looks_like_image(member.start))
        if not read and not self._annotations and suffix in OTHER_SUFFIXES and is_annotation_member(path):
            self._annotations = path
        if not (read or suffix in NOT_READ) or (ignored and any(folder in ignored for folder in _folders(path))):
            return False
        if not read:
            self.passed_over[suffix] += 1
        return read

    def _ignored(self, table: MemberTable) -> frozenset[str]:
        """Return the folders, other than the root, that have the mark of folders to skip."""
        marks = (name.rpartition("/")[0] for name in table.paths_named(IGNORE_MARK))
        return frozenset(folder for folder in marks if folder != self._below)


def _folders(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path


class ZipReader(ArchiveReader):
    """The images in a ZIP archive."""

    format = "zip"
    about = "a ZIP archive of images, read without unpacking it"
    suffixes = (".zip",)

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take ZIP archives that are not documents or programs."""
        try:
            fitting = fits_zip(location, "") and suffix_of(location.name) not in _OTHER_ZIPS
        except (OSError, ValueError):
            return None
        return "it is a ZIP archive" if fitting else None

    @classmethod
    def _open(cls, path: Path) -> ZipContainer:
        return ZipContainer(path)


class TarReader(ArchiveReader):
    """The images in a TAR archive, which may be compressed."""

    format = "tar"
    about = "a TAR archive of images, plain or compressed (gz, bz2, xz; zst from Python 3.14 on)"

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take TAR archives, and files that are called so: the error then says what is wrong with them."""
        try:
            if fits_tar(location, ""):
                return "it is a TAR archive"
            named = location.is_file() and location.name.lower().endswith(_TAR_NAMES)
        except (OSError, ValueError):
            return None
        return "its name ends like that of a TAR archive" if named else None

    @classmethod
    def _open(cls, path: Path) -> TarContainer:
        return TarContainer(path)
