"""``clipdex serve``."""

from __future__ import annotations

from typing import Any

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.local_server import serve_datasets, server_options


@click.command("serve", cls=Command)
@server_options
def command(**given: Any) -> int:  # noqa: ANN401
    """Serve the page and the HTTP API of datasets.

    The API is at /api/v1 below the address that is printed, and describes itself in /api/v1/openapi.json. It takes the
    token as Authorization: Bearer TOKEN. No browser is opened. Ctrl-C ends it.
    """
    return serve_datasets(given, browser=False)
