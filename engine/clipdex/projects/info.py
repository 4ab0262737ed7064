"""Describing a project: its sources and whether their indexes are up to date, its model, its stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clipdex.datasets.info import describe
from clipdex.datasets.provenance import model_for_new_index
from clipdex.errors import ClipdexError, DatasetNotFound, DatasetNotIndexed, ModelError
from clipdex.projects.model import Project, ProjectSource
from clipdex.projects.plugins import state_of_plugins
from clipdex.wording import counted


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source of a project.

    Attributes
    ----------
    source
        The source in the project.
    format
        The format of the index, or of the source where it has no index.
    items
        The number of items in the index.
    state
        A text for people: whether the source exists, which model hashed it, and whether its index is up to date.
    fresh
        Whether the index exists and is up to date.
    """

    source: ProjectSource
    format: str
    items: int
    state: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """The description of a project.

    Attributes
    ----------
    project
        The project.
    model
        A text for people about the model that hashes new sources.
    sources
        Its sources.
    plugins
        A text for people on whether its plugins are trusted, and so loaded; empty where it has none.
    """

    project: Project
    model: str
    sources: tuple[SourceInfo, ...]
    plugins: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values for JSON."""
        return {
            "project": str(self.project.folder),
            "model": self.model,
            "plugins": self.plugins,
            "sources": [
                {
                    "name": one.source.name,
                    "path": str(self.project.location(one.source)),
                    "format": one.format,
                    "items": one.items,
                    "state": one.state,
                    "fresh": one.fresh,
                }
                for one in self.sources
            ],
            "stages": [
                {
                    "number": number,
                    "name": stage.name,
                    "queries": [{kind: value} for kind, value in stage.queries],
                    "targets": list(stage.targets),
                    "options": dict(stage.options),
                }
                for number, stage in enumerate(self.project.stages, start=1)
            ],
        }


def describe_project(project: Project) -> ProjectInfo:
    """Describe a project, and compare its sources with their indexes."""
    try:
        model, why = model_for_new_index(None, project.model_name)
        chosen = f"{model.name}, {why}"
    except ModelError as error:
        chosen = error.message
    sources = tuple(_source(project, source) for source in project.sources)
    return ProjectInfo(project, chosen, sources, state_of_plugins(project))


def _source(project: Project, source: ProjectSource) -> SourceInfo:
    try:
        info = describe(project.open(source))
    except DatasetNotFound as error:
        return SourceInfo(source, source.format, 0, f"missing: {error.message}", fresh=False)
    except DatasetNotIndexed:
        state = f"not indexed yet: clipdex project build {source.name}"
        return SourceInfo(source, source.format, 0, state, fresh=False)
    except ClipdexError as error:
        return SourceInfo(source, source.format, 0, error.message, fresh=False)
    counts = ((info.new, "new"), (info.changed, "changed"), (info.gone, "gone"))
    changes = ", ".join(f"{count:,} {name}" for count, name in counts if count)
    freshness = info.not_compared or (f"{changes} since the last build" if changes else "up to date")
    state = f"{counted(info.items, 'item')}, hashed by {info.model} ({info.digest[:12]}, {info.precision}); {freshness}"
    return SourceInfo(source, info.format, info.items, state, fresh=not changes and not info.not_compared)
