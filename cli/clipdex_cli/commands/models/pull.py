"""``clipdex model pull``."""

from __future__ import annotations

import click

from clipdex_cli import completing
from clipdex_cli.commands.models.choices import NAME, as_choices, choices, say_installed
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say


@click.command("pull", cls=Command)
@click.argument("name_of_known", metavar="MODEL", shell_complete=completing.known_models)
@NAME
@choices
@click.option("--keep", is_flag=True, help="Keep the downloaded files in the cache folder.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
def command(
    name_of_known: str, name: str | None, hashing: str, quantize: str, precision: str, keep: bool, quiet: bool
) -> None:
    """Download a known model and install it.

    No other command uses the network. The same command continues a download that was interrupted. It uses the
    variables HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, and those of proxies. clipdex model list names the models.
    """
    from clipdex.models.adding import pull_model
    from clipdex.models.hub.known import find_known
    from clipdex_cli.progress import WorkDisplay

    known = find_known(name_of_known)
    if not known.verified:
        say(f"The list of files of {known.name} is unverified: it may have changed.")
    with WorkDisplay(known.name, quiet=quiet) as display:
        made = as_choices(hashing, quantize, precision)
        model = pull_model(known, name=name, choices=made, keep=keep, progress=display)
    say_installed(name or known.name, model)
