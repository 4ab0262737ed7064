"""``clipdex model bench``."""

from __future__ import annotations

import click

from clipdex_cli import completing, options
from clipdex_cli.help_pages import Command
from clipdex_cli.printing import say, write, write_json
from clipdex_cli.tables import table


@click.command("bench", cls=Command)
@click.argument("name", metavar="MODEL", shell_complete=completing.models)
@options.DEVICE
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(["f32", "bf16", "f16"]),
    help="Precision to measure; repeatable. [default: all of the device]",
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(1, 256),
    help="Number of images at once to measure; repeatable. [default: 1, 4, 8, 16]",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(name: str, device: str, precisions: tuple[str, ...], batches: tuple[int, ...], as_json: bool) -> None:
    """Measure how many images a second a model hashes.

    The measurement takes each precision and batch size in turn, with images that are ready in memory. A build also
    decodes images. clipdex model info shows the best rate.
    """
    from clipdex.encoder.devices import precisions as precisions_of
    from clipdex.encoder.devices import require_device
    from clipdex.models.benchmarking import bench

    require_device(device)
    rates = bench(
        name,
        device=device,
        precisions=precisions or precisions_of(device),
        batches=batches or (1, 4, 8, 16),
        progress=lambda rate: say(f"{rate.precision}, {rate.batch} at once: {rate.images_per_second:,.1f} images/s"),
    )
    if as_json:
        from dataclasses import asdict

        write_json([asdict(rate) for rate in rates])
        return
    columns = {
        "precision": [rate.precision for rate in rates],
        "images at once": [str(rate.batch) for rate in rates],
        "images/s": [f"{rate.images_per_second:,.1f}" for rate in rates],
    }
    write(table(columns, numbers=("images at once", "images/s")), head=True)
