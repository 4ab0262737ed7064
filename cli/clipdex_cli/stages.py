"""Queries as stages of a project: from a command line to what is recorded, and back.

A stage has the options of its query by their long names, whichever there are, so an option that is added to the query
is recorded without more ado.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from clipdex_cli.several_values import ORDER, SeveralValues

if TYPE_CHECKING:
    from clipdex import Result
    from clipdex.projects.model import OptionValue, Outcome, Project, Stage

STAGE = click.option(
    "--stage/--no-stage",
    "stage",
    default=None,
    help="Record the query as a step of the project, or (also --stage false) do not. [default: in a project]",
)
# Ends of the names of options that are paths.
_PATHS = ("image", "img-path")
_ITEMS = ("item", "item-id")
# What does not change the answer, or says where things are on this machine.
_NOT_RECORDED = (
    *("targets", "output", "null", "save", "output_dir", "force", "verbose", "stage", "project_dir"),
    *("index", "model", "device", "format_name", "format_options"),
)


def stage_of(ctx: click.Context, project: Project, names: Sequence[str], result: Result) -> Stage:
    """Return what a command line asks, as a stage that searches these sources of a project (none: all)."""
    from clipdex.projects.model import Stage

    keys = {option.name: key for key, option in _by_key(ctx.command).items()}
    queries = []
    for name, value in ctx.meta[ORDER]:
        kind = keys[name]
        queries.append((kind, _as_recorded(project, kind, value, result)))
    recorded: dict[str, OptionValue] = {}
    for option in ctx.command.params:
        if option.name in keys and option.name not in (*_NOT_RECORDED, *_ordered(ctx.command)):
            value = ctx.params[option.name]
            given = ctx.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
            if value is not None and (given or option.name == "topk"):
                recorded[keys[option.name]] = str(value) if isinstance(value, Path) else value
    return Stage(tuple(queries), tuple(names), recorded)


@contextlib.contextmanager
def query_of(project: Project, stage: Stage, command: click.Command) -> Iterator[click.Context]:
    """Read what a stage says as the command line of ``command``, that of queries.

    Raises
    ------
    ProjectFileInvalid
        When the file says something that the command does not take; also from the block.
    """
    from clipdex.errors import ProjectFileInvalid

    try:
        with command.make_context("query", arguments_of(project, stage, command)) as ctx:
            yield ctx
    except click.UsageError as error:
        raise ProjectFileInvalid(f"{project.file}, line {stage.line}: {error.format_message()}") from error


def arguments_of(project: Project, stage: Stage, command: click.Command) -> list[str]:
    """Return the command line that asks what a stage says.

    Raises
    ------
    ProjectFileInvalid
        When it has an option that the command does not have.
    """
    from clipdex.errors import ProjectFileInvalid

    known = _by_key(command)
    arguments = [f"--project={project.folder}"]
    for key, value in (*stage.queries, *stage.options.items()):
        option = known.get(key)
        if option is None or option.name in _NOT_RECORDED:
            raise ProjectFileInvalid(f"{project.file}, line {stage.line}: {key!r} means nothing in a stage.")
        if isinstance(value, bool):
            arguments.append(f"--{key}" if value else option.secondary_opts[-1] if option.secondary_opts else "")
        else:
            for one in value if isinstance(value, tuple) else (value,):
                text = str(project.absolute(one)) if key.endswith(_PATHS) and isinstance(one, str) else one
                arguments.append(f"--{key}={text}")
    return [*filter(None, arguments), "--", *stage.targets]


def record(ctx: click.Context, project: Project, names: Sequence[str], result: Result, outcome: Outcome) -> None:
    """Record a query that was answered; where that is impossible, say so and go on."""
    from dataclasses import replace

    from clipdex.errors import ClipdexError
    from clipdex.projects.editing import record_stage
    from clipdex.projects.outcomes import hits_of, keep_hits

    stage = replace(stage_of(ctx, project, names, result), outcome=outcome)
    try:
        keep_hits(project, stage, hits_of(result))
        number = record_stage(project, stage)
    except (OSError, ClipdexError) as error:
        click.echo(f"The query could not be recorded in the project: {error}", err=True)
    else:
        click.echo(f"Recorded as stage {number} of the project {project.folder}.", err=True)


def _by_key(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by the names that a stage has for them: the last long flag."""
    found = {}
    for option in command.params:
        if isinstance(option, click.Option):
            flags = [flag for flag in option.opts if flag.startswith("--")]
            if flags:
                found[flags[-1].removeprefix("--")] = option
    return found


def _ordered(command: click.Command) -> tuple[str, ...]:
    return command.ordered if isinstance(command, SeveralValues) else ()


def _as_recorded(project: Project, kind: str, value: Any, result: Result) -> str:  # noqa: ANN401
    from clipdex.paths import expanded

    if kind.endswith(_PATHS):
        return project.relative(expanded(value))
    if kind.endswith(_ITEMS):
        # A path is relative to the current folder, which is another one the next time.
        path = str(expanded(value).absolute().resolve())
        for query in result.queries:
            if query.kind == "item" and query.value != value and str(Path(query.path).resolve()) == path:
                return f"{query.dataset}:{query.value}"
    return str(value)
