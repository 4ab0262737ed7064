"""``clipdex info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex.paths import quoted
from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.output import UNFINISHED, say_part, size
from clipdex_cli.printing import say, write, write_json, write_line
from clipdex_cli.project_targets import PROJECT
from clipdex_cli.tables import table

if TYPE_CHECKING:
    from clipdex import ItemFilter
    from clipdex.datasets.info import DatasetInfo

_LABELS_SHOWN = 10
_FAILURES_SHOWN = 5
_WIDTH = 11


@click.command("info", cls=Command)
@options.TARGETS
@options.INDEX
@PROJECT
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--facets", is_flag=True, help="Count the images of every label, tag, subset and dataset instead.")
@options.filters
def command(
    targets: tuple[str, ...],
    index: Path | None,
    project_dir: Path | None,
    as_json: bool,
    facets: bool,
    **filters: tuple[str, ...],
) -> int:
    """Show what an index holds and whether it is up to date.

    Without a TARGET, clipdex shows the index of the current folder, or those of all sources of the project. In a
    project, a TARGET may be the name of a source. Of a folder or an image without an index, clipdex shows that part of
    the index above. --index alone shows an index whose images may be elsewhere.

    --facets counts over all TARGETs together, and reads the indexes only. With it, --label and its like count the
    images that pass.
    """
    options.one_index(targets, index)
    if facets:
        return _show_facets(targets, index, project_dir, options.filter_of(filters), as_json=as_json)
    if any(filters.values()):
        raise click.UsageError("--label and its like go with --facets.")
    from clipdex.datasets.info import describe, describe_alone
    from clipdex.encoder.languages import languages_said
    from clipdex.readers.passing_over import said
    from clipdex_cli.project_targets import resolve

    if index is not None and not targets:
        described = [describe_alone(index)]
    else:
        found = resolve(targets, project_dir)
        described = [describe(target, index=index) for target in found.targets or (Path(),)]
    for info in described:
        say_part(info.root, info.part, f"showing the part {info.part} of")
    if as_json:
        write_json([info.to_dict() for info in described])
        return 0
    for number, info in enumerate(described):
        if number:
            write_line()
        lines: list[tuple[str, str | list[str]]] = [
            ("dataset", f"{info.root} ({info.format})"),
            ("part", info.part),
            ("index", f"{info.index}, {size(info.bytes)} in {_segments(info.segments)}"),
            ("items", f"{info.items:,}" if info.complete else f"{info.items:,} so far: {UNFINISHED}"),
            ("subsets", _counts(info.subsets)),
            ("labels", _counts(info.labels)),
            ("model", f"{info.model}, {info.bits} bits, {info.precision}, digest {info.digest[:12]}"),
            ("", info.model_kind),
            ("", f"Reads {languages_said(info.model_languages)}" if info.model_languages else ""),
            ("", f"Not good at: {info.model_not_good_at}" if info.model_not_good_at else ""),
            ("written by", info.writer),
            ("failed", _failed(info.failed, info.index)),
            ("damaged", _failed(info.damaged, info.index) if info.damaged else ""),
            ("passed over", said(info.passed_over)),
            ("annotations", _annotations(info) if info.annotation_problems else ""),
            *(("", remark) for remark in info.remarks),
            ("freshness", info.not_compared or _freshness(info.new, info.changed, info.gone, info.root)),
        ]
        for name, text in lines:
            first, *below = text if isinstance(text, list) else [text]
            if first:
                write_line(f"{name:<{_WIDTH}}{' ' if len(name) >= _WIDTH else ''}{first}")
            for line in below:
                write_line(f"{'':<{_WIDTH}}{line}")
    return 0


def _show_facets(
    targets: tuple[str, ...], index: Path | None, project_dir: Path | None, wanted: ItemFilter, *, as_json: bool
) -> int:
    from clipdex_cli.asking import opened
    from clipdex_cli.output import warn_unfinished

    with opened(targets, index, project_dir) as explorer:
        facets = explorer.facets(wanted)
        warn_unfinished(explorer.datasets)
    for problem in facets.problems:
        say(problem)
    if as_json:
        write_json(facets.to_dict())
        return 0
    rows = [
        *(("dataset", name, count) for name, count in facets.datasets.items()),
        *(("subset", name, count) for name, count in facets.subsets.items()),
        *(("label", name, count) for name, count in facets.labels.items()),
        *(("tag", name, count) for name, count in facets.tags.items()),
        *([("without label", "", facets.unlabelled)] if facets.unlabelled else []),
    ]
    columns = {
        "images": [f"{count:,}" for _, _, count in rows],
        "of": [kind for kind, _, _ in rows],
        "name": [name for _, name, _ in rows],
    }
    write(table(columns, numbers=("images",), names=("name",)), head=True)
    return 0


def _segments(count: int) -> str:
    return counted(count, "segment")


def _counts(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:_LABELS_SHOWN])
    more = f", and {len(ordered) - _LABELS_SHOWN} more" if len(ordered) > _LABELS_SHOWN else ""
    return f"{len(ordered)}: {shown}{more}" if ordered else "none"


def _failed(failed: dict[str, str], index: Path) -> list[str]:
    first = [f"{name!r}: {reason}" for name, reason in list(failed.items())[:_FAILURES_SHOWN]]
    more = [f"... all in {index / 'failed.json'}"] if len(failed) > _FAILURES_SHOWN else []
    return [f"{len(failed):,} in the last build", *first, *more]


def _annotations(info: DatasetInfo) -> list[str]:
    listed = info.index / "failed.json"
    more = [f"... the first in {listed}"] if info.annotation_problems > _FAILURES_SHOWN else []
    said = f"{info.annotation_problems:,} could not be read in the last build"
    return [said, *info.annotations[:_FAILURES_SHOWN], *more]


def _freshness(new: int, changed: int, gone: int, root: Path) -> str:
    if not new + changed + gone:
        return "up to date"
    counts = [f"{count:,} {name}" for count, name in ((new, "new"), (changed, "changed"), (gone, "gone")) if count]
    return f"{', '.join(counts)} since the last build; bring it up to date: clipdex build {quoted(root)}"
