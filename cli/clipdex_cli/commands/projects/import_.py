"""``clipdex project import``: the name of ``clipdex project add`` that users of Datumaro know."""

from __future__ import annotations

import inspect

from clipdex_cli.commands.projects.add import command as add
from clipdex_cli.help_pages import Command

command = Command(
    "import",
    params=add.params,
    callback=add.callback,
    help=f"{inspect.cleandoc(add.help or '')}\n\nThis is another name of clipdex project add.",
)
