"""Datasets that become sources of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clipdex.errors import ProjectError
from clipdex.paths import expanded
from clipdex.projects.editing import add_source, create_project
from clipdex.projects.model import Project, ProjectSource
from clipdex.projects.places import FILE_NAME
from clipdex.projects.reading import bad_name, open_project
from clipdex.readers.formats import reader_class
from clipdex.readers.sources import AUTO, Source, locate


class Added(NamedTuple):
    """A source that was added, and what it was before where it has been moved."""

    source: ProjectSource
    before: ProjectSource | None


def add_dataset(
    project: Project,
    target: str | os.PathLike[str] | Source,
    *,
    name: str | None = None,
    format: str = AUTO,
    options: Mapping[str, str] | None = None,
) -> Added:
    """Add a dataset to a project.

    Parameters
    ----------
    project
        The project.
    target
        A path, ``path:format`` or a pattern.
    name
        What to call it; None: as its folder or file, with ``-2`` and so on where that is taken by another dataset.
    format, options
        How it is read, where the target does not say it.

    Raises
    ------
    DatasetNotFound
        When it is not there.
    DatasetError
        When there is no such format.
    ProjectError
        When the name is taken or cannot be one, or the dataset is in the project already.
    """
    source = locate(target, format)
    if source.format != AUTO:
        reader_class(source.format)
    entry = ProjectSource(
        name or _free_name(project, source),
        project.relative(source.location),
        source.format,
        dict(source.options or options or {}),
    )
    return Added(entry, add_source(project, entry))


def _free_name(project: Project, source: Source) -> str:
    """Return a name for a source, unlike that of any other dataset."""
    wanted = source.name or source.location.name or "dataset"
    wanted = "".join("-" if one in "/\\:*?[" or not one.isprintable() else one for one in wanted).lstrip(".-").strip()
    name, number = wanted or "dataset", 2
    while _taken(project, name, source.location):
        name = f"{wanted}-{number}"
        number += 1
    return name


def _taken(project: Project, name: str, location: Path) -> bool:
    other = project.source(name)
    return other is not None and os.path.realpath(project.location(other)) != os.path.realpath(location)


def import_datumaro(
    old: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[Project, list[tuple[str, str]]]:
    """Make a project of the sources of an old project of Datumaro.

    Parameters
    ----------
    old
        Its folder, with ``.datumaro`` in it.
    folder
        Where to make the project; where one is already, its sources are added to it.

    Returns
    -------
    tuple
        The project; and the sources that were left out, with the reasons.

    Raises
    ------
    DatasetError
        When it is no such project, or cannot be read.
    ProjectError
        When no project can be made.
    """
    from clipdex.readers.datumaro.project import read_datumaro_project

    sources = read_datumaro_project(expanded(old).absolute())
    there = (expanded(folder) / FILE_NAME).is_file()
    project = open_project(folder) if there else create_project(folder)
    left_out = []
    for source in sources:
        name = source.short_name
        if bad_name(name):
            name = _free_name(project, source)
        entry = ProjectSource(name, project.relative(source.location), source.format, source.options)
        try:
            add_source(project, entry)
        except ProjectError as error:
            left_out.append((name, error.message))
    return open_project(folder), left_out
