"""Images a second of a build, against one image at a time and against the encoder alone.

Four ways over the same JPEG files, in turn: ``clipdex.build``; the way of ``datum explore`` (decode, prepare, infer,
one image after another), once with the same compiled tower and once with the tower compiled for latency, which then
uses all cores for one image; and the image tower alone, on pixels that are ready in memory. Of the build both are
given: all of it, with loading the model and writing the index, and its steady state, from the first to the last tenth
of the images. The steady state is compared with the others, which are timed without loading, too.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clipdex import BuildProgress, build
from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.encoder.towers import ImageTower
from clipdex.media.decoding import load_image
from clipdex.readers import FolderReader, ReadItem
from clipdex_indexes import Index
from common import Keys, example_photos, parse, show_bar, show_command, show_table

ONE_BY_ONE_FACTOR = 1.6
INFERENCE_FACTOR = 0.85


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos (default: made from examples/photos)")
    parser.add_argument("--count", type=int, default=800, help="photos to make without --images (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    arguments = parse(parser, count=8, repeats=1)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        images = arguments.images
        if images is None:
            images = Path(folder, "photos")
            make_photos(images, arguments.count)
        measure(images, Path(folder, "index"), arguments.repeats)


def make_photos(folder: Path, count: int) -> None:
    """Fill a folder with different JPEG photos: crops of the example photos, half of them mirrored."""
    sources = example_photos()
    folder.mkdir()
    chance = random.Random(0)  # noqa: S311 - not a secret
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as photo:
            share = chance.uniform(0.75, 1)
            width, height = round(photo.width * share), round(photo.height * share)
            left, top = chance.randint(0, photo.width - width), chance.randint(0, photo.height - height)
            crop = photo.convert("RGB").crop((left, top, left + width, top + height))
        (ImageOps.mirror(crop) if chance.random() < 0.5 else crop).save(folder / f"{number:05}.jpg", quality=90)


def measure(images: Path, index: Path, repeats: int) -> None:
    """Time the ways in turn; print the rates and whether the hash keys are the same."""
    model = find_model(None)
    reader = FolderReader(images)
    files = [images / item.id for item in reader.read() if isinstance(item, ReadItem)]

    def pixels(path: Path) -> np.ndarray:
        return prepare(load_image(path, model.image.background), model.image)

    alone, many = Encoder(model), Encoder(model, many=True)
    ready = [(path, pixels(path)) for path in files]
    one_tower, many_tower = alone._image_tower, many._image_tower
    one_keys: list[Keys] = []

    def one_by_one(tower: ImageTower) -> None:
        one_keys[:] = [hash_key(tower(pixels(path)), alone.image_centre) for path in files]

    rates: dict[str, list[float]] = {"whole": [], "steady": [], "same": [], "one": [], "inference": []}
    for _ in range(repeats):
        whole, steady = time_build(images, index)
        rates["whole"].append(len(files) / whole)
        rates["steady"].append(steady)
        rates["same"].append(len(files) / _seconds(lambda: one_by_one(many_tower)))
        rates["one"].append(len(files) / _seconds(lambda: one_by_one(one_tower)))
        rates["inference"].append(len(files) / _seconds(lambda: [None for _ in many_tower.embed_all(ready)]))
    streams = many_tower._compiled.get_property("NUM_STREAMS")
    size = np.mean([path.stat().st_size for path in files])
    print(f"{len(files):,} photos of {size / 1000:.0f} kB on average, inference in {streams} streams.\n")
    _report(rates)
    with Index(index) as built:
        keys = np.concatenate([segment.keys for segment in built.segments])
        differing = np.bitwise_count(keys ^ np.stack(one_keys)).sum(axis=1)
    print(f"Bits that differ between the build's keys and the keys made one by one: at most {differing.max()}.\n")


def time_build(images: Path, index: Path, *, model: str | None = None, precision: str = "auto") -> tuple[float, float]:
    """Build from nothing; return the seconds of all of it, and images/s from the first to the last tenth."""
    times: list[float] = []

    def note(progress: BuildProgress) -> None:
        if progress.phase == "hash":
            times.append(time.perf_counter())

    whole = _seconds(lambda: build(images, index=index, model=model, precision=precision, rebuild=True, progress=note))
    first, last = len(times) // 10, len(times) - len(times) // 10 - 1
    return whole, (last - first) / (times[last] - times[first])


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _report(rates: dict[str, list[float]]) -> None:
    # Ratios within a round, because the machine is not equally busy in all of them.
    def ratio(way: str, to: str) -> float:
        return statistics.median(a / b for a, b in zip(rates[way], rates[to], strict=True))

    names = {
        "whole": "`clipdex.build`, all of it",
        "steady": "`clipdex.build`, steady state",
        "same": "(a) one image at a time, same compiled tower",
        "one": "(b) one image at a time, compiled for latency",
        "inference": "(c) inference alone",
    }
    show_table(
        ["way", "images/s, median", "of (a)", "of (b)", "of (c)"],
        [
            [name, f"{statistics.median(rates[way]):.1f}"]
            + [f"{ratio(way, other):.2f}" for other in ("same", "one", "inference")]
            for way, name in names.items()
        ],
    )
    show_bar("steady state, of (a)", ratio("steady", "same"), ONE_BY_ONE_FACTOR, at_most=False)
    show_bar("steady state, of (c)", ratio("steady", "inference"), INFERENCE_FACTOR, at_most=False)


if __name__ == "__main__":
    main()
