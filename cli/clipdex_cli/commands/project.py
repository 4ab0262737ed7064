"""``clipdex project``: the commands about projects."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "project",
    cls=LazyGroup,
    package="clipdex_cli.commands.projects",
    names=("create", "add", "import", "import-datumaro", "remove", "info", "build", "run", "trust"),
)
def command() -> None:
    """Name datasets, search them as one, and repeat queries.

    A project is a folder with a clipdex.toml. Its datasets are called sources. In a project, query and explore search
    all sources as one, or those that you name, and record each query as a stage. clipdex project run repeats stages.
    """
