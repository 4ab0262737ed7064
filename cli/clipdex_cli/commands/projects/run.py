"""``clipdex project run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.wording import counted
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say, write_line
from clipdex_cli.project_targets import PROJECT, Resolved, the_project

if TYPE_CHECKING:
    from clipdex.projects.model import Project, Stage
    from clipdex.projects.outcomes import Comparison
    from clipdex_cli.asking import Answer

_HITS_SHOWN = 5


@click.command("run", cls=Command)
@click.argument("chosen", metavar="[NAME|NUMBER]...", nargs=-1)
@PROJECT
@click.option("--no-build", is_flag=True, help="Search the indexes as they are.")
@click.option("--update", is_flag=True, help="Record the hits of now in place of those recorded before.")
def command(chosen: tuple[str, ...], project_dir: Path | None, no_build: bool, update: bool) -> int:
    """Repeat the recorded queries and compare the hits.

    Without a NAME or NUMBER, all stages run, in order. Each has the hits that were recorded, or clipdex says what is
    different: the model, the index of a source, a query image, and which hits are new or gone. The indexes are brought
    up to date first. The same images and the same model give the same hits.

    Exit code: 0 when all hits are as recorded, else 1.
    """
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all

    project = the_project(project_dir)
    stages = project.chosen_stages(chosen)
    if not stages:
        say(f"The project {project.folder} has no stages yet: queries are recorded in it.")
        return 0
    if not no_build:
        settings = BuildSettings(project_model=project.model_name)
        code = build_all(project.chosen(project.targets_of(stages)), settings, only_news=True)
        if code:
            return code
    return max(_run_or_say(project, number, stage, update=update) for number, stage in stages)


def _run_or_say(project: Project, number: int, stage: Stage, *, update: bool) -> int:
    """Run a stage. If it cannot run, name it, so that the next stages run."""
    from clipdex.errors import ClipdexError

    try:
        return _run(project, number, stage, update=update)
    except ClipdexError as error:
        say(f"clipdex: stage {number}: {error.message}")
        return error.exit_code


def _run(project: Project, number: int, stage: Stage, *, update: bool) -> int:
    from clipdex.projects.outcomes import compare_outcomes, hits_of, kept_hits

    answer = _repeat(project, stage)
    for warning in answer.result.warnings:
        say(warning)
    hits = hits_of(answer.result)
    name = f"{number} {stage.name}".rstrip()
    asked = ", ".join(f"{kind} {value!r}" for kind, value in stage.queries)
    head = f"{name}: {asked}: {counted(len(hits), 'hit')}"
    code = 0
    if stage.outcome is None:
        write_line(f"{head}, not recorded before")
    elif answer.outcome is not None:
        found = compare_outcomes(stage.outcome, answer.outcome, kept_hits(project, stage), hits)
        write_line(f"{head}, {'the same as recorded' if found.same else 'not as recorded'}")
        if not found.same:
            code = 1
            for line in _differences(found):
                write_line(f"  {line}")
    if update and answer.outcome is not None:
        from dataclasses import replace

        from clipdex.projects.editing import record_stage
        from clipdex.projects.outcomes import keep_hits

        now = replace(stage, outcome=answer.outcome)
        keep_hits(project, now, hits)
        record_stage(project, now)
        if stage.outcome is not None and code:
            write_line("  recorded in its place")
        return 0
    return code


def _repeat(project: Project, stage: Stage) -> Answer:
    """Ask what a stage says.

    Raises
    ------
    ProjectFileInvalid
        When the file says something that cannot be asked.
    """
    from clipdex.encoder import CPU
    from clipdex.projects.stages import request_of
    from clipdex_cli.asking import Settings, ask

    request, said = request_of(project, stage)
    place = Resolved(tuple(project.chosen(stage.targets)), project, stage.targets)
    return ask(place, request, Settings(None, CPU, said.precision, None, said.max_pixels))


def _differences(found: Comparison) -> list[str]:
    lines = []
    if found.model_changed:
        lines.append("another model hashed what was searched")
    lines += [f"the index of {name} was written since" for name in found.changed_sources]
    lines += [f"the query image {name} is another one" for name in found.changed_images]
    if found.new is None or found.gone is None:
        lines.append("which hits there were is not kept")
        return lines
    for word, items in (("new", found.new), ("gone", found.gone)):
        lines += [f"{word}: {dataset}: {item} (subset {subset})" for dataset, subset, item in items[:_HITS_SHOWN]]
        if len(items) > _HITS_SHOWN:
            lines.append(f"{word}: {len(items) - _HITS_SHOWN} more")
    if not found.new and not found.gone:
        lines.append("the same items, in another order or at other distances")
    return lines
