"""``clipdex mcp``."""

from __future__ import annotations

from typing import Any

import click

from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.local_server import collection_options, opened_collection


@click.command("mcp", cls=Command)
@options.TARGETS
@collection_options
def command(**given: Any) -> int:  # noqa: ANN401
    """Let an assistant search datasets, over MCP.

    The assistant starts this command, and speaks the Model Context Protocol with it over standard input and output. It
    has the tools search, similar, duplicates, info and thumbnail, which change nothing. TARGETs are those of clipdex
    view. It needs pip install 'clipdex[mcp]'.
    """
    from clipdex_web.mcp_server import Wire, serve
    from clipdex_web.site import Site

    wire = Wire()
    with opened_collection(given) as collection:
        collection.warm()
        serve(Site.of(collection, given["max_pixels"]), wire)
