"""``clipdex import-hash-keys``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("import-hash-keys", cls=Command)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--model", metavar="NAME", required=True, help="What made the hash keys: an installed model, or any name."
)
@options.FORMAT
@options.INDEX
@click.option("--rebuild", is_flag=True, help="Replace an index that exists.")
def command(file: Path, target: Path, model: str, format_name: str, index: Path | None, rebuild: bool) -> None:
    """Make an index from the hash keys in a file.

    FILE is the hash_keys.json of Datumaro up to 1.11, or a JSON file of clipdex export. TARGET is the dataset. Its
    images are not read.

    When FILE says that the installed model NAME made its keys, the index is the same as one built here. Other keys are
    marked as coming from elsewhere. They answer items only, not texts or images, and are never searched together with
    other keys.
    """
    from clipdex import import_hash_keys

    report = import_hash_keys(file, target, model=model, format=format_name, index=index, rebuild=rebuild)
    whose = f"model {report.model}" if report.ours else f"{report.model!r}, from elsewhere"
    have = "has" if report.items == 1 else "have"
    none = f"{report.without_key:,} {'has' if report.without_key == 1 else 'have'} none"
    unused = f"{counted(report.unused, 'key')} {'is' if report.unused == 1 else 'are'} of no item"
    say(f"{report.root}: {counted(report.items, 'item')} {have} a hash key now ({whose}), {none}; {unused}.")
