"""Recording the query of a command line as a stage of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clipdex_cli.printing import say

if TYPE_CHECKING:
    from clipdex_cli.asking import Answer, Settings

STAGE = click.option(
    "--stage/--no-stage",
    "stage",
    default=None,
    help="Record the query in the project, or do not (also --stage false). [default: record in a project]",
)


def record(answer: Answer, settings: Settings, *, asked_for: bool) -> None:
    """Record an answered query. If that fails, go on, and say so if it matters."""
    why = _recorded(answer, settings)
    if why and (asked_for or answer.outcome is not None):
        say(f"Not recorded as a stage: {why}.")


def _recorded(answer: Answer, settings: Settings) -> str:
    """Record a query; return why that was impossible."""
    from dataclasses import replace

    from clipdex.projects.places import find_project

    project, names = answer.place.project, answer.place.names
    if project is None and find_project() is None:
        return "there is no project"
    if project is None or names is None or answer.outcome is None:
        return "what was searched is not a source of the project"
    from clipdex.errors import ClipdexError
    from clipdex.projects.editing import record_stage
    from clipdex.projects.outcomes import hits_of, keep_hits
    from clipdex.projects.stages import StageSettings, stage_of

    stage = stage_of(project, names, answer.result, StageSettings(settings.precision, settings.max_pixels))
    if stage is None:
        return "the file of a project cannot say what was asked"
    stage = replace(stage, outcome=answer.outcome)
    try:
        keep_hits(project, stage, hits_of(answer.result))
        number = record_stage(project, stage)
    except (OSError, ClipdexError) as error:
        say(f"The query could not be recorded in the project: {error}")
    else:
        say(f"Recorded as stage {number} of the project {project.folder}.")
    return ""
