"""The list of what the last build could not index as it should be, ``failed.json`` beside the index."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clipdex.errors import IndexCorrupt
from clipdex.media.kinds import READ_BY_EXTRA, suffix_of
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import ANNOTATION, DAMAGED, NEEDS_EXTRA, UNREADABLE, UnreadableItem
from clipdex.wording import shortened
from clipdex_indexes.storage.files import atomic_write, read_text

_FAILURES = "failed.json"
_MAX_FAILURES_BYTES = 1 << 30
_MOST_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that is not in the index, or whose file is damaged, with the reason.

    Attributes
    ----------
    id, reason, kind
        As in ``UnreadableItem``. Three more kinds did not fail: ``damaged``, an item that is in the index as far as
        its file goes; ``needs an extra``, an image that an optional package would read; ``annotation``, a part of the
        annotations that could not be read, where the id is the path of its file.
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
        return self.kind not in (DAMAGED, NEEDS_EXTRA, ANNOTATION)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a build lists beside the index.

    Attributes
    ----------
    failures
        Items that failed, are damaged, or need an extra, and the first annotations that could not be read.
    passed_over
        What the reader passed over, as ``Reader.passed_over`` has it.
    annotation_problems
        Number of annotations that could not be read.
    remarks
        What else the reader found, as ``Reader.remarks`` has it.
    """

    failures: list[Failure] = field(default_factory=list)
    passed_over: Mapping[str, int] = field(default_factory=dict)
    annotation_problems: int = 0
    remarks: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Failure]:
        """Return the entries of one kind."""
        return [failure for failure in self.failures if failure.kind == kind]


def of_item(item: UnreadableItem) -> Failure:
    """Return an item that a reader left out as an entry of the list. Of names without end the beginning is kept."""
    return Failure(shortened(item.id, _MOST_CHARACTERS), shortened(item.reason, _MOST_CHARACTERS), kind=item.kind)


def of_annotations(problems: AnnotationProblems) -> list[Failure]:
    """Return the annotations that could not be read, those that are named, as entries of the list."""
    return [Failure(problem.file, problem.sentence, kind=ANNOTATION) for problem in problems.named]


def needing_extra(failures: Iterable[Failure]) -> Counter[str]:
    """Count the items that need an extra, by extension. A telephone may call such a file ``.jpg``."""
    suffixes = (suffix_of(failure.id) for failure in failures if failure.kind == NEEDS_EXTRA)
    return Counter(one if one in READ_BY_EXTRA else ".heic" for one in suffixes)


def write_listed(folder: Path, listed: Listed) -> None:
    """Keep the list of the last build in the index folder, by id; no list where there never was anything to list."""
    ordered = sorted(listed.failures, key=lambda failure: failure.id)
    said: dict[str, object] = {"failed": [asdict(failure) for failure in ordered]}
    if listed.passed_over:
        said["passed_over"] = dict(sorted(listed.passed_over.items()))
    if listed.annotation_problems:
        said["annotation_problems"] = listed.annotation_problems
    if listed.remarks:
        said["remarks"] = list(listed.remarks)
    body = json.dumps(said, indent=1, ensure_ascii=False)
    data = body.encode(errors="backslashreplace") + b"\n"
    path = folder / _FAILURES
    if said == {"failed": []} and not path.exists():
        return
    if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
        atomic_write(path, data)


def read_listed(folder: Path) -> Listed:
    """Return what the last build listed.

    Raises
    ------
    IndexCorrupt
        When the list cannot be read.
    """
    path = folder / _FAILURES
    try:
        said = json.loads(read_text(path, _MAX_FAILURES_BYTES))
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
        return Listed(
            failures,
            {str(kind): int(count) for kind, count in said.get("passed_over", {}).items()},
            int(said.get("annotation_problems", 0)),
            tuple(map(str, said.get("remarks", ()))),
        )
    except FileNotFoundError:
        return Listed()
    except IndexCorrupt as error:
        raise IndexCorrupt(f"{error.message} The next build writes it again.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no list of failures as a build writes it"
        raise IndexCorrupt(f"{path} is damaged: {reason}. The next build writes it again.") from error
