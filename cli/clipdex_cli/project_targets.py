"""Targets in a project: the names of its sources, and its plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import is_there

if TYPE_CHECKING:
    from clipdex.projects.model import Project
    from clipdex.readers.sources import Target

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
    """Open the named project, or the one around the current folder, and load its plugins.

    Raises
    ------
    ProjectNotFound
        When there is none.
    """
    from clipdex.projects.plugins import load_plugins
    from clipdex.projects.reading import open_project

    project = open_project(project_dir)
    for line in load_plugins(project, named=project_dir is not None):
        click.echo(line, err=True)
    return project


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


def resolve(targets: Sequence[str], project_dir: Path | None) -> Resolved:
    """Return the datasets of the targets. In a project, the name of a source has priority over a path."""
    from clipdex.projects.places import find_project

    if project_dir is None and find_project() is None:
        return Resolved(tuple(targets))
    project = the_project(project_dir)
    if not targets:
        if project_dir is None and Path.cwd() != project.folder and _has_index(Path.cwd()):
            click.echo(f"In the project {project.folder}: all its sources. This folder alone: name it, as .", err=True)
        return Resolved(tuple(project.all_sources()), project, ())
    found: list[Target] = []
    names: tuple[str, ...] | None = ()
    for target in targets:
        source = project.source(target)
        if source is None:
            found.append(target)
            names = None
            continue
        path = Path(target)
        if is_there(path) and path.resolve() != project.location(source).resolve():
            click.echo(f"{target} is the source of that name in the project; the path is ./{target}", err=True)
        found.append(project.open(source))
        names = (*names, target) if names is not None else None
    return Resolved(tuple(found), project, names)
