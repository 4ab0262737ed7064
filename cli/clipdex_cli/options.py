"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from clipdex.defaults import MAX_PIXELS, SAVED_NAMES

TARGETS = click.argument("targets", metavar="[TARGET]...", nargs=-1, type=click.Path(path_type=str, readable=False))
INDEX = click.option(
    "--index",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The index is in DIR, not in TARGET/.clipdex.",
)
FORMAT = click.option(
    "--format",
    "format_name",
    metavar="FORMAT",
    default="auto",
    show_default=True,
    help="Format of the dataset; TARGET:FORMAT says the same. auto is that of the index, and for a new one what fits.",
)
FORMAT_OPTIONS = click.option(
    "--option",
    "format_options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Option of the format, such as label=class; repeatable. clipdex formats lists them; the index remembers them.",
)
MODEL = click.option(
    "--model",
    metavar="MODEL",
    help="Its name or folder. [default: the index's; for a new one $CLIPDEX_MODEL, the project's, or starter]",
)
DEVICE = click.option(
    "--device",
    metavar="DEVICE",
    default="CPU",
    show_default=True,
    help="What computes, as OpenVINO names it: CPU, GPU, NPU, AUTO.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "f32", "bf16", "f16"]),
    default="auto",
    show_default=True,
    help="Arithmetic of the model; auto is that of the index, and for a new one what the model prefers.",
)


WAIT = click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Wait while another process writes to the index, or fail at once.",
)


def say_waiting(target: str) -> Callable[[str], None]:
    """Return what says that the index of ``target`` is being written by somebody else."""

    def say(owner: str) -> None:
        click.echo(
            f"{target}: waiting for {owner}, which is writing to the index. (--no-wait fails instead.)", err=True
        )

    return say


OUTPUT_DIR = click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save to DIR: a new or an empty folder. [default: a new folder explore_result]",
)
FORCE = click.option("--force", is_flag=True, help="Save into a folder that has something in it; nothing is replaced.")
SAVE_AS = click.option(
    "--save-as",
    type=click.Choice(SAVED_NAMES),
    help="Names of the copied images: ids for DATASET/SUBSET/ID, ranked for 001_dog.jpg and so on. [default: ids]",
)


def output(shown: str) -> Callable[[Any], Any]:
    """Return what adds ``--output`` and ``-0``; ``shown`` is the help of the former."""

    def add(command: Any) -> Any:  # noqa: ANN401
        command = click.option(
            "-0", "--null", "null", is_flag=True, help="With --output paths: end each with NUL instead of a new line."
        )(command)
        return click.option(
            "--output",
            type=click.Choice(["table", "json", "csv", "paths"]),
            default="table",
            show_default=True,
            help=shown,
        )(command)

    return add


def max_pixels(command: Any) -> Any:  # noqa: ANN401
    """Add ``--max-pixels``."""
    return click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(min=1),
        default=MAX_PIXELS,
        show_default=True,
        help="Refuse images of more pixels, before they are decoded.",
    )(command)


def named_values(given: tuple[str, ...]) -> dict[str, str]:
    """Return the values of options that were given as ``NAME=VALUE``, by name."""
    values: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--option {one}: write it as NAME=VALUE.")
        values[name.strip().lower()] = value
    return values


def filters(command: Any) -> Any:  # noqa: ANN401
    """Add the options that say what may be found; their names are those of the attributes of ``ItemFilter``."""
    kinds = [
        ("subset", "S", "items of this subset"),
        ("label", "L", "items that have this label"),
        ("path", "GLOB", "items whose id fits this pattern: * within a part of the path, ** across parts"),
        ("dataset", "D", "items of the dataset of this name"),
    ]
    for kind, metavar, what in reversed(kinds):
        for prefix, only in (("not-", "Leave out"), ("", "Only")):
            command = click.option(
                f"--{prefix}{kind}",
                f"{prefix.replace('-', '_')}{kind}s",
                metavar=metavar,
                multiple=True,
                help=f"{only} {what}. Can be repeated.",
            )(command)
    return command


def one_index(targets: tuple[str, ...], index: Path | None) -> None:
    """Refuse one index folder for several targets."""
    if index is not None and len(targets) > 1:
        raise click.UsageError("--index holds the index of one dataset; give one TARGET with it.")
