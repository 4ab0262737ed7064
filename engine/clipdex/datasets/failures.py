"""The list of files that the last build could not index, ``failed.json`` beside the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from clipdex.errors import IndexCorrupt
from clipdex.readers.base import UNREADABLE
from clipdex_indexes.storage.files import atomic_write, read_bounded

_FAILURES = "failed.json"
_MAX_FAILURES_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that is not in the index, with the reason.

    Attributes
    ----------
    id, reason, kind
        As in ``UnreadableItem``.
    size, mtime_ns
        Size in bytes and modification time in nanoseconds of its media; 0 where there is none.
    """

    id: str
    reason: str
    size: int = 0
    mtime_ns: int = 0
    kind: str = UNREADABLE


def write_failures(folder: Path, failures: Sequence[Failure]) -> None:
    """Keep the list of failed files of the last build in the index folder, by id; no list where none ever failed."""
    listed = sorted(failures, key=lambda failure: failure.id)
    body = json.dumps({"failed": [asdict(failure) for failure in listed]}, indent=1, ensure_ascii=False)
    data = body.encode(errors="backslashreplace") + b"\n"
    path = folder / _FAILURES
    if not failures and not path.exists():
        return
    if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
        atomic_write(path, data)


def read_failures(folder: Path) -> list[Failure]:
    """Return the failed files of the last build.

    Raises
    ------
    IndexCorrupt
        When the list cannot be read.
    """
    path = folder / _FAILURES
    try:
        entries = json.loads(read_bounded(path, _MAX_FAILURES_BYTES).decode("utf-8"))["failed"]
        return [
            Failure(
                str(entry["id"]),
                str(entry["reason"]),
                int(entry.get("size", 0)),
                int(entry.get("mtime_ns", 0)),
                str(entry.get("kind", UNREADABLE)),
            )
            for entry in entries
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IndexCorrupt(f"{path} is damaged: {error}. The next build writes it again.") from error
