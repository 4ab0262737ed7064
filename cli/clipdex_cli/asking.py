"""From the options of a command line to what is asked, and to its answer."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import is_folder
from clipdex_cli import options
from clipdex_cli.output import printable
from clipdex_cli.project_targets import Resolved, resolve
from clipdex_cli.several_values import ORDER

if TYPE_CHECKING:
    from clipdex import BuildSettings, Result
    from clipdex.projects.model import Outcome

# Parameters that say how an answer is shown, and not what is asked.
SHOWING = ("output", "null", "save", "output_dir", "force", "stage")


class Answer(NamedTuple):
    """A result, where it was asked, and what a stage of the project records of it."""

    result: Result
    place: Resolved
    outcome: Outcome | None


def ask(
    ctx: click.Context,
    targets: tuple[str, ...],
    texts: tuple[str, ...],
    images: tuple[str, ...],
    items: tuple[str, ...],
    item_subsets: tuple[str, ...],
    not_texts: tuple[str, ...],
    not_images: tuple[str, ...],
    not_items: tuple[str, ...],
    merge: str,
    rescore: bool,
    topk: int,
    no_prompt: bool,
    prompt_ensemble: bool,
    exclude_self: bool,
    max_distance: int | None,
    model: str | None,
    device: str,
    precision: str,
    index: Path | None,
    project_dir: Path | None,
    max_pixels: int,
    verbose: bool,
    *,
    build: BuildSettings | None = None,
    **filters: tuple[str, ...],
) -> Answer:
    """Answer the query of a command line; with ``build`` bring the indexes up to date first.

    Raises
    ------
    UsageError
        When the options do not go together.
    ClipdexError
        When it cannot be answered.
    """
    options.one_index(targets, index)
    order = ctx.meta[ORDER]
    if not (texts or images or items):
        if order:
            raise click.UsageError("--not-... pushes away; say what to search for too: --text, --image or --item.")
        words = [str(target) for target in targets if not is_folder(Path(target))]
        hint = f" Did you mean --text {shlex.quote(' '.join(words))}?" if words else ""
        raise click.UsageError(f"nothing to search for: give --text, --image or --item.{hint}")
    for name, value in order:
        if name in ("texts", "not_texts") and value.strip() and is_folder(Path(value)):
            click.echo(f"{printable(value)!r} is searched for as a text; a folder to search goes first.", err=True)
    if item_subsets and not (items or not_items):
        raise click.UsageError("--query-item-subset goes with --query-item-id.")
    if topk < 1:
        raise click.UsageError(f"-k is {topk}, and must be at least 1.")
    if no_prompt and prompt_ensemble:
        raise click.UsageError("--no-prompt and --prompt-ensemble exclude each other.")
    prompting = "none" if no_prompt else "ensemble" if prompt_ensemble else "auto"
    from clipdex import Explorer, ImageQuery, ItemFilter, ItemQuery, TextQuery
    from clipdex.projects.outcomes import outcome_of
    from clipdex_cli import output as printer
    from clipdex_cli.build_loop import build_all

    try:
        wanted = ItemFilter(**filters)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    queries, negative = (
        [
            TextQuery(value, prompting) if name.endswith("texts")
            else ImageQuery(Path(value)) if name.endswith("images")
            else ItemQuery(value, item_subsets)
            for name, value in order
            if name.startswith("not_") == away
        ]
        for away in (False, True)
    )  # fmt: skip
    place = Resolved(()) if index is not None and not targets else resolve(targets, project_dir)
    if not place.targets and index is None and not Path(INDEX_FOLDER).exists():
        raise click.UsageError("name a TARGET: the current folder has no index, and is in no project.")
    searched = place.targets or ((Path(),) if index is None or build is not None else ())
    settings: dict[str, Any] = {"model": model, "device": device, "precision": precision, "index": index}
    if build is not None:
        _require_images(queries + negative)
        told = replace(build, **settings, max_pixels=max_pixels, project_model=place.model)
        code = build_all(searched, told, only_news=True)
        if code:
            raise click.exceptions.Exit(code)
    with Explorer(*searched, topk=topk, max_pixels=max_pixels, **settings) as explorer:
        result = explorer.explore_topk(
            queries,
            exclude_self=exclude_self,
            merge=merge,
            negative=negative,
            rescore=rescore,
            filter=wanted,
            max_distance=max_distance,
        )
        printer.warn_unfinished(explorer.datasets)
        if verbose:
            printer.explain(result, explorer.encoder)
        if place.project is None or place.names is None or index is not None:
            return Answer(result, place, None)
        return Answer(result, place, outcome_of(place.project, explorer, result))


def _require_images(queries: list[Any]) -> None:
    """Refuse images that are not there, before anything is built."""
    from clipdex import ImageQuery
    from clipdex.errors import QueryImageError
    from clipdex.paths import expanded, is_there

    for query in queries:
        if isinstance(query, ImageQuery) and isinstance(query.image, Path) and not is_there(expanded(query.image)):
            raise QueryImageError(f"the query image {str(query.image)!r} cannot be used: no such file.")
