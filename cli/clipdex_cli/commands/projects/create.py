"""``clipdex project create``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("create")
@click.argument("folder", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path))
@click.option("-o", "--output-dir", metavar="DIR", type=click.Path(path_type=Path), help="The same as DIR.")
@click.option("--model", metavar="MODEL", default="", help="Name or folder of the model of its new indexes.")
def command(folder: Path, output_dir: Path | None, model: str) -> None:
    """Make a project in DIR, or in the current folder: a file clipdex.toml."""
    from clipdex.projects.editing import create_project

    project = create_project(output_dir or folder, model=model)
    click.echo(f"Made {project.file}. Add a dataset: clipdex project add PATH", err=True)
