"""``clipdex model calibrate``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import completing
from clipdex_cli.commands.models.choices import say_installed
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("calibrate", cls=Command)
@click.argument("name_of_old", metavar="MODEL", shell_complete=completing.models)
@click.option(
    "--images",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of images like those you search.",
)
@click.option(
    "--texts", metavar="FILE", type=click.Path(path_type=Path), help="File of texts like your queries, one a line."
)
@click.option("--name", metavar="NAME", help="Name of a new model; MODEL stays as it is.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
def command(name_of_old: str, images: Path, texts: Path | None, name: str | None, quiet: bool) -> None:
    """Give a model a better centre, from your own images.

    A bit of a hash key is set where an embedding is above the centre. Hash keys of different centres cannot be
    compared, so build the indexes of MODEL again afterwards: clipdex build --rebuild.
    """
    from clipdex.models.calibrating import calibrate
    from clipdex_cli.progress import WorkDisplay

    with WorkDisplay(name or name_of_old, quiet=quiet) as display:
        model = calibrate(name_of_old, images, texts, to=name, progress=display)
    say_installed(model.folder.name, model)
    if name is None:
        say(
            f"Indexes that {name_of_old} made before have other hash keys; build them again: "
            f"clipdex build --rebuild --model {name_of_old} PHOTOS"
        )
