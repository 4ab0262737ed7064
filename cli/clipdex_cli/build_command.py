"""``clipdex build``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clipdex_cli import options

if TYPE_CHECKING:
    from clipdex.dataset import Failure

_SHOWN_FAILURES = 5
_AFTER_BUILD = "What was hashed is in the index; the same command goes on from there."
_AFTER_REBUILD = "An index that was there is as it was before."


@click.command("build")
@click.argument(
    "targets", metavar="TARGET...", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False)
)
@options.FORMAT
@options.FORMAT_OPTIONS
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@click.option("--rebuild", is_flag=True, help="Hash every image again and replace the index that is there.")
@options.WAIT
@options.max_pixels
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary; failed files are still named.")
def command(
    targets: tuple[Path, ...],
    format_name: str,
    format_options: tuple[str, ...],
    model: str | None,
    device: str,
    precision: str,
    index: Path | None,
    rebuild: bool,
    wait: bool,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Hash every image of each TARGET, once, into an index beside it.

    A TARGET is a folder of images, or another dataset: an archive, a list, a pattern, Parquet, annotated images
    (clipdex formats lists what can be read).

    Run again, it hashes only images with new content, finds renamed ones again, and drops those that are gone. What is
    hashed is committed every 30 seconds, and on Ctrl-C: the same command goes on from there. Files that cannot be read
    are named, listed in the index folder (failed.json), and do not stop the others.

    Exit code: 0 when each target has at least one image in its index, otherwise 1.
    """
    options.one_index(targets, index)
    values = options.named_values(format_options)
    from clipdex import build
    from clipdex.errors import ClipdexError
    from clipdex_cli.output import printable
    from clipdex_cli.progress import BuildDisplay
    from clipdex_cli.stopping import exit_code_of, stoppable

    exit_code = 0
    for target in targets:
        try:
            with stoppable(), BuildDisplay(str(target), quiet=quiet) as display:
                report = build(
                    target,
                    format=format_name,
                    options=values,
                    index=index,
                    model=model,
                    device=device,
                    precision=precision,
                    rebuild=rebuild,
                    wait=wait,
                    waiting=options.say_waiting(target),
                    max_pixels=max_pixels,
                    progress=display,
                    notice=None if quiet else lambda sentence: click.echo(printable(sentence), err=True),
                )
        except ClipdexError as error:
            click.echo(f"clipdex: {error.message}", err=True)
            exit_code = error.exit_code
            continue
        except KeyboardInterrupt as stop:
            click.echo(f"\nInterrupted. {_AFTER_REBUILD if rebuild else _AFTER_BUILD}", err=True)
            return exit_code_of(stop)
        for failure in report.failed[:_SHOWN_FAILURES]:
            click.echo(f"failed: {printable(failure.id)}: {printable(failure.reason)}", err=True)
        if len(report.failed) > _SHOWN_FAILURES:
            more = len(report.failed) - _SHOWN_FAILURES
            click.echo(f"failed: {more} more, all listed in {report.index / 'failed.json'}", err=True)
        if report.precision != report.index_precision and report.added + report.changed:
            click.echo(
                f"{report.root}: hashed in {report.precision}, because {report.device} does not compute in "
                f"{report.index_precision} like the rest of the index: a few bits differ.",
                err=True,
            )
        if report.items == 0:
            click.echo(f"clipdex: no image in {report.root} could be indexed.", err=True)
            exit_code = 1
        elif not quiet:
            counts = [f"{report.added:,} added"]
            counts += [f"{report.changed:,} changed"] if report.changed else []
            counts += [f"{report.touched:,} touched"] if report.touched else []
            counts += [f"{report.renamed:,} renamed"] if report.renamed else []
            counts += [f"{report.unchanged:,} unchanged"]
            counts += [f"{report.removed:,} removed"] if report.removed else []
            counts += [f"{len(report.failed):,} failed{_kinds(report.failed)}"]
            hashed = report.added + report.changed
            rate = f", {hashed / report.seconds:,.0f} images/s" if hashed else ""
            click.echo(
                f"{report.root}: {', '.join(counts)}; {report.items:,} images in the index "
                f"({report.seconds:.1f} s{rate}; model {printable(report.model)}, {report.model_choice}, "
                f"{report.precision} on {report.device})",
                err=True,
            )
    return exit_code


def _kinds(failures: Sequence[Failure]) -> str:
    """Say how many failures there are of each kind; nothing where all could not be read, which is what one expects."""
    kinds = Counter(failure.kind for failure in failures)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    return f" ({counts})" if set(kinds) - {"unreadable"} else ""
