"""``clipdex explore``: build and query in one, with the command line of ``datum explore``."""

from __future__ import annotations

from typing import Any

import click

from clipdex_cli import options
from clipdex_cli.commands.query import command as query
from clipdex_cli.several_values import SeveralValues

_HELP = """Build the indexes where needed, then query them.

    explore takes the options of query and the command line of datum explore. TARGET is a dataset, or a source of the
    project; TARGET:FORMAT also names its format. Without a TARGET, explore searches all sources of the project, or
    else the current folder. -s saves to explore_result in the folder that -p names, or else in the current folder.

    \b
    clipdex explore --query-str elephant -topk 10 PHOTOS
    clipdex explore --query-img-path a.jpg b.jpg -topk 50 PHOTOS -s

    The values of an option end at the next option, so put TARGET first or after another option.
    """


@click.command()
@options.FORMAT
@options.FORMAT_OPTIONS
@options.PRUNE
def _of_builds(**_: Any) -> None:  # noqa: ANN401
    """Hold the options that only builds have."""


@click.pass_context
def _explore(
    ctx: click.Context,
    /,
    format_name: str,
    format_options: tuple[str, ...],
    prune: bool,
    **given: Any,  # noqa: ANN401
) -> int:
    from clipdex import BuildSettings

    if given["save"] and given["output_dir"] is None and given["project_dir"] is not None:
        from clipdex.report.save import DEFAULT_FOLDER, fresh_folder

        given["output_dir"] = fresh_folder(given["project_dir"] / DEFAULT_FOLDER)
    build = BuildSettings(format=format_name, options=options.named_values(format_options), prune=prune)
    code: int = ctx.invoke(query.callback, build=build, **given)  # type: ignore[arg-type]
    return code


command = SeveralValues(
    "explore",
    several=query.several,
    ordered=query.ordered,
    common=query.common,
    usage=query.usage,
    params=[*query.params, *_of_builds.params],
    callback=_explore,
    help=_HELP,
)
