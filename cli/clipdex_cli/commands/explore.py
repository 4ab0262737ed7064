"""``clipdex explore``: the command that clipdex takes over from. It builds where that is needed, and then queries."""

from __future__ import annotations

from typing import Any

import click

from clipdex_cli import options
from clipdex_cli.commands.query import command as query
from clipdex_cli.several_values import SeveralValues

_HELP = """Build or bring up to date the index of each TARGET, then show the images nearest to a query.

    This is build and query in one, with the options of query: see clipdex query --help for what they mean together.
    TARGET is a dataset, TARGET:FORMAT says in which format, and in a project it is the name of a source; without one,
    all sources of the project are explored.

    \b
    clipdex explore --query-str elephant -topk 10 PHOTOS
    clipdex explore --query-img-path a.jpg b.jpg -topk 50 PHOTOS -s
    """


@click.command()
@options.FORMAT
@options.FORMAT_OPTIONS
def _of_builds(**_: Any) -> None:  # noqa: ANN401
    """Hold the options of builds that queries do not have."""


@click.pass_context
def _explore(ctx: click.Context, /, format_name: str, format_options: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401
    from clipdex import BuildSettings

    build = BuildSettings(format=format_name, options=options.named_values(format_options))
    code: int = ctx.invoke(query.callback, build=build, **given)  # type: ignore[arg-type]
    return code


command = SeveralValues(
    "explore",
    several=query.several,
    ordered=query.ordered,
    params=[*query.params, *_of_builds.params],
    callback=_explore,
    help=_HELP,
)
