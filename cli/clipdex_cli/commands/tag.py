"""``clipdex tag``: the commands about tags."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "tag",
    cls=LazyGroup,
    package="clipdex_cli.commands.tags",
    summaries={
        "add": "Give images a tag.",
        "remove": "Take a tag away from images.",
        "list": "Show the tags, and how many images have each.",
        "rename": "Rename a tag.",
    },
)
def command() -> None:
    """Give images tags of your own, and find them by tag.

    Tags are in a file beside the index, .clipdex.tags.sqlite, and stay when the index is built again. query and info
    take --tag and --not-tag.
    """
