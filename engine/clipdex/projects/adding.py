"""Adding datasets to a project as sources."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from clipdex.datasets.above import has_index
from clipdex.datasets.dataset import as_indexed
from clipdex.errors import DatasetError, IndexFailure, ProjectError
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import expanded
from clipdex.projects.editing import add_source, create_project
from clipdex.projects.model import Project, ProjectSource
from clipdex.projects.places import FILE_NAME
from clipdex.projects.reading import bad_name, open_project
from clipdex.readers.formats import no_dataset, reader_class
from clipdex.readers.sources import AUTO, Source, index_folder, locate
from clipdex_indexes import read_manifest


class Added(NamedTuple):
    """An added source, and the source before where its dataset has moved."""

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
        The name of the source. None takes that of the folder or file, with ``-2`` and so on where another dataset has
        that name.
    format, options
        The format and its options, where the target does not name them.

    Raises
    ------
    DatasetNotFound
        When the dataset does not exist.
    DatasetError
        When there is no such format, or the dataset has an index in another format or with other options, or is an
        image.
    ProjectError
        When the name is taken or invalid, or the dataset is in the project already.
    """
    source = locate(target, format)
    source = replace(source, options=source.options or options or {})
    if source.format != AUTO:
        reader_class(source.format)
    elif suffix_of(source.location.name) in IMAGE_SUFFIXES and source.location.is_file():
        raise DatasetError(no_dataset(source.location))
    _require_fit(source)
    entry = ProjectSource(
        name or _free_name(project, source),
        project.relative(source.location),
        source.format,
        dict(source.options),
    )
    return Added(entry, add_source(project, entry))


def _require_fit(source: Source) -> None:
    """Refuse a format and options that are not those of the index that a source has.

    Raises
    ------
    DatasetError
        When they are not.
    """
    folder = index_folder(source)
    if has_index(folder):
        with contextlib.suppress(IndexFailure):  # a damaged index is said when it is opened
            as_indexed(source, read_manifest(folder))


def _free_name(project: Project, source: Source) -> str:
    """Return a name for a source that no other dataset of the project has."""
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
    """Create a project from the sources of an old Datumaro project.

    Parameters
    ----------
    old
        The folder of the old project, which contains ``.datumaro``.
    folder
        The folder of the new project. The sources are added to a project that exists there.

    Returns
    -------
    tuple
        The project, and the names of the omitted sources with the reasons.

    Raises
    ------
    DatasetError
        When ``old`` is not a Datumaro project, or cannot be read.
    ProjectError
        When the project cannot be created.
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
            _require_fit(source)
            add_source(project, entry)
        except (ProjectError, DatasetError) as error:
            left_out.append((name, error.message))
    return open_project(folder), left_out
