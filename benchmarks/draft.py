"""What decoding JPEG at a lower resolution ("draft") costs in bits of the hash key, and gains in time, by margin.

A draft is taken at 1/2, 1/4 or 1/8 where that leaves ``margin`` times the short side that the model needs. Photos as
large as today's cameras make are rare among free examples, so two kinds are made of the photos there are: mosaics of
them side by side (more detail at the pixel level than a camera gives), and single photos enlarged, with noise as of a
sensor. Both are saved in the quality of a camera, 95. For each margin the hash keys are compared with those of a full
decode; the yardstick is the bits that change when the image is saved once more as JPEG, in quality 90.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.media.decoding import decode
from common import ROOT, Keys, parse, show_command, show_table

Pixels = npt.NDArray[np.uint8]
Margin = tuple[float, int]

# With the most by which the resolution is divided.
MARGINS = ((2.0, 8), (3.5, 8), (5.5, 8), (5.5, 2), (7.5, 2))
FULL = (float("inf"), 1)
_QUALITY = 95
_QUALITY_AGAIN = 90
_NOISE = 4  # standard deviation, of 255
_SMALLEST = 400


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos", type=Path, default=ROOT / "examples/photos", metavar="DIR", help="where from (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=20, help="images of each size (default: %(default)s)")
    parser.add_argument(
        "--tiles", type=int, nargs="+", default=[4, 8, 10, 14], metavar="N", help="mosaics of N x N photos"
    )
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[3000, 4000, 5720], metavar="N", help="enlarged to a short side of N"
    )
    arguments = parse(parser, count=1, tiles=[1, 3], sides=[600])
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        for tiles in arguments.tiles:
            files = make_mosaics(arguments.photos, Path(folder, str(tiles)), tiles, arguments.count)
            measure(files, f"{tiles} x {tiles} photos" if tiles > 1 else "the photos themselves")
        for side in arguments.sides:
            files = enlarge(arguments.photos, Path(folder, f"enlarged {side}"), side, arguments.count)
            measure(files, "enlarged photos with noise")


def make_mosaics(photos: Path, folder: Path, tiles: int, count: int) -> list[Path]:
    """Write ``count`` JPEG mosaics of ``tiles`` x ``tiles`` photos, each photo in its own resolution."""
    sources = _sources(photos)
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


def enlarge(photos: Path, folder: Path, side: int, count: int) -> list[Path]:
    """Write up to ``count`` photos as JPEG, enlarged to a short side of ``side`` pixels, with noise."""
    folder.mkdir()
    chance = np.random.default_rng(side)
    written = []
    for number, source in enumerate(_sources(photos)[:count]):
        photo = _open(source)
        scale = side / min(photo.size)
        size = max(side, round(photo.width * scale)), max(side, round(photo.height * scale))
        pixels = np.asarray(photo.resize(size, Image.Resampling.BICUBIC)).copy()
        for rows in np.array_split(pixels, 16):  # views, which take less memory than the whole
            noise = chance.normal(0, _NOISE, (*rows.shape[:2], 1))
            rows[:] = np.clip(rows + noise, 0, 255).astype(np.uint8)
        written.append(folder / f"{number:04}.jpg")
        Image.fromarray(pixels).save(written[-1], quality=_QUALITY)
    return written


def measure(files: Sequence[Path], title: str) -> None:
    """Print bits changed, and time to decode and prepare, at each margin; the margins take turns on each file."""
    encoder = Encoder(find_model(None))
    settings = encoder.model.image

    def pixels_of(source: Path | BytesIO, margin: Margin) -> tuple[int, Pixels]:
        enough = None if margin == FULL else math.ceil(margin[0] * settings.resize_size)
        decoded = decode(source, settings.background, enough=enough, divisor=margin[1])
        return min(decoded.image.size), prepare(decoded.image, settings, decoded.beyond)

    def key(pixels: Pixels) -> Keys:
        return hash_key(encoder._image_tower(pixels), encoder.image_centre)

    pixels_of(files[0], FULL)
    changed: dict[Margin, list[int]] = {margin: [] for margin in MARGINS}
    seconds: dict[Margin, list[float]] = {margin: [] for margin in (FULL, *MARGINS)}
    sizes, saved_again = [], []
    for file in files:
        full = key(pixels_of(file, FULL)[1])
        saved_again.append(_bits(full, key(pixels_of(_save_again(file), FULL)[1])))
        for margin in seconds:
            begin = time.thread_time()
            short, pixels = pixels_of(file, margin)
            seconds[margin].append(time.thread_time() - begin)
            if margin == FULL:
                sizes.append(short)
            elif short < sizes[-1]:
                changed[margin].append(_bits(full, key(pixels)))
    print(
        f"{len(files)} images, {title}; short side {min(sizes)} to {max(sizes)}, {settings.resize_size} needed;",
        end=" ",
    )
    whole = sum(seconds[FULL])
    print(f"{1000 * whole / len(files):.0f} ms of processor time to decode and prepare one in full:\n")
    rows = [
        [
            f"{margin[0]:g}" + (", at most halved" if margin[1] == 2 else ""),
            *_spread(changed[margin]),
            f"{sum(seconds[margin]) / whole:.2f}",
        ]
        for margin in MARGINS
    ]
    header = ["margin", "decoded lower", "bits changed in those, mean", "95 %", "most", "time, of full"]
    show_table(header, [*rows, ["saved again, decoded in full", *_spread(saved_again), ""]])


def _save_again(file: Path) -> BytesIO:
    stream = BytesIO()
    with Image.open(file) as image:
        image.save(stream, "JPEG", quality=_QUALITY_AGAIN)
    return stream


def _sources(photos: Path) -> list[Path]:
    return sorted(path for path in photos.rglob("*.jp*g") if _short_side(path) >= _SMALLEST)


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
