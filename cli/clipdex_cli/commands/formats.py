"""``clipdex formats``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say, write, write_json, write_line
from clipdex_cli.project_targets import PROJECT, load_plugins_of
from clipdex_cli.tables import table


@click.command("formats", cls=Command)
@click.argument("names", metavar="[FORMAT]...", nargs=-1)
@PROJECT
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(names: tuple[str, ...], project_dir: Path | None, as_json: bool) -> int:
    """List the dataset formats that clipdex can read.

    With FORMAT, the list also has the options of that format. In a project, it includes the formats of
    plugins that you trust.

    Exit code: 0, or 1 when there is no such FORMAT.
    """
    from clipdex.errors import DatasetError
    from clipdex.projects.places import find_project
    from clipdex.readers.formats import available, problems

    told: list[str] = []
    if project_dir is not None or find_project() is not None:
        from clipdex.projects.reading import open_project

        told = load_plugins_of(open_project(project_dir))
    formats = list(available())
    for line in dict.fromkeys([*told, *problems()]):
        say(line)
    unknown = [name for name in names if name not in {one.name for one in formats}]
    if unknown:
        raise DatasetError(f"there is no format {', '.join(unknown)}: clipdex formats lists what there is.")
    wanted = [one for one in formats if not names or one.name in names]
    if as_json:
        rows = [
            {
                "name": one.name,
                "about": one.about,
                "from": one.origin,
                "options": dict(one.options),
                "problem": one.problem,
            }
            for one in wanted
        ]
        write_json(rows)
        return 0
    columns = {
        "format": [one.name for one in wanted],
        "from": [one.origin for one in wanted],
        "about": [one.about for one in wanted],
    }
    write(table(columns, names=("format",), prose="about"), head=True)
    for one in wanted if names else []:
        for name, about in one.options.items():
            write_line(f"  --option {name}=...  {about}")
        if one.problem:
            say(one.problem)
    missing = sorted(
        {one.problem.rpartition("Install it: ")[2].rstrip(".") for one in wanted if "Install it: " in one.problem}
    )
    if missing and not names:
        say(f"Some need a package that is not installed: {'; '.join(missing)}")
    return 0
