"""The check of a whole index: every byte of its files, and what they say."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.storage.files import sha256_of_open
from clipdex_indexes.storage.manifest import SegmentStamp
from clipdex_indexes.storage.segment import Segment, files_of

_REPORT_EVERY = 100_000


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of checking a whole index.

    Attributes
    ----------
    files, bytes
        Numbers of the files that were read, and of their bytes.
    items
        Number of the items that were checked.
    problems
        One sentence for each problem; none when all is well.
    """

    files: int
    bytes: int
    items: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


class OpenFile(NamedTuple):
    """A file of a segment, held open so that it can be read after a writer has deleted it.

    Attributes
    ----------
    path, size, sha256
        Its path, and its size and checksum in the manifest.
    handle
        The open file; None where it cannot be opened.
    problem
        Why it cannot be opened, as a sentence; empty where it can.
    is_gone
        Whether it is missing: it was lost, or a writer has replaced its segment.
    """

    path: Path
    size: int
    sha256: str
    handle: IO[bytes] | None
    problem: str = ""
    is_gone: bool = False


@contextlib.contextmanager
def opened_files(folder: Path, segments: list[Segment]) -> Iterator[list[OpenFile]]:
    """Open all files of segments in ``folder``, the ``segments`` folder of their index, for as long as it is needed."""
    files: list[OpenFile] = []
    try:
        for segment in segments:
            files += [_opened(*check) for check in _checks(folder, segment.stamp)]
        yield files
    finally:
        for file in files:
            if file.handle is not None:
                file.handle.close()


def verify_segments(
    folder: Path,
    segments: list[Segment],
    files: list[OpenFile],
    progress: Callable[[str, int, int], None] | None = None,
) -> Verification:
    """Check the files of open segments: checksums, tables, rows and their order, and that each item is there once.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    segments
        The segments.
    files
        Their files, from ``opened_files``.
    progress
        Called with what is counted (``bytes``, then ``items``), how many are done, and of how many.
    """
    report = progress or (lambda what, done, total: None)
    problems: list[str] = []
    done, total = 0, sum(file.size for file in files)
    for file in files:
        problems += _problems_of(file)
        done += file.size
        report("bytes", done, total)
    items = 0
    try:
        for segment in segments:
            segment.table.check()
        expected_items = sum(len(segment) for segment in segments)
        last: tuple[str, ...] = ()
        streams = [(row[:2] for _, row in segment.table.iterate()) for segment in segments]
        for item in heapq.merge(*streams):
            if item <= last:
                what = "is there twice" if item == last else f"comes after {last[0]!r}"
                problems.append(f"the item {item[0]!r} (subset {item[1]}) {what} in the index in {folder.parent}.")
                break
            last = item
            items += 1
            if items % _REPORT_EVERY == 0:
                report("items", items, expected_items)
    except IndexCorrupt as error:
        problems.append(error.message)
    return Verification(len(files), total, items, tuple(dict.fromkeys(problems)))


def require_whole(folder: Path, stamp: SegmentStamp) -> None:
    """Read every byte of the files of a segment in ``folder``, the ``segments`` folder of its index.

    Raises
    ------
    IndexCorrupt
        When a checksum is not the one in the manifest, or a file cannot be read.
    """
    for check in _checks(folder, stamp):
        file = _opened(*check)
        with file.handle or contextlib.nullcontext():
            for problem in _problems_of(file):
                raise IndexCorrupt(problem)


def _opened(path: Path, size: int, sha256: str) -> OpenFile:
    try:
        return OpenFile(path, size, sha256, path.open("rb"))
    except FileNotFoundError:
        return OpenFile(path, size, sha256, None, f"{path} is missing.", is_gone=True)
    except OSError as error:
        return OpenFile(path, size, sha256, None, _unreadable(path, error))


def _problems_of(file: OpenFile) -> list[str]:
    if file.handle is None:
        return [file.problem]
    try:
        if sha256_of_open(file.handle) != file.sha256:
            return [f"{file.path} is damaged: its checksum is not the one in the manifest."]
    except OSError as error:
        return [_unreadable(file.path, error)]
    return []


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read: {error.strerror or error}."


def _checks(folder: Path, stamp: SegmentStamp) -> list[tuple[Path, int, str]]:
    sums = [(stamp.keys.size, stamp.keys.sha256), (stamp.table.size, stamp.table.sha256)]
    if stamp.removed is not None:
        sums.append((stamp.removed.size, stamp.removed.sha256))
    return [(path, size, sha256) for path, (size, sha256) in zip(files_of(folder, stamp), sums, strict=True)]
