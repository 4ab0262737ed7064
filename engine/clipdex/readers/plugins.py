"""Importing formats of others: from installed packages (entry point group ``clipdex.formats``), and from a folder.

A format that is broken is reported with its error, and the others can be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from clipdex.errors import DatasetError
from clipdex.readers.base import Reader
from clipdex.readers.plugin_files import PluginFiles

GROUP = "clipdex.formats"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COMPILED = (*BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES)


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


def load_folder(files: PluginFiles) -> FolderPlugins:
    """Import the modules and packages in a folder, and return the readers that they define.

    This runs their code: call it only for a folder that the user trusts. Names that begin with ``_`` or ``.`` are
    skipped. A module that cannot be imported is among the problems; nothing is raised.
    """
    from clipdex.readers.plugin_modules import import_plugin

    readers: dict[str, type[Reader]] = {}
    problems = [
        f"the plugin {files.folder / name} was left out: only Python source is loaded, and nothing compiled."
        for name in files.digests
        if name.endswith(_COMPILED)
    ]
    for top in files.tops:
        path = files.folder / top.removesuffix("/__init__.py")
        try:
            module = import_plugin(files, top)
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
    return FolderPlugins(files.folder, readers, tuple(problems))


def _defined(module: ModuleType) -> list[type[Reader]]:
    """Return the readers that a module or its package defines, without abstract ones."""
    things = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Reader)]
    own = (thing for thing in things if thing.__module__.partition(".")[0] == module.__name__)
    return [thing for thing in dict.fromkeys(own) if not getattr(thing, "__abstractmethods__", None)]


def _said(error: BaseException) -> str:
    message = str(error).strip().rstrip(".")
    return message if isinstance(error, DatasetError) else f"{type(error).__name__}: {message}".rstrip(": ")
