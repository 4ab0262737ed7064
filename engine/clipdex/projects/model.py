"""What a project is: sources with names, a model, plugins, and recorded stages."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipdex.errors import DatasetNotFound, ProjectError
from clipdex.paths import is_pattern, is_there
from clipdex.projects.places import FILE_NAME, PLUGINS_FOLDER, STATE_FOLDER
from clipdex.readers.sources import AUTO, Source

OptionValue = str | int | float | bool | tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class ProjectSource:
    """A dataset of a project: its name, its path as the file has it, its format and the options of that."""

    name: str
    path: str
    format: str = AUTO
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a stage when it was recorded.

    Attributes
    ----------
    model
        Digest of the model that hashed what was searched.
    hits
        Digest of the hits (see ``clipdex.projects.outcomes``).
    sources
        For each source that was searched, which state of its index.
    images
        For each image of the queries, the SHA-256 of its file.
    """

    model: str
    hits: str
    sources: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """A query as a build step.

    Attributes
    ----------
    queries
        Kind and value of each query, in order; images as paths relative to the project, or absolute.
    targets
        Names of the sources that are searched; none: all.
    options
        The other options of the query, by their long names.
    name
        What it is called, where somebody has named it.
    outcome
        What came out; None where it was not run.
    line
        Where the file says it.
    """

    queries: tuple[tuple[str, str], ...]
    targets: tuple[str, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    name: str = ""
    outcome: Outcome | None = None
    line: int = 0

    @property
    def question(self) -> str:
        """What is asked, as a digest: equal where stages ask the same of the same sources."""
        asked = json.dumps([self.queries, self.targets, sorted(self.options.items())])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Project:
    """A project, as its file says it.

    Attributes
    ----------
    folder
        The folder of the project, absolute.
    model
        Name of the model of new indexes, or its folder, as the file has it; empty: the project has no model of its own.
    plugins
        Folder of plugins, relative to the project; empty: ``plugins``, where there is one.
    sources, stages
        In the order of the file.
    """

    folder: Path
    model: str = ""
    plugins: str = ""
    sources: tuple[ProjectSource, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def file(self) -> Path:
        """The file that says all this."""
        return self.folder / FILE_NAME

    @property
    def state(self) -> Path:
        """The folder of what is kept beside the file."""
        return self.folder / STATE_FOLDER

    @property
    def model_name(self) -> str | None:
        """Name or absolute folder of the model of new indexes; None where the project has none of its own."""
        if not self.model:
            return None
        folder = self.absolute(self.model)
        return str(folder) if "/" in self.model and is_there(folder) else self.model

    @property
    def plugins_folder(self) -> Path | None:
        """The folder of plugins, where there is one."""
        folder = self.folder / (self.plugins or PLUGINS_FOLDER)
        return folder if folder.is_dir() else None

    def source(self, name: str) -> ProjectSource | None:
        """Return the source of that name, if there is one."""
        return next((source for source in self.sources if source.name == name), None)

    def location(self, source: ProjectSource) -> Path:
        """Return where a source is, absolute."""
        return self.absolute(source.path)

    def is_missing(self, source: ProjectSource) -> bool:
        """Tell whether there is nothing where a source should be."""
        location = self.location(source)
        return not is_there(location) and not is_pattern(str(location))

    def open(self, source: ProjectSource) -> Source:
        """Return a source as the engine takes it.

        Raises
        ------
        DatasetNotFound
            When it is not there.
        """
        location = self.location(source)
        if self.is_missing(source):
            raise DatasetNotFound(
                f"the source {source.name!r} of the project {self.folder} is not there: {location} does not exist. Say "
                f"where it is now: clipdex project add --name {source.name} PATH; or take it out: clipdex project "
                f"remove {source.name}"
            )
        return Source(location, source.format, source.options, source.name)

    def all_sources(self) -> list[Source]:
        """Return all sources as the engine takes them: together, the project as one dataset.

        Raises
        ------
        DatasetNotFound, ProjectError
            When one is not there; when there is none.
        """
        if not self.sources:
            raise ProjectError(f"the project {self.folder} has no sources yet. Add one: clipdex project add PATH")
        return [self.open(source) for source in self.sources]

    def absolute(self, path: str) -> Path:
        """Return a path of the file, which is relative to the project, as an absolute one."""
        return Path(os.path.abspath(self.folder / path))  # noqa: PTH100 - keeps links as they are named

    def relative(self, path: Path) -> str:
        """Return a path as the file has it: relative where it is near the project, and moves with it; else absolute."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100
        near = self.folder.parent
        if absolute.is_relative_to(near) and near != Path(near.anchor):
            return Path(os.path.relpath(absolute, self.folder)).as_posix()
        return absolute.as_posix()

    def chosen(self, names: Sequence[str]) -> list[Source]:
        """Return the sources of these names as the engine takes them; none means all.

        Raises
        ------
        DatasetNotFound, ProjectError
            When one is not there; when there is none of that name.
        """
        if not names:
            return self.all_sources()
        known = ", ".join(source.name for source in self.sources) or "none"
        found = []
        for name in names:
            source = self.source(name)
            if source is None:
                raise ProjectError(f"the project {self.folder} has no source {name!r}: its sources are {known}.")
            found.append(self.open(source))
        return found

    def chosen_stages(self, names: Sequence[str]) -> list[tuple[int, Stage]]:
        """Return the stages of these names or numbers (from 1), with their numbers, in order; none means all.

        Raises
        ------
        ProjectError
            When there is none of that name or number.
        """
        numbered = list(enumerate(self.stages, start=1))
        for name in names:
            if not any(name in (str(number), stage.name) for number, stage in numbered):
                raise ProjectError(f"the project {self.folder} has no stage {name!r}: it has {len(numbered)} stages.")
        return [(number, stage) for number, stage in numbered if not names or {str(number), stage.name} & {*names}]

    def targets_of(self, stages: Sequence[tuple[int, Stage]]) -> tuple[str, ...]:
        """Return the names of the sources that stages search, each once; none means all."""
        targets = [stage.targets for _, stage in stages]
        return () if () in targets else tuple(dict.fromkeys(name for names in targets for name in names))
