"""The members of an archive, in a temporary database.

The objects of the standard library would take gigabytes for an archive of millions of members. The database keeps on
disk what does not fit its cache.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from clipdex.errors import DatasetError, ImageError

# No image is larger. It bounds the memory that an archive with false sizes can take.
MAX_MEMBER_BYTES = 512 << 20
_BATCH = 1000
# Most names, which stand for themselves.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:[/.][A-Za-z0-9_-]+)*")
_DRIVE = re.compile(r"[A-Za-z]:")


class Member(NamedTuple):
    """A file in an archive.

    Attributes
    ----------
    path
        Relative POSIX path that the name stands for.
    name
        Name in the archive.
    size, mtime_ns
        Unpacked size in bytes, and modification time in nanoseconds.
    offset, packed, method, checksum
        For the container: offset and packed size of its data in bytes, the compression method, and the CRC-32.
    problem
        Why the member cannot be read, as the end of a sentence; otherwise empty.
    start
        Its first bytes, where the name has no extension.
    """

    path: str
    name: str
    size: int = 0
    mtime_ns: int = 0
    offset: int = 0
    packed: int = 0
    method: int = 0
    checksum: int = 0
    problem: str = ""
    start: bytes = b""


class Found(NamedTuple):
    """Where the bytes of a member are.

    Attributes
    ----------
    data
        What tells them from those of other members of the container; a path, where they are in a file outside.
    size, mtime_ns
        Their size and time, as the reader of the container takes them; 0 where it does not.
    content
        The hash of their content, where size and time do not tell whether they have changed; otherwise 0.
    """

    data: object
    size: int = 0
    mtime_ns: int = 0
    content: int = 0


def path_of(name: str) -> tuple[str, str]:
    """Return the relative path that the name of a member stands for, and what is wrong with the name, if anything."""
    if _PLAIN.fullmatch(name):
        return name, ""
    if "/" not in name:  # some old programs for Windows
        name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    try:
        name.encode()
    except UnicodeEncodeError:
        return path.encode(errors="backslashreplace").decode(), "its name is not valid UTF-8"
    if name.startswith("/") or ".." in parts or _DRIVE.match(name) or "\0" in name:
        return path.replace("\0", "\\0"), f"its name {name!r} leads out of the archive"
    return path, ""


class MemberTable:
    """The members of an archive, by path and by name. Several threads may use it.

    Parameters
    ----------
    members
        All members, in the order of the archive. Of several with one name, the last counts.
    """

    def __init__(self, members: Iterator[Member]) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        columns = ", ".join(Member._fields)
        self._database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            f"CREATE TABLE member(position INTEGER PRIMARY KEY, {columns}); BEGIN;"
        )
        marks = ",".join("?" * len(Member._fields))
        insert = f"INSERT INTO member({columns}) VALUES ({marks})"
        self._database.executemany(insert, (_storable(member) for member in members))
        for statement in (
            "COMMIT",
            "CREATE INDEX by_path ON member(path)",
            "CREATE INDEX by_name ON member(name)",
        ):
            self._database.execute(statement)
        self._select = f"SELECT {columns} FROM member "

    def unpacked(self) -> int:
        """Return the sum of the sizes of all members in bytes."""
        with self._lock:
            [(size,)] = self._database.execute("SELECT CAST(total(size) AS INTEGER) FROM member")
        return int(size)

    def refuse_overlaps(self, header: int) -> None:
        """Mark the members whose data another member has too: a small archive could hold any amount of it.

        Of those that overlap, the first in the file stays.

        Parameters
        ----------
        header
            Bytes that stand before the data of each member at least.
        """
        with self._lock:
            self._database.execute(
                "UPDATE member SET problem = 'it has the same bytes as another member of the archive' "
                "WHERE problem = '' AND position IN (SELECT position FROM (SELECT position, offset, max(offset + ?1 + "
                "packed) OVER (ORDER BY offset, position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached "
                "FROM member) WHERE offset < reached)",
                (header,),
            )

    def by_path(self) -> Iterator[Member]:
        """Yield the members by path, in code points; members of one path in the order of the archive."""
        with self._lock:
            cursor = self._database.execute(self._select + "ORDER BY path, position")
        while True:
            with self._lock:
                rows = cursor.fetchmany(_BATCH)
            if not rows:
                return
            yield from map(Member._make, rows)

    def paths_named(self, name: str) -> list[str]:
        """Return the paths of all members whose file name is ``name``."""
        with self._lock:
            query = "SELECT path FROM member WHERE path = ?1 OR path LIKE '%/' || ?1"
            return [path for (path,) in self._database.execute(query, (name,))]

    def get(self, name: str) -> Member:
        """Return the member of that name; the last one where there are several.

        Raises
        ------
        ImageError
            When there is none, or it cannot be read.
        """
        try:
            with self._lock:
                query = self._select + "WHERE name = ? ORDER BY position DESC LIMIT 1"
                row = self._database.execute(query, (name,)).fetchone()
        except UnicodeEncodeError:
            row = None
        if row is None:
            raise ImageError("no such file in the archive")
        member = Member._make(row)
        if member.problem:
            raise ImageError(member.problem)
        return member


def _storable(member: Member) -> Member:
    """Return a member that SQLite can keep. A name that is not valid UTF-8 is escaped: it is only shown."""
    if member.name.isascii() and abs(member.mtime_ns) < 1 << 62:
        return member
    name = member.name.encode(errors="backslashreplace").decode()
    return member._replace(name=name, mtime_ns=max(-(1 << 62), min(member.mtime_ns, 1 << 62)))


def size_problem(size: int) -> str:
    """Say what is wrong with this size of a member; empty where nothing is."""
    if not 0 <= size <= MAX_MEMBER_BYTES:
        return f"it has {size:,} bytes, and an image may have {MAX_MEMBER_BYTES:,}"
    return ""


class ArchiveFile:
    """The file of an archive. It must not change after its members were listed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        status = path.stat()
        self.stamp = (status.st_size, status.st_mtime_ns, status.st_ino)

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.stamp[0]

    def changed(self) -> bool:
        """Tell whether the file has changed, or is gone."""
        try:
            return ArchiveFile(self.path).stamp != self.stamp
        except OSError:
            return True

    def open(self) -> IO[bytes]:
        """Open the file.

        Raises
        ------
        ImageError
            When it has changed, or cannot be read.
        """
        if self.changed():
            raise ImageError(f"the archive {self.path.name} is not there any more, or has changed meanwhile")
        try:
            return self.path.open("rb")
        except OSError as error:
            raise ImageError(f"the archive {self.path.name} cannot be read: {error.strerror or error}") from error


def damaged(path: Path, error: BaseException | str) -> DatasetError:
    """Return the error for an archive whose list of members cannot be read."""
    return DatasetError(f"{path} cannot be read as an archive: {str(error) or type(error).__name__}.")


class Archive:
    """A container whose members are listed in a table.

    Attributes
    ----------
    table
        Its members.
    """

    table: MemberTable

    def find(self, member: str) -> Found:
        """Return where the data of one member begins.

        Raises
        ------
        ImageError
            When there is none of that name, or it cannot be read.
        """
        entry = self.table.get(member)
        return Found(entry.offset, entry.size, entry.mtime_ns)
