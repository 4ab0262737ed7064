"""``clipdex merge``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT


@click.command("merge", cls=Command)
@options.TARGETS
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the merged index.",
)
@PROJECT
def command(targets: tuple[str, ...], output_dir: Path, project_dir: Path | None) -> None:
    """Make one index of several, without hashing again.

    One model must have made all indexes. DIR gets the merged index, whose items are called NAME/ID, where NAME is the
    name of their dataset. Search DIR like a dataset, also on another machine, where the images count as missing.
    clipdex build DIR brings it up to date.

    In a project, a TARGET may be the name of a source; without one, all sources are merged.
    """
    from clipdex.building.joining import join
    from clipdex_cli.project_targets import resolve

    found = resolve(targets, project_dir)
    if not found.targets:
        raise click.UsageError("name the TARGETs to merge.")
    joined = join(found.targets, output_dir)
    parts = ", ".join(f"{name} {count:,}" for name, count in joined.items.items())
    total = sum(joined.items.values())
    say(f"{joined.folder}: {counted(total, 'image')} in the index ({parts}; model {joined.model})")
    if joined.tagged:
        names = ", ".join(joined.tagged)
        say(f"Tags are not merged, and stay with {names}.")
