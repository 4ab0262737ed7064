"""What several commands share: options, and a command whose options take several values after one flag."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clipdex.defaults import INDEX_FOLDER, MAX_PIXELS, SAVED_NAMES
from clipdex.paths import is_folder


class SeveralValues(click.Command):
    """A command in which some repeatable options take several values.

    ``--text bus train`` is ``--text bus --text train``. The values of such an option go on up to the next option. Where
    no argument is left over by that, and the current folder has no index that would be searched, folders at the end of
    the values are arguments instead. The order of all those values, across options, is kept in ``context.meta[ORDER]``
    as pairs of option name and value.

    Switches, options with an ``--on/--off`` pair, may be followed by a word such as ``true`` or ``false``.
    """

    def __init__(self, *args: Any, several: tuple[str, ...], ordered: tuple[str, ...], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.several = several
        self.ordered = ordered

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write several values as several options, then parse as usual."""
        flags = {
            flag: option.name
            for option in self.params
            if isinstance(option, click.Option) and option.name in self.several
            for flag in option.opts
        }
        spread, order = _spread(plain_switches(args, self._switches()), flags, self._plain_flags())
        ctx.meta[ORDER] = [(name, value) for name, value in order if name in self.ordered]
        return super().parse_args(ctx, spread)

    def _switches(self) -> dict[str, tuple[str, str]]:
        """Return the flags of switches, with the ones that turn them off and on."""
        return {
            flag: (option.secondary_opts[-1], option.opts[-1])
            for option in self.params
            if isinstance(option, click.Option) and option.secondary_opts
            for flag in option.opts
        }

    def _plain_flags(self) -> dict[str, bool]:
        """Return the other flags, and whether each takes a value."""
        return {
            flag: not (option.is_flag or option.count)
            for option in self.params
            if isinstance(option, click.Option) and option.name not in self.several
            for flag in (*option.opts, *option.secondary_opts)
        }


ORDER = "clipdex_cli.order"
_TRUTHS = {"false": 0, "no": 0, "off": 0, "0": 0, "true": 1, "yes": 1, "on": 1, "1": 1}


def plain_switches(args: Sequence[str], switches: Mapping[str, tuple[str, str]]) -> list[str]:
    """Write ``--stage false`` as ``--no-stage`` and ``--stage true`` as ``--stage``; other words are left alone."""
    plain: list[str] = []
    rest = deque(args)
    while rest:
        argument = rest.popleft()
        flag, equals, value = argument.partition("=")
        if argument == "--":
            plain += [argument, *rest]
            break
        if flag not in switches:
            plain.append(argument)
            continue
        if not equals:
            value = rest.popleft() if rest and rest[0].lower() in _TRUTHS else "true"
        if value.lower() not in _TRUTHS:
            raise click.UsageError(f"{flag} is {value!r}, and must be true or false.")
        plain.append(switches[flag][_TRUTHS[value.lower()]])
    return plain


def _spread(
    args: list[str], several: Mapping[str, str | None], plain: Mapping[str, bool]
) -> tuple[list[str], list[tuple[str | None, str]]]:
    groups: list[tuple[str, list[str]]] = []  # a flag of several values, or "" for everything else
    current: list[str] | None = None
    positional = False
    rest = iter(args)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if f"-{flag}" in several:  # examples of the command that this one takes over from have one dash only
            flag = f"-{flag}"
        if argument == "--":
            groups.append(("", [argument, *rest]))
            positional = True
        elif flag in several:
            current = [value] if equals else []
            groups.append((flag, current))
            if equals:
                current = None
        elif argument.startswith("-") and argument != "-":
            current = None
            taken = [argument]
            if plain.get(argument):
                taken += [following for following in [next(rest, None)] if following is not None]
            groups.append(("", taken))
        elif current is not None:
            current.append(argument)
        else:
            groups.append(("", [argument]))
            positional = True
    if not positional and not Path(INDEX_FOLDER).exists() and not _in_project(groups):
        _free_trailing_folders(groups)
    spread: list[str] = []
    order: list[tuple[str | None, str]] = []
    for flag, values in groups:
        if not flag:
            spread += values
            continue
        if not values:
            raise click.UsageError(f"{flag} needs a value. (One that begins with a dash: {flag}=-VALUE)")
        for value in values:
            spread.append(f"{flag}={value}" if flag.startswith("--") else flag)
            order.append((several[flag], value))
    return spread, order


def _in_project(groups: list[tuple[str, list[str]]]) -> bool:
    """Tell whether there is a project, which is searched where no target is named."""
    from clipdex.projects.places import find_project

    named = any(not flag and values[0].partition("=")[0] in ("-p", "--project") for flag, values in groups)
    return named or find_project() is not None


def _free_trailing_folders(groups: list[tuple[str, list[str]]]) -> None:
    for _, values in reversed([group for group in groups if group[0]]):
        folders: list[str] = []
        while len(values) > 1 and is_folder(Path(values[-1])):
            folders.insert(0, values.pop())
        if folders:
            click.echo(f"Searching the folder {', '.join(folders)}. (TARGET is best given first.)", err=True)
            groups.append(("", folders))
            return


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
