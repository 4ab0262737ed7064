"""What ``view``, ``serve`` and ``mcp`` share: their options, and from these to open datasets and a running server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex_cli import options
from clipdex_cli.asking import Settings, place_of
from clipdex_cli.printing import write_line
from clipdex_cli.project_targets import PROJECT

if TYPE_CHECKING:
    from clipdex_web.collection import Collection

_LOOPBACK = "127.0.0.1"


def server_options(command: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Add the options of a command that serves datasets."""
    for add in reversed(
        (
            options.TARGETS,
            click.option(
                "--port",
                metavar="N",
                type=click.IntRange(0, 65535),
                default=0,
                help="Port to bind. [default: one that is free]",
            ),
            click.option(
                "--host",
                metavar="ADDRESS",
                default=_LOOPBACK,
                show_default=True,
                help="Address to bind. By default only this machine reaches the server.",
            ),
            click.option(
                "--allow-host",
                "hosts",
                metavar="NAME",
                multiple=True,
                help="Answer to this name of the server too, such as that of a proxy; repeatable.",
            ),
            click.option(
                "--token-file",
                metavar="FILE",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Read the token that lets people in from FILE. [default: a new token each time]",
            ),
            collection_options,
        )
    ):
        command = add(command)
    return command


def collection_options(command: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Add the options, beside its targets, of a command that opens a collection."""
    for add in reversed((options.MODEL, options.DEVICE, options.PRECISION, options.INDEX, PROJECT, options.max_pixels)):
        command = add(command)
    return command


@contextlib.contextmanager
def opened_collection(given: dict[str, Any]) -> Iterator[Collection]:
    """Open what a command line names, and say on stderr what is to be said of it.

    Raises
    ------
    ClipdexError
        When it cannot be opened.
    """
    settings = Settings.of({"verbose": False, **given})
    place = place_of(given["targets"], given["project_dir"], settings.index)

    from clipdex import Explorer
    from clipdex_cli import output as printer
    from clipdex_web.collection import Collection
    from clipdex_web.site import uploads_of_user

    searched = place.targets or (() if settings.index is not None else (Path(),))
    with Explorer(
        *searched,
        model=settings.model,
        device=settings.device,
        precision=settings.precision,
        index=settings.index,
        max_pixels=settings.max_pixels,
    ) as explorer:
        printer.say_parts(dataset.record for dataset in explorer.datasets)
        printer.warn_unfinished(explorer.datasets)
        words = [str(dataset.record.place) for dataset in explorer.datasets] if searched else []
        if place.project is not None and place.names is not None:
            words = [*place.names, "--project", str(place.project.folder)]
        yield Collection(explorer, uploads_of_user(settings.max_pixels), words, settings.index)


def serve_datasets(given: dict[str, Any], *, browser: bool) -> int:
    """Open what a command line names, and serve it until it is stopped.

    Raises
    ------
    ClipdexError
        When it cannot be opened, or the port cannot be had.
    """
    with opened_collection(given) as collection:
        from clipdex_web.serving import Place, serve
        from clipdex_web.site import Site

        where = Place(given["host"], given["port"], given["hosts"], given["token_file"])
        site = Site.of(collection, given["max_pixels"])
        try:
            collection.warm()
            serve(site, where, _say, browser=browser)
        finally:
            site.close()
    return 0


def _say(line: str) -> None:
    write_line(line)
