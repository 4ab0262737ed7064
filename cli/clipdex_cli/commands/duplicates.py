"""``clipdex duplicates``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.output import cell_of, save_page, say_parts
from clipdex_cli.previews import terminal_for, write_with_pictures
from clipdex_cli.printing import say, write, write_cells, write_json_text, write_paths
from clipdex_cli.project_targets import PROJECT, require_index_here, resolve
from clipdex_cli.tables import table
from clipdex_cli.terminal_images.beside import TAKEN

if TYPE_CHECKING:
    from clipdex.search.duplicates_result import DuplicateGroup, DuplicatesResult
    from clipdex_cli.terminal_images.terminals import Terminal


# Images that are the same file as another one, named in the message that counts them.
_NAMED = 3
_BUILD = "clipdex build brings the index up to date."
_WITHHELD = {
    "far": "farther than the distance from what is kept (--linkage complete makes groups without such)",
    "missing": "missing",
    "changed": f"changed since the build ({_BUILD.rstrip('.')})",
    "nothing kept": "in groups of which the kept file is missing or has changed",
}


@click.command(
    "duplicates",
    cls=Command,
    common=(
        "max_distance",
        "across",
        "identical",
        "keep",
        "linkage",
        "transforms",
        "limit",
        "output",
        "save",
        "output_dir",
    ),
)
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
@click.option("--identical", is_flag=True, help="Find only files with the same content, byte for byte.")
@click.option(
    "--keep",
    metavar="RULE",
    default="first",
    show_default=True,
    help="What is kept of a group: the first image, the largest (by the bytes of the file), oldest or newest (by the "
    "time of the file), or all that match a pattern of ids or paths, as in 'originals/**'.",
)
@click.option(
    "--linkage",
    type=click.Choice(["single", "complete"]),
    default="single",
    show_default=True,
    help="single: each image is near another one of its group. complete: near all of them.",
)
@click.option(
    "--transforms",
    is_flag=True,
    help="Find rotated and mirrored copies too. It reads the images and hashes each in 7 more orientations: that takes "
    "about 6 times as long as the first build, every time.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Show only the N largest groups. [default: all]")
@options.output("What to print. paths: the files that can be deleted.")
@options.PREVIEW
@click.option("-s", "--save", is_flag=True, help="Save contact sheets of the groups, and the result as JSON.")
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save to DIR, a new or empty folder. [default: a new folder duplicates_result]",
)
@options.HTML
@options.FORCE
@options.INDEX
@PROJECT
@options.max_pixels
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
def command(
    targets: tuple[str, ...],
    max_distance: int | None,
    across: str | None,
    identical: bool,
    keep: str,
    linkage: str,
    transforms: bool,
    limit: int | None,
    output: str,
    null: bool,
    raw: bool,
    preview: str | None,
    save: bool,
    output_dir: Path | None,
    html: Path | None,
    force: bool,
    index: Path | None,
    project_dir: Path | None,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Find images that are the same, or nearly the same.

    Two images are near when their hash keys differ in at most D bits. A group holds each image that is near another
    image of the group, so two images of a group can differ in more than D bits: "greatest" is the greatest distance
    between any two. With --linkage complete, all images of a group are near each other. The groups go across the
    subsets of a TARGET, and across all TARGETs.

    Images that are one file on disk (hard links, links, a folder that two TARGETs hold) are no duplicates. They are
    counted, and only one of them can be in a group.

    In a project, a TARGET may be the name of a source; without one, all sources are searched. Of a folder without an
    index, that part of the index above is searched.

    --output paths prints the files that can be deleted: all of each group but the one that is kept. It leaves out
    files that are missing, that have changed since the build, or that are farther than D from what is kept. It prints
    near images too: look at the groups (--save) before you delete them, or choose --identical.
    """
    if identical:
        for option, given in (
            ("--max-distance", max_distance is not None),
            ("--linkage", linkage != "single"),
            ("--transforms", transforms),
        ):
            if given:
                raise click.UsageError(f"{option} says nothing of --identical files: their content is the same.")
    options.one_index(targets, index)
    if null and output != "paths":
        raise click.UsageError("-0 goes with --output paths.")
    if raw and output != "csv":
        raise click.UsageError("--raw goes with --output csv.")
    terminal = terminal_for(preview, output)
    found = resolve(targets, project_dir).targets
    if not found:
        require_index_here(index)
    from clipdex.search.duplicates import find_duplicates
    from clipdex_cli.progress import WorkDisplay

    with WorkDisplay("duplicates", quiet=quiet) as display:
        result = find_duplicates(
            *(found or (Path(),)),
            index=index,
            progress=display,
            notice=lambda sentence: None if quiet else say(sentence),
            max_distance=max_distance,
            across=across,
            limit=limit,
            keep=keep,
            linkage=linkage,
            identical=identical,
            transforms=transforms,
            max_pixels=max_pixels,
        )
    if len(result.datasets) < len(found):
        more = len(found) - len(result.datasets)
        same = "is another one, or part of it, and counts" if more == 1 else "are others, or parts of them, and count"
        say(f"{counted(more, 'TARGET')} {same} once.")
    say_parts(result.datasets)
    if across == "datasets" and len(result.datasets) < 2:
        say(
            "There is one dataset only, so no group is across datasets. Name another one. Of a merged dataset, name "
            "the datasets that it was made of."
        )
    if terminal is not None:
        _show_with_pictures(result, terminal, max_pixels)
    else:
        _show(result, output, end="\0" if null else "\n", raw=raw)
    for line in (_summary(result), *_notes(result), *(_notes_on_paths(result) if output == "paths" else ())):
        say(line)
    to_folder = save or output_dir is not None or (force and html is None)
    if not to_folder and html is None:
        return 0
    if not result.groups:
        say("No groups, so nothing is saved.")
        return 0
    if to_folder:
        from clipdex.report.groups import save_duplicates

        saved = save_duplicates(result, output_dir, force=force, max_pixels=max_pixels)
        sheets = f"{counted(len(saved.sheets), 'sheet')} of {counted(saved.drawn, 'group')}"
        say(f"Saved to {saved.folder}: {saved.data.name}, {sheets}")
    return 0 if html is None else save_page(result, html, force=force, max_pixels=max_pixels)


