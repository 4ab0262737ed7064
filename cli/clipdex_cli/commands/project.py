"""``clipdex project``: the commands about projects."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "project",
    cls=LazyGroup,
    package="clipdex_cli.commands.projects",
    names=("create", "add", "import", "import-datumaro", "remove", "info", "build", "run"),
)
def command() -> None:
    """Datasets with names, in one folder with a clipdex.toml, and the queries that were asked of them.

    In a project, query and explore search all its sources as one, or those that are named, and record what they were
    asked, so that clipdex project run can repeat it.
    """
