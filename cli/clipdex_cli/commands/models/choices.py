"""Options that say how a model is made; shared by pull and add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from clipdex_cli.printing import say

if TYPE_CHECKING:
    from clipdex.encoder.model import Model
    from clipdex.models.adding import Choices

NAME = click.option("--name", metavar="NAME", help="Name to install it by. [default: its own name]")


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
                help="Compare embeddings with a centre made from packaged photos and nouns, or with zero.",
            ),
            click.option(
                "--quantize",
                type=click.Choice(["none", "int8", "int8-full"]),
                default="none",
                show_default=True,
                help="Store weights in 8 bits, or run all of the image tower in 8 bits. Needs clipdex[quantize].",
            ),
            click.option(
                "--precision",
                type=click.Choice(["auto", "f32"]),
                default="auto",
                show_default=True,
                help="Precision auto of this model: the fastest of the device, or f32.",
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
    from clipdex_cli.output import size

    say(
        f"Installed {name} in {model.folder}: {model.embedding_size} bits, {size(model.size)}. "
        f"Use it: clipdex build PHOTOS --model {name}"
    )
