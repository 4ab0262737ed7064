"""``clipdex build``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clipdex.defaults import INDEX_FOLDER
from clipdex.paths import quoted
from clipdex.wording import counted
from clipdex_cli import options
from clipdex_cli.help_pages import Command
from clipdex_cli.project_targets import PROJECT


@click.command("build", cls=Command, common=("format_name", "model", "index", "rebuild", "prune", "dry_run", "quiet"))
@options.TARGETS
@options.FORMAT
@options.FORMAT_OPTIONS
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@PROJECT
@click.option("--rebuild", is_flag=True, help="Hash every image again, and replace the index.")
@options.PRUNE
@options.DRY_RUN
@options.DRY_RUN_LIMIT
@options.WAIT
@options.max_pixels
@click.option("-q", "--quiet", is_flag=True, help="Print no progress and no summary, only failed and damaged files.")
def command(
    targets: tuple[str, ...],
    format_name: str,
    format_options: tuple[str, ...],
    model: str | None,
    device: str,
    precision: str,
    index: Path | None,
    project_dir: Path | None,
    rebuild: bool,
    prune: bool,
    dry_run: bool,
    limit: int | None,
    wait: bool,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Hash the images of each TARGET into an index.

    A TARGET is a folder of images, or another dataset: an archive, a list, a pattern, Parquet, or annotated images.
    To list what clipdex can read: clipdex formats. In a project, a TARGET may be the name of a source; without one,
    all sources are built.

    The index of a folder is .clipdex in it; that of a file is FILE.clipdex beside it. A second build hashes only what
    is new or changed, and drops what is gone. A build saves its work every 30 seconds and on Ctrl-C; the same command
    continues it.

    Where a folder in TARGET has an index, or a folder above it, the build takes over its hash keys of unchanged files.
    The model and the precision must be the same. --rebuild hashes everything.

    A build goes on after files that cannot be read or are damaged. It names the first of them, and lists all in
    failed.json in the index.

    Where there is no image any more, or where all of a folder or more than half of the index is gone, a build stops
    before it changes anything: a disk may be away. With --prune, it drops what is gone. --dry-run says what would
    happen.

    Exit code: 0 when each TARGET has an image in its index and the build saw one, else 1.
    """
    options.one_index(targets, index)
    options.limit_of_dry_run(limit, dry_run=dry_run)
    values = options.named_values(format_options)
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all
    from clipdex_cli.dry_run import plan_all
    from clipdex_cli.project_targets import refuse_images, resolve

    refuse_images(targets)
    found = resolve(targets, project_dir)
    settings = BuildSettings(
        format=format_name,
        options=values,
        index=index,
        model=model,
        project_model=found.model,
        device=device,
        precision=precision,
        rebuild=rebuild,
        prune=prune,
        wait=wait,
        max_pixels=max_pixels,
    )
    chosen = found.targets or (_current_folder(),)
    return plan_all(chosen, settings, quiet=quiet, limit=limit) if dry_run else build_all(chosen, settings, quiet=quiet)


def _current_folder() -> Path:
    """Ask whether to index the current folder.

    Raises
    ------
    UsageError
        When the answer is no, or nobody can be asked.
    """
    from clipdex.datasets.above import folders_above
    from clipdex.readers.folder import count_images

    if Path(INDEX_FOLDER).exists():
        raise click.UsageError("name a TARGET. To bring the index of the current folder up to date: clipdex build .")
    for above, _ in folders_above(Path.cwd()):
        raise click.UsageError(
            f"name a TARGET. To bring the index of {above}, above the current folder, up to date: clipdex build "
            f"{quoted(above)}. To give the current folder an index of its own: clipdex build ."
        )
    count, all_seen = count_images(Path())
    if not count:
        raise click.UsageError(
            "name a TARGET: a folder of images or another dataset. The current folder has no images."
        )
    images = f"{'' if all_seen else 'at least '}{counted(count, 'image')}"
    if (
        sys.stdin.isatty()
        and sys.stderr.isatty()
        and click.confirm(f"Index the current folder, which holds {images}?", err=True)
    ):
        return Path()
    raise click.UsageError(f"name a TARGET. To index the current folder, which holds {images}: clipdex build .")
