"""The parts of a project: named sources, a model, plugins, and recorded stages."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipdex.defaults import ANY, MAX_PIXELS
from clipdex.errors import DatasetNotFound, ProjectError
from clipdex.paths import is_pattern, is_there
from clipdex.projects.places import FILE_NAME, PLUGINS_FOLDER, STATE_FOLDER
from clipdex.readers.sources import AUTO, Source

# Values of options that say no more than leaving them out.
_DEFAULTS: Mapping[str, object] = {"merge": ANY, "precision": "auto", "max-pixels": MAX_PIXELS}
# Called with the error for a source that does not exist.
Missing = Callable[[DatasetNotFound], None]
OptionValue = str | int | float | bool | tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class ProjectSource:
    """A dataset of a project: its name, its path as written in the file, its format and the options of the format."""

    name: str
    path: str
    format: str = AUTO
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a stage when it was recorded.

    Attributes
    ----------
    model
        The digest of the model that hashed the sources.
    hits
        The digest of the hits (see ``clipdex.projects.outcomes``).
    sources
        The state of the index of each searched source.
    images
        The SHA-256 of each query image.
    """

    model: str
    hits: str
    sources: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """A recorded query.

    Attributes
    ----------
    queries
        Kind and value of each query, in order. The path of an image is relative to the project, or absolute.
    targets
        The names of the searched sources; empty for all.
    options
        The other options of the query, by their long names.
    name
        The name of the stage; empty where it has none.
    outcome
        The recorded outcome; None where the stage was not run.
    line
        The line of the stage in the file.
    """

    queries: tuple[tuple[str, str], ...]
    targets: tuple[str, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    name: str = ""
    outcome: Outcome | None = None
    line: int = 0

    @property
    def question(self) -> str:
        """The digest of the question. Stages that ask the same of the same sources have equal digests."""
        queries = sorted(self.queries, key=lambda query: query[0].startswith("not-"))
        options = {name: value for name, value in self.options.items() if value != _DEFAULTS.get(name, False)}
        return _digest([queries, self.targets, sorted(options.items())])

    @property
    def former_question(self) -> str:
        """The digest of the question as the file has it, under which hits of older stages are stored."""
        return _digest([self.queries, self.targets, sorted(self.options.items())])


def _digest(asked: object) -> str:
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Project:
    """A project, as described by its file.

    Attributes
    ----------
    folder
        The absolute folder of the project.
    model
        The model of new indexes, by name or folder as written in the file; empty where the project has no model.
    plugins
        The folder of plugins, relative to the project; empty for ``plugins``, which need not exist.
    sources, stages
        The sources and the stages, in the order of the file.
    """

    folder: Path
    model: str = ""
    plugins: str = ""
    sources: tuple[ProjectSource, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def file(self) -> Path:
        """The path of ``clipdex.toml``."""
        return self.folder / FILE_NAME

    @property
    def state(self) -> Path:
        """The folder for the state of the project."""
        return self.folder / STATE_FOLDER

    @property
    def model_name(self) -> str | None:
        """The name or absolute folder of the model of new indexes; None where the project has no model."""
        if not self.model:
            return None
        folder = self.absolute(self.model)
        return str(folder) if "/" in self.model and is_there(folder) else self.model

    @property
    def plugins_folder(self) -> Path | None:
        """The folder of plugins; None where it does not exist."""
        folder = self.folder / self.plugins_name
        return folder if folder.is_dir() else None

    @property
    def plugins_name(self) -> str:
        """The path of the folder of plugins from the project, whether it exists or not."""
        return self.plugins or PLUGINS_FOLDER

    def source(self, name: str) -> ProjectSource | None:
        """Return the source of that name; None where there is none."""
        return next((source for source in self.sources if source.name == name), None)

    def location(self, source: ProjectSource) -> Path:
        """Return the absolute path of a source."""
        return self.absolute(source.path)

    def is_missing(self, source: ProjectSource) -> bool:
        """Tell whether the path of a source does not exist."""
        location = self.location(source)
        return not is_there(location) and not is_pattern(str(location))

    def open(self, source: ProjectSource) -> Source:
        """Return a source in the form that the engine takes.

        Raises
        ------
        DatasetNotFound
            When the source does not exist.
        """
        location = self.location(source)
        if self.is_missing(source):
            raise DatasetNotFound(
                f"the source {source.name!r} of the project {self.folder} is not there: {location} does not exist. Say "
                f"where it is now: clipdex project add --name {source.name} PATH; or take it out: clipdex project "
                f"remove {source.name}"
            )
        return Source(location, source.format, source.options, source.name)

    def all_sources(self, missing: Missing | None = None) -> list[Source]:
        """Return all sources in the form that the engine takes. Together they are the project as one dataset.

        Parameters
        ----------
        missing
            Called with the error for each source that does not exist; such sources are left out then.

        Raises
        ------
        DatasetNotFound
            When a source does not exist, and ``missing`` is None.
        ProjectError
            When the project has no sources.
        """
        if not self.sources:
            raise ProjectError(f"the project {self.folder} has no sources yet. Add one: clipdex project add PATH")
        return self._opened(self.sources, missing)

    def _opened(self, sources: Sequence[ProjectSource], missing: Missing | None) -> list[Source]:
        found = []
        for source in sources:
            try:
                found.append(self.open(source))
            except DatasetNotFound as error:
                if missing is None:
                    raise
                missing(error)
        return found

    def absolute(self, path: str) -> Path:
        """Return the absolute form of a path in the file, which can be relative to the project."""
        return Path(os.path.abspath(self.folder / path))  # noqa: PTH100 - keeps links as they are named

    def relative(self, path: Path) -> str:
        """Return the form of a path for the file: relative near the project, so that both can move, else absolute."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100
        near = self.folder.parent
        if absolute.is_relative_to(near) and near != Path(near.anchor):
            return Path(os.path.relpath(absolute, self.folder)).as_posix()
        return absolute.as_posix()

    def chosen(self, names: Sequence[str], missing: Missing | None = None) -> list[Source]:
        """Return the sources of these names in the form that the engine takes; no names select all.

        Parameters
        ----------
        names
            Names of sources.
        missing
            As ``all_sources`` takes it.

        Raises
        ------
        DatasetNotFound
            When a source does not exist, and ``missing`` is None.
        ProjectError
            When no source has one of the names.
        """
        if not names:
            return self.all_sources(missing)
        known = ", ".join(source.name for source in self.sources) or "none"
        found = []
        for name in names:
            source = self.source(name)
            if source is None:
                raise ProjectError(f"the project {self.folder} has no source {name!r}: its sources are {known}.")
            found.append(source)
        return self._opened(found, missing)

    def chosen_stages(self, names: Sequence[str]) -> list[tuple[int, Stage]]:
        """Return the stages of these names or numbers (from 1), with their numbers, in order; no names select all.

        Raises
        ------
        ProjectError
            When no stage has one of the names or numbers.
        """
        numbered = list(enumerate(self.stages, start=1))
        for name in names:
            if not any(name in (str(number), stage.name) for number, stage in numbered):
                raise ProjectError(f"the project {self.folder} has no stage {name!r}: it has {len(numbered)} stages.")
        return [(number, stage) for number, stage in numbered if not names or {str(number), stage.name} & {*names}]

    def targets_of(self, stages: Sequence[tuple[int, Stage]]) -> tuple[str, ...]:
        """Return the names of the sources that stages search, each once; an empty tuple means all."""
        targets = [stage.targets for _, stage in stages]
        return () if () in targets else tuple(dict.fromkeys(name for names in targets for name in names))
