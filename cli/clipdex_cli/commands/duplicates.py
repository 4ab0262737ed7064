"""``clipdex duplicates``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.output import printable, say_parts, write
from clipdex_cli.project_targets import PROJECT, require_index_here, resolve
from clipdex_cli.tables import table

if TYPE_CHECKING:
    from clipdex.search.duplicates import DuplicatesResult


@click.command("duplicates", cls=Command, common=("max_distance", "across", "limit", "output", "save", "output_dir"))
@options.TARGETS
@click.option(
    "--max-distance",
    metavar="D",
    type=click.IntRange(min=0),
    help="Greatest distance of near images, in bits. [default: one bit in 32, that is 16 of 512]",
)
@click.option(
    "--across",
    type=click.Choice(["subsets", "datasets"]),
    help="Find only groups with images of several subsets or datasets.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Show only the N largest groups. [default: all]")
@options.output("What to print. paths: all images of each group but the first.")
@click.option("-s", "--save", is_flag=True, help="Save contact sheets of the groups, and the result as JSON.")
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save to DIR, a new or empty folder. [default: a new folder duplicates_result]",
)
@options.FORCE
@options.INDEX
@PROJECT
@options.max_pixels
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
def command(
    targets: tuple[str, ...],
    max_distance: int | None,
    across: str | None,
    limit: int | None,
    output: str,
    null: bool,
    save: bool,
    output_dir: Path | None,
    force: bool,
    index: Path | None,
    project_dir: Path | None,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Find groups of images that are nearly the same.

    Two images are near when their hash keys differ in at most D bits. A group holds each image that is near another
    image of the group, so two images of a group can differ in more than D bits. The groups go across the subsets of a
    TARGET, and across all TARGETs.

    In a project, a TARGET may be the name of a source; without one, all sources are searched. Of a folder without an
    index, that part of the index above is searched.

    --output paths leaves out the first image of each group, so the paths that it prints can be deleted. Look at the
    groups (--save) before you do.
    """
    options.one_index(targets, index)
    if null and output != "paths":
        raise click.UsageError("-0 goes with --output paths.")
    found = resolve(targets, project_dir).targets
    if not found:
        require_index_here(index)
    from clipdex.search.duplicates import find_duplicates
    from clipdex_cli.progress import WorkDisplay

    with WorkDisplay("duplicates", quiet=quiet) as display:
        result = find_duplicates(
            *(found or (Path(),)),
            max_distance=max_distance,
            across=across,
            limit=limit,
            index=index,
            progress=lambda part: display("percent compared", round(100 * part), 100) if part else None,
        )
    say_parts(result.datasets)
    if across == "datasets" and len(result.datasets) < 2:
        click.echo(
            "There is one dataset only, so no group is across datasets. Name another one. Of a merged dataset, name "
            "the datasets that it was made of.",
            err=True,
        )
    _show(result, output, end="\0" if null else "\n")
    click.echo(_summary(result), err=True)
    if not (save or output_dir is not None or force):
        return 0
    if not result.groups:
        click.echo("No groups, so nothing is saved.", err=True)
    else:
        from clipdex.report.groups import save_duplicates

        saved = save_duplicates(result, output_dir, force=force, max_pixels=max_pixels)
        sheets = f"{counted(len(saved.sheets), 'sheet')} of {counted(saved.drawn, 'group')}"
        click.echo(f"Saved to {saved.folder}: {saved.data.name}, {sheets}", err=True)
    return 0


def _show(result: DuplicatesResult, output: str, end: str) -> None:
    if output == "json":
        write(result.to_json() + "\n", errors="backslashreplace")
    elif output == "csv":
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["group", "distance", "dataset", "subset", "id", "path", "labels"])
        for number, group in enumerate(result.groups, start=1):
            for item in group.items:
                labels = ";".join(item.labels)
                writer.writerow([number, item.distance, item.dataset, item.subset, item.id, item.path, labels])
        write(stream.getvalue())
    elif output == "paths":
        write("".join(item.path + end for group in result.groups for item in group.items[1:]))
    elif result.groups:
        write(table(_columns(result), numbers=("group", "distance"), names=("id",)))


def _columns(result: DuplicatesResult) -> dict[str, list[str]]:
    items = [(str(number), item) for number, group in enumerate(result.groups, start=1) for item in group.items]
    columns = {"group": [number for number, _ in items], "distance": [str(item.distance) for _, item in items]}
    if len(result.datasets) > 1:
        columns["dataset"] = [printable(item.dataset) for _, item in items]
    columns["id"] = [printable(item.id) for _, item in items]
    if len({item.subset for _, item in items}) > 1:
        columns["subset"] = [printable(item.subset) for _, item in items]
    columns["labels"] = [printable(", ".join(item.labels)) for _, item in items]
    return columns


def _summary(result: DuplicatesResult) -> str:
    images = sum(dataset.items for dataset in result.datasets)
    text = (
        f"{result.total_items:,} of {counted(images, 'image')} in {counted(result.total_groups, 'group')} "
        f"within {counted(result.max_distance, 'bit')}"
    )
    crossing = [
        f"{count:,} across {what}"
        for what, count in (("subsets", result.total_across_subsets), ("datasets", result.total_across_datasets))
        if count
    ]
    shown = f" (the first {len(result.groups):,} shown)" if len(result.groups) < result.total_groups else ""
    return f"{text}{shown}{''.join(f', {part}' for part in crossing)}."
