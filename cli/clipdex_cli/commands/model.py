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

    A model turns images and texts into hash keys. clipdex comes with the model starter. Pull CLIP and its relatives
    from the network, or add them from files, and choose one with --model.
    """
