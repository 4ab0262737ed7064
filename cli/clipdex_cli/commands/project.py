"""``clipdex project``: the commands about projects."""

from __future__ import annotations

import click

from clipdex_cli.lazy import LazyGroup


@click.group(
    "project",
    cls=LazyGroup,
    package="clipdex_cli.commands.projects",
    summaries={
        "create": "Make a project: a folder with a clipdex.toml.",
        "add": "Add a dataset to the project, as a named source.",
        "import": "Add a dataset to the project, as a named source.",
        "import-datumaro": "Make a project from an old project of Datumaro.",
        "remove": "Remove a source from the project.",
        "info": "Show the sources and stages of the project.",
        "build": "Build the indexes of the project's sources.",
        "run": "Repeat the recorded queries and compare the hits.",
        "trust": "Let the plugins of a project be loaded.",
    },
)
def command() -> None:
    """Name datasets, search them as one, and repeat queries.

    A project is a folder with a clipdex.toml. Its datasets are called sources. In a project, query and explore search
    all sources as one, or those that you name, and record each query as a stage. clipdex project run repeats stages.
    """
