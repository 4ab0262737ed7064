"""``clipdex model verify``."""

from __future__ import annotations

import click

from clipdex_cli import options


@click.command("verify")
@click.argument("name", metavar="MODEL")
@options.DEVICE
@options.PRECISION
def command(name: str, device: str, precision: str) -> None:
    """Check the checksums of all files of a model, and its self-test on this machine."""
    from clipdex.models.managing import verify

    encoder = verify(name, device=device, precision=precision)
    model = encoder.model
    click.echo(
        f"{name}: {len(model.files)} files are what model.json describes (digest {model.digest[:12]}), and the "
        f"self-test is passed on {encoder.device} in {encoder.precision}.",
        err=True,
    )
