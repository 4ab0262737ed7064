"""``clipdex import-hash-keys``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options


@click.command("import-hash-keys")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--model", metavar="NAME", required=True, help="What made the hash keys: a model that is here, or any name."
)
@options.FORMAT
@options.INDEX
@click.option("--rebuild", is_flag=True, help="Replace the index that is there.")
def command(file: Path, target: Path, model: str, format_name: str, index: Path | None, rebuild: bool) -> None:
    """Make an index of TARGET out of the hash keys in FILE, without looking at the images.

    FILE is the hash_keys.json of Datumaro up to 1.11, or a JSON that clipdex export wrote. Where it says that the model
    called NAME here made its keys, the index is as if it had been built here. All other keys are marked as coming from
    elsewhere: items can be asked for, texts and images cannot, and they are never searched together with other keys.
    """
    from clipdex import import_hash_keys
    from clipdex_cli.output import printable

    report = import_hash_keys(file, target, model=model, format=format_name, index=index, rebuild=rebuild)
    whose = f"model {printable(report.model)}" if report.ours else f"{printable(report.model)!r}, from elsewhere"
    click.echo(
        f"{report.root}: {report.items:,} items have a hash key now ({whose}), {report.without_key:,} have none; "
        f"{report.unused:,} keys are of no item.",
        err=True,
    )
