"""``clipdex verify``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.paths import quoted
from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.output import size
from clipdex_cli.printing import say, write_line
from clipdex_cli.project_targets import PROJECT, name_of, resolve, with_index


@click.command("verify", cls=Command)
@options.TARGETS
@options.INDEX
@PROJECT
def command(targets: tuple[str, ...], index: Path | None, project_dir: Path | None) -> int:
    """Check every byte of an index.

    The check compares the checksums of all files, reads every row, and looks for items that are there twice. To open
    an index, clipdex checks only sizes, headers and a sample of the bytes.

    Without a TARGET, clipdex checks the index of the current folder, or those of all sources of the project. In a
    project, a TARGET may be the name of a source. Of a folder without an index, clipdex checks the index above.

    Exit code: 0 when all is well, else 1.
    """
    options.one_index(targets, index)
    from clipdex.datasets.maintenance import verify
    from clipdex.errors import ClipdexError

    exit_code = 0
    for named in resolve(targets, project_dir).targets or (Path(),):
        try:
            target = with_index(named, index, "checking all of")
            checked = verify(target, index=index)
        except ClipdexError as error:
            say(f"clipdex: {error.message}")
            exit_code = error.exit_code
            continue
        name = name_of(target if index is None or targets else index)
        for problem in checked.problems:
            say(f"{name}: {problem}")
        if checked.ok:
            what = f"{counted(checked.items, 'item')}, {size(checked.bytes)} in {counted(checked.files, 'file')}"
            write_line(f"{name}: all is well ({what})")
        else:
            again = quoted(name_of(target)) + (f" --index {quoted(index)}" if index is not None else "")
            say(f"{name}: the index is damaged. Make it again: clipdex build --rebuild {again}")
            exit_code = 1
    return exit_code
