"""``clipdex project build``: ``clipdex build`` for sources of a project only."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import completing, options
from clipdex_cli.help_pages import Command
from clipdex_cli.project_targets import PROJECT, the_project


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

    Without a SOURCE, all sources are built. An index that exists is brought up to date.
    """
    options.limit_of_dry_run(limit, dry_run=dry_run)
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all
    from clipdex_cli.dry_run import plan_all

    project = the_project(project_dir)
    settings = BuildSettings(device=device, prune=prune, project_model=project.model_name)
    chosen = project.chosen(names)
    return plan_all(chosen, settings, quiet=quiet, limit=limit) if dry_run else build_all(chosen, settings, quiet=quiet)
