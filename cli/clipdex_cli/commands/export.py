"""``clipdex export``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options
from clipdex_cli.project_targets import PROJECT, resolve


@click.command("export")
@click.option(
    "--hash-keys",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the hash key of every item to FILE: .json, .parquet, .npz or .npy.",
)
@options.TARGETS
@options.INDEX
@PROJECT
def command(file: Path, targets: tuple[str, ...], index: Path | None, project_dir: Path | None) -> None:
    """Write what the indexes of each TARGET hold to a file that other programs read.

    JSON is that of Datumaro's hash_key_meta/hash_keys.json, and says which model made the keys. NPY has the keys alone,
    with the items beside it in NAME.items.json. Without a TARGET, the current folder; in a
    project all its sources, which can be named.
    """
    options.one_index(targets, index)
    from clipdex import export_hash_keys
    from clipdex_cli.output import printable

    report = export_hash_keys(file, *(resolve(targets, project_dir).targets or (Path(),)), index=index)
    click.echo(f"{report.path}: {report.keys:,} hash keys of model {printable(report.model)}", err=True)
