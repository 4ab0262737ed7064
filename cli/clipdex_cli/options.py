"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex.defaults import MAX_PIXELS, SAVED_NAMES
from clipdex_cli import completing
from clipdex_cli.printing import say
from clipdex_cli.terminal_images.terminals import AUTO, KINDS

if TYPE_CHECKING:
    from clipdex import ItemFilter

TARGETS = click.argument(
    "targets",
    metavar="[TARGET]...",
    nargs=-1,
    type=click.Path(path_type=str, readable=False),
    shell_complete=completing.targets,
)
INDEX = click.option(
    "--index",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the index. [default: .clipdex in a folder, FILE.clipdex beside a file]",
)
FORMAT = click.option(
    "--format",
    "format_name",
    metavar="FORMAT",
    default="auto",
    show_default=True,
    help="Format of the dataset, also written TARGET:FORMAT. auto takes the format of the index or detects it.",
)
FORMAT_OPTIONS = click.option(
    "--option",
    "format_options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set an option of the format, such as label=class; repeatable. The index remembers it. To list them: clipdex "
    "formats FORMAT.",
)
MODEL = click.option(
    "--model",
    metavar="MODEL",
    shell_complete=completing.models,
    help="Name or folder of the model. [default: that of the index; for a new index $CLIPDEX_MODEL, then that of the "
    "project, then starter]",
)
DEVICE = click.option(
    "--device",
    metavar="DEVICE",
    default="CPU",
    show_default=True,
    help="Device of OpenVINO that runs the model: CPU, GPU, NPU or AUTO.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "f32", "bf16", "f16"]),
    default="auto",
    show_default=True,
    help="Precision of the model. auto takes that of the index or, for a new index, that of the model.",
)

PRUNE = click.option(
    "--prune",
    is_flag=True,
    help="Drop what is gone even where that is all of a folder, more than half of the index, or all of it. Without "
    "--prune, such a build stops: a disk may be away.",
)
DRY_RUN = click.option(
    "--dry-run",
    is_flag=True,
    help="Say what the build would do, and write nothing. Exit code: 0 when it would run and see an image, else 1.",
)
DRY_RUN_LIMIT = click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help="With --dry-run, name at most N images of each kind. [default: 5]",
)
WAIT = click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="While another process writes to the index, wait, or fail at once.",
)


def say_waiting(target: str) -> Callable[[str], None]:
    """Return a function that says that another process writes to the index of ``target``."""

    def waiting(owner: str) -> None:
        say(f"{target}: waiting for {owner}, which is writing to the index. (--no-wait fails instead.)")

    return waiting


PREVIEW = click.option(
    "--preview",
    metavar="[=KIND]",
    is_flag=False,
    flag_value=AUTO,
    type=click.Choice(KINDS),
    help="Show small pictures beside the table, in a terminal that has any. The protocol is found out; "
    f"--preview=KIND takes one: {', '.join(KINDS)}.",
)
OUTPUT_DIR = click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save to DIR, a new or empty folder. [default: a new folder explore_result]",
)
FORCE = click.option(
    "--force", is_flag=True, help="Save where something is already: beside it, under free names. Nothing is replaced."
)
HTML = click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Save a page of small pictures to FILE. It opens without a server, and holds all that it shows.",
)
SAVE_AS = click.option(
    "--save-as",
    type=click.Choice(SAVED_NAMES),
    help="Names of the copied images. ids: DATASET/SUBSET/ID; subsets: SUBSET/ID; ranked: 001_dog.jpg and so on. "
    "[default: ids; of explore with one dataset: subsets]",
)


RAW = click.option(
    "--raw",
    is_flag=True,
    help="Leave cells of CSV as they are. Otherwise an apostrophe goes before what would start a formula.",
)


def output(shown: str) -> Callable[[Any], Any]:
    """Return a decorator that adds ``--output``, whose help is ``shown``, ``-0`` and ``--raw``."""

    def add(command: Any) -> Any:  # noqa: ANN401
        command = click.option(
            "-0", "--null", "null", is_flag=True, help="End each path of --output paths with NUL, not a new line."
        )(command)
        command = RAW(command)
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
        help="Refuse images of more than N pixels.",
    )(command)


def named_values(given: tuple[str, ...]) -> dict[str, str]:
    """Return the values of options given as ``NAME=VALUE``, by name."""
    values: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--option {one}: write it as NAME=VALUE.")
        values[name.strip().lower()] = value
    return values


def filters(command: Any) -> Any:  # noqa: ANN401
    """Add the options that limit what may be found. Their names are the attributes of ``ItemFilter``."""
    kinds = [
        ("label", "L", "items with this label", completing.labels),
        ("tag", "T", "items with this tag", completing.tags),
        ("subset", "S", "items of this subset", completing.subsets),
        ("path", "GLOB", "items whose id matches, as in 'cats/*' or '**/a.jpg'", None),
        ("dataset", "D", "items of this dataset", completing.datasets),
        ("area", "AREA", "items in this area of the map, as the page of clipdex view writes it", None),
    ]
    for kind, metavar, what, values in reversed(kinds):
        for prefix, only in (("not-", "Leave out"), ("", "Find only")):
            command = click.option(
                f"--{prefix}{kind}",
                f"{prefix.replace('-', '_')}{kind}s",
                metavar=metavar,
                multiple=True,
                help=f"{only} {what}; repeatable.",
                shell_complete=values,
            )(command)
    return command


def filter_of(given: Mapping[str, Any]) -> ItemFilter:
    """Return the filter of a command that has the options of ``filters``.

    Raises
    ------
    UsageError
        When a pattern cannot be read.
    """
    from clipdex import ItemFilter

    try:
        return ItemFilter(**{name: given[name] for name in ItemFilter.__slots__})
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def one_index(targets: tuple[str, ...], index: Path | None) -> None:
    """Refuse one index folder for several targets."""
    if index is not None and len(targets) > 1:
        raise click.UsageError("--index holds the index of one dataset; give one TARGET with it.")


def limit_of_dry_run(limit: int | None, *, dry_run: bool) -> None:
    """Refuse the number of images that a dry run names where there is none."""
    if limit is not None and not dry_run:
        raise click.UsageError("--limit goes with --dry-run.")
