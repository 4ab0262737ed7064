"""Which plugins of projects this user trusts, as direnv remembers it.

Trust is of a project at a path, with plugins of a certain content: it ends where a file is changed, added or gone. It
is kept in the user's state folder, one file a project, so that nothing in a project can say that it is trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from clipdex.errors import ClipdexError, OutputError, ProjectError
from clipdex.projects.model import Project
from clipdex.readers.plugin_files import PluginFiles
from clipdex.user_folders import state_folder
from clipdex_indexes.storage.files import atomic_write, read_bounded

# Names a project whose plugins are loaded whatever they are: for automation.
VARIABLE = "CLIPDEX_TRUST"
_FOLDER = "trusted-projects"
_VERSION = 1
_MAX_BYTES = 4 << 20


def is_named(project: Project) -> bool:
    """Tell whether the variable ``CLIPDEX_TRUST`` names a project.

    Raises
    ------
    ProjectError
        When it names no absolute path: it would be another project in each folder.
    """
    named = os.environ.get(VARIABLE, "")
    if not named:
        return False
    if not os.path.isabs(named):  # noqa: PTH117 - as the system has it
        raise ProjectError(f"{VARIABLE} is {named!r}, and must be an absolute path, of the folder of a project.")
    return _identity(Path(named)) == _identity(project.folder)


def trust(project: Project, files: PluginFiles) -> None:
    """Trust the plugins of a project as they were read, in place of what was trusted before.

    Raises
    ------
    ClipdexError
        When that cannot be written.
    """
    path = _record(project)
    body = {"version": _VERSION, **_whose(project), "files": dict(files.digests)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error.strerror or error}.") from error
    atomic_write(path, json.dumps(body, indent=1).encode() + b"\n", private=True)


def withdraw(project: Project) -> bool:
    """Trust the plugins of a project no longer; tell whether they were trusted.

    Raises
    ------
    OutputError
        When what is remembered cannot be deleted.
    """
    path = _record(project)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"{path} cannot be deleted: {error.strerror or error}.") from error
    return True


def trusted(project: Project) -> Mapping[str, str] | None:
    """Return the digests of the plugins that are trusted, by their paths; None where none are.

    What is remembered and cannot be read, or is of another folder of plugins, counts as nothing.
    """
    with contextlib.suppress(OSError, ClipdexError, ValueError, RecursionError):
        body = json.loads(read_bounded(_record(project), _MAX_BYTES))
        if not isinstance(body, dict) or not {"version": _VERSION, **_whose(project)}.items() <= body.items():
            return None
        files = body.get("files")
        if isinstance(files, dict):
            return {name: str(digest) for name, digest in files.items()}
    return None


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the files that are not as they were, such as ``a.py is changed``, in order."""
    found = []
    for name in sorted({*before, *now}):
        if name not in before:
            found.append(f"{name} is new")
        elif name not in now:
            found.append(f"{name} is gone")
        elif before[name] != now[name]:
            found.append(f"{name} is changed")
    return found


def _whose(project: Project) -> dict[str, str]:
    return {"project": _identity(project.folder), "plugins": project.plugins_name}


def _record(project: Project) -> Path:
    digest = hashlib.sha256(os.fsencode(_identity(project.folder))).hexdigest()
    return state_folder() / _FOLDER / f"{digest[:32]}.json"


def _identity(folder: Path) -> str:
    """Return the one way to write the path of a folder, whatever links and letters it was named by."""
    return os.path.normcase(os.path.realpath(folder))
