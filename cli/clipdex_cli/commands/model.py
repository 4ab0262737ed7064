"""``clipdex model``: the commands about models."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "model",
    cls=LazyGroup,
    package="clipdex_cli.commands.models",
    names=("list", "info", "pull", "add", "remove", "verify", "bench", "calibrate"),
)
def command() -> None:
    """List, install, check and measure models.

    A model turns images and texts into hash keys. One, starter, is bundled; CLIP and its relatives are pulled from the
    network or added from files, and then named with --model.
    """
