"""``clipdex query``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex.defaults import ANY, IDS, MERGES, TOPK
from clipdex_cli import options
from clipdex_cli.asking import Settings, ask, place_of, place_of_result, request_of, request_of_result
from clipdex_cli.project_targets import PROJECT
from clipdex_cli.several_values import SeveralValues
from clipdex_cli.stages import STAGE, record

if TYPE_CHECKING:
    from clipdex import BuildSettings


@click.command(
    "query",
    cls=SeveralValues,
    several=("texts", "images", "items", "item_subsets", "not_texts", "not_images", "not_items"),
    ordered=("texts", "images", "items", "not_texts", "not_images", "not_items"),
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
@click.option("--not-str", "not_texts", metavar="T...", multiple=True, help="Texts: what is like them is pushed away.")
@click.option("--not-img-path", "not_images", metavar="P...", multiple=True, help="Image files, likewise.")
@click.option("--not-item-id", "not_items", metavar="ID...", multiple=True, help="Items of the datasets, likewise.")
@click.option(
    "--merge",
    type=click.Choice(MERGES),
    default=ANY,
    show_default=True,
    help="What several queries find: what is near to any of them, near to all of them (mean of z-scores), or placed "
    "well by them (reciprocal rank fusion).",
)
@click.option(
    "--rescore",
    is_flag=True,
    help="Order the 10 x K nearest by the asymmetric distance, which uses more of a text or image than its bits.",
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
@options.output("What to print.")
@click.option(
    "--from",
    "from_result",
    metavar="RESULT.json",
    type=click.Path(path_type=Path),
    help="Ask again what a result asked that was saved as JSON; of the same datasets, where no TARGET is named.",
)
@click.option("-s", "--save/--no-save", "save", help="Save a contact sheet, the images and the result.")
@options.OUTPUT_DIR
@options.FORCE
@options.SAVE_AS
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@PROJECT
@STAGE
@options.max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Say what was encoded, by which model, and how.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    output: str,
    null: bool,
    save: bool,
    output_dir: Path | None,
    force: bool,
    save_as: str | None,
    stage: bool | None,
    from_result: Path | None,
    build: BuildSettings | None = None,
    **question: Any,  # noqa: ANN401
) -> int:
    """Show the images nearest to a text, an image or an item, or to a list that mixes them.

    Each TARGET is a dataset that was built, or the name of a source of the project; several are searched as one.
    Without any, all sources of the project are or, where there is none, the current folder. With --index alone, an
    index is searched whose images may be elsewhere. The
    query options can be repeated, mixed, and take several values each. The values end at the next option, so name
    targets before the queries or after another option:

    \b
    clipdex query PHOTOS --text "a dog"
    clipdex query PHOTOS --image a.jpg b.jpg --text bus train -k 10
    clipdex query --query-str motorcycle bus train -topk 50 PHOTOS
    clipdex query PHOTOS --text "an animal" --not-str dog -k 20

    A list of one kind is merged by distance, best over its queries. A list of texts and images is merged by rank,
    because their distances are on different scales. --merge all and rank compare the distances to all queries, and so
    do negative queries, which take from an item what it is nearer to them than the mean. All of it is exact. Filters
    (--label, --path and so on) say what may be found, and the hits are the nearest of that; several values of one are
    alternatives, and different filters must all agree. The result is remembered: clipdex save -o DIR saves it as
    pictures.

    In a project the query is recorded in clipdex.toml, and repeated by clipdex project run.
    """
    if null and output != "paths":
        raise click.UsageError("-0 goes with --output paths.")
    settings = Settings.of(question)
    targets, project_dir = question["targets"], question["project_dir"]
    if from_result is None:
        request = request_of(ctx, question)
        place = place_of(targets, project_dir, settings.index)
    else:
        request, before = request_of_result(ctx, from_result)
        if settings.index is not None:
            place = place_of(targets, project_dir, settings.index)
        else:
            place, index = place_of_result(before, targets, project_dir)
            settings = replace(settings, index=index)
    answer = ask(place, request, settings, build)
    from clipdex_cli import output as printer

    result = answer.result
    printer.warn(result)
    printer.show(result, output, null=null)
    printer.remember(result)
    if stage is not False:
        record(answer, settings, asked_for=stage is True)
    if save or output_dir is not None or force or save_as is not None:
        from clipdex.report.save import save_result

        saved = save_result(result, output_dir, force=force, max_pixels=settings.max_pixels, save_as=save_as or IDS)
        return printer.say_saved(saved)
    return 0
