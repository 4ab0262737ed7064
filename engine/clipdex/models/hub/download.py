"""Downloading the files of a published model: by commit, resumable, and compared with the checksums of the hub.

The bytes are received here and not by the hub's library: newer versions of it delete what an interrupted download has
fetched, and none tells its caller how far it is.
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
# What holds data only. Other formats of weights can hold programs.
SUFFIXES = (".json", ".txt", ".model", ".onnx", ".onnx_data", ".safetensors")
_MAX_FILE = 8 << 30
_MAX_TOTAL = 16 << 30
_BLOCK = 1 << 20
# Seconds after each attempt in a row that brought nothing.
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
_PART = re.compile(r"[0-9a-f]{40,64}\.part")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is: the file that is being fetched, the bytes that are there, and the bytes of all files."""

    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that was fetched and compared: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Download:
    """What was downloaded.

    Attributes
    ----------
    folder
        Where the files are, in the sub-folders of their repository.
    repository, revision
        Where they come from: the repository, and the commit, 40 hexadecimal digits.
    endpoint
        The address of the hub that they come from.
    files
        By their paths in the repository.
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
) -> Download:
    """Fetch the files of a model into ``folder``; those that are there already, and right, are not fetched again.

    The revision is resolved to a commit, and everything comes from that commit. A file gets its name when its size and
    its checksum are those that the hub announces. Until then it is in ``folder/.partial``, where an interrupted
    download leaves what it has, and the next one continues.

    Parameters
    ----------
    known
        The repository, the revision and the files.
    folder
        Where to put them; made where it is missing.
    progress
        Called when bytes have arrived. ``done`` never falls, and ends at ``total``.
    endpoint
        Address of the hub; by default that of ``HF_ENDPOINT``, or huggingface.co.

    Raises
    ------
    ModelDownloadFailed
        When the hub cannot be reached or refuses, when what comes is not what was announced, or when it cannot be
        written.
    """
    targets = {path: _target(folder, path) for path in (*known.files, *known.optional)}
    client = HubClient(known, endpoint)
    failure = f"{known.repository} cannot be downloaded now. {known.by_hand()}"
    commit, announced = _patiently(client.announced, failure, iter(_WAITS))
    wanted = _wanted(known, commit, announced)
    try:
        partial = _partial(folder)
        with WriterLock(partial):
            files = _Fetching(client, known, commit, partial, progress).all(wanted, targets)
        _clear(partial)
    except IndexLocked as error:
        raise ModelDownloadFailed(str(error)) from error
    except BrokenPipeError:
        # Nothing here writes to a pipe: it is from ``progress``, and its caller's.
        raise
    except (IndexFailure, OSError) as error:
        raise ModelDownloadFailed(_unwritable(folder, error)) from error
    return Download(folder, known.repository, commit, client.endpoint, files)


class _Fetching:
    """One download, when it is known what to fetch: how far it is, and where its parts are."""

    def __init__(
        self,
        client: HubClient,
        known: KnownModel,
        commit: str,
        partial: Path,
        progress: Callable[[DownloadProgress], None] | None,
    ) -> None:
        self._client = client
        self._known = known
        self._commit = commit
        self._partial = partial
        self._progress = progress
        self._shown = 0
        self._total = 0

    def all(self, wanted: list[Announced], targets: Mapping[str, Path]) -> dict[str, FileRecord]:
        """Fetch what is missing; return all that is there then, in the order of ``wanted``."""
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
            waits = iter(_WAITS)
            while (begun := handle.tell()) < file.size:
                try:
                    with contextlib.closing(self._client.received(self._commit, file.path, begun)) as chunks:
                        for position, chunk in chunks:
                            if position != handle.tell():
                                handle.truncate(position)
                                handle.seek(position)
                            # A byte too many is enough to know that it is another file.
                            handle.write(chunk[: file.size + 1 - position])
                            self._report(file, before + handle.tell())
                            if handle.tell() > file.size:
                                break
                    if handle.tell() < file.size:
                        raise Dropped("the connection ended early")
                except Dropped as drop:
                    waits = iter(_WAITS) if handle.tell() > begun else waits
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
                f"what came for {file.path} of {self._known.at(self._commit)} is not the file that was announced: its "
                "checksum is another. It was deleted. Try again; if that does not help, something between this machine "
                "and the hub alters files."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        return sha256

    def _checksum(self, path: Path, file: Announced) -> str:
        """Return the SHA-256 of a file that is the announced one, and nothing for another."""
        if path.is_symlink() or not path.is_file() or _size(path) != file.size:
            return ""
        sha256 = hashlib.sha256()
        # The name that git gives to contents.
        blob = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK):
                sha256.update(block)
                if file.blob:
                    blob.update(block)
        found = sha256.hexdigest()
        right = file.checksum == (blob.hexdigest() if file.blob else found)
        return found if right and self._known.sha256.get(file.path, found) == found else ""

    def _report(self, file: Announced, done: int) -> None:
        # Where a file is begun anew, what is shown waits until it is as far again.
        self._shown = max(self._shown, min(done, self._total))
        if self._progress is not None:
            self._progress(DownloadProgress(file.path, self._shown, self._total))


def _patiently(attempt: Callable[[], Result], failure: str, waits: Iterator[float]) -> Result:
    """Return what ``attempt`` returns, after a few more attempts where it is dropped."""
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
        With the message ``failure``, when there have been enough.
    """
    wait = next(waits, None)
    if wait is None:
        raise ModelDownloadFailed(failure) from drop
    time.sleep(max(wait, min(drop.wait, _LONGEST_WAIT)))


def _wanted(known: KnownModel, commit: str, announced: Mapping[str, Announced]) -> list[Announced]:
    """Return what is to be fetched, in the order of the model's list.

    Raises
    ------
    ModelDownloadFailed
        When a file is not there, cannot be compared, is too large or is known to be another.
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
    if largest > _MAX_FILE or total > _MAX_TOTAL:
        raise ModelDownloadFailed(
            f"{known.at(commit)} is too large: {total:,} bytes, of which {largest:,} are in one file."
        )
    return wanted


def _target(folder: Path, name: str) -> Path:
    """Return where a file goes.

    Raises
    ------
    ModelDownloadFailed
        When that is not in the folder, by its name or through a link, or when it is of no kind that is downloaded.
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
    """Delete what is left of earlier downloads, when all is there."""
    with contextlib.suppress(OSError):
        for path in partial.iterdir():
            if path.name == "lock" or _PART.fullmatch(path.name):
                path.unlink()
        partial.rmdir()


def _size(path: Path) -> int:
    """Return the size of a file; 0 for one that is not there."""
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
