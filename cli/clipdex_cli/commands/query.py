"""``clipdex query``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipdex.defaults import ANY, IDS, MERGES, STRENGTHS, SUBSETS, TOPK
from clipdex_cli import completing, options
from clipdex_cli.asking import Settings, ask, place_of, place_of_result, request_of, request_of_result
from clipdex_cli.previews import terminal_for
from clipdex_cli.project_targets import PROJECT, refuse_images
from clipdex_cli.several_values import SeveralValues
from clipdex_cli.stages import STAGE, record

if TYPE_CHECKING:
    from clipdex import BuildSettings


@click.command(
    "query",
    cls=SeveralValues,
    several=("texts", "images", "items", "item_subsets", "not_texts", "not_images", "not_items"),
    ordered=("texts", "images", "items", "not_texts", "not_images", "not_items"),
    common=("texts", "images", "items", "topk", "labels", "output", "save", "output_dir"),
    usage="[TARGET]... (--text T... | --image P... | --item ID... | --from RESULT.json)",
)
@options.TARGETS
@click.option("--query-str", "--text", "texts", metavar="T...", multiple=True, help="Search for these texts.")
@click.option(
    "--query-img-path",
    "--image",
    "images",
    metavar="P...",
    multiple=True,
    shell_complete=completing.files,
    help="Search for these images; - reads one from standard input.",
)
@click.option(
    "--query-item-id",
    "--item",
    "items",
    metavar="ID...",
    multiple=True,
    help="Search for these items of the datasets, by id.",
)
@click.option(
    "--query-item-subset",
    "item_subsets",
    metavar="S...",
    multiple=True,
    shell_complete=completing.subsets,
    help="Subsets of the items that --item names.",
)
@click.option(
    "--not-text",
    "--not-str",
    "not_texts",
    metavar="T...",
    multiple=True,
    help="Push away images like these texts.",
)
@click.option(
    "--not-image",
    "--not-img-path",
    "not_images",
    metavar="P...",
    multiple=True,
    shell_complete=completing.files,
    help="Push away images like these files; - reads one from standard input.",
)
@click.option(
    "--not-item",
    "--not-item-id",
    "not_items",
    metavar="ID...",
    multiple=True,
    help="Push away images like these items.",
)
@click.option(
    "--merge",
    type=click.Choice(MERGES),
    default=ANY,
    show_default=True,
    help="Find images near to any query, near to all queries (mean of z-scores), or ranked high by the queries "
    "(reciprocal rank fusion).",
)
@click.option(
    "--rescore",
    is_flag=True,
    help="Sort the nearest 10 x K again, by the asymmetric distance. It is finer than the distance in bits.",
)
@click.option(
    "-k", "-topk", "--topk", "topk", metavar="K", type=int, default=TOPK, show_default=True, help="Number of hits."
)
@click.option("--no-prompt", is_flag=True, help="Do not put short texts into the prompt of the model.")
@click.option("--prompt-ensemble", is_flag=True, help="Search for the mean of a short text in several prompts.")
@click.option("--exclude-self", is_flag=True, help="Leave out the items that --item names.")
@options.filters
@click.option(
    "--max-distance",
    "max_distance",
    metavar="D",
    type=click.IntRange(min=0),
    help="Leave out images farther than D bits from their best query.",
)
@click.option(
    "--min-strength",
    "min_strength",
    metavar="S",
    type=click.Choice(STRENGTHS),
    help=f"Of the K hits, leave out those that are weaker than S: {', '.join(STRENGTHS)}.",
)
@options.output("Format of what is printed.")
@options.PREVIEW
@click.option(
    "--histogram",
    is_flag=True,
    help="Show how many images are at each distance, too, and where the hits end. With --output table or json.",
)
@click.option(
    "--from",
    "from_result",
    metavar="RESULT.json",
    type=click.Path(path_type=Path),
    help="Ask again what a saved result asked. Without a TARGET, ask its datasets.",
)
@click.option("-s", "--save/--no-save", "save", help="Save a contact sheet, the images and the result as JSON.")
@options.OUTPUT_DIR
@options.HTML
@options.FORCE
@options.SAVE_AS
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@PROJECT
@STAGE
@options.max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Say which model encoded which queries, and how.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    output: str,
    null: bool,
    raw: bool,
    histogram: bool,
    preview: str | None,
    save: bool,
    output_dir: Path | None,
    html: Path | None,
    force: bool,
    save_as: str | None,
    stage: bool | None,
    from_result: Path | None,
    build: BuildSettings | None = None,
    **question: Any,  # noqa: ANN401
) -> int:
    """Show the images nearest to texts, images or items.

    TARGET is a dataset with an index, or a source of the project; several are searched as one. Of a folder or an image
    without an index, that part of the index above is searched. Without a TARGET, query searches all sources of the
    project, or else the current folder. Several queries give one list of hits.

    \b
    clipdex query PHOTOS --text "a dog"
    clipdex query PHOTOS --image a.jpg b.jpg --text bus train -k 10
    clipdex query PHOTOS --text "an animal" --not-text dog --label zoo
    clipdex query --text bus train -k 10 PHOTOS

    The values of an option end at the next option, so put TARGET first or after another option. clipdex save saves
    the last result. In a project, the query is recorded, and clipdex project run repeats it.
    """
    if null and output != "paths":
        raise click.UsageError("-0 goes with --output paths.")
    if raw and output != "csv":
        raise click.UsageError("--raw goes with --output csv.")
    if histogram and output not in ("table", "json"):
        raise click.UsageError("--histogram goes with --output table or json.")
    terminal = terminal_for(preview, output)
    settings = Settings.of(question)
    targets, project_dir = question["targets"], question["project_dir"]
    if build is not None:
        refuse_images(targets)
    if from_result is None:
        request = request_of(ctx, question)
        place = place_of(targets, project_dir, settings.index)
    else:
        if build is not None and not targets and project_dir is None:
            raise click.UsageError(
                "explore builds only what the command line names: name a TARGET, or use query --from."
            )
        request, before = request_of_result(ctx, from_result)
        if settings.index is not None:
            place = place_of(targets, project_dir, settings.index)
        else:
            place, index = place_of_result(before, targets, project_dir)
            settings = replace(settings, index=index)
    answer = ask(place, request, settings, build, histogram=histogram)
    from clipdex_cli import output as printer

    result = answer.result
    printer.warn(result)
    printer.show(result, output, null=null, raw=raw, preview=terminal, max_pixels=settings.max_pixels)
    if output == "table":
        printer.show_histogram(result)
    printer.remember(result)
    if stage is not False:
        record(answer, settings, asked_for=stage is True)
    code = 0
    if save or output_dir is not None or (force and html is None) or save_as is not None:
        from clipdex.report.save import save_result

        if save_as is None:
            save_as = SUBSETS if build is not None and len(result.datasets) == 1 else IDS
        saved = save_result(result, output_dir, force=force, max_pixels=settings.max_pixels, save_as=save_as)
        code = printer.say_saved(saved)
    if html is not None:
        code = max(code, printer.save_page(result, html, force=force, max_pixels=settings.max_pixels))
    return code
