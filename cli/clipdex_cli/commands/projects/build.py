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
@click.option("-q", "--quiet", is_flag=True, help="Print no progress and no summary, only failed files.")
def command(names: tuple[str, ...], project_dir: Path | None, device: str, prune: bool, quiet: bool) -> int:
    """Build the indexes of the project's sources.

    Without a SOURCE, all sources are built. An index that exists is brought up to date.
    """
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all

    project = the_project(project_dir)
    settings = BuildSettings(device=device, prune=prune, project_model=project.model_name)
    return build_all(project.chosen(names), settings, quiet=quiet)
