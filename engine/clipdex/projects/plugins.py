"""Loading the plugins of a project. They are Python code, so they are loaded only where the user wants that."""

from __future__ import annotations

import os

from clipdex.projects.model import Project
from clipdex.readers.formats import use_folder


def load_plugins(project: Project, *, named: bool) -> list[str]:
    """Load the plugins of a project, if it has any.

    Parameters
    ----------
    project
        The project.
    named
        Whether the user named the project. A project that was found above the current folder may belong to another
        user of a shared folder. Its plugins are loaded only where the project and they belong to this user.

    Returns
    -------
    list of str
        Messages for the user.
    """
    folder = project.plugins_folder
    if folder is None:
        return []
    if not named and not all(_is_own(path) for path in (project.file, project.folder, folder)):
        return [
            f"The plugins in {folder} were not loaded: they belong to another user. To load them, name the project: "
            f"--project {project.folder}"
        ]
    return [f"Loaded the plugins in {folder}, of the project {project.folder}.", *use_folder(folder)]


def _is_own(path: os.PathLike[str]) -> bool:
    return not hasattr(os, "getuid") or os.stat(path).st_uid == os.getuid()  # noqa: PTH116
