"""Images a second of a build, against one image at a time and against the encoder alone.

Four ways over the same JPEG files, in turn: ``clipdex.build``; the way of ``datum explore`` (decode, prepare, infer,
one image after another), once with the same compiled tower and once with the tower compiled for latency, which then
uses all cores for one image; and the image tower alone, on pixels that are ready in memory. Of the build both are
given: all of it, with loading the model and writing the index, and its steady state, from the first to the last tenth
of the images. The steady state is compared with the others, which are timed without loading, too.

Two parts: ``rate`` is the above. ``feed`` reads the same files from a folder, archives and Parquet as a build does,
with the hash of their content, but decodes no image; the image tower alone is the measure.
"""

from __future__ import annotations

import argparse
import functools
import io
import random
import statistics
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from clipdex import BuildProgress, build
from clipdex.building.planning import ahead, read_content
from clipdex.encoder import Encoder, decode_to_hash, find_model, hash_key, prepare
from clipdex.encoder.towers import ImageTower
from clipdex.errors import ImageError
from clipdex.media.decoding import load_image
from clipdex.readers import FolderReader, ReadItem
from clipdex.readers.base import NO_OPTIONS
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import locate, open_reader
from clipdex_indexes import Index
from common import (
    ROOT,
    Keys,
    example_photos,
    installed,
    interleaved,
    medians,
    parse,
    show_bar,
    show_command,
    show_table,
)
from draft import enlarge

ONE_BY_ONE_FACTOR = 1.6
INFERENCE_FACTOR = 0.9
FEED_FACTOR = 5.0
_SHARDS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos (default: made from examples/photos)")
    parser.add_argument("--count", type=int, default=800, help="photos to make without --images (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--enlarge", type=int, metavar="N", help="instead, the example photos enlarged to a short side of N, with noise"
    )
    parser.add_argument("--parts", nargs="+", default=["rate", "feed"], choices=["rate", "feed"])
    arguments = parse(parser, count=8, repeats=1)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        images = arguments.images
        if images is None:
            images = Path(folder, "photos")
            if arguments.enlarge:
                enlarge(ROOT / "examples/photos", images, arguments.enlarge, arguments.count)
            else:
                make_photos(images, arguments.count)
        if "rate" in arguments.parts:
            measure(images, Path(folder, "index"), arguments.repeats)
        if "feed" in arguments.parts:
            feed(images, Path(folder, "formats"), arguments.repeats)


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
        decoded = decode_to_hash(path, model.image)
        return prepare(decoded.image, model.image, decoded.beyond)

    alone, many = Encoder(model), Encoder(model, many=True)
    ready = [(path, pixels(path)) for path in files]
    one_tower, many_tower = alone._image_tower, many._image_tower
    one_keys: list[Keys] = []
    timed: list[Steady] = []

    def one_by_one(tower: ImageTower) -> None:
        one_keys[:] = [hash_key(tower(pixels(path)), alone.image_centre) for path in files]

    rates: dict[str, list[float]] = {"whole": [], "steady": [], "same": [], "one": [], "inference": []}
    busy: dict[str, list[float]] = {name: [] for name in rates}

    def time_way(way: str, call: Callable[[], object]) -> None:
        begin, worked = time.perf_counter(), time.process_time()
        call()
        rates[way].append(len(files) / (time.perf_counter() - begin))
        busy[way].append((time.process_time() - worked) / len(files))

    for _ in range(repeats):
        time_way("whole", lambda: timed.append(time_build(images, index)))
        rates["steady"].append(timed[-1].rate)
        busy["steady"].append(timed[-1].busy)
        time_way("same", lambda: one_by_one(many_tower))
        time_way("one", lambda: one_by_one(one_tower))
        time_way("inference", lambda: [None for _ in many_tower.embed_all(ready)])
    streams = many_tower._compiled.get_property("NUM_STREAMS")
    size = np.mean([path.stat().st_size for path in files])
    print(f"{len(files):,} photos of {size / 1000:.0f} kB on average, inference in {streams} streams.\n")
    _report(rates, busy)
    with Index(index) as built:
        keys = np.concatenate([segment.keys for segment in built.segments])
        differing = np.bitwise_count(keys ^ np.stack(one_keys)).sum(axis=1)
    print(f"Bits that differ between the build's keys and the keys made one by one: at most {differing.max()}.\n")


class Steady(NamedTuple):
    """The steady state of a build: images a second, and processor seconds an image."""

    rate: float
    busy: float


def time_build(images: Path, index: Path, *, model: str | None = None, precision: str = "auto") -> Steady:
    """Build from nothing; return what it does from the first to the last tenth."""
    times: list[tuple[float, float]] = []

    def note(progress: BuildProgress) -> None:
        if progress.phase == "hash":
            times.append((time.perf_counter(), time.process_time()))

    build(images, index=index, model=model, precision=precision, rebuild=True, progress=note)
    first, last = len(times) // 10, len(times) - len(times) // 10 - 1
    seconds, worked = np.subtract(times[last], times[first])
    return Steady((last - first) / seconds, worked / (last - first))


