"""``clipdex help``."""

from __future__ import annotations

import click

from clipdex_cli import completing
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import write


@click.command("help", cls=Command)
@click.argument("names", metavar="[COMMAND]...", nargs=-1, shell_complete=completing.commands)
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command.

    clipdex help model pull shows the same as clipdex model pull --help.
    """
    shown = ctx.find_root()
    rest = list(names)
    while rest:
        if not isinstance(shown.command, click.Group):
            raise click.UsageError(f"{shown.command_path} has no commands.", shown)
        name, found, rest = shown.command.resolve_command(shown, rest)
        if found is not None:
            shown = click.Context(found, info_name=name, parent=shown)
    write(f"{shown.command.get_help(shown)}\n")
