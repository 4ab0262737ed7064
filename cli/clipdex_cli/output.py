"""Printing results to stdout, and messages about them to stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.defaults import MAX_PIXELS, STRENGTHS
from clipdex.paths import quoted
from clipdex.wording import counted
from clipdex_cli.bars import bars_of_distances, bars_of_scores
from clipdex_cli.previews import write_with_pictures
from clipdex_cli.printing import say, shown_cell, write, write_cells, write_json_text, write_line, write_paths
from clipdex_cli.tables import table
from clipdex_cli.terminal_images.beside import TAKEN

if TYPE_CHECKING:
    from clipdex import Result
    from clipdex.datasets.dataset import Dataset
    from clipdex.datasets.record import DatasetRecord
    from clipdex.encoder import Encoder
    from clipdex.report.save import Saved
    from clipdex.search.duplicates_result import DuplicatesResult
    from clipdex.search.result import QueryRecord
    from clipdex_cli.terminal_images.terminals import Terminal

UNFINISHED = "its build was stopped, or is still running"
_MISSING_SHOWN = 3
_QUERY_WIDTH = 40
_NUMBERS = ("rank", "distance", "score", "merged")


def show(
    result: Result,
    output: str,
    *,
    null: bool = False,
    raw: bool = False,
    preview: Terminal | None = None,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Print a result as ``table``, ``json``, ``csv`` or ``paths``; a table with pictures where ``preview`` is given.

    With ``null``, paths end with NUL; with ``raw``, cells of CSV may be formulas.
    """
    if output == "json":
        write_json_text(result.to_json())
    elif output == "csv":
        from clipdex.report.rows import csv_of

        write_cells(csv_of(result, cell_of(raw=raw)))
    elif output == "paths":
        end = "\0" if null else "\n"
        write_paths((hit.path for hit in result.hits), end)
    elif result.hits:
        taken = 0 if preview is None else TAKEN
        text = table(_columns(result), numbers=_NUMBERS, names=("id",), taken=taken)
        if preview is None:
            write(text, head=True)
        else:
            write_with_pictures(text.splitlines(), [hit.path for hit in result.hits], preview, max_pixels)


def cell_of(*, raw: bool) -> Callable[[str], str]:
    """Return what makes the cells of CSV of texts: with ``raw``, also cells that a spreadsheet takes for formulas."""
    from clipdex.report.cells import as_text

    return shown_cell if raw else lambda text: shown_cell(as_text(text))


def show_histogram(result: Result) -> None:
    """Print how many images are at each distance as bars, and mark where the hits end.

    A list that is merged by rank has bars for each query, and other lists that are not merged by distance have bars for
    the values that order their hits.
    """
    found = result.histogram
    if found is None:
        return

    last = result.hits[-1] if result.hits else None
    hits = counted(len(result.hits), "hit")
    if found.scores is not None:
        # What rescoring orders by is on another scale.
        cut = last.merged if last is not None and not result.rescored else None
        write("\n" + bars_of_scores(found.scores.edges, found.scores.counts, cut, f"<- {hits}"))
    elif result.merge == "rank":
        for number, (query, counts) in enumerate(zip(result.queries, found.queries, strict=True)):
            own = [hit.distance for hit in result.hits if hit.query == number]
            note = f"<- {counted(len(own), 'hit')} within {max(own, default=0)}"
            write_line()
            write_line(_short_name(query))
            write(f"{bars_of_distances(counts, max(own, default=None), note)}")
    else:
        cut = max((hit.distance for hit in result.hits), default=None)
        write("\n" + bars_of_distances(found.distances, cut, f"<- {hits} within {cut}"))


