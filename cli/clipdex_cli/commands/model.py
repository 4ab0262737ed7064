"""``clipdex model``: the commands about models."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "model",
    cls=LazyGroup,
    package="clipdex_cli.commands.models",
    summaries={
        "list": "List the installed models and those that you can pull.",
        "info": "Show the details of a model.",
        "pull": "Download a known model and install it.",
        "add": "Install a model from files, without a download.",
        "remove": "Delete an installed model.",
        "verify": "Check the files of a model, and run its self-test.",
        "bench": "Measure how many images a second a model hashes.",
        "calibrate": "Give a model a better centre, from your own images.",
    },
)
def command() -> None:
    """List, install, check and measure models.

    A model turns images and texts into hash keys. clipdex comes with the model starter. Pull CLIP and its relatives
    from the network, or add them from files, and choose one with --model.
    """
