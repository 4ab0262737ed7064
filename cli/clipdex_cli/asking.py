"""From the options of a command line to a request, and to its answer."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_folder, quoted
from clipdex_cli import options
from clipdex_cli.output import say_parts
from clipdex_cli.printing import say
from clipdex_cli.project_targets import Resolved, require_index_here, resolve
from clipdex_cli.several_values import ORDER
from clipdex_cli.standard_input import STANDARD_INPUT, read_image

if TYPE_CHECKING:
    from clipdex import BuildSettings, Explorer, Result, SearchRequest
    from clipdex.projects.model import Outcome
    from clipdex.readers.sources import Target
    from clipdex.search.queries import Query

# Parameters of the query command that are part of a request.
_OF_REQUESTS = (
    *("texts", "images", "items", "item_subsets", "not_texts", "not_images", "not_items", "merge", "rescore", "topk"),
    *("no_prompt", "prompt_ensemble", "exclude_self", "max_distance", "min_strength"),
    *(f"{prefix}{kind}" for prefix in ("", "not_") for kind in ("subsets", "labels", "tags", "paths", "datasets")),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What answers a request: the model and how it computes, where the index is, and which images are too large."""

    model: str | None
    device: str
    precision: str
    index: Path | None
    max_pixels: int
    verbose: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Take them from the parameters of a command."""
        return cls(**{name: given[name] for name in cls.__slots__})


class Answer(NamedTuple):
    """A result, where it was asked, and what a stage of the project records of it."""

    result: Result
    place: Resolved
    outcome: Outcome | None


def request_of(ctx: click.Context, given: Mapping[str, Any]) -> SearchRequest:
    """Return what a command line asks.

    Parameters
    ----------
    ctx
        Context of the command, which knows the order of the queries.
    given
        Its parameters, by name.

    Raises
    ------
    UsageError
        When the options do not go together.
    QueryError
        When a value is not what it should be, such as an empty text.
    """
    order = ctx.meta[ORDER]
    if not (given["texts"] or given["images"] or given["items"]):
        if order:
            raise click.UsageError("--not-... pushes away; say what to search for too: --text, --image or --item.")
        hint = _hint_of(given["targets"])
        raise click.UsageError(f"nothing to search for: give --text, --image or --item.{hint}")
    for name, value in order:
        if name in ("texts", "not_texts") and value.strip() and is_folder(Path(value)):
            say(f"{value!r} is searched for as a text; a folder to search goes first.")
    if given["item_subsets"] and not (given["items"] or given["not_items"]):
        raise click.UsageError("--query-item-subset goes with --query-item-id.")
    if given["exclude_self"] and not (given["items"] or given["not_items"]):
        say("--exclude-self leaves out the items that --item names, and there is none.")
    if given["topk"] < 1:
        raise click.UsageError(f"-k is {given['topk']}, and must be at least 1.")
    if given["no_prompt"] and given["prompt_ensemble"]:
        raise click.UsageError("--no-prompt and --prompt-ensemble exclude each other.")
    # Nothing of a query is a product of matrices, and idle threads of BLAS turn in circles for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from clipdex import SearchRequest

    wanted = options.filter_of(given)

    made = queries_of(order, given["item_subsets"])
    queries, negative = (
        tuple(query for query, (name, _) in zip(made, order, strict=True) if name.startswith("not_") == away)
        for away in (False, True)
    )
    return SearchRequest(
        queries,
        negative,
        topk=given["topk"],
        merge=given["merge"],
        rescore=given["rescore"],
        filter=wanted,
        max_distance=given["max_distance"],
        min_strength=given["min_strength"],
        prompting="none" if given["no_prompt"] else "ensemble" if given["prompt_ensemble"] else "auto",
        exclude_self=given["exclude_self"],
    )


def queries_of(order: Sequence[tuple[str, str]], item_subsets: tuple[str, ...] = ()) -> tuple[Query, ...]:
    """Return the queries of a command line, in order.

    Parameters
    ----------
    order
        Their values with the names of their parameters, such as ``texts`` or ``not_images``.
    item_subsets
        The subsets of the items among them.
    """
    from clipdex import ImageQuery, ItemQuery, TextQuery

    @functools.cache
    def sent() -> ImageQuery:
        return ImageQuery(read_image(), STANDARD_INPUT)

    def query(name: str, value: str) -> Query:
        if name.endswith("texts"):
            return TextQuery(value)
        if name.endswith("images"):
            return sent() if value == STANDARD_INPUT else ImageQuery(value)  # type: ignore[arg-type]  # not mangled
        return ItemQuery(value, item_subsets)

    return tuple(query(name, value) for name, value in order)


def _hint_of(targets: tuple[str, ...]) -> str:
    """Say what targets that are no folders may have been meant as."""
    words = [target for target in targets if not is_folder(Path(target))]
    if not words:
        return ""
    if all(suffix_of(word) in IMAGE_SUFFIXES and Path(word).is_file() for word in words):
        dataset = _dataset_above(words) if len(words) == len(targets) else None
        command = f"clipdex query {quoted(dataset)} " if dataset is not None else ""
        return f" Did you mean {command}--image {' '.join(map(shlex.quote, words))}?"
    return f" Did you mean --text {shlex.quote(' '.join(words))}?"


def _dataset_above(images: list[str]) -> str | None:
    """Return the dataset that images are in, as a path from here; None where that is not one with an index."""
    from clipdex.datasets.above import folders_above

    found = {next((folder for folder, _ in folders_above(Path(image).absolute())), None) for image in images}
    folder = found.pop()
    return os.path.relpath(folder) if folder is not None and not found else None


def request_of_result(ctx: click.Context, path: Path) -> tuple[SearchRequest, Result]:
    """Return what a saved result had asked, and the result: a JSON file, or the folder that it was saved to.

    Raises
    ------
    UsageError
        When the command line asks something else beside it.
    OutputError
        When it cannot be read, or does not say what was asked.
    """
    from clipdex import read_result
    from clipdex.report.save import DATA
    from clipdex.search.result import read_request

    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in _OF_REQUESTS and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--from asks what the result says: leave out {parameter.opts[-1]}.")
    file = path / DATA if is_folder(path) else path
    return read_request(file), read_result(file)


def place_of(targets: tuple[str, ...], project_dir: Path | None, index: Path | None) -> Resolved:
    """Return what a command line searches.

    Raises
    ------
    UsageError
        When it does not say, and there is nothing that it could mean.
    """
    options.one_index(targets, index)
    place = Resolved(()) if index is not None and not targets else resolve(targets, project_dir)
    if not place.targets:
        require_index_here(index)
    return place


@contextlib.contextmanager
def opened(targets: tuple[str, ...], index: Path | None, project_dir: Path | None) -> Iterator[Explorer]:
    """Open the datasets of a command line that asks nothing of a model; without a target, as ``place_of`` does."""
    from clipdex import Explorer

    place = place_of(targets, project_dir, index)
    searched: tuple[Target, ...] = place.targets or (() if index is not None else (Path(),))
    with Explorer(*searched, index=index) as explorer:
        say_parts(dataset.record for dataset in explorer.datasets)
        yield explorer


def place_of_result(before: Result, targets: tuple[str, ...], project_dir: Path | None) -> tuple[Resolved, Path | None]:
    """Return what a command line searches that asks a result again, and the folder of its index if it has its own.

    Without a target and a project, that is what was searched then.
    """
    from clipdex.datasets.record import reopened
    from clipdex.errors import OutputError

    if targets or project_dir is not None:
        return place_of(targets, project_dir, None), None
    if not before.datasets:
        raise OutputError("the result names no dataset: name a TARGET.")
    sources, index = reopened(before.datasets)
    return Resolved(tuple(sources)), index


def ask(
    place: Resolved,
    request: SearchRequest,
    settings: Settings,
    build: BuildSettings | None = None,
    *,
    histogram: bool = False,
) -> Answer:
    """Answer a request; with ``build`` bring the indexes up to date first, with ``histogram`` count all distances.

    Raises
    ------
    ClipdexError
        When it cannot be answered.
    Exit
        When an index cannot be brought up to date.
    """
    from clipdex import Explorer
    from clipdex_cli import output as printer

    searched: tuple[Target, ...] = place.targets
    if not searched and (settings.index is None or build is not None):
        searched = (Path(),)
    chosen: dict[str, Any] = {
        "model": settings.model,
        "device": settings.device,
        "precision": settings.precision,
        "index": settings.index,
        "max_pixels": settings.max_pixels,
    }
    if build is not None:
        from clipdex_cli.build_loop import build_all

        _require_images(request)
        code = build_all(searched, replace(build, project_model=place.model, **chosen), only_news=True)
        if code:
            raise click.exceptions.Exit(code)
    with Explorer(*searched, **chosen) as explorer:
        printer.say_parts(dataset.record for dataset in explorer.datasets)
        result = explorer.search(request, histogram=histogram)
        printer.warn_unfinished(explorer.datasets)
        if settings.verbose:
            printer.explain(result, explorer.encoder)
        if place.project is None or place.names is None or settings.index is not None:
            return Answer(result, place, None)
        from clipdex.projects.outcomes import outcome_of

        return Answer(result, place, outcome_of(place.project, explorer, result))


def _require_images(request: SearchRequest) -> None:
    """Refuse images that are not there, before anything is built."""
    from clipdex import ImageQuery
    from clipdex.errors import QueryImageError
    from clipdex.paths import expanded, is_there
    from clipdex.search.resolving import require_no_folder

    for query in (*request.queries, *request.negative):
        if isinstance(query, ImageQuery) and isinstance(query.image, Path):
            if not is_there(expanded(query.image)):
                raise QueryImageError(f"the query image {str(query.image)!r} cannot be used: no such file.")
            require_no_folder(query.image)
