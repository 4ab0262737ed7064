"""What decoding JPEG at a lower resolution ("draft") costs in bits of the hash key, and gains in time, by margin.

A draft is taken at 1/2, 1/4 or 1/8 where that leaves ``margin`` times the short side that the model needs. Photos as
large as today's cameras make are rare among free examples, so mosaics are made of the photos there are, side by side:
real detail at the pixel level, at any size. For each margin the hash keys are compared with those of a full decode;
the yardstick is the bits that change when the image is saved once more as JPEG.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.media import decoding
from clipdex.media.decoding import load_image
from common import ROOT, Keys, parse, show_command, show_table

Pixels = npt.NDArray[np.uint8]

MARGINS = (1.0, 1.5, 2.0, 3.0, 4.0)
FULL = float("inf")
_QUALITY = 90
_SMALLEST = 400


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos", type=Path, default=ROOT / "examples/photos", metavar="DIR", help="where from (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=40, help="images of each size (default: %(default)s)")
    parser.add_argument(
        "--tiles", type=int, nargs="+", default=[2, 3, 4, 5, 6], metavar="N", help="mosaics of N x N photos"
    )
    arguments = parse(parser, count=1, tiles=[1, 3])
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        for tiles in arguments.tiles:
            files = make_mosaics(arguments.photos, Path(folder, str(tiles)), tiles, arguments.count)
            measure(files, f"{tiles} x {tiles} photos" if tiles > 1 else "the photos themselves")


def make_mosaics(photos: Path, folder: Path, tiles: int, count: int) -> list[Path]:
    """Write ``count`` JPEG mosaics of ``tiles`` x ``tiles`` photos, each photo in its own resolution."""
    sources = sorted(path for path in photos.rglob("*.jp*g") if _short_side(path) >= _SMALLEST)
    if tiles == 1:
        return sources[:count]
    folder.mkdir()
    chance = random.Random(tiles)  # noqa: S311 - not a secret
    for number in range(count):
        parts = [_open(chance.choice(sources)) for _ in range(tiles * tiles)]
        width, height = min(part.width for part in parts), min(part.height for part in parts)
        mosaic = Image.new("RGB", (tiles * width, tiles * height))
        for place, part in enumerate(parts):
            left, top = (part.width - width) // 2, (part.height - height) // 2
            crop = part.crop((left, top, left + width, top + height))
            mosaic.paste(crop, (place % tiles * width, place // tiles * height))
        mosaic.save(folder / f"{number:04}.jpg", quality=_QUALITY)
    return [folder / f"{number:04}.jpg" for number in range(count)]


def measure(files: Sequence[Path], title: str) -> None:
    """Print bits changed and time taken at each margin; the margins take turns on each file."""
    encoder = Encoder(find_model(None))
    settings = encoder.model.image
    enough = settings.resize_size

    def decode(source: Path | BytesIO, margin: float) -> tuple[int, Pixels]:
        with mock.patch.object(decoding, "_DRAFT_MARGIN", margin):
            image = load_image(source, settings.background, enough=None if margin == FULL else enough)
        return min(image.size), prepare(image, settings)

    def key(pixels: Pixels) -> Keys:
        return hash_key(encoder._image_tower(pixels), encoder.image_centre)

    decode(files[0], FULL)
    changed: dict[float, list[int]] = {margin: [] for margin in MARGINS}
    seconds: dict[float, list[float]] = {margin: [] for margin in (FULL, *MARGINS)}
    sizes, saved_again = [], []
    for file in files:
        full = key(decode(file, FULL)[1])
        saved_again.append(_bits(full, key(decode(_save_again(file), FULL)[1])))
        for margin in seconds:
            begin = time.thread_time()
            short, pixels = decode(file, margin)
            seconds[margin].append(time.thread_time() - begin)
            if margin == FULL:
                sizes.append(short)
            elif short < sizes[-1]:
                changed[margin].append(_bits(full, key(pixels)))
    print(f"{len(files)} images, {title}; short side {min(sizes)} to {max(sizes)}, {settings.resize_size} needed:\n")
    whole = sum(seconds[FULL])
    rows = [[f"{margin:g}", *_spread(changed[margin]), f"{sum(seconds[margin]) / whole:.2f}"] for margin in MARGINS]
    header = ["margin", "decoded lower", "bits changed in those, mean", "95 %", "most", "time of decoding, of full"]
    show_table(header, [*rows, ["saved again, decoded in full", *_spread(saved_again), ""]])


def _save_again(file: Path) -> BytesIO:
    stream = BytesIO()
    with Image.open(file) as image:
        image.save(stream, "JPEG", quality=_QUALITY)
    return stream


def _short_side(file: Path) -> int:
    with Image.open(file) as image:
        return min(image.size)


def _open(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def _bits(one: Keys, other: Keys) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def _spread(bits: list[int]) -> list[object]:
    if not bits:
        return [0, "", "", ""]
    return [len(bits), f"{np.mean(bits):.1f}", f"{np.percentile(bits, 95):.0f}", max(bits)]


if __name__ == "__main__":
    main()
