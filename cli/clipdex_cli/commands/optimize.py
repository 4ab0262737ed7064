"""``clipdex optimize``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.output import size
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT, name_of, resolve, with_index


@click.command("optimize", cls=Command)
@options.TARGETS
@options.INDEX
@PROJECT
@options.WAIT
def command(targets: tuple[str, ...], index: Path | None, project_dir: Path | None, wait: bool) -> int:
    """Merge the segments of an index into one.

    This also drops the rows of removed items. A build merges small segments anyway. Optimize an index that many
    queries will read and that will not change soon.

    Without a TARGET, clipdex optimizes the index of the current folder, or those of all sources of the project. In a
    project, a TARGET may be the name of a source. Of a folder without an index, clipdex optimizes the index above.
    """
    options.one_index(targets, index)
    from clipdex.datasets.maintenance import optimize
    from clipdex.errors import ClipdexError

    exit_code = 0
    for named in resolve(targets, project_dir).targets or (Path(),):
        try:
            target = with_index(named, index, "optimizing all of")
            name = name_of(target if index is None or targets else index)
            done = optimize(target, index=index, wait=wait, waiting=options.say_waiting(name))
        except ClipdexError as error:
            say(f"clipdex: {error.message}")
            exit_code = error.exit_code
            continue
        say(
            f"{name if index is not None else str(done.root)}: {counted(done.items, 'item')}; "
            f"segments {done.segments_before} -> {done.segments}, {size(done.bytes_before)} -> {size(done.bytes)}"
        )
    return exit_code
