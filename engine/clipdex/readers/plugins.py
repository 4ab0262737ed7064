"""Importing formats of others: from installed packages (entry point group ``clipdex.formats``), and from a folder.

A format that is broken is reported with its error, and the others can be used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from clipdex.errors import DatasetError
from clipdex.readers.base import Reader

GROUP = "clipdex.formats"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FolderPlugins:
    """The formats in a folder of plugins.

    Attributes
    ----------
    folder
        The folder.
    readers
        The readers, by the name of their format.
    problems
        Sentences on what was left out, and why.
    """

    folder: Path
    readers: Mapping[str, type[Reader]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def checked_reader(thing: object, name: str | None = None) -> type[Reader]:
    """Return ``thing`` if it is the class of a reader.

    Parameters
    ----------
    thing
        Any object.
    name
        Name that its format must have.

    Raises
    ------
    DatasetError
        When it is not.
    """
    if not isinstance(thing, type) or not issubclass(thing, Reader):
        raise DatasetError(f"{thing!r} is not a class derived from clipdex.readers.Reader")
    format_name = getattr(thing, "format", None)
    if not isinstance(format_name, str) or not _NAME.fullmatch(format_name):
        raise DatasetError(
            f"the format of {thing.__name__} is called {format_name!r}: it must be of lower case letters, digits and "
            "underscores"
        )
    if name is not None and format_name != name:
        raise DatasetError(f"{thing.__name__} is of the format {format_name!r}, and not {name!r}")
    return thing


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of installed packages by the name of their format, the first one of each name."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def package_of(point: EntryPoint) -> str:
    """Return the name of the package that an entry point is of."""
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


def load_installed(point: EntryPoint) -> type[Reader]:
    """Import the reader of an entry point.

    Raises
    ------
    DatasetError
        When that fails, whatever the package raises.
    """
    try:
        return checked_reader(point.load(), point.name)
    except Exception as error:
        raise DatasetError(
            f"the format {point.name} of the package {package_of(point)} cannot be used: {_said(error)}."
        ) from error


def load_folder(folder: Path) -> FolderPlugins:
    """Import the modules and packages in a folder, and return the readers that they define.

    This runs their code: call it only for a folder that the user has named. Names that begin with ``_`` or ``.`` are
    skipped. A module that cannot be imported is among the problems; nothing is raised.
    """
    readers: dict[str, type[Reader]] = {}
    problems: list[str] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        return FolderPlugins(folder, {}, (f"the plugins in {folder} cannot be read: {error.strerror or error}.",))
    for path in entries:
        source = path / "__init__.py" if path.is_dir() else path
        if path.name.startswith(("_", ".")) or source.suffix != ".py" or not source.is_file():
            continue
        try:
            module = _import(source, folder, path.stem)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
            problems.append(f"the plugin {path} was left out: {_said(error)}.")
            continue
        for thing in _defined(module):
            try:
                reader = checked_reader(thing)
                if reader.format in readers:
                    raise DatasetError(f"another plugin of this folder has the format {reader.format!r}")
            except DatasetError as error:
                problems.append(f"{thing.__name__} of the plugin {path} was left out: {_said(error)}.")
            else:
                readers[reader.format] = reader
    return FolderPlugins(folder, readers, tuple(problems))


def _import(source: Path, folder: Path, name: str) -> ModuleType:
    """Import a file under a name that only this folder has. A package can import its own modules."""
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
    full_name = f"clipdex_plugins_{digest}_{name}"
    where = [str(source.parent)] if source.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(full_name, source, submodule_search_locations=where)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full_name]
        raise
    return module


def _defined(module: ModuleType) -> list[type[Reader]]:
    """Return the readers that a module or its package defines, without abstract ones."""
    things = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Reader)]
    own = (thing for thing in things if thing.__module__.partition(".")[0] == module.__name__)
    return [thing for thing in dict.fromkeys(own) if not getattr(thing, "__abstractmethods__", None)]


def _said(error: BaseException) -> str:
    message = str(error).strip().rstrip(".")
    return message if isinstance(error, DatasetError) else f"{type(error).__name__}: {message}".rstrip(": ")
