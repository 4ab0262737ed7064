"""``clipdex save``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options


@click.command("save")
@click.argument("result", metavar="[RESULT.json]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@options.OUTPUT_DIR
@options.FORCE
@options.max_pixels
def command(result: Path | None, output_dir: Path | None, force: bool, max_pixels: int) -> int:
    """Save the last query's result, or one kept as JSON, as pictures and data.

    DIR gets a contact sheet (sheet.png), the result (result.json), and a copy of each image that was found, as
    DATASET/SUBSET/ID.
    """
    from clipdex.report.last_result import last_result
    from clipdex.report.save import save_result
    from clipdex.search.result import read_result
    from clipdex_cli.output import say_saved

    found = read_result(result) if result is not None else last_result()
    return say_saved(save_result(found, output_dir, force=force, max_pixels=max_pixels))
