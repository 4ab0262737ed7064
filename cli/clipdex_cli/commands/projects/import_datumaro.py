"""``clipdex project import-datumaro``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("import-datumaro", cls=Command)
@click.argument("old", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the new project. [default: DIR itself]",
)
def command(old: Path, output_dir: Path | None) -> None:
    """Make a project from an old project of Datumaro.

    DIR is the old project, a folder with .datumaro. Its sources become those of the new project.
    """
    from clipdex.projects.adding import import_datumaro

    project, left_out = import_datumaro(old, output_dir or old)
    names = ", ".join(source.name for source in project.sources) or "none"
    say(f"Made {project.file} with the sources: {names}")
    for source in filter(project.is_missing, project.sources):
        say(f"missing: {source.name}: {project.location(source)} does not exist")
    for name, reason in left_out:
        say(f"left out: {name}: {reason}")
