"""``clipdex build``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli import options
from clipdex_cli.project_targets import PROJECT


@click.command("build")
@options.TARGETS
@options.FORMAT
@options.FORMAT_OPTIONS
@options.MODEL
@options.DEVICE
@options.PRECISION
@options.INDEX
@PROJECT
@click.option("--rebuild", is_flag=True, help="Hash every image again and replace the index that is there.")
@options.WAIT
@options.max_pixels
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary; failed files are still named.")
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
    wait: bool,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Hash every image of each TARGET, once, into an index beside it.

    A TARGET is a folder of images, or another dataset: an archive, a list, a pattern, Parquet, annotated images
    (clipdex formats lists what can be read).

    In a project, a TARGET may be the name of a source, and without any all sources are built.

    Run again, it hashes only images with new content, finds renamed ones again, and drops those that are gone. Touched
    are those whose file has another time on disk and the same content. What is hashed is committed every 30 seconds,
    and on Ctrl-C: the same command goes on from there. Files that cannot be read are named, listed in the index folder
    (failed.json), and do not stop the others.

    Exit code: 0 when each target has at least one image in its index, otherwise 1.
    """
    options.one_index(targets, index)
    values = options.named_values(format_options)
    from clipdex import BuildSettings
    from clipdex_cli.build_loop import build_all
    from clipdex_cli.project_targets import resolve

    found = resolve(targets, project_dir)
    if not found.targets:
        raise click.UsageError("name a TARGET: the current folder is in no project.")
    settings = BuildSettings(
        format=format_name,
        options=values,
        index=index,
        model=model,
        project_model=found.model,
        device=device,
        precision=precision,
        rebuild=rebuild,
        wait=wait,
        max_pixels=max_pixels,
    )
    return build_all(found.targets, settings, quiet=quiet)
