"""``clipdex project create``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import completing
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("create", cls=Command)
@click.argument("folder", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path))
@click.option(
    "-o", "--output-dir", metavar="DIR", type=click.Path(path_type=Path), help="The same as the argument DIR."
)
@click.option(
    "--model",
    metavar="MODEL",
    default="",
    shell_complete=completing.models,
    help="Name or folder of the model for new indexes.",
)
def command(folder: Path, output_dir: Path | None, model: str) -> None:
    """Make a project: a folder with a clipdex.toml.

    The project is in DIR, or in the current folder.
    """
    from clipdex.projects.editing import create_project

    project = create_project(output_dir or folder, model=model)
    say(f"Made {project.file}. Add a dataset: clipdex project add PATH")