def feed(images: Path, folder: Path, repeats: int) -> None:
    """Read all images of each format, in turn with embedding as many; print the rates."""
    model = find_model(None)
    files = {path.name: path.read_bytes() for path in sorted(images.rglob("*.jpg"))}
    tower = Encoder(model, many=True)._image_tower
    pixels = prepare(load_image(io.BytesIO(next(iter(files.values()))), model.image.background), model.image)
    # Otherwise the encoder would take most of the time.
    some = max(1, len(files) // 4)
    ways: dict[str, Callable[[], object]] = {
        "encoder": lambda: [None for _ in tower.embed_all((None, pixels) for _ in range(some))],
        "folder": lambda: read_all(images),
    }
    folder.mkdir()
    paths = written(files, folder)
    ways |= {name: functools.partial(read_all, path) for name, path in paths.items()}
    if "Parquet" in paths:
        ways["Parquet, ids in another order"] = lambda: read_all(paths["Parquet"], {"id": "name"})
    busy: dict[str, list[float]] = {}
    seconds = medians(interleaved(ways, repeats, busy=busy))
    worked = medians(busy)
    counts = {name: some if name == "encoder" else len(files) for name in ways}
    each = {name: worked[name] / count for name, count in counts.items()}
    print(f"{len(files):,} photos, read in the threads of a build, with the hash of their content:\n")
    show_table(
        ["from", "images/s", "ms of processor time an image", "times the encoder"],
        [
            [name, f"{count / seconds[name]:,.0f}", f"{1000 * each[name]:.3f}", f"{each['encoder'] / each[name]:.1f}"]
            for name, count in counts.items()
        ],
    )
    slowest = max(value for name, value in each.items() if name != "encoder")
    show_bar("the slowest, of the encoder, by processor time", each["encoder"] / slowest, FEED_FACTOR, at_most=False)


def read_all(path: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
    """Read every image of a dataset as a build does, from listing it on."""
    reader = open_reader(locate(path, options=options))
    items = (item for item in in_item_order(reader) if isinstance(item, ReadItem))
    for item, result in ahead(items, lambda item: read_content(reader, item)):
        if isinstance(result, ImageError):
            raise ValueError(f"{item.id}: {result}")


def written(files: Mapping[str, bytes], folder: Path) -> dict[str, Path]:
    """Write the images in all formats that can be read here; return the paths by what to call them."""
    paths = {}
    for name, method in (("ZIP, stored", zipfile.ZIP_STORED), ("ZIP, deflated", zipfile.ZIP_DEFLATED)):
        paths[name] = folder / f"{len(paths)}.zip"
        with zipfile.ZipFile(paths[name], "w", method) as archive:
            for member, data in files.items():
                archive.writestr(member, data)
    for name, suffix in (("TAR", "tar"), ("TAR, gzip", "tar.gz")):
        paths[name] = folder / f"{len(paths)}.{suffix}"
        with tarfile.open(paths[name], "w:gz" if suffix == "tar.gz" else "w") as archive:
            for member, data in files.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    if installed("pyarrow"):
        paths["Parquet"] = folder / "parquet"
        paths["Parquet"].mkdir()
        _write_parquet(list(files.values()), paths["Parquet"])
    return paths


def _write_parquet(contents: Sequence[bytes], folder: Path) -> None:
    """Write images as Hugging Face does, in shards, with row groups of 100, and names in another order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for shard in range(_SHARDS):
        images = [{"bytes": data, "path": f"{number}.jpg"} for number, data in enumerate(contents[shard::_SHARDS])]
        names = [f"{shard}/{number:05}" for number in random.Random(0).sample(range(len(images)), len(images))]  # noqa: S311
        table = pa.table({"image": pa.array(images, kind), "label": ["photo"] * len(images), "name": names})
        pq.write_table(table, folder / f"train-{shard:05}-of-{_SHARDS:05}.parquet", row_group_size=100)


def _report(rates: dict[str, list[float]], busy: dict[str, list[float]]) -> None:
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
        ["way", "images/s, median", "of (a)", "of (b)", "of (c)", "ms of processor time an image"],
        [
            [name, f"{statistics.median(rates[way]):.1f}"]
            + [f"{ratio(way, other):.2f}" for other in ("same", "one", "inference")]
            + [f"{1000 * statistics.median(busy[way]):.2f}"]
            for way, name in names.items()
        ],
    )
    show_bar("steady state, of (a)", ratio("steady", "same"), ONE_BY_ONE_FACTOR, at_most=False)
    show_bar("steady state, of (c)", ratio("steady", "inference"), INFERENCE_FACTOR, at_most=False)
    # A machine that does other work, too, gives each way a share of its own.
    share = statistics.median(one / all_ for one, all_ in zip(busy["inference"], busy["steady"], strict=True))
    show_bar("processor time of (c), of the steady state's", share, INFERENCE_FACTOR, at_most=False)


if __name__ == "__main__":
    main()
