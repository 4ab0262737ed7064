"""``clipdex project info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say, write_json, write_line
from clipdex_cli.project_targets import PROJECT, the_project

if TYPE_CHECKING:
    from clipdex.projects.info import ProjectInfo
    from clipdex.projects.model import Project, Stage

_QUERIES_SHOWN = 3


@click.command("info", cls=Command)
@PROJECT
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(project_dir: Path | None, as_json: bool) -> int:
    """Show the sources and stages of the project.

    The list also has the model, and says which indexes are up to date. Stages that cannot run are named with their
    line in clipdex.toml; the exit code is then 1.
    """
    from clipdex.projects.info import describe_project

    info = describe_project(the_project(project_dir))
    if as_json:
        write_json(info.to_dict())
    else:
        for line in _lines(info):
            write_line(line)
    problems = [problem for stage in info.project.stages if (problem := _problem(info.project, stage))]
    for problem in problems:
        say(f"clipdex: {problem}")
    return 1 if problems else 0


def _problem(project: Project, stage: Stage) -> str:
    """Return why a stage cannot run as the file has it; empty if it can."""
    from clipdex.errors import ProjectFileInvalid
    from clipdex.projects.stages import request_of

    try:
        request_of(project, stage)
    except ProjectFileInvalid as error:
        return error.message
    return ""


def _lines(info: ProjectInfo) -> list[str]:
    project = info.project
    lines = [f"project  {project.folder}", f"model    {info.model}"]
    if project.plugins_folder is not None:
        state = f" ({info.plugins})" if info.plugins else ""
        lines.append(f"plugins  {project.plugins_folder}{state}")
    lines.append(f"sources  {len(info.sources)}")
    for one in info.sources:
        source = one.source
        lines.append(f"  {source.name}: {source.path} ({one.format})")
        lines.append(f"      {one.state}")
    lines.append(f"stages   {len(project.stages)}")
    for number, stage in enumerate(project.stages, start=1):
        shown = [f"{kind} {value!r}" for kind, value in stage.queries[:_QUERIES_SHOWN]]
        more = f" and {len(stage.queries) - _QUERIES_SHOWN} more" if len(stage.queries) > _QUERIES_SHOWN else ""
        where = f" in {', '.join(stage.targets)}" if stage.targets else ""
        name = f" {stage.name}:" if stage.name else ""
        options = "".join(f", {key} {_value(value)}" for key, value in stage.options.items())
        lines.append(f"  {number}{name} {', '.join(shown)}{more}{where}{options}")
    return lines


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
