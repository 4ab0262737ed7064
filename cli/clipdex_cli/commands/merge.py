"""``clipdex merge``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.output import printable
from clipdex_cli.project_targets import PROJECT


@click.command("merge")
@options.TARGETS
@click.option(
    "-o", "--output-dir", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Where to make it."
)
@PROJECT
def command(targets: tuple[str, ...], output_dir: Path, project_dir: Path | None) -> None:
    """Make one index of those of several TARGETs, in DIR. Nothing is hashed again.

    The datasets must have been hashed by the same model. Items are called NAME/ID, NAME being that of their dataset.
    DIR is then searched like a dataset, also on another machine (with the images shown as missing); clipdex build DIR
    brings it up to date.

    In a project, a TARGET may be the name of a source, and without any all sources are merged.
    """
    from clipdex.building.joining import join
    from clipdex_cli.project_targets import resolve

    found = resolve(targets, project_dir)
    if not found.targets:
        raise click.UsageError("name the TARGETs to merge.")
    joined = join(found.targets, output_dir)
    parts = ", ".join(f"{name} {count:,}" for name, count in joined.items.items())
    total = sum(joined.items.values())
    click.echo(
        printable(f"{joined.folder}: {counted(total, 'image')} in the index ({parts}; model {joined.model})"), err=True
    )
