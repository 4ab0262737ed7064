"""The check of a whole index: every byte of its files, and what they say."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.storage.files import sha256_of
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


def verify_segments(
    folder: Path, segments: list[Segment], progress: Callable[[str, int, int], None] | None = None
) -> Verification:
    """Check the files of open segments: checksums, tables, rows and their order, and that each item is there once.

    Parameters
    ----------
    folder
        The ``segments`` folder of the index.
    segments
        The segments.
    progress
        Called with what is counted (``bytes``, then ``items``), how many are done, and of how many.
    """
    report = progress or (lambda what, done, total: None)
    checks = [check for segment in segments for check in _checks(folder, segment.stamp)]
    problems: list[str] = []
    done, total = 0, sum(size for _, size, _ in checks)
    for path, size, expected in checks:
        problems += _file_problems(path, expected)
        done += size
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
    return Verification(len(checks), total, items, tuple(dict.fromkeys(problems)))


def require_whole(folder: Path, stamp: SegmentStamp) -> None:
    """Read every byte of the files of a segment in ``folder``, the ``segments`` folder of its index.

    Raises
    ------
    IndexCorrupt
        When a checksum is not the one in the manifest, or a file cannot be read.
    """
    for path, _, expected in _checks(folder, stamp):
        for problem in _file_problems(path, expected):
            raise IndexCorrupt(problem)


def _file_problems(path: Path, expected: str) -> list[str]:
    try:
        if sha256_of(path) != expected:
            return [f"{path} is damaged: its checksum is not the one in the manifest."]
    except FileNotFoundError:
        return [f"{path} is missing."]
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror or error}."]
    return []


def _checks(folder: Path, stamp: SegmentStamp) -> list[tuple[Path, int, str]]:
    sums = [(stamp.keys.size, stamp.keys.sha256), (stamp.table.size, stamp.table.sha256)]
    if stamp.removed is not None:
        sums.append((stamp.removed.size, stamp.removed.sha256))
    return [(path, size, sha256) for path, (size, sha256) in zip(files_of(folder, stamp), sums, strict=True)]
