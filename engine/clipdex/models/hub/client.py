"""The Hugging Face hub, through its library: which files a repository has, and their bytes.

The library knows the addresses and the user's settings: ``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``, proxies.
Its versions 0.30 to 2 come with different HTTP clients; only this module knows which.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from clipdex.errors import ModelDownloadFailed
from clipdex.models.hub.known import KnownModel
from clipdex.version import VERSION

_RECEIVED = 1 << 16
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TELEMETRY = "HF_HUB_DISABLE_TELEMETRY"
_CALLER = {"library_name": "clipdex", "library_version": VERSION}


@dataclass(frozen=True, slots=True)
class Announced:
    """A file as the hub describes it.

    Attributes
    ----------
    path
        The path in the repository.
    size
        The size in bytes; -1 where the hub does not say.
    sha256
        The SHA-256 in hexadecimal of a file that is stored outside git; empty for other files.
    blob
        The SHA-1 of the git blob in hexadecimal; empty for a file that is stored outside git.
    """

    path: str
    size: int
    sha256: str
    blob: str

    @property
    def checksum(self) -> str:
        """The checksum of either kind; empty where there is no valid one."""
        if _SHA256.fullmatch(self.sha256) or (not self.sha256 and _COMMIT.fullmatch(self.blob)):
            return self.sha256 or self.blob
        return ""


class Dropped(Exception):
    """An attempt failed for a reason that may pass; another attempt may succeed.

    Parameters
    ----------
    reason
        What happened.
    wait
        The seconds that the server asks to wait; also an attribute.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class HubClient:
    """Requests to the hub about one model.

    Parameters
    ----------
    known
        The model.
    endpoint
        The address of the hub; None takes the user's setting. The attribute is the address in use.
    """

    def __init__(self, known: KnownModel, endpoint: str | None = None) -> None:
        self._known = known
        self._library = _library()
        with _quiet():
            self._api = self._library.HfApi(endpoint=endpoint, **_CALLER)
        self.endpoint = str(self._api.endpoint)

    def announced(self) -> tuple[str, dict[str, Announced]]:
        """Return the commit of the model's revision, and all files of that commit by their paths.

        Raises
        ------
        Dropped
            When another attempt may succeed.
        ModelDownloadFailed
            When another attempt would fail too.
        """
        try:
            with _quiet():
                info = self._api.model_info(
                    self._known.repository,
                    revision=self._known.revision or None,
                    files_metadata=True,
                    timeout=self._library.constants.HF_HUB_ETAG_TIMEOUT,
                )
            return _described(self._known, str(info.sha), info.siblings or ())
        except ModelDownloadFailed:
            raise
        except Exception as error:
            # The library changed its HTTP client twice, and each client has its own errors.
            status = getattr(getattr(error, "response", None), "status_code", 0)
            if _passes(status):
                raise Dropped(f"{self.endpoint} answers with status {status}") from error
            raise ModelDownloadFailed(self._why(error, status)) from error

    def received(self, commit: str, path: str, start: int) -> Generator[tuple[int, bytes], None, None]:
        """Yield the bytes that one connection sends of a file from ``start`` on, each chunk with its position.

        The first position is 0 where the server only sends whole files.

        Raises
        ------
        Dropped
            When another attempt may succeed.
        ModelDownloadFailed
            When another attempt would fail too.
        """
        try:
            with _quiet():
                url = self._library.hf_hub_url(self._known.repository, path, revision=commit, endpoint=self.endpoint)
                headers = dict(self._library.utils.build_hf_headers(**_CALLER))
            # A compressed response cannot be resumed in the middle.
            headers["Accept-Encoding"] = "identity"
            if start:
                headers["Range"] = f"bytes={start}-"
            with _answer(self._library, url, headers) as answer:
                position = self._position(commit, path, start, answer)
                for chunk in answer.chunks:
                    yield position, chunk
                    position += len(chunk)
        except (Dropped, ModelDownloadFailed):
            raise
        except Exception as error:
            raise Dropped(_reason(error)) from error

    def _position(self, commit: str, path: str, start: int, answer: _Answer) -> int:
        """Return the position in the file at which a response begins; raise where it has no bytes of the file."""
        if answer.status == 200:
            return 0
        if answer.status == 206:
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise Dropped("the server sent another part of the file than was asked for")
            return start
        if _passes(answer.status):
            wait = answer.headers.get("Retry-After", "")
            raise Dropped(f"the server answers with status {answer.status}", float(wait) if wait.isdecimal() else 0.0)
        if answer.status in (401, 403):
            raise ModelDownloadFailed(self._forbidden())
        raise ModelDownloadFailed(
            f"{path} of {self._known.at(commit)} cannot be fetched from {self.endpoint}: the server answers with "
            f"status {answer.status}. {self._known.by_hand(commit)}"
        )

    def _why(self, error: Exception, status: int) -> str:
        errors = self._library.errors
        repository = self._known.repository
        if isinstance(error, errors.OfflineModeIsEnabled):
            return (
                "nothing is downloaded, because the variable HF_HUB_OFFLINE is set. Unset it. " + self._known.by_hand()
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return f"the repository {repository} on {self.endpoint} has no revision {self._known.revision}."
        if isinstance(error, errors.GatedRepoError) or status == 403:
            return self._forbidden()
        if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
            return (
                f"there is no repository {repository} on {self.endpoint}, or it is not public. If you have access to "
                "it, put your token into the variable HF_TOKEN."
            )
        if status:
            what = f"cannot be asked for {repository}"
        elif isinstance(error, (ValueError, TypeError, KeyError, AttributeError)):
            what = "cannot be used as a hub"
        else:
            what = "cannot be reached"
        return f"{self.endpoint} {what}: {_reason(error)}. {self._known.by_hand()}"

    def _forbidden(self) -> str:
        return (
            f"the repository {self._known.repository} on {self.endpoint} is not open to everyone. Ask for access on "
            "its page, and put your token into the variable HF_TOKEN."
        )


def _described(known: KnownModel, commit: str, siblings: Iterable[Any]) -> tuple[str, dict[str, Announced]]:
    if not _COMMIT.fullmatch(commit):
        raise ModelDownloadFailed(f"the hub does not say which commit of {known.repository} it offers.")
    if _COMMIT.fullmatch(known.revision) and commit != known.revision:
        raise ModelDownloadFailed(f"the hub offers {known.at(commit)} instead of the commit {known.revision}.")
    files = {}
    for sibling in siblings:
        apart = sibling.lfs
        size = sibling.size if apart is None else apart.size
        files[sibling.rfilename] = Announced(
            path=sibling.rfilename,
            size=size if isinstance(size, int) else -1,
            sha256="" if apart is None else str(apart.sha256),
            blob="" if apart is not None else str(sibling.blob_id),
        )
    return commit, files


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response of the server whose body is not read yet."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@contextlib.contextmanager
def _answer(library: ModuleType, url: str, headers: Mapping[str, str]) -> Iterator[_Answer]:
    """Send a request with the library's HTTP client: requests before its version 1, and one like httpx since."""
    session, timeout = library.utils.get_session(), library.constants.HF_HUB_DOWNLOAD_TIMEOUT
    if callable(session.stream):
        with session.stream("GET", url, headers=headers, timeout=timeout) as response:
            yield _Answer(response.status_code, response.headers, response.iter_bytes())
    else:
        with session.get(url, headers=headers, timeout=timeout, stream=True) as response:
            yield _Answer(response.status_code, response.headers, response.iter_content(_RECEIVED))


def _library() -> ModuleType:
    """Import the library of the hub with its telemetry off. It reads the environment when it is imported."""
    before = os.environ.get(_TELEMETRY)
    os.environ[_TELEMETRY] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in ("constants", "errors", "utils"):
                importlib.import_module(f"huggingface_hub.{part}")
            return importlib.import_module("huggingface_hub")
    finally:
        if before is None:
            del os.environ[_TELEMETRY]
        else:
            os.environ[_TELEMETRY] = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the logs and the warnings of the library off the terminal."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _passes(status: int) -> bool:
    """Tell whether a request with this status may succeed a little later."""
    return status in (408, 425, 429) or status >= 500


def _reason(error: BaseException) -> str:
    """Return the message of the operating system where there is one. HTTP clients wrap it several times."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return cause.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".:")
