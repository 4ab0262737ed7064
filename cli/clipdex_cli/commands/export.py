"""``clipdex export``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT, resolve


@click.command("export", cls=Command)
@click.option(
    "--hash-keys",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: .json, .parquet, .npz or .npy.",
)
@options.TARGETS
@options.INDEX
@PROJECT
def command(file: Path, targets: tuple[str, ...], index: Path | None, project_dir: Path | None) -> None:
    """Write hash keys to a file that other programs read.

    The name of FILE says its format: .json, .parquet, .npz or .npy. The JSON is that of Datumaro's
    hash_key_meta/hash_keys.json, and names the model. NPY holds the keys alone; the items are beside it, in
    NAME.items.json.

    Without a TARGET, the file gets the keys of the current folder, or of all sources of the project. In a project, a
    TARGET may be the name of a source. Of a folder without an index, the file gets that part of the index above.
    """
    options.one_index(targets, index)
    from clipdex import export_hash_keys
    from clipdex_cli.output import say_part

    report = export_hash_keys(file, *(resolve(targets, project_dir).targets or (Path(),)), index=index)
    for one in report.datasets:
        say_part(one.root, one.part, f"exporting the part {one.part} of")
    say(f"{report.path}: {report.keys:,} hash keys of model {report.model}")
