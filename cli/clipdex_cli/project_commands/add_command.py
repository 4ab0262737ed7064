"""``clipdex project add``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli.in_project import PROJECT, the_project


@click.command("add")
@click.argument("path", metavar="PATH", type=click.Path(path_type=str))
@click.option("-n", "--name", metavar="NAME", help="What to call it. [default: as its folder or file]")
@click.option(
    "-f", "--format", "format_name", metavar="FORMAT", default="auto", show_default=True, help="Format of the dataset."
)
@click.option(
    "--option", "options", metavar="KEY=VALUE", multiple=True, help="Option of the format; can be given several times."
)
@PROJECT
def command(path: str, name: str | None, format_name: str, options: tuple[str, ...], project_dir: Path | None) -> None:
    """Add the dataset at PATH (or PATH:FORMAT) to the project, as a source with a name.

    A source whose dataset is not there any more has been moved: add it again, by its name, where it is now.
    """
    from clipdex.projects.adding import add_dataset

    pairs = dict(option.partition("=")[::2] for option in options)
    if not all("=" in option for option in options):
        raise click.UsageError("--option is KEY=VALUE.")
    added = add_dataset(the_project(project_dir), path, name=name, format=format_name, options=pairs)
    if added.before is not None:
        click.echo(f"Moved the source {added.source.name}: {added.before.path} is now {added.source.path}", err=True)
    else:
        click.echo(f"Added the source {added.source.name}: {added.source.path} ({added.source.format})", err=True)