def _show(result: DuplicatesResult, output: str, *, end: str, raw: bool) -> None:
    if output == "json":
        write_json_text(result.to_json())
    elif output == "csv":
        from clipdex.report.rows import csv_of_groups

        write_cells(csv_of_groups(result, cell_of(raw=raw)))
    elif output == "paths":
        write_paths((item.path for item in result.removable), end)
    elif result.groups:
        write(_table(result), head=True)


def _show_with_pictures(result: DuplicatesResult, terminal: Terminal, max_pixels: int) -> None:
    if result.groups:
        paths = [item.path for group in result.groups for item in group.items]
        write_with_pictures(_table(result, TAKEN).splitlines(), paths, terminal, max_pixels)


def _table(result: DuplicatesResult, taken: int = 0) -> str:
    return table(_columns(result), numbers=("group", "greatest", "distance", "content"), names=("id",), taken=taken)


def _columns(result: DuplicatesResult) -> dict[str, list[str]]:
    places = [
        (str(number), group, item, item is group.items[0])
        for number, group in enumerate(result.groups, start=1)
        for item in group.items
    ]
    items = [item for _, _, item, _ in places]
    columns = {
        "group": [number for number, *_ in places],
        "greatest": [str(group.greatest_distance) if first else "" for _, group, _, first in places],
        "distance": [str(item.distance) for item in items],
        "match": [", ".join(filter(None, (item.match, item.problem))) for item in items],
    }
    if any(map(_has_other_copies, result.groups)):
        columns["content"] = [str(item.content or "?") for item in items]
    if any(item.orientation for item in items):
        columns["orientation"] = [item.orientation for item in items]
    if len(result.datasets) > 1:
        columns["dataset"] = [item.dataset for item in items]
    columns["id"] = [item.id for item in items]
    if len({item.subset for item in items}) > 1:
        columns["subset"] = [item.subset for item in items]
    columns["labels"] = [", ".join(item.labels) for item in items]
    return columns


