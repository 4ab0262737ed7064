"""Datasets that have an index: where they are, what they are called, and how they differ from their index."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from clipdex.defaults import INDEX_FOLDER
from clipdex.errors import DatasetError, DatasetNotFound, DatasetNotIndexed, IndexCorrupt, IndexNotFound
from clipdex.paths import expanded, is_folder, is_there
from clipdex.readers import FolderReader, ReadItem, UnreadableItem
from clipdex_indexes import Index, Location
from clipdex_indexes.files import atomic_write, read_bounded

_FAILURES = "failed.json"
_MAX_FAILURES_BYTES = 1 << 30


def index_folder(root: Path, index: str | os.PathLike[str] | None = None) -> Path:
    """Return where the index of the dataset at ``root`` is: in ``index``, as a user wrote it, or in ``.clipdex``."""
    return expanded(index).absolute() if index is not None else root / INDEX_FOLDER


def locate(target: str | os.PathLike[str]) -> Path:
    """Return the absolute root of the dataset that ``target`` names.

    Raises
    ------
    DatasetNotFound
        When it is no folder.
    """
    root = expanded(target)
    if not is_folder(root):
        what = "is a file, and not a folder of images" if is_there(root) else "does not exist"
        raise DatasetNotFound(f"the dataset {str(target)!r} {what}.")
    return Path(os.path.abspath(root))  # noqa: PTH100 - keeps symbolic links as the user named them


@dataclass(frozen=True)
class Dataset:
    """A dataset with its index open.

    Attributes
    ----------
    name
        Unique among the datasets that are searched together.
    root
        Its folder.
    index
        The snapshot of its index.
    """

    name: str
    root: Path
    index: Index

    def media(self, item_id: str) -> Path:
        """Return the file of an item."""
        return self.root / item_id


def open_index(root: Path, index: str | os.PathLike[str] | None = None) -> Index:
    """Open the index of the dataset at ``root``.

    Raises
    ------
    DatasetNotIndexed
        When it has none.
    DatasetError
        When the index there is that of another dataset.
    """
    folder = index_folder(root, index)
    try:
        opened = Index(folder)
    except IndexNotFound as error:
        option = f" --index {folder}" if index is not None else ""
        raise DatasetNotIndexed(f"{root} has no index yet. Build it: clipdex build {_quoted(root)}{option}") from error
    try:
        require_same_root(opened, root)
    except BaseException:
        opened.close()
        raise
    return opened


def recordable(root: Path) -> str:
    """Return the root as an index remembers it: nothing where it is not valid UTF-8."""
    return "" if any("\ud800" <= character <= "\udfff" for character in str(root)) else str(root)


def require_same_root(index: Index, root: Path) -> None:
    """Refuse an index that was made for another dataset, which is still there; a dataset may have been moved.

    Raises
    ------
    DatasetError
        When it is another's.
    """
    recorded = index.manifest.root
    if recorded and is_folder(Path(recorded)) and os.path.realpath(recorded) != os.path.realpath(root):
        raise DatasetError(
            f"{index.folder} holds the index of {recorded}, and not of {root}. Name another folder with --index, or "
            "replace it: clipdex build --rebuild"
        )


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def open_datasets(roots: Sequence[Path], index: str | os.PathLike[str] | None = None) -> list[Dataset]:
    """Open the indexes of several datasets, each once, under names of their own (their folder's; ``-2`` and so on)."""
    unique = list({os.path.realpath(root): root for root in reversed(roots)}.values())[::-1]
    names: dict[str, None] = {}
    datasets = []
    try:
        for root in unique:
            base = root.name or "dataset"
            name = base
            number = 2
            while name in names:
                name = f"{base}-{number}"
                number += 1
            names[name] = None
            datasets.append(Dataset(name, root, open_index(root, index)))
    except BaseException:
        for dataset in datasets:
            dataset.index.close()
        raise
    return datasets


class Change(Enum):
    """How an item of a dataset differs from the index."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Difference:
    """One item: how it differs, as it was read (not when gone), and where the index has it (not when new)."""

    change: Change
    item: ReadItem | UnreadableItem | None
    location: Location | None


def compare(reader: FolderReader, index: Index | None) -> Iterator[Difference]:
    """Compare a dataset with its index, item by item, in bounded memory: both come in item order.

    An item is unchanged when size, modification time and labels are those of the index.
    """
    known = iter(index.items()) if index is not None else iter(())
    old = next(known, None)
    for item in reader:
        if isinstance(item, UnreadableItem):
            yield Difference(Change.UNREADABLE, item, None)
            continue
        while old is not None and old[1][:2] < item[:2]:
            yield Difference(Change.GONE, None, old[0])
            old = next(known, None)
        if old is None or old[1][:2] != item[:2]:
            yield Difference(Change.NEW, item, None)
            continue
        same = old[1][2:6] == item[2:6] and item.content in (0, old[1].content)
        yield Difference(Change.UNCHANGED if same else Change.CHANGED, item, old[0])
        old = next(known, None)
    while old is not None:
        yield Difference(Change.GONE, None, old[0])
        old = next(known, None)


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that could not be indexed, and why; its size and time, in bytes and nanoseconds, where it has any."""

    id: str
    reason: str
    size: int = 0
    mtime_ns: int = 0


def write_failures(folder: Path, failures: Sequence[Failure]) -> None:
    """Keep the list of failed files of the last build in the index folder."""
    body = json.dumps({"failed": [asdict(failure) for failure in failures]}, indent=1, ensure_ascii=False)
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
            Failure(str(entry["id"]), str(entry["reason"]), int(entry.get("size", 0)), int(entry.get("mtime_ns", 0)))
            for entry in entries
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IndexCorrupt(f"{path} is damaged: {error}. The next build writes it again.") from error
