"""Write docs/reference/cli.md from the commands themselves; with ``--check``, only say whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from clipdex_cli.main import cli

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
HEAD = """# The command line

This page is made from the commands (`make docs`). Results go to standard output; progress and messages go to standard
error. Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.
"""


def reference() -> str:
    """Return the page: the help of the program and of each command."""
    program = click.Context(cli, info_name="clipdex", help_option_names=["-h", "--help"])
    return "\n".join([HEAD, *_sections("clipdex", cli, program)])


def _sections(title: str, command: click.Command, context: click.Context) -> Iterator[str]:
    yield _section(title, command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _sections(f"{title} {name}", inner, click.Context(inner, info_name=name, parent=context))


def _section(title: str, command: click.Command, context: click.Context) -> str:
    formatter = click.HelpFormatter(width=100)
    command.format_help(context, formatter)
    return f"## {title}\n\n```text\n{formatter.getvalue().rstrip()}\n```\n"


def main() -> None:
    """Write the page, or check it."""
    page = reference()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(page, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != page:
        sys.exit(f"{TARGET.name} is not up to date: run `make docs`")


if __name__ == "__main__":
    main()
