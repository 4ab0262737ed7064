"""Groups of commands that are imported when they are needed."""

from __future__ import annotations

import importlib
import keyword
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are in modules of one package, as their attribute ``command``.

    A module has the name of its command, with underscores for dashes. A keyword of Python gets an underscore at its
    end.

    Parameters
    ----------
    package
        The package of the modules.
    summaries
        The first sentence of the help of each command by its name, in the order in which people need them. The help of
        the group shows them, and imports no command.
    """

    def __init__(self, *args: Any, package: str = "", summaries: Mapping[str, str], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._package = package
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which people need them."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._summaries:
            return None
        module = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        command = importlib.import_module(f"{self._package}.{module}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names of the commands and what they do."""
        room = formatter.width - 6 - max(map(len, self._summaries))
        known = [(name, click.Command(name, help=summary)) for name, summary in self._summaries.items()]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(room)) for name, command in known])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of this name; if there is none, suggest one."""
        name = args[0]
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # late: nearly every name is right

            near = difflib.get_close_matches(name, list(self._summaries), 1)
            if not near or isinstance(error, click.NoSuchOption) or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}. Did you mean {near[0]!r}?", error.ctx) from None
