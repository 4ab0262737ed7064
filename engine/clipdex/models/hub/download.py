"""Downloading the files of a published model: from one commit, resumable, and compared with the hub's checksums.

This module receives the bytes itself. The library of the hub (``huggingface_hub.hf_hub_download``, versions 0.30 and
2.4) was tried in its place with ``tests/test_hub.py``, and does not do the following:

- It deletes what arrived when a download is interrupted or killed, or when the disk is full
  (``test_a_download_that_gave_up_is_continued_by_the_next_one``,
  ``test_an_interrupt_leaves_what_the_next_download_continues``, ``test_a_download_that_was_killed_is_continued``,
  ``test_a_disk_that_fills_keeps_what_came``).
- It loses up to 10 MB at each dropped connection, and gives up after a few even where each brought something
  (``test_a_dropped_connection_is_taken_up_where_it_broke``,
  ``test_connections_may_drop_as_often_as_they_like_while_something_comes``).
- It does not repeat a request that is answered with status 500 (``test_a_busy_server_is_asked_again``).
- Version 0.30 reports no progress (``test_progress_rises_to_the_size_of_all_files``) and writes to the terminal
  (``test_nothing_is_printed_and_nothing_written_elsewhere``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from clipdex.errors import IndexFailure, IndexLocked, ModelDownloadFailed
from clipdex.models.hub.client import Announced, Dropped, HubClient
from clipdex.models.hub.known import KnownModel
from clipdex_indexes.storage.lock import WriterLock

PARTIAL = ".partial"
# Files of these types hold only data. Other formats of weights can hold programs.
SUFFIXES = (".json", ".txt", ".model", ".onnx", ".onnx_data", ".safetensors")
_BLOCK = 1 << 20
_LONGEST_WAIT = 60.0
_PART = re.compile(r"[0-9a-f]{40,64}\.part")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a download.

    Attributes
    ----------
    file, total
        The most bytes of one file, and of all files together.
    waits
        The seconds to wait after each attempt that brought nothing; the attempt after the last of them is final.
    """

    file: int = 8 << 30
    total: int = 16 << 30
    waits: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """The progress of a download: the current file, the bytes that have arrived, and the bytes of all files."""

    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A downloaded file whose checksum was right: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Download:
    """A completed download.

    Attributes
    ----------
    folder
        The folder of the files, which keep their paths in the repository.
    repository, revision
        The repository, and its commit in 40 hexadecimal digits.
    endpoint
        The address of the hub.
    files
        The files by their paths in the repository.
    """

    folder: Path
    repository: str
    revision: str
    endpoint: str
    files: Mapping[str, FileRecord]


def download(
    known: KnownModel,
    folder: Path,
    *,
    progress: Callable[[DownloadProgress], None] | None = None,
    endpoint: str | None = None,
    limits: Limits = Limits(),
) -> Download:
    """Download the files of a model into ``folder``, except those that are there already with the right checksum.

    The revision is resolved to a commit once, and all files come from that commit. A file gets its name only after its
    size and its checksum agree with those that the hub announces. Before that it is in ``folder/.partial``. An
    interrupted download leaves its parts there, and the next download continues them.

    Parameters
    ----------
    known
        The repository, the revision and the files.
    folder
        The folder to write to; it is created where it is missing.
    progress
        Called when bytes have arrived. ``done`` never decreases, and ends at ``total``.
    endpoint
        The address of the hub; by default that of ``HF_ENDPOINT``, or huggingface.co.
    limits
        The most bytes to download, and how patiently.

    Raises
    ------
    ModelDownloadFailed
        When the hub cannot be reached or refuses, when a file differs from what the hub announced, or when a file
        cannot be written.
    """
    targets = {path: _target(folder, path) for path in (*known.files, *known.optional)}
    client = HubClient(known, endpoint)
    failure = f"{known.repository} cannot be downloaded now. {known.by_hand()}"
    commit, announced = _patiently(client.announced, failure, iter(limits.waits))
    wanted = _wanted(known, commit, announced, limits)
    try:
        partial = _partial(folder)
        with WriterLock(partial):
            files = _Fetching(client, known, commit, partial, progress, limits).all(wanted, targets)
        _clear(partial)
    except IndexLocked as error:
        raise ModelDownloadFailed(str(error)) from error
    except BrokenPipeError:
        # Nothing here writes to a pipe: the error comes from ``progress`` and belongs to the caller.
        raise
    except (IndexFailure, OSError) as error:
        raise ModelDownloadFailed(_unwritable(folder, error)) from error
    return Download(folder, known.repository, commit, client.endpoint, files)


