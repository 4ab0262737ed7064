"""A command whose options take several values after one flag."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import is_folder
from clipdex_cli.completing import OPEN
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say

ORDER = "clipdex_cli.order"
_TRUTHS = {"false": 0, "no": 0, "off": 0, "0": 0, "true": 1, "yes": 1, "on": 1, "1": 1}


class SeveralValues(Command):
    """A command in which some repeatable options take several values.

    ``--text bus train`` means ``--text bus --text train``. The values of such an option end at the next option. If this
    leaves no argument, and the current folder has no index and is in no project, folders at the end of the values
    become arguments. ``context.meta[ORDER]`` has all values in their order, as pairs of option name and value.

    A word such as ``true`` or ``false`` may follow a switch, that is an option with an ``--on/--off`` pair.
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
        args = self.with_values(args)
        if ctx.resilient_parsing:
            args = self.without_open_option(args)
            ctx.meta[OPEN] = self._open(args)
        try:
            spread, order = _spread(plain_switches(args, self._switches()), flags, self._plain_flags())
        except click.UsageError:
            if not ctx.resilient_parsing:
                raise
            spread, order = args, []
        ctx.meta[ORDER] = [(name, value) for name, value in order if name in self.ordered]
        return super().parse_args(ctx, spread)

    def _open(self, args: list[str]) -> click.Option | None:
        """Return the option of several values whose values are the last words."""
        flag = next((word for word in reversed(args) if word.startswith("-") and word != "-"), "")
        found = (one for one in self.params if isinstance(one, click.Option) and flag in one.opts)
        return next((option for option in found if option.name in self.several), None)

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
    """Write ``--stage false`` as ``--no-stage`` and ``--stage true`` as ``--stage``."""
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
        if f"-{flag}" in several:  # datum explore takes one dash
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
            raise click.UsageError(f"{flag} needs a value. (Write a value that begins with a dash as {flag}=-VALUE.)")
        for value in values:
            spread.append(f"{flag}={value}" if flag.startswith("--") else flag)
            order.append((several[flag], value))
    return spread, order


def _in_project(groups: list[tuple[str, list[str]]]) -> bool:
    """Tell whether there is a project. Without a target, its sources are searched."""
    from clipdex.projects.places import find_project

    named = any(not flag and values[0].partition("=")[0] in ("-p", "--project") for flag, values in groups)
    return named or find_project() is not None


def _free_trailing_folders(groups: list[tuple[str, list[str]]]) -> None:
    for _, values in reversed([group for group in groups if group[0]]):
        folders: list[str] = []
        while len(values) > 1 and is_folder(Path(values[-1])):
            folders.insert(0, values.pop())
        if folders:
            say(f"Searching the folder {', '.join(folders)}. (Better put TARGET first.)")
            groups.append(("", folders))
            return
