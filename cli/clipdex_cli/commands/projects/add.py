"""``clipdex project add``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT, the_project


@click.command("add", cls=Command)
@click.argument("path", metavar="PATH", type=click.Path(path_type=str))
@click.option("-n", "--name", metavar="NAME", help="Name of the source. [default: that of the folder or file]")
@click.option(
    "-f", "--format", "format_name", metavar="FORMAT", default="auto", show_default=True, help="Format of the dataset."
)
@options.FORMAT_OPTIONS
@PROJECT
def command(
    path: str, name: str | None, format_name: str, format_options: tuple[str, ...], project_dir: Path | None
) -> None:
    """Add a dataset to the project, as a named source.

    PATH is the dataset; PATH:FORMAT also names its format. When you have moved the dataset of a source, add it again
    with the name of the source: the source then has the new path.
    """
    from clipdex.projects.adding import add_dataset

    values = options.named_values(format_options)
    added = add_dataset(the_project(project_dir), path, name=name, format=format_name, options=values)
    if added.before is not None:
        say(f"Moved the source {added.source.name}: {added.before.path} is now {added.source.path}")
    else:
        say(f"Added the source {added.source.name}: {added.source.path} ({added.source.format})")
