"""``clipdex model remove``."""

from __future__ import annotations

import click

from clipdex_cli import completing
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("remove", cls=Command)
@click.argument("name", metavar="MODEL", shell_complete=completing.installed_models)
def command(name: str) -> None:
    """Delete an installed model.

    Its indexes still answer items. To ask them for texts or images, install the model again.
    """
    from clipdex.models.managing import remove

    folder = remove(name)
    say(f"Removed {folder}.")
