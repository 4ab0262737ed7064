"""Importing the modules of a folder of plugins from their bytes in memory.

Python's own import reads a file again after it was looked at, and prefers bytecode in ``__pycache__`` that nobody has
looked at. Here the bytes that were read are compiled and run. Compiled modules are not imported.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from clipdex.readers.plugin_files import PluginFiles

_PREFIX = "clipdex_plugins_"
_CHARACTERS = 16


class _Source(importlib.abc.InspectLoader):
    """Runs the source of one module."""

    def __init__(self, source: bytes, path: str, *, package: bool) -> None:
        self._source = source
        self._path = path
        self._package = package

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self._path)

    def is_package(self, fullname: str) -> bool:
        return self._package


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of plugins, whose names begin with a prefix for their folder and its content."""

    def __init__(self) -> None:
        self._folders: dict[str, PluginFiles] = {}

    def add(self, files: PluginFiles) -> str:
        """Make the modules of a folder known, and return the prefix of their names."""
        digest = hashlib.sha256(os.fsencode(files.folder))
        for name, one in sorted(files.digests.items()):
            digest.update(os.fsencode(f"{name}\0{one}\0"))
        prefix = f"{_PREFIX}{digest.hexdigest()[:_CHARACTERS]}_"
        self._folders[prefix] = files
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        return prefix

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        files = self._folders.get(fullname[: len(_PREFIX) + _CHARACTERS + 1])
        if files is None:
            return None
        name = fullname[len(_PREFIX) + _CHARACTERS + 1 :].replace(".", "/")
        for source, package in ((f"{name}/__init__.py", True), (f"{name}.py", False)):
            if source in files.sources:
                place = str(files.folder / source)
                loader = _Source(files.sources[source], place, package=package)
                # A package has an empty path, so that no other finder looks for its modules on the disk.
                spec = ModuleSpec(fullname, loader, origin=place, is_package=package)
                spec.has_location = True
                return spec
        if any(source.startswith(f"{name}/") for source in files.sources):
            return ModuleSpec(fullname, None, is_package=True)
        raise ModuleNotFoundError(f"there is no {name}.py in {files.folder}", name=fullname)


_finder = _Finder()


def import_plugin(files: PluginFiles, top: str) -> ModuleType:
    """Import a module or package that is directly in a folder of plugins; this runs its code.

    Parameters
    ----------
    files
        The files of the folder.
    top
        One of ``files.tops``.

    Raises
    ------
    BaseException
        Whatever the code raises.
    """
    name = top.removesuffix("/__init__.py").removesuffix(".py")
    if "." in name:
        raise ImportError(f"{name} has a dot in it, and so is no name of a module")
    return importlib.import_module(_finder.add(files) + name)
