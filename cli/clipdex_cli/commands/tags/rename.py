"""``clipdex tag rename``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT


@click.command("rename", cls=Command)
@click.argument("name", metavar="NAME")
@click.argument("new", metavar="NEW")
@options.TARGETS
@options.INDEX
@PROJECT
def command(name: str, new: str, targets: tuple[str, ...], index: Path | None, project_dir: Path | None) -> None:
    """Rename a tag. Where NEW is a tag already, the two become one."""
    from clipdex_cli.asking import opened

    with opened(targets, index, project_dir) as explorer:
        count = explorer.rename_tag(name, new)
    say(f"{counted(count, 'image')} tagged as {new} instead of {name}.")
