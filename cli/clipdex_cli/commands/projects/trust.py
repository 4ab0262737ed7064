"""``clipdex project trust``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.output import size
from clipdex_cli.printing import say, write
from clipdex_cli.tables import table

if TYPE_CHECKING:
    from clipdex.readers.plugin_files import PluginFiles


@click.command("trust", cls=Command)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the files, and trust nothing.")
@click.option("--withdraw", is_flag=True, help="Trust the plugins of the project no longer.")
def command(folder: Path | None, dry_run: bool, withdraw: bool) -> None:
    """Let the plugins of a project be loaded.

    Plugins are code: read them first. This shows their files, and remembers the project by its path and the files by
    their content. Where a file changes, the plugins are not loaded until you trust them again.

    The project is in DIR, or around the current folder. For automation, name its folder in the variable CLIPDEX_TRUST
    instead.
    """
    if dry_run and withdraw:
        raise click.UsageError("--dry-run and --withdraw exclude each other.")
    from clipdex.projects import trust
    from clipdex.projects.plugins import plugins_of
    from clipdex.projects.reading import open_project

    project = open_project(folder)
    place = str(project.folder)
    if withdraw:
        was = trust.withdraw(project)
        said = f"The plugins of {place} are not trusted any more." if was else f"{place} was not trusted."
        say(said)
        return
    files = plugins_of(project)
    if files is None:
        say(f"The project {place} has no plugins, so there is nothing to trust.")
        return
    before = trust.trusted(project)
    write(_shown(files, before), head=True)
    if dry_run:
        return
    trust.trust(project, files)
    until = "until one of these files changes"
    say(f"Trusted. The plugins in {files.folder} are loaded {until}.")


def _shown(files: PluginFiles, before: Mapping[str, str] | None) -> str:
    """Return a table of the files, and what of them is not as it was trusted."""
    from clipdex.projects.trust import changes

    names = sorted(files.digests)
    columns = {
        "file": [f"{name} -> {files.links[name]}" if name in files.links else name for name in names],
        "size": [size(files.sizes[name]) for name in names],
        "SHA-256": [files.digests[name] for name in names],
    }
    news = changes(before, files.digests) if before is not None else []
    return table(columns, numbers=("size",), names=("file", "SHA-256")) + "".join(f"{line}\n" for line in news)
