"""``clipdex project import``: another name of ``clipdex project add``, by which users of Datumaro know it."""

from __future__ import annotations

import click

from clipdex_cli.commands.projects.add import command as add

command = click.Command("import", params=add.params, callback=add.callback, help=add.help)
