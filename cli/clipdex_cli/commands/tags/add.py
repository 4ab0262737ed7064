"""``clipdex tag add``."""

from __future__ import annotations

from typing import Any

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.commands.tags.choosing import SEVERAL, choosing
from clipdex_cli.printing import say
from clipdex_cli.several_values import SeveralValues

_MISSING_SHOWN = 3


@click.command(
    "add",
    cls=SeveralValues,
    several=SEVERAL,
    ordered=(),
    usage="NAME [TARGET]... (--item ID... | --last | --from RESULT.json | --label L | ...)",
)
@click.argument("name", metavar="NAME")
@options.TARGETS
@choosing
def command(name: str, **given: Any) -> int:  # noqa: ANN401
    """Give images a tag.

    Say which images: items by id, the hits of the last query or of a saved result, or all that pass filters. Without a
    TARGET, the images are those of the result, of all sources of the project, or of the current folder.
    """
    from clipdex_cli.commands.tags.choosing import chosen

    with chosen(given) as (explorer, items):
        tagging = explorer.add_tag(name, items or ())
    had = f"; {tagging.already:,} had it already" if tagging.already else ""
    say(f"{counted(tagging.added, 'image')} tagged as {tagging.name}{had}.")
    if tagging.missing:
        first = ", ".join(tagging.missing[:_MISSING_SHOWN])
        more = ", ..." if len(tagging.missing) > _MISSING_SHOWN else ""
        say(f"{counted(len(tagging.missing), 'image')} not tagged, because the index has them no more: {first}{more}")
    return 1 if tagging.missing and not tagging.added + tagging.already else 0
