"""``clipdex project build``: ``clipdex build`` for sources of a project only."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options
from clipdex_cli.project_targets import PROJECT, the_project


@click.command("build")
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@PROJECT
@options.DEVICE
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary; failed files are still named.")
def command(names: tuple[str, ...], project_dir: Path | None, device: str, quiet: bool) -> int:
    """Build or bring up to date the indexes of all sources of the project, or of those that are named."""
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all

    project = the_project(project_dir)
    settings = BuildSettings(device=device, project_model=project.model_name)
    return build_all(project.chosen(names), settings, quiet=quiet)
