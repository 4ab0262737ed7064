"""The list of what the last build could not index as it should be, ``failed.json`` beside the index."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from clipdex.errors import IndexCorrupt
from clipdex.media.kinds import READ_BY_EXTRA, suffix_of
from clipdex.readers.base import DAMAGED, NEEDS_EXTRA, UNREADABLE
from clipdex_indexes.storage.files import atomic_write, read_bounded

_FAILURES = "failed.json"
_MAX_FAILURES_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that is not in the index, or whose file is damaged, with the reason.

    Attributes
    ----------
    id, reason, kind
        As in ``UnreadableItem``. Two more kinds did not fail: ``damaged``, an item that is in the index as far as its
        file goes; ``needs an extra``, an image that an optional package would read.
    size, mtime_ns
        Size in bytes and modification time in nanoseconds of its media; 0 where there is none.
    """

    id: str
    reason: str
    size: int = 0
    mtime_ns: int = 0
    kind: str = UNREADABLE

    @property
    def failed(self) -> bool:
        """Whether the item failed, and is not one that is only damaged or passed over."""
        return self.kind not in (DAMAGED, NEEDS_EXTRA)


def needing_extra(failures: Iterable[Failure]) -> Counter[str]:
    """Count the items that need an extra, by extension. A telephone may call such a file ``.jpg``."""
    suffixes = (suffix_of(failure.id) for failure in failures if failure.kind == NEEDS_EXTRA)
    return Counter(one if one in READ_BY_EXTRA else ".heic" for one in suffixes)


def write_failures(folder: Path, failures: Sequence[Failure], passed_over: Mapping[str, int] | None = None) -> None:
    """Keep the list of the last build in the index folder, by id; no list where there never was anything to list.

    Parameters
    ----------
    folder
        The index folder.
    failures
        Items that failed, are damaged, or need an extra.
    passed_over
        What the reader passed over, as ``Reader.passed_over`` has it.
    """
    listed = sorted(failures, key=lambda failure: failure.id)
    said: dict[str, object] = {"failed": [asdict(failure) for failure in listed]}
    if passed_over:
        said["passed_over"] = dict(sorted(passed_over.items()))
    body = json.dumps(said, indent=1, ensure_ascii=False)
    data = body.encode(errors="backslashreplace") + b"\n"
    path = folder / _FAILURES
    if not failures and not passed_over and not path.exists():
        return
    if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
        atomic_write(path, data)


def read_listed(folder: Path) -> tuple[list[Failure], dict[str, int]]:
    """Return the items that the last build listed, and what its reader passed over.

    Raises
    ------
    IndexCorrupt
        When the list cannot be read.
    """
    path = folder / _FAILURES
    try:
        said = json.loads(read_bounded(path, _MAX_FAILURES_BYTES).decode("utf-8"))
        failures = [
            Failure(
                str(entry["id"]),
                str(entry["reason"]),
                int(entry.get("size", 0)),
                int(entry.get("mtime_ns", 0)),
                str(entry.get("kind", UNREADABLE)),
            )
            for entry in said["failed"]
        ]
        return failures, {str(kind): int(count) for kind, count in said.get("passed_over", {}).items()}
    except FileNotFoundError:
        return [], {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IndexCorrupt(f"{path} is damaged: {error}. The next build writes it again.") from error
