"""``clipdex model remove``."""

from __future__ import annotations

import click


@click.command("remove")
@click.argument("name", metavar="MODEL")
def command(name: str) -> None:
    """Delete an installed model.

    Indexes that were made with it still answer item queries; for others the model is to be installed again.
    """
    from clipdex.models.managing import remove

    folder = remove(name)
    click.echo(f"Removed {folder}.", err=True)
