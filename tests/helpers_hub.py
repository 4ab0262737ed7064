"""A hub on this machine, for tests: an HTTP server that speaks what ``huggingface_hub`` needs, and can misbehave.

Repositories are folders whose contents are taken when they are published, as a commit. Large files, and weights, are
stored apart as with Git LFS: the address of such a file redirects to a second server, as the real hub does.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

APART = (".onnx", ".onnx_data", ".safetensors", ".bin")
LARGE = 1 << 20
_BLOCK = 1 << 14


@dataclass
class Fault:
    """What happens to a file, or with the path ``api`` to questions: ``times`` times, or always where that is None."""

    status: int = 0
    drop_after: int | None = None
    truncate_to: int | None = None
    alter: bool = False
    whole_only: bool = False
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None


@dataclass(frozen=True)
class Request:
    """A request as it came: ``path`` is that of a file in its repository, or that of the address for questions."""

    method: str
    path: str
    start: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Blob:
    data: bytes
    apart: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def git(self) -> str:
        data = self.pointer if self.apart else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds of a file that is stored apart."""
        lines = (
            "version https://git-lfs.github.com/spec/v1",
            f"oid sha256:{self.sha256}",
            f"size {len(self.data)}",
            "",
        )
        return "\n".join(lines).encode()

    @property
    def apart_entry(self) -> dict[str, Any]:
        return {"size": len(self.data), "pointerSize": len(self.pointer)}

    @property
    def etag(self) -> str:
        return self.sha256 if self.apart else self.git


