"""The files in a folder of plugins. Each is read once, so that what is run is what was looked at."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clipdex.errors import DatasetError, IndexCorrupt
from clipdex_indexes.storage.files import read_bounded

# What Python keeps of modules that it imports by itself. Nothing here is ever read.
_BYTECODE = "__pycache__"
_INIT = "/__init__.py"
_MOST_FILES = 1000
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class PluginFiles:
    """The files in a folder of plugins and below it, as they were read.

    Attributes
    ----------
    folder
        The absolute folder.
    digests
        The SHA-256 of each file, in hexadecimal, by its path from the folder, with slashes.
    sizes
        The sizes of the files in bytes.
    links
        Where each file really is that is outside of the folder, because of a symbolic link.
    sources
        The contents of the Python files.
    """

    folder: Path
    digests: Mapping[str, str]
    sizes: Mapping[str, int]
    links: Mapping[str, str]
    sources: Mapping[str, bytes]

    @property
    def tops(self) -> list[str]:
        """The modules and packages directly in the folder, by the paths of their files, in order."""
        found = (path for path in self.sources if "/" not in path.removesuffix(_INIT))
        return sorted(path for path in found if not path.startswith("_"))


def read_plugins(folder: Path) -> PluginFiles:
    """Read the files in a folder of plugins, without hidden ones and those in ``__pycache__``. Links are followed.

    Raises
    ------
    DatasetError
        When the folder or a file cannot be read, or there are more than 1,000 files or 64 MiB.
    """
    root = folder.absolute()
    real = os.path.realpath(root)
    digests: dict[str, str] = {}
    sizes: dict[str, int] = {}
    links: dict[str, str] = {}
    sources: dict[str, bytes] = {}
    left = _MOST_BYTES
    try:
        for name in _files(root, "", (real,)):
            if len(digests) == _MOST_FILES:
                raise DatasetError(f"the plugins in {folder} cannot be read: they are more than {_MOST_FILES:,} files.")
            path = root / name
            if path.stat().st_size > left:
                raise DatasetError(
                    f"the plugins in {folder} cannot be read: they are more than {_MOST_BYTES >> 20} MiB."
                )
            data = read_bounded(path, left)
            left -= len(data)
            digests[name] = hashlib.sha256(data).hexdigest()
            sizes[name] = len(data)
            place = os.path.realpath(path)
            if not Path(place).is_relative_to(real):
                links[name] = place
            if name.endswith(".py"):
                sources[name] = data
    except IndexCorrupt as error:
        raise DatasetError(f"the plugins in {folder} cannot be read: {error.message}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DatasetError(f"the plugins in {folder} cannot be read: {why}.") from error
    return PluginFiles(root, digests, sizes, links, sources)


def has_plugins(folder: Path) -> bool:
    """Tell whether a folder may hold a plugin; no file is read. A folder that cannot be listed may."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(("_", "."))]
        return any(name.endswith(".py") or os.path.exists(f"{folder / name}{_INIT}") for name in names)  # noqa: PTH110
    except OSError:
        return True


def _files(folder: Path, below: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of the files below a folder, in order.

    Parameters
    ----------
    folder
        The folder.
    below
        Its path from the folder of plugins; empty or with a slash at its end.
    above
        The real paths of this folder and those above: a link that leads to one of them would never end.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith(".") or entry.name == _BYTECODE:
            continue
        name = below + entry.name
        if entry.is_file():
            yield name
        elif entry.is_dir():
            real = os.path.realpath(entry.path)
            if real in above:
                raise DatasetError(f"the plugins in {folder} cannot be read: {entry.name} leads back to {real}.")
            yield from _files(folder / entry.name, f"{name}/", (*above, real))
