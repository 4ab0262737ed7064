"""``clipdex model pull``."""

from __future__ import annotations

import click

from clipdex_cli.commands.models.choices import NAME, as_choices, choices, say_installed


@click.command("pull")
@click.argument("name_of_known", metavar="MODEL")
@NAME
@choices
@click.option("--keep", is_flag=True, help="Keep the downloaded files, in the cache folder.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    name_of_known: str, name: str | None, hashing: str, quantize: str, precision: str, keep: bool, quiet: bool
) -> None:
    """Download a known model and install it. This is the one command that uses the network.

    A download that was interrupted goes on where it was. The variables HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and those
    of proxies are honoured. See what there is: clipdex model list
    """
    from clipdex.models.adding import pull_model
    from clipdex.models.hub.known import find_known
    from clipdex_cli.progress import WorkDisplay

    known = find_known(name_of_known)
    if not known.verified:
        click.echo(f"The list of files of {known.name} is unverified: it may have changed.", err=True)
    with WorkDisplay(known.name, quiet=quiet) as display:
        made = as_choices(hashing, quantize, precision)
        model = pull_model(known, name=name, choices=made, keep=keep, progress=display)
    say_installed(name or known.name, model)
