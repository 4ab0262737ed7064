"""Which images a command is about: items by id, the hits of a result, or what a filter leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex_cli import completing, options
from clipdex_cli.project_targets import PROJECT

if TYPE_CHECKING:
    from clipdex import Explorer, Result
    from clipdex.search.tagging import Item

SEVERAL = ("items", "item_subsets")
_HELP_OF_LAST = "The hits of the last query. Without a TARGET, of its datasets."


def choosing(command: Any) -> Any:  # noqa: ANN401
    """Add the options that say which images."""
    for option in (
        PROJECT,
        options.INDEX,
        options.filters,
        click.option(
            "--from",
            "from_result",
            metavar="RESULT.json",
            type=click.Path(path_type=Path),
            help="The hits of a saved result. Without a TARGET, of its datasets.",
        ),
        click.option("--last", is_flag=True, help=_HELP_OF_LAST),
        click.option(
            "--query-item-subset",
            "item_subsets",
            metavar="S...",
            multiple=True,
            shell_complete=completing.subsets,
            help="Subsets of the items that --item names.",
        ),
        click.option(
            "--query-item-id",
            "--item",
            "items",
            metavar="ID...",
            multiple=True,
            help="These items of the datasets, by id.",
        ),
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def chosen(given: Mapping[str, Any], *, otherwise: bool = False) -> Iterator[tuple[Explorer, Iterable[Item] | None]]:
    """Open the datasets of a command line, and yield them with the images that it is about.

    Parameters
    ----------
    given
        The parameters of a command with the options of ``choosing``.
    otherwise
        Whether an option that the command has beside these says which images; None is yielded for them then.

    Raises
    ------
    UsageError
        When the command line says in no way, or in several, which images.
    """
    from clipdex import Explorer
    from clipdex.search.finding import find_items
    from clipdex.search.queries import ItemQuery
    from clipdex_cli.asking import opened, place_of_result

    wanted = options.filter_of(given)
    ways = [bool(given["items"]), given["last"], given["from_result"] is not None, bool(wanted), otherwise]
    if sum(ways) != 1:
        raise click.UsageError("say in one way which images: --item, --last, --from, or filters such as --label.")
    if given["item_subsets"] and not given["items"]:
        raise click.UsageError("--query-item-subset goes with --query-item-id.")
    targets, index, project_dir = given["targets"], given["index"], given["project_dir"]
    if (given["last"] or given["from_result"] is not None) and index is None:
        result = _result(given["from_result"])
        place, folder = place_of_result(result, targets, project_dir)
        with Explorer(*place.targets, index=folder) as explorer:
            yield explorer, result.hits
        return
    with opened(targets, index, project_dir) as explorer:
        if otherwise:
            yield explorer, None
        elif given["items"]:
            named = [
                explorer.item_at(found)
                for item_id in given["items"]
                for found in find_items(explorer.datasets, ItemQuery(item_id, given["item_subsets"]))
            ]
            yield explorer, named
        elif wanted:
            yield explorer, explorer.items(filter=wanted)
        else:
            yield explorer, _result(given["from_result"]).hits


def _result(path: Path | None) -> Result:
    """Return a saved result, a JSON file or the folder that it was saved to, or else the last one."""
    from clipdex.paths import is_folder
    from clipdex.report.last_result import last_result
    from clipdex.report.save import DATA
    from clipdex.search.result import read_result

    if path is None:
        return last_result()
    return read_result(path / DATA if is_folder(path) else path)
