"""``clipdex save``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex.defaults import IDS
from clipdex_cli import options
from clipdex_cli.help_pages import Command


@click.command("save", cls=Command)
@click.argument("result", metavar="[RESULT.json]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@options.OUTPUT_DIR
@options.HTML
@options.FORCE
@options.SAVE_AS
@options.max_pixels
def command(
    result: Path | None,
    output_dir: Path | None,
    html: Path | None,
    force: bool,
    save_as: str | None,
    max_pixels: int,
) -> int:
    """Save the last result as pictures and JSON, or as a page.

    RESULT.json is a result that you kept before; without it, the result of the last query is saved. DIR gets a contact
    sheet (sheet.png), the result (result.json), and a copy of each image. With --html and without -o, only the page is
    saved.
    """
    from clipdex.report.last_result import last_result
    from clipdex.search.result import read_result
    from clipdex_cli.output import save_page, say_saved

    found = read_result(result) if result is not None else last_result()
    code = 0
    if html is None or output_dir is not None or save_as is not None:
        from clipdex.report.save import save_result

        saved = save_result(found, output_dir, force=force, max_pixels=max_pixels, save_as=save_as or IDS)
        code = say_saved(saved)
    if html is not None:
        code = max(code, save_page(found, html, force=force, max_pixels=max_pixels))
    return code
