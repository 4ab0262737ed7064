"""``clipdex tag list``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT
from clipdex_cli.tables import table


@click.command("list", cls=Command)
@options.TARGETS
@options.INDEX
@PROJECT
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(targets: tuple[str, ...], index: Path | None, project_dir: Path | None, as_json: bool) -> None:
    """Show the tags, and how many images have each.

    Images that were deleted, moved or renamed keep their tags under their old ids. They are counted as gone.
    """
    from clipdex_cli.asking import opened
    from clipdex_cli.printing import write, write_json

    with opened(targets, index, project_dir) as explorer:
        tags = explorer.tags()
    if as_json:
        write_json([tag.to_dict() for tag in tags])
        return
    if not tags:
        say("No image has a tag.")
        return
    columns = {"images": [f"{tag.items:,}" for tag in tags], "tag": [tag.name for tag in tags]}
    write(table(columns, numbers=("images",), names=("tag",)), head=True)
    for tag in tags:
        if tag.gone:
            ids = ", ".join(tag.gone_ids) + (", ..." if tag.gone > len(tag.gone_ids) else "")
            say(f"{tag.name}: {counted(tag.gone, 'tagged image')} not in the index any more: {ids}")
