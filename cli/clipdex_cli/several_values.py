"""A command whose options take several values after one flag."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import is_folder

ORDER = "clipdex_cli.order"
_TRUTHS = {"false": 0, "no": 0, "off": 0, "0": 0, "true": 1, "yes": 1, "on": 1, "1": 1}


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