class LocalHub:
    """The state of the server: commits, faults, and what was asked and sent."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, Blob]]] = {}
        self.faults: dict[str, Fault] = {}
        self.gated: dict[str, str] = {}
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self.endpoint = ""
        self.store = ""

    def publish(self, repository: str, folder: Path) -> str:
        """Make the files of a folder the newest commit of a repository; return the commit."""
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                files[path.relative_to(folder).as_posix()] = Blob(data, path.suffix in APART or len(data) >= LARGE)
        commits = self.commits.setdefault(repository, {})
        names = "".join(f"{name} {blob.etag}\n" for name, blob in files.items())
        commit = hashlib.sha1(f"{len(commits)}\n{names}".encode()).hexdigest()
        commits[commit] = files
        return commit

    def gate(self, repository: str, token: str) -> None:
        """Show a repository to those with this token only."""
        self.gated[repository] = token

    def fault(self, path: str, **settings: Any) -> None:
        """Misbehave with a file, see ``Fault``."""
        self.faults[path] = Fault(**settings)

    def mend(self) -> None:
        self.faults.clear()

    def forget(self) -> None:
        self.requests.clear()
        self.sent.clear()

    @property
    def fetched(self) -> set[str]:
        return set(self.sent)

    def take_fault(self, path: str) -> Fault:
        fault = self.faults.get(path, Fault())
        if fault.times is not None:
            if fault.times <= 0:
                return Fault()
            fault.times -= 1
        return fault

    def find(self, repository: str, revision: str) -> tuple[str, dict[str, Blob]] | None:
        commits = self.commits.get(repository)
        if not commits:
            return None
        commit = list(commits)[-1] if revision == "main" else revision
        return (commit, commits[commit]) if commit in commits else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: LocalHub

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length).decode() if length else ""
        # A proxy is asked for whole addresses.
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path.startswith("/api/models/"):
            self._question(path.removeprefix("/api/models/"), sent)
        elif path.startswith("/store/"):
            repository, _, rest = path.removeprefix("/store/").partition("/at/")
            commit, _, name = rest.partition("/")
            self._file(repository, commit, name, body)
        elif "/resolve/" in path:
            repository, _, rest = path[1:].partition("/resolve/")
            revision, _, name = rest.partition("/")
            self._resolve(repository, revision, name, body)
        else:
            self._note(path)
            self._plain(404)

    def _note(self, path: str) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, path, start, headers))

    def _question(self, path: str, sent: str) -> None:
        self._note(path)
        fault = self.hub.take_fault("api")
        time.sleep(fault.delay)
        if fault.status:
            return self._plain(fault.status, fault.headers)
        words = path.split("/")
        repository, rest = "/".join(words[:2]), words[2:]
        published = self._look_up(repository, rest[1] if len(rest) > 1 else "main")
        if published is None:
            return None
        commit, files = published
        kind = rest[0] if rest else "revision"
        if kind == "paths-info":
            asked = json.loads(sent)["paths"] if sent.startswith("{") else parse_qs(sent).get("paths", [])
            return self._json([_entry(name, files[name]) for name in asked if name in files])
        if kind == "tree":
            return self._json([_entry(name, blob) for name, blob in files.items()])
        siblings = [_sibling(name, blob) for name, blob in files.items()]
        return self._json(
            {"id": repository, "sha": commit, "private": False, "gated": False, "disabled": False, "downloads": 0,
             "likes": 0, "tags": [], "siblings": siblings}
        )  # fmt: skip

    def _look_up(self, repository: str, revision: str) -> tuple[str, dict[str, Blob]] | None:
        """Find a commit, or answer that there is none."""
        token = self.hub.gated.get(repository)
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            status = 403 if self.headers.get("Authorization") else 401
            self._plain(status, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."})
            return None
        published = self.hub.find(repository, revision)
        if published is None:
            known = repository in self.hub.commits
            # The real hub does not tell a repository that is not there from one that is hidden.
            code = "RevisionNotFound" if known else "RepoNotFound"
            self._plain(404 if known else 401, {"X-Error-Code": code, "X-Error-Message": "Not found."})
        return published

    def _resolve(self, repository: str, revision: str, name: str, body: bool) -> None:
        published = self._look_up(repository, revision)
        if published is None:
            return None
        commit, files = published
        if name not in files:
            return self._plain(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        blob = files[name]
        if not blob.apart:
            return self._file(repository, commit, name, body)
        self.hub.requests.append(Request(self.command, f"redirect:{name}", 0, {}))
        return self._plain(
            302,
            {
                "Location": f"{self.hub.store}/store/{repository}/at/{commit}/{quote(name)}",
                "X-Repo-Commit": commit,
                "X-Linked-Size": str(len(blob.data)),
                "X-Linked-ETag": f'"{blob.etag}"',
            },
        )

    def _file(self, repository: str, commit: str, name: str, body: bool) -> None:
        self._note(name)
        fault = self.hub.take_fault(name)
        if fault.status:
            return self._plain(fault.status, fault.headers)
        blob = self.hub.commits[repository][commit][name]
        data = bytes(255 - byte for byte in blob.data) if fault.alter else blob.data
        asked = None if fault.whole_only else self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        if start >= len(data) and start:
            return self._plain(416, {"Content-Range": f"bytes */{len(data)}"})
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{blob.etag}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if not body:
            return None
        end = len(data)
        if fault.drop_after is not None:
            end = min(end, start + fault.drop_after)
        if fault.truncate_to is not None:
            end = min(end, max(start, fault.truncate_to))
        for offset in range(start, end, _BLOCK):
            time.sleep(fault.delay)
            block = data[offset : min(end, offset + _BLOCK)]
            self.hub.sent[name] += len(block)  # first: the client may be done as soon as it is written
            self.wfile.write(block)
        if end < len(data):
            self._hang_up()
        return None

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _plain(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, b"", headers or {})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


def _sibling(name: str, blob: Blob) -> dict[str, Any]:
    stored = {"lfs": {"sha256": blob.sha256, **blob.apart_entry}} if blob.apart else {}
    return {"rfilename": name, "size": len(blob.data), "blobId": blob.git, **stored}


def _entry(name: str, blob: Blob) -> dict[str, Any]:
    stored = {"lfs": {"oid": blob.sha256, **blob.apart_entry}} if blob.apart else {}
    return {"type": "file", "path": name, "size": len(blob.data), "oid": blob.git, **stored}


@contextmanager
def serving(repositories: Mapping[str, Path] | None = None) -> Iterator[LocalHub]:
    """Run a hub with these repositories; its address is ``endpoint``."""
    hub = LocalHub()
    for repository, folder in (repositories or {}).items():
        hub.publish(repository, folder)
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    hub.endpoint, hub.store = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def closed_endpoint() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
