"""``clipdex view``."""

from __future__ import annotations

from typing import Any

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.local_server import serve_datasets, server_options


@click.command("view", cls=Command)
@server_options
@click.option(
    "--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser, or only print it."
)
def command(browser: bool, **given: Any) -> int:  # noqa: ANN401
    """Look at datasets and search them in a browser.

    TARGET is a dataset with an index, or a source of the project; several are searched as one. Without a TARGET, the
    page shows all sources of the project, or else the current folder. Only this machine reaches the page, and only
    with the token in the address that is printed. Ctrl-C ends it.
    """
    return serve_datasets(given, browser=browser)
