"""Options that say how a model is made; shared by pull and add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clipdex.encoder.model import Model
    from clipdex.models.adding import Choices

NAME = click.option("--name", metavar="NAME", help="What to call it. [default: its own name]")


def choices(command: Any) -> Any:  # noqa: ANN401
    """Add ``--hash``, ``--quantize`` and ``--precision``."""
    for option in reversed(
        [
            click.option(
                "--hash",
                "hashing",
                type=click.Choice(["centred", "sign"]),
                default="centred",
                show_default=True,
                help="Bits above a centre computed from packaged photos and nouns, or plain signs.",
            ),
            click.option(
                "--quantize",
                type=click.Choice(["none", "int8", "int8-full"]),
                default="none",
                show_default=True,
                help="Weights in 8 bits, or the image tower all in 8 bits. Needs clipdex[quantize].",
            ),
            click.option(
                "--precision",
                type=click.Choice(["auto", "f32"]),
                default="auto",
                show_default=True,
                help="What auto is to mean for this model: the fastest of a device, or f32.",
            ),
        ]
    ):
        command = option(command)
    return command


def as_choices(hashing: str, quantize: str, precision: str, *, allow_pickle: bool = False) -> Choices:
    """Return the options as the engine takes them."""
    from clipdex.models.adding import Choices

    return Choices(hashing, quantize, precision, allow_pickle)


def say_installed(name: str, model: Model) -> None:
    """Say what was installed, and how to use it."""
    from clipdex_cli.output import printable, size

    click.echo(
        f"Installed {printable(name)} in {model.folder}: {model.embedding_size} bits, {size(model.size)}. "
        f"Use it: clipdex build PHOTOS --model {printable(name)}",
        err=True,
    )
