"""ZIP archives: the list of members, and single members.

The list is read here, entry by entry, because the standard library keeps an object for each member, which takes
gigabytes where there are millions. The standard library unpacks the members.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from calendar import timegm
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clipdex.errors import ImageError
from clipdex.media.kinds import START, suffix_of
from clipdex.media.members import Archive, ArchiveFile, Member, MemberTable, damaged, path_of, size_problem

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_MAX_32 = 0xFFFFFFFF
_ENCRYPTED, _UTF8 = 0x1, 0x800
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_BUFFER = 1 << 20
# Deflate makes at most so many bytes of one.
_MOST_PACKED = 1032
# What the standard library raises on damaged members, and on those that it cannot unpack.
_ERRORS = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, ValueError, MemoryError),
)
# Types of files in the upper half of the attributes, as Unix writes them: none, and a regular file.
_REGULAR = (0, 0o10)


def fits(path: Path, member: str) -> bool:
    """Tell whether a file is a ZIP archive; the name of the member does not matter."""
    return path.is_file() and zipfile.is_zipfile(path)


def open_container(path: Path) -> ZipContainer:
    """Open a ZIP archive."""
    return ZipContainer(path)


class ZipContainer(Archive):
    """A ZIP archive.

    Raises
    ------
    DatasetError
        When its list of members cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.file = ArchiveFile(path)
            self._one_after_another = True
            with path.open("rb", buffering=_BUFFER) as handle:
                self.table = MemberTable(self._members(handle))
            # Some writers store one picture once for several names. More than this, only they can hold.
            if not self._one_after_another and self.table.unpacked() > _MOST_PACKED * self.file.size:
                self.table.refuse_overlaps(_LOCAL.size)
        except (OSError, ValueError, struct.error, MemoryError) as error:
            raise damaged(path, error) from error

    def open(self, member: str) -> IO[bytes]:
        """Unpack one member and compare its checksum.

        Raises
        ------
        ImageError
            When there is none of that name, or it cannot be unpacked.
        """
        return io.BytesIO(self._unpack(self.table.get(member)))

    def _unpack(self, member: Member, most: int | None = None) -> bytes:
        """Return the content of a member, or its first bytes."""
        info = zipfile.ZipInfo("member")
        info.compress_type, info.CRC = member.method, member.checksum
        info.compress_size, info.file_size = member.packed, member.size
        try:
            with self.file.open() as handle:
                handle.seek(member.offset)
                signature, *_, name_length, extra_length = _LOCAL.unpack(handle.read(_LOCAL.size))
                if signature != b"PK\3\4":
                    raise ImageError("damaged: it is not where the archive says")
                handle.seek(name_length + extra_length, io.SEEK_CUR)
                with zipfile.ZipExtFile(handle, "r", info, None, True) as stream:
                    data = stream.read(member.size if most is None else min(most, member.size))
                    # Reading to the end compares the checksum.
                    if most is None and (stream.read(1) or len(data) != member.size):
                        raise ImageError("damaged: it is shorter than the archive says")
                    return data
        except _ERRORS as error:
            raise ImageError(f"cannot be unpacked: {error or type(error).__name__}") from error

    def _members(self, handle: IO[bytes]) -> Iterator[Member]:
        start, size, count, shift = _directory(handle, self.file.size)
        handle.seek(start)
        end = start + size
        at = start
        last_end = 0
        for _ in range(count):
            fields = handle.read(_ENTRY.size)
            if len(fields) < _ENTRY.size or fields[:4] != b"PK\1\2" or at >= end:
                raise ValueError("its list of members is damaged")
            values = _ENTRY.unpack(fields)
            name, extra, comment = (handle.read(length) for length in values[10:13])
            at += _ENTRY.size + len(name) + len(extra) + len(comment)
            if not name.endswith((b"/", b"\\")):
                member = self._member(values, name, extra, shift)
                self._one_after_another &= member.offset >= last_end
                last_end = member.offset + _LOCAL.size + member.packed
                yield member

    def _member(self, values: tuple[int, ...], name: bytes, extra: bytes, shift: int) -> Member:
        _, _, _, flags, method, clock, day, checksum, packed, size, *_, attributes, offset = values
        text = name.decode("utf-8" if flags & _UTF8 else "cp437", errors="surrogateescape")
        path, problem = path_of(text)
        packed, size, offset = _wide(extra, packed, size, offset)
        if flags & _ENCRYPTED:
            problem = problem or "it is encrypted"
        elif (attributes >> 28) not in _REGULAR:
            problem = problem or "it is a link or a device, which is not followed"
        elif method not in _METHODS:
            problem = problem or f"it is packed by method {method}, which cannot be unpacked"
        member = Member(
            path,
            text,
            size,
            _time(day, clock, checksum),
            offset + shift,
            packed,
            method,
            checksum,
            problem or size_problem(size),
        )
        if problem or suffix_of(path) or offset > self.file.size:
            return member
        try:
            return member._replace(start=self._unpack(member, START))
        except ImageError:
            return member


def _time(day: int, clock: int, checksum: int) -> int:
    """Return the time of a member in nanoseconds, with its checksum below the two seconds that a ZIP archive tells."""
    date = ((day >> 9) + 1980, day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2)
    try:
        seconds = timegm(date)
    except ValueError:
        seconds = 0
    return seconds * 1_000_000_000 + checksum % 1_000_000_000


def _wide(extra: bytes, *values: int) -> tuple[int, int, int]:
    """Return packed size, size and offset; those that do not fit 32 bits are in the extra field."""
    packed, size, offset = values
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = [value for (value,) in struct.iter_unpack("<Q", extra[4 : 4 + length // 8 * 8])]
            size = wide.pop(0) if size == _MAX_32 and wide else size
            packed = wide.pop(0) if packed == _MAX_32 and wide else packed
            offset = wide.pop(0) if offset == _MAX_32 and wide else offset
            break
        extra = extra[4 + length :]
    if max(packed, size, offset) >= 1 << 63:
        raise ValueError("its list of members is damaged")
    return packed, size, offset


def _directory(handle: IO[bytes], file_size: int) -> tuple[int, int, int, int]:
    """Return the offset and size of the list of members, their number, and what to add to each offset of a member.

    Offsets are too small where something stands before the archive, as in self-extracting ones.
    """
    tail = min(file_size, _END.size + _LONGEST_COMMENT)
    handle.seek(file_size - tail)
    ending = handle.read(tail)
    at = ending.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(ending):
        raise ValueError("it has no list of members")
    _, _, _, _, count, size, start, _ = _END.unpack_from(ending, at)
    end = file_size - tail + at
    before = end - _LOCATOR_64.size
    if before >= 0:
        handle.seek(before)
        signature, _, offset, _ = _LOCATOR_64.unpack(handle.read(_LOCATOR_64.size))
        if signature == b"PK\6\7":
            # The wide form is right before its locator, unless it was extended.
            for where in (offset, before - _END_64.size):
                if 0 <= where <= before - _END_64.size:
                    handle.seek(where)
                    wide = _END_64.unpack(handle.read(_END_64.size))
                    if wide[0] == b"PK\6\6":
                        count, size, start, end = wide[7], wide[8], wide[9], where
                        break
            else:
                raise ValueError("its list of members is damaged")
    shift = end - size - start
    if shift < 0 or count > size // _ENTRY.size:
        raise ValueError("its list of members is damaged")
    return start + shift, size, count, shift