def size(count: int) -> str:
    """Write a number of bytes for people."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _columns(result: Result) -> dict[str, list[str]]:
    from clipdex.report.rows import more_values

    hits = result.hits
    columns = {"rank": [str(hit.rank) for hit in hits], "distance": [str(hit.distance) for hit in hits]}
    if any(hit.strength for hit in hits):
        columns["strength"] = [_bar_of(hit.strength) for hit in hits]
    for name, values in more_values(result).items():
        columns[name] = ["" if value is None else f"{value:.4g}" for value in values]
    if sum(not query.negative for query in result.queries) > 1:
        names = [_short_name(query) for query in result.queries]
        columns["query"] = [names[hit.query] for hit in hits]
    if len(result.datasets) > 1:
        columns["dataset"] = [hit.dataset for hit in hits]
    columns["id"] = [hit.id for hit in hits]
    if len({hit.subset for hit in hits}) > 1:
        columns["subset"] = [hit.subset for hit in hits]
    columns["labels"] = [", ".join(hit.labels) for hit in hits]
    if any(hit.tags for hit in hits):
        columns["tags"] = [", ".join(hit.tags) for hit in hits]
    if any(hit.missing for hit in hits):
        columns["image"] = ["missing" if hit.missing else "" for hit in hits]
    return columns


def _bar_of(strength: str | None) -> str:
    """Return a bar and the word; nothing where the strength is not known."""
    return "" if strength is None else f"{'|' * (STRENGTHS.index(strength) + 1):{len(STRENGTHS)}} {strength}"


def _short_name(query: QueryRecord) -> str:
    name = Path(query.value).name if query.kind == "image" else query.value
    return name if len(name) <= _QUERY_WIDTH else name[: _QUERY_WIDTH - 1] + "\N{HORIZONTAL ELLIPSIS}"


def warn(result: Result) -> None:
    """Say why there are no hits, and what the result warns of."""
    if not result.hits:
        names = ", ".join(dataset.name for dataset in result.datasets)
        names += "".join(f", below {dataset.part}" for dataset in result.datasets if dataset.part)
        filtered = [f"{name.replace('_', ' ')}: {', '.join(one)}" for name, one in result.filter.items()]
        if result.max_distance is not None:
            filtered.append(f"distance: at most {result.max_distance}")
        if result.min_strength is not None:
            filtered.append(f"strength: at least {result.min_strength}")
        if filtered:
            say(f"No hits: no image in the index of {names} passes the filter ({'; '.join(filtered)}).")
        elif not any(dataset.items for dataset in result.datasets):
            say(f"No hits: the index of {names} has no images.")
        else:
            say(f"No hits: there is no other image in the index of {names}.")
    for sentence in result.warnings:
        say(sentence)


def say_parts(records: Iterable[DatasetRecord]) -> None:
    """Say where a part of a dataset is searched, because the index is that of the dataset above."""
    for record in records:
        say_part(record.root, record.part, f"searching the part {record.part} of")
        if record.part and not record.part.endswith("/"):
            image = quoted(record.place)
            say(f"That is one image. To search with it: --image {image}")


def say_part(root: str | Path, part: str, doing: str) -> None:
    """Say what is done with the index of a dataset, where a part of it is named."""
    if part:
        place = str(Path(root) / part)
        say(f"no index in {place}: {doing} the index of {root}")


def warn_unfinished(datasets: Iterable[Dataset]) -> None:
    """Say which indexes are of an unfinished build, and how to continue it."""
    for dataset in datasets:
        if not dataset.index.manifest.complete:
            count = len(dataset.index)
            say(
                f"{dataset.name}: {counted(count, 'image')} in the index so far, {UNFINISHED}. "
                f"Go on with it: clipdex build {quoted(dataset.root)}"
            )


def explain(result: Result, encoder: Encoder | None) -> None:
    """Say on stderr which model encoded the queries, how, and from which text or image."""
    if encoder is None:
        say("model: none was loaded, the hash keys of items are in the index")
    else:
        model = encoder.model
        say(f"model: {model.name}, {model.embedding_size} bits, {encoder.precision} on {encoder.device}")
    for number, query in enumerate(result.queries):
        texts = query.ensemble or ((query.encoded,) if query.encoded else ())
        what = "; ".join(repr(text) for text in texts) if texts else query.path or query.value
        mean = f"the mean of {len(texts)}: " if len(texts) > 1 else ""
        kind = f"not {query.kind}" if query.negative else query.kind
        say(f"query {number}: {kind}, {mean}{what}")


def remember(result: Result) -> None:
    """Keep the result for ``clipdex save``. If that fails, say so and go on."""
    from clipdex.errors import ClipdexError
    from clipdex.report.last_result import remember as keep

    try:
        keep(result)
    except (OSError, ClipdexError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else error
        say(f"The result could not be kept for clipdex save: {why}")


def say_saved(saved: Saved) -> int:
    """Say where a result was saved and which images are missing. Return the exit code: 1 when all are."""
    images = counted(len(saved.images), "image")
    say(f"Saved to {saved.folder}: {saved.sheet.name}, {saved.data.name}, {images}")
    _say_missing([(hit.path, "is not there any more, or is no image") for hit in saved.missing])
    return 1 if saved.missing and not saved.images else 0


def save_page(result: Result | DuplicatesResult, file: Path, *, force: bool, max_pixels: int) -> int:
    """Save a page, and say where, how large, and what it does not show. Return the exit code: 1 where no picture is."""
    from clipdex.report.html_page import save_html

    page = save_html(result, file, force=force, max_pixels=max_pixels)
    shown = counted(page.shown, "image")
    shown = f"the first {shown} of {page.total:,}" if page.shown < page.total else shown
    say(f"Saved to {page.file}: {shown}, {size(page.size)}")
    _say_missing([(one.path, f"has no picture: {reason}") for one, reason in page.missing])
    return 1 if page.missing and len(page.missing) == page.shown else 0


def _say_missing(missing: Sequence[tuple[str, str]]) -> None:
    """Name the first images that are missing, each with the end of a sentence on why."""
    for path, why in missing[:_MISSING_SHOWN]:
        say(f"missing: {path} {why}")
    if len(missing) > _MISSING_SHOWN:
        say(f"missing: {len(missing) - _MISSING_SHOWN} more")