class _Fetching:
    """One download whose list of files is known: its progress, and the folder of its parts."""

    def __init__(
        self,
        client: HubClient,
        known: KnownModel,
        commit: str,
        partial: Path,
        progress: Callable[[DownloadProgress], None] | None,
        limits: Limits,
    ) -> None:
        self._client = client
        self._known = known
        self._commit = commit
        self._partial = partial
        self._progress = progress
        self._waits = limits.waits
        self._shown = 0
        self._total = 0

    def all(self, wanted: list[Announced], targets: Mapping[str, Path]) -> dict[str, FileRecord]:
        """Download the missing files; return all files in the order of ``wanted``."""
        there = {file.path: self._checksum(targets[file.path], file) for file in wanted}
        parts = {file.path: self._partial / f"{file.checksum}.part" for file in wanted}
        self._total = sum(file.size for file in wanted)
        done = sum(file.size for file in wanted if there[file.path])
        begun = sum(_size(part) for part in {parts[file.path] for file in wanted if not there[file.path]})
        missing, free = self._total - done - begun, shutil.disk_usage(self._partial).free
        if missing > free:
            raise ModelDownloadFailed(
                f"{missing:,} bytes are to be downloaded, and the disk of {self._partial.parent} has room for "
                f"{free:,}. Make room, and try again."
            )
        records = {}
        for file in wanted:
            sha256 = there[file.path]
            if not sha256:
                sha256 = self._fetch(file, parts[file.path], targets[file.path], done)
                done += file.size
            self._report(file, done)
            records[file.path] = FileRecord(file.size, sha256)
        return records

    def _fetch(self, file: Announced, part: Path, target: Path, before: int) -> str:
        if part.is_symlink() or _size(part) > file.size:
            part.unlink()
        with part.open("ab") as handle:
            waits = iter(self._waits)
            while (begun := handle.tell()) < file.size:
                try:
                    with contextlib.closing(self._client.received(self._commit, file.path, begun)) as chunks:
                        for position, chunk in chunks:
                            if position != handle.tell():
                                handle.truncate(position)
                                handle.seek(position)
                            # One byte too many shows that the file is another.
                            handle.write(chunk[: file.size + 1 - position])
                            self._report(file, before + handle.tell())
                            if handle.tell() > file.size:
                                break
                    if handle.tell() < file.size:
                        raise Dropped("the connection ended early")
                except Dropped as drop:
                    waits = iter(self._waits) if handle.tell() > begun else waits
                    _wait(
                        waits,
                        drop,
                        f"the download of {file.path} of {self._known.at(self._commit)} broke off: {drop}. What came "
                        "is kept: run the same command again, and it continues there.",
                    )
        sha256 = self._checksum(part, file)
        if not sha256:
            part.unlink()
            raise ModelDownloadFailed(
                f"the downloaded {file.path} of {self._known.at(self._commit)} is not the file that was announced: its "
                "checksum differs. It was deleted. Try again. If that does not help, something between this machine "
                "and the hub alters files."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        return sha256

    def _checksum(self, path: Path, file: Announced) -> str:
        """Return the SHA-256 of a file, or an empty text where it is not the announced file."""
        if path.is_symlink() or not path.is_file() or _size(path) != file.size:
            return ""
        sha256 = hashlib.sha256()
        # Git names a blob by the hash of this header and the contents.
        blob = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK):
                sha256.update(block)
                if file.blob:
                    blob.update(block)
        digest = sha256.hexdigest()
        as_announced = file.checksum == (blob.hexdigest() if file.blob else digest)
        return digest if as_announced and self._known.sha256.get(file.path, digest) == digest else ""

    def _report(self, file: Announced, done: int) -> None:
        # Where a file starts again from 0, the shown count waits until it is reached again.
        self._shown = max(self._shown, min(done, self._total))
        if self._progress is not None:
            self._progress(DownloadProgress(file.path, self._shown, self._total))


