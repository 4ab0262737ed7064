"""``clipdex model verify``."""

from __future__ import annotations

import click

from clipdex_cli import completing, options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("verify", cls=Command)
@click.argument("name", metavar="MODEL", shell_complete=completing.models)
@options.DEVICE
@options.PRECISION
def command(name: str, device: str, precision: str) -> None:
    """Check the files of a model, and run its self-test."""
    from clipdex.models.managing import verify

    encoder = verify(name, device=device, precision=precision)
    model = encoder.model
    say(
        f"{name}: {len(model.files)} files are what model.json describes (digest {model.digest[:12]}), and the "
        f"self-test is passed on {encoder.device} in {encoder.precision}."
    )
