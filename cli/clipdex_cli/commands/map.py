"""``clipdex map``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex.wording import counted
from clipdex_cli import completing, options
from clipdex_cli.asking import place_of, queries_of
from clipdex_cli.output import say_parts, warn, warn_unfinished
from clipdex_cli.printing import say
from clipdex_cli.project_targets import PROJECT
from clipdex_cli.several_values import ORDER, SeveralValues

if TYPE_CHECKING:
    from clipdex.search.queries import Query


@click.command(
    "map",
    cls=SeveralValues,
    several=("texts", "images", "items"),
    ordered=("texts", "images", "items"),
    common=("files", "colour_by", "texts", "images", "items", "topk"),
)
@options.TARGETS
@click.option(
    "-o",
    "--output-file",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Save to FILE, by its ending: .html is a page, .png a picture, .csv a table; repeatable. [default: a new "
    "map.html]",
)
@click.option(
    "--colour-by",
    "--color-by",
    "colour_by",
    type=click.Choice(["label", "tag", "subset", "dataset"]),
    help="What colours the images. [default: datasets where there are several, else labels, else subsets]",
)
@click.option("--text", "--query-str", "texts", metavar="T...", multiple=True, help="Mark the images nearest to texts.")
@click.option(
    "--image",
    "--query-img-path",
    "images",
    metavar="P...",
    multiple=True,
    shell_complete=completing.files,
    help="Mark the images nearest to images; - reads one from standard input.",
)
@click.option(
    "--item",
    "--query-item-id",
    "items",
    metavar="ID...",
    multiple=True,
    help="Mark the images nearest to items of the datasets.",
)
@click.option(
    "-k",
    "--topk",
    "topk",
    metavar="K",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Number of images to mark.",
)
@click.option(
    "--renew", is_flag=True, help="Lay the map out anew. Without it, new images are placed, and no other moves."
)
@click.option("--force", is_flag=True, help="Replace FILE, or map.html, if it is there.")
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@PROJECT
@options.max_pixels
@options.RAW
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    targets: tuple[str, ...],
    files: tuple[Path, ...],
    colour_by: str | None,
    topk: int,
    renew: bool,
    force: bool,
    index: Path | None,
    project_dir: Path | None,
    max_pixels: int,
    raw: bool,
    quiet: bool,
    model: str | None,
    device: str,
    precision: str,
    **_: Any,  # noqa: ANN401 - the queries, which come in their order
) -> int:
    """Draw a map on which like images are near each other.

    The page opens in a browser without a network: colours by label, tag, subset or dataset, zoom, the id of each image,
    and a list. The places come from the hash keys alone; no image is read but for small pictures of small datasets.

    The map is kept beside the index. The next time, new images are placed on it, and no other moves (--renew lays it
    out anew). Several TARGETs share one map. Of a folder without an index, that part of the map above is shown.

    \b
    clipdex map PHOTOS
    clipdex map PHOTOS -o map.png --text "a dog"
    clipdex map TRAIN VAL -o drift.html -o drift.csv
    """
    from clipdex import Explorer, SearchRequest
    from clipdex.report.map_saving import checked_file, save_map
    from clipdex_cli.progress import WorkDisplay

    saved = [checked_file(file, force=force) for file in files or (None,)]
    place = place_of(targets, project_dir, index)
    searched = place.targets or ((Path(),) if index is None else ())
    queries: tuple[Query, ...] = queries_of(ctx.meta[ORDER])
    chosen: dict[str, Any] = {"model": model, "device": device, "precision": precision, "max_pixels": max_pixels}
    with Explorer(*searched, index=index, **chosen) as explorer:
        say_parts(dataset.record for dataset in explorer.datasets)
        warn_unfinished(explorer.datasets)
        if not len(explorer):
            say("No images, so no map is saved.")
            return 1
        result = explorer.search(SearchRequest(queries, topk=topk)) if queries else None
        if result is not None:
            warn(result)
        with WorkDisplay("map", quiet=quiet) as display:
            made = explorer.map(renew=renew, progress=display)
            drawing: dict[str, Any] = {
                "colour_by": colour_by,
                "max_pixels": max_pixels,
                "raw": raw,
                "progress": display,
            }
            save_map(explorer.datasets, made, saved, result=result, **drawing)
        for sentence in made.notes:
            say(sentence)
    how = f"{made.method} of {counted(made.landmarks, 'landmark')}" if made.landmarks else made.method
    names = ", ".join(str(file) for file in saved)
    say(f"Map of {counted(len(made), 'image')} ({how}). Saved to {names}")
    return 0
