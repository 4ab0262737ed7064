"""Loading the plugins of a project. They are Python code, so they are loaded only where the user trusts them."""

from __future__ import annotations

import os
from pathlib import Path

from clipdex.errors import ClipdexError
from clipdex.paths import quoted
from clipdex.projects.model import Project
from clipdex.projects.trust import VARIABLE, changes, is_named, trusted
from clipdex.readers.formats import say_not_loaded, use_plugins
from clipdex.readers.plugin_files import PluginFiles, has_plugins, read_plugins
from clipdex.wording import counted

_CHANGES_SHOWN = 3


def load_plugins(project: Project) -> list[str]:
    """Load the plugins of a project, if it has any that the user trusts.

    Returns
    -------
    list of str
        Messages for the user: what was loaded, or why not and what to do, and what was left out.
    """
    folder = project.plugins_folder
    if folder is None or not has_plugins(folder):
        return []
    said = []
    named = False
    try:
        named = is_named(project)
    except ClipdexError as error:
        said.append(error.message)
    before = None if named else trusted(project)
    if not named and before is None:
        return [*said, _refused(project, folder, "you have not trusted them yet")]
    try:
        files = read_plugins(folder)
    except ClipdexError as error:
        return [*said, error.message]
    if before is not None and before != files.digests:
        news = changes(before, files.digests)
        more = f" and {counted(len(news) - _CHANGES_SHOWN, 'more change')}" if len(news) > _CHANGES_SHOWN else ""
        return [*said, _refused(project, folder, f"since you trusted them, {', '.join(news[:_CHANGES_SHOWN])}{more}")]
    why = f" (${VARIABLE} names it)" if named else ""
    return [*said, f"Loaded the plugins in {folder}, of the project {project.folder}{why}.", *use_plugins(files)]


def state_of_plugins(project: Project) -> str:
    """Say in a few words whether the plugins of a project are loaded; empty where it has none."""
    folder = project.plugins_folder
    if folder is None or not has_plugins(folder):
        return ""
    try:
        if is_named(project):
            return f"trusted by ${VARIABLE}"
        before = trusted(project)
        if before is not None and before == read_plugins(folder).digests:
            return "trusted"
    except ClipdexError as error:
        return error.message
    return "not trusted" if before is None else "changed since they were trusted"


def plugins_of(project: Project) -> PluginFiles | None:
    """Read the plugins of a project, and run nothing; None where it has none.

    Raises
    ------
    DatasetError
        When they cannot be read.
    """
    folder = project.plugins_folder
    return None if folder is None or not has_plugins(folder) else read_plugins(folder)


def _refused(project: Project, folder: os.PathLike[str], why: str) -> str:
    command = f"clipdex project trust {quoted(project.folder)}"
    say_not_loaded(Path(folder), command)
    return f"The plugins in {folder} were not loaded: {why}. They are code. To see them and load them: {command}"
