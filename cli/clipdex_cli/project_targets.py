"""Targets in a project: the names of its sources, and its plugins."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_there, quoted
from clipdex_cli.printing import say

if TYPE_CHECKING:
    from clipdex.projects.model import Missing, Project, ProjectSource
    from clipdex.readers.sources import Target

# The target that is all sources, and the names that sources have where nobody names them, in Datumaro.
WHOLE_PROJECT = "project"
_OLD_NAME = re.compile(r"source-([1-9][0-9]{0,3})", re.ASCII)

PROJECT = click.option(
    "-p",
    "--project",
    "project_dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the project. [default: the one around the current folder]",
)


@dataclass(frozen=True)
class Resolved:
    """Targets, and the project they were named in.

    Attributes
    ----------
    targets
        Datasets as the engine takes them. Empty: none were named, and there is no project.
    project
        The project, if there is one.
    names
        Names of the sources that were named; empty: all. None: something else is among the targets.
    """

    targets: tuple[Target, ...]
    project: Project | None = None
    names: tuple[str, ...] | None = None

    @property
    def model(self) -> str | None:
        """The model of the project for new indexes."""
        return self.project.model_name if self.project is not None else None


def name_of(target: Target) -> str:
    """Return the name of a dataset, as the user wrote it."""
    from clipdex.readers.sources import Source

    return target.short_name if isinstance(target, Source) else str(target)


def the_project(project_dir: Path | None) -> Project:
    """Open the named project, or the one around the current folder, and load its plugins if the user trusts them.

    Raises
    ------
    ProjectNotFound
        When there is none.
    """
    from clipdex.projects.reading import open_project

    project = open_project(project_dir)
    for line in load_plugins_of(project):
        say(line)
    return project


def load_plugins_of(project: Project) -> list[str]:
    """Load the plugins of a project if the user trusts them, and return what is to be said of that."""
    if project.plugins_folder is None:
        return []
    from clipdex.projects.plugins import load_plugins

    return load_plugins(project)


def require_index_here(index: Path | None) -> None:
    """Refuse to go on without a target and a project, where the current folder has no index and is in none.

    Raises
    ------
    UsageError
        When there is nothing that the command line could mean.
    """
    if index is None and not _has_index(Path.cwd()):
        raise click.UsageError(
            "name a TARGET: the current folder has no index, is in no dataset that has one, and is in no project."
        )


def _has_index(folder: Path) -> bool:
    """Tell whether there is an index in a folder or above it."""
    from clipdex.datasets.above import folders_above

    return (folder / INDEX_FOLDER).exists() or next(folders_above(folder), None) is not None


def with_index(target: Target, index: Path | None, doing: str) -> Target:
    """Return a target or, where only an index above has it, the dataset of that index.

    Parameters
    ----------
    target
        What was named.
    index
        Its index folder, where one was named.
    doing
        What is said then of the index above, such as "checking all of".
    """
    from clipdex.datasets.opening import source_with_index
    from clipdex_cli.output import say_part

    source = source_with_index(target, index)
    if not source.part:
        return target
    say_part(source.location, source.part, doing)
    return str(source.location)


def resolve(targets: Sequence[str], project_dir: Path | None, missing: Missing | None = None) -> Resolved:
    """Return the datasets of the targets. In a project, the name of a source has priority over a path.

    As in Datumaro, the target ``project`` is all sources, and ``source-1`` the first one, where no source is called so.

    Parameters
    ----------
    targets
        What a command line names.
    project_dir
        Folder of the project, where one is named.
    missing
        Called with the error for each source that does not exist; such sources are left out then.

    Raises
    ------
    DatasetError
        When several targets are images that are in no index.
    DatasetNotFound
        When there is no dataset of that name, in a project.
    ProjectNotFound
        When the named project does not exist.
    """
    from clipdex.projects.places import find_project

    if project_dir is None and find_project() is None:
        refuse_images(targets, of_indexes=False)
        return Resolved(tuple(targets))
    project = the_project(project_dir)
    refuse_images([target for target in targets if project.source(target) is None], of_indexes=False)
    if not targets:
        if project_dir is None and Path.cwd() != project.folder and _has_index(Path.cwd()):
            say(f"In the project {project.folder}: all its sources. This folder alone: name it, as .")
        return Resolved(tuple(project.all_sources(missing)), project, ())
    if WHOLE_PROJECT in targets and project.source(WHOLE_PROJECT) is None:
        if is_there(Path(WHOLE_PROJECT)):
            say(f"{WHOLE_PROJECT} is all of the project; the path is ./{WHOLE_PROJECT}")
        everything = [source.name for source in project.sources]
        targets = [one for target in targets for one in (everything if target == WHOLE_PROJECT else [target])]
        targets = list(dict.fromkeys(targets))
        if targets == everything:
            return Resolved(tuple(project.all_sources(missing)), project, ())
    found: list[Target] = []
    names: tuple[str, ...] | None = ()
    for target in targets:
        source = project.source(target) or _by_old_name(project, target)
        if source is None:
            _require_dataset(project, target)
            found.append(target)
            names = None
            continue
        path = Path(target)
        if is_there(path) and path.resolve() != project.location(source).resolve():
            say(f"{target} is the source of that name in the project; the path is ./{target}")
        found += project.chosen((source.name,), missing)
        names = (*names, source.name) if names is not None else None
    return Resolved(tuple(found), project, names)


def _by_old_name(project: Project, target: str) -> ProjectSource | None:
    """Return the source that Datumaro would have called ``source-1``, ``source-2`` and so on; None where it is none."""
    name = _OLD_NAME.fullmatch(target)
    if name is None or int(name[1]) > len(project.sources) or is_there(Path(target)):
        return None
    source = project.sources[int(name[1]) - 1]
    say(f"{target} is taken for the source number {name[1]} of the project: {source.name}")
    return source


def _require_dataset(project: Project, target: str) -> None:
    """Name the sources of the project where a target is none of them, and no dataset either.

    Raises
    ------
    DatasetNotFound
        When it is neither.
    """
    from clipdex.errors import DatasetNotFound
    from clipdex.readers.sources import locate

    try:
        locate(target)
    except DatasetNotFound as error:
        known = ", ".join(source.name for source in project.sources) or "none"
        raise DatasetNotFound(f"{error.message} The sources of the project {project.folder} are: {known}.") from error


def refuse_images(targets: Sequence[str], *, of_indexes: bool = True) -> None:
    """Refuse several images as targets: a shell makes them of a pattern.

    Parameters
    ----------
    targets
        What a command line names.
    of_indexes
        Whether to refuse those too that an index above may have: they can be searched, and not be built.

    Raises
    ------
    DatasetError
        When there are several; the message says what to type.
    """
    from clipdex.errors import DatasetError

    images = [Path(target) for target in targets if suffix_of(target) in IMAGE_SUFFIXES and Path(target).is_file()]
    if not of_indexes:
        images = [image for image in images if not _has_index(image.absolute().parent)]
    if len(images) < 2:
        return
    parents, suffixes = {image.parent for image in images}, {image.suffix for image in images}
    folder = Path(os.path.commonpath([parent.absolute() for parent in parents])) if len(parents) > 1 else parents.pop()
    pattern = ""
    if not parents and len(suffixes) == 1:
        pattern = f", or put the pattern in quotes: {quoted(folder / f'*{suffixes.pop()}')}"
    raise DatasetError(
        f"{len(images)} of the targets are images, such as {images[0]}, and not datasets. Name their "
        f"folder: {quoted(folder)}{pattern}. To search with images, give them to --image."
    )
