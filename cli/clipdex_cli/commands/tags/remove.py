"""``clipdex tag remove``."""

from __future__ import annotations

from typing import Any

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.commands.tags.choosing import SEVERAL, choosing
from clipdex_cli.printing import say
from clipdex_cli.several_values import SeveralValues


@click.command(
    "remove",
    cls=SeveralValues,
    several=SEVERAL,
    ordered=(),
    usage="NAME [TARGET]... (--item ID... | --last | --from RESULT.json | --label L | ... | --gone | --all)",
)
@click.argument("name", metavar="NAME")
@options.TARGETS
@choosing
@click.option("--gone", is_flag=True, help="Images that are not in the index any more.")
@click.option("--all", "everything", is_flag=True, help="All images.")
def command(name: str, gone: bool, everything: bool, **given: Any) -> None:  # noqa: ANN401
    """Take a tag away from images.

    Say which images, as for clipdex tag add; or that it is all of them, or those that are gone. A tag that no image has
    is no more.
    """
    if gone and everything:
        raise click.UsageError("--gone and --all exclude each other.")
    from clipdex_cli.commands.tags.choosing import chosen

    with chosen(given, otherwise=gone or everything) as (explorer, items):
        removed = explorer.remove_tag(name, items, gone=gone)
    say(f"{counted(removed, 'image')} not tagged as {name} any more.")
