"""``clipdex project build``: ``clipdex build`` for sources of a project only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex_cli import completing, options
from clipdex_cli.help_pages import Command
from clipdex_cli.project_targets import PROJECT, the_project

if TYPE_CHECKING:
    from clipdex.errors import DatasetNotFound


@click.command("build", cls=Command)
@click.argument("names", metavar="[SOURCE]...", nargs=-1, shell_complete=completing.sources)
@PROJECT
@options.DEVICE
@options.PRUNE
@options.DRY_RUN
@options.DRY_RUN_LIMIT
@click.option("-q", "--quiet", is_flag=True, help="Print no progress and no summary, only failed files.")
def command(
    names: tuple[str, ...],
    project_dir: Path | None,
    device: str,
    prune: bool,
    dry_run: bool,
    limit: int | None,
    quiet: bool,
) -> int:
    """Build the indexes of the project's sources.

    Without a SOURCE, all sources are built. An index that exists is brought up to date. A source that is not there is
    named at the end, and does not stop the others; the exit code is 1 then.
    """
    options.limit_of_dry_run(limit, dry_run=dry_run)
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all, say_missing
    from clipdex_cli.dry_run import plan_all

    project = the_project(project_dir)
    settings = BuildSettings(device=device, prune=prune, project_model=project.model_name)
    missing: list[DatasetNotFound] = []
    chosen = project.chosen(names, missing.append)
    code = plan_all(chosen, settings, quiet=quiet, limit=limit) if dry_run else build_all(chosen, settings, quiet=quiet)
    return say_missing(missing) or code