def _patiently(attempt: Callable[[], Result], failure: str, waits: Iterator[float]) -> Result:
    """Return what ``attempt`` returns; repeat it a few times where the connection drops."""
    try:
        return attempt()
    except Dropped as drop:
        _wait(waits, drop, f"{drop}: {failure}")
    return _patiently(attempt, failure, waits)


def _wait(waits: Iterator[float], drop: Dropped, failure: str) -> None:
    """Wait before the next attempt.

    Raises
    ------
    ModelDownloadFailed
        With the message ``failure``, when no wait is left.
    """
    wait = next(waits, None)
    if wait is None:
        raise ModelDownloadFailed(failure) from drop
    time.sleep(max(wait, min(drop.wait, _LONGEST_WAIT)))


def _wanted(known: KnownModel, commit: str, announced: Mapping[str, Announced], limits: Limits) -> list[Announced]:
    """Return the files to download, in the order of the model's list.

    Raises
    ------
    ModelDownloadFailed
        When a file is missing, has no checksum, is too large, or differs from the file that is known here.
    """
    missing = [path for path in known.files if path not in announced]
    if missing:
        raise ModelDownloadFailed(f"{known.at(commit)} does not have {', '.join(missing)}.")
    wanted = [announced[path] for path in (*known.files, *known.optional) if path in announced]
    for file in wanted:
        if file.size < 0 or not file.checksum:
            raise ModelDownloadFailed(
                f"the hub gives no size or no checksum of {file.path} of {known.at(commit)}, so it cannot be checked."
            )
        if file.sha256 and known.sha256.get(file.path, file.sha256) != file.sha256:
            raise ModelDownloadFailed(
                f"{file.path} of {known.at(commit)} is not the file that this version of clipdex knows."
            )
    largest, total = max(file.size for file in wanted), sum(file.size for file in wanted)
    if largest > limits.file or total > limits.total:
        raise ModelDownloadFailed(
            f"{known.at(commit)} is too large: {total:,} bytes, of which {largest:,} are in one file."
        )
    return wanted


def _target(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder.

    Raises
    ------
    ModelDownloadFailed
        When the path leads out of the folder, by its name or through a link, or when the type of the file is not
        allowed.
    """
    path = PurePosixPath(name)
    plain = name == "/".join(path.parts) and not path.is_absolute() and ".." not in path.parts
    if not plain or not name or "\\" in name or ":" in name or path.parts[0] == PARTIAL:
        raise ModelDownloadFailed(f"{name!r} is no plain name of a file in a repository.")
    if path.suffix not in SUFFIXES:
        raise ModelDownloadFailed(f"{name} is not downloaded: only {', '.join(SUFFIXES)} are, which hold data only.")
    target = folder
    for part in path.parts:
        target = _no_link(target / part)
    return target


def _partial(folder: Path) -> Path:
    partial = _no_link(folder / PARTIAL)
    partial.mkdir(parents=True, exist_ok=True)
    return partial


def _no_link(path: Path) -> Path:
    if path.is_symlink():
        raise ModelDownloadFailed(f"{path} is a link, and nothing is downloaded through one. Remove it.")
    return path


def _clear(partial: Path) -> None:
    """Delete what earlier downloads left, after a download is complete."""
    with contextlib.suppress(OSError):
        for path in partial.iterdir():
            if path.name == "lock" or _PART.fullmatch(path.name):
                path.unlink()
        partial.rmdir()


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 where it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _unwritable(folder: Path, error: Exception) -> str:
    reason = error if isinstance(error, OSError) else error.__cause__
    if isinstance(reason, OSError):
        if reason.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk of {folder} is full. What came is kept: make room, and run the same command again."
        return f"nothing can be downloaded to {folder}: {reason.strerror or reason}."
    return f"nothing can be downloaded to {folder}: {error}"