def _has_other_copies(group: DuplicateGroup) -> bool:
    """Tell whether a group has identical files that are not identical to what is kept."""
    kept = {item.content for item in group.items if item.match == "kept"}
    others = [item.content for item in group.items if item.content and item.content not in kept]
    return len(set(others)) < len(others)


def _summary(result: DuplicatesResult) -> str:
    images = sum(dataset.items for dataset in result.datasets)
    within = "of identical files" if result.identical else f"within {counted(result.max_distance, 'bit')}"
    groups = counted(result.total_groups, "group") + (f" across {result.across}" if result.across else "")
    text = f"{result.total_items:,} of {counted(images, 'image')} in {groups} {within}"
    crossing = ", ".join(
        f"across {what}: {count:,}"
        for what, count in (("subsets", result.total_across_subsets), ("datasets", result.total_across_datasets))
        if count and what != result.across
    )
    shown = f" (the first {len(result.groups):,} shown)" if len(result.groups) < result.total_groups else ""
    return f"{text}{shown}{f'; groups {crossing}' if crossing else ''}."


def _notes(result: DuplicatesResult) -> Iterator[str]:
    """Yield what else there is to say of a result."""
    if result.total_identical_items and not result.identical:
        only = f"; {counted(result.total_identical_groups, 'group')} of such files only"
        also = only if result.total_identical_groups else ""
        yield f"{counted(result.total_identical_items, 'image')} identical to another file of the group{also}."
    if result.total_same_file:
        yield _same_file(result)
    if result.total_missing:
        yield f"{counted(result.total_missing, 'image')} in the groups: the file is not there."
    if result.total_changed:
        yield f"{counted(result.total_changed, 'image')} in the groups: the file has changed since the build. {_BUILD}"
    if result.total_unknown_content:
        yield f"{counted(result.total_unknown_content, 'image')} not compared: the index does not know the content."
    if result.total_not_turned:
        why = "it, because it" if result.total_not_turned == 1 else "them, because they"
        what = counted(result.total_not_turned, "file")
        yield f"{what} compared only as the index has {why} cannot be read or changed since the build."
    unmatched = sum(not group.matched for group in result.groups)
    if unmatched:
        known = {"largest": "of known size", "oldest": "of known time", "newest": "of known time"}
        which = known.get(result.keep, "that --keep matches")
        yield f"{counted(unmatched, 'group')} without an image {which}: the first image is kept."


def _same_file(result: DuplicatesResult) -> str:
    several = len(result.datasets) > 1

    def name(dataset: str, item_id: str, subset: str) -> str:
        where = ", ".join(filter(None, (dataset if several else "", subset if with_subset else "")))
        return f"{item_id} ({where})" if where else item_id

    with_subset = bool(result.total_same_file_across_subsets)
    named = [
        f"{name(one.dataset, one.id, one.subset)} is {name(one.same_dataset, one.same_id, one.same_subset)}"
        for one in result.same_file[:_NAMED]
    ]
    more = result.total_same_file - len(named)
    listed = ", ".join(named) + (f", and {more:,} more" if more else "")
    what = "is the same file as another image" if result.total_same_file == 1 else "are the same file as another image"
    crossing = f" {result.total_same_file_across_subsets:,} in another subset." if with_subset else ""
    return f"{counted(result.total_same_file, 'image')} {what}, and not counted as duplicates: {listed}.{crossing}"


def _notes_on_paths(result: DuplicatesResult) -> Iterator[str]:
    """Yield what the paths are, and what is not among them."""
    items = [item for group in result.groups for item in group.items if item.match != "kept"]
    printed = result.removable
    if printed:
        identical = sum(item.match == "identical" for item in printed)
        near = len(printed) - identical
        look = ": look at those before you delete them (--save)" if near else ""
        yield f"{counted(len(printed), 'path')}: {identical:,} identical to what is kept, {near:,} only near{look}."
    reasons = Counter(item.problem or "nothing kept" for item in items if not item.removable)
    if reasons:
        listed = "; ".join(f"{count:,} {_WITHHELD[reason]}" for reason, count in reasons.items())
        yield f"{counted(reasons.total(), 'path')} not printed: {listed}."
