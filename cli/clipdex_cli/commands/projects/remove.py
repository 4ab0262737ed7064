"""``clipdex project remove``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import completing
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT


@click.command("remove", cls=Command)
@click.argument("name", metavar="SOURCE", shell_complete=completing.sources)
@PROJECT
def command(name: str, project_dir: Path | None) -> None:
    """Remove a source from the project.

    The dataset and its index stay as they are.
    """
    from clipdex.projects.editing import remove_source
    from clipdex.projects.reading import open_project

    source = remove_source(open_project(project_dir), name)
    say(f"Took out the source {source.name}; {source.path} is as it was.")
