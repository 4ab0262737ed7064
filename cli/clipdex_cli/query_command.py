"""``clipdex query``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from clipdex.defaults import INDEX_FOLDER, TOPK
from clipdex.paths import is_folder
from clipdex_cli import options
from clipdex_cli.output import printable


@click.command(
    "query",
    cls=options.SeveralValues,
    several=("texts", "images", "items", "item_subsets"),
    ordered=("texts", "images", "items"),
)
@options.TARGETS
@click.option("--query-str", "--text", "texts", metavar="T...", multiple=True, help="Texts to search for.")
@click.option("--query-img-path", "--image", "images", metavar="P...", multiple=True, help="Image files to search for.")
@click.option(
    "--query-item-id",
    "--item",
    "items",
    metavar="ID...",
    multiple=True,
    help="Items of the datasets to search for, by id (without its extension where that is unambiguous).",
)
@click.option(
    "--query-item-subset", "item_subsets", metavar="S...", multiple=True, help="Subsets to look the item ids up in."
)
@click.option(
    "-k", "-topk", "--topk", "topk", metavar="K", type=int, default=TOPK, show_default=True, help="How many hits."
)
@click.option("--no-prompt", is_flag=True, help="Search for texts as they are, also short ones.")
@click.option("--prompt-ensemble", is_flag=True, help="Search for short texts by the mean over the model's prompts.")
@click.option("--exclude-self", is_flag=True, help="Leave out the items that are asked with.")
@options.filters
@click.option(
    "--max-distance",
    "max_distance",
    metavar="D",
    type=click.IntRange(min=0),
    help="Leave out what is farther than D bits from the query that it matches best.",
)
@click.option(
    "--output",
    type=click.Choice(["table", "json", "csv", "paths"]),
    default="table",
    show_default=True,
    help="What to print.",
)
@click.option(
    "-0", "--null", "null", is_flag=True, help="With --output paths: end each with NUL instead of a new line."
)
@click.option("-s", "--save", is_flag=True, help="Save a contact sheet, the images and the result.")
@options.OUTPUT_DIR
@options.FORCE
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@options.max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Say what was encoded, by which model, and how.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    targets: tuple[Path, ...],
    texts: tuple[str, ...],
    images: tuple[str, ...],
    items: tuple[str, ...],
    item_subsets: tuple[str, ...],
    topk: int,
    no_prompt: bool,
    prompt_ensemble: bool,
    exclude_self: bool,
    max_distance: int | None,
    output: str,
    null: bool,
    save: bool,
    output_dir: Path | None,
    force: bool,
    model: str | None,
    device: str,
    precision: str,
    index: Path | None,
    max_pixels: int,
    verbose: bool,
    **filters: tuple[str, ...],
) -> int:
    """Show the images nearest to a text, an image or an item, or to a list that mixes them.

    Each TARGET is a folder that was built; several are searched as one, and without any the current folder is. The
    query options can be repeated, mixed, and take several values each. The values end at the next option, so name
    targets before the queries or after another option:

    \b
    clipdex query PHOTOS --text "a dog"
    clipdex query PHOTOS --image a.jpg b.jpg --text bus train -k 10
    clipdex query --query-str motorcycle bus train -topk 50 PHOTOS

    A list of one kind is merged by distance, best over its queries. A list of texts and images is merged by rank,
    because their distances are on different scales. Filters (--label, --path and so on) say what may be found, and the
    hits are the nearest of that; several values of one are alternatives, and different filters must all agree.
    The result is remembered: clipdex save -o DIR saves it as pictures.
    """
    options.one_index(targets, index)
    order = ctx.meta[options.ORDER]
    if not order:
        words = [str(target) for target in targets if not is_folder(target)]
        hint = f" Did you mean --text {shlex.quote(' '.join(words))}?" if words else ""
        raise click.UsageError(f"nothing to search for: give --text, --image or --item.{hint}")
    for name, value in order:
        if name == "texts" and value.strip() and is_folder(Path(value)):
            click.echo(f"{printable(value)!r} is searched for as a text; a folder to search goes first.", err=True)
    if null and output != "paths":
        raise click.UsageError("-0 goes with --output paths.")
    if item_subsets and not items:
        raise click.UsageError("--query-item-subset goes with --query-item-id.")
    if topk < 1:
        raise click.UsageError(f"-k is {topk}, and must be at least 1.")
    if no_prompt and prompt_ensemble:
        raise click.UsageError("--no-prompt and --prompt-ensemble exclude each other.")
    prompting = "none" if no_prompt else "ensemble" if prompt_ensemble else "auto"
    from clipdex import Explorer, ImageQuery, ItemFilter, ItemQuery, TextQuery
    from clipdex_cli import output as printer

    queries = [
        TextQuery(value, prompting) if name == "texts"
        else ImageQuery(Path(value)) if name == "images"
        else ItemQuery(value, item_subsets)
        for name, value in order
    ]  # fmt: skip
    try:
        wanted = ItemFilter(**filters)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not targets and not (index or Path(INDEX_FOLDER)).exists():
        raise click.UsageError("name a TARGET: the current folder has no index.")
    with Explorer(
        *(targets or (Path(),)),
        topk=topk,
        model=model,
        device=device,
        precision=precision,
        index=index,
        max_pixels=max_pixels,
    ) as explorer:
        result = explorer.explore_topk(queries, exclude_self=exclude_self, filter=wanted, max_distance=max_distance)
        if verbose:
            printer.explain(result, explorer.encoder)
    printer.warn(result)
    printer.show(result, output, null=null)
    printer.remember(result)
    if save or output_dir is not None or force:
        from clipdex.report.save import save_result

        return printer.say_saved(save_result(result, output_dir, force=force, max_pixels=max_pixels))
    return 0
