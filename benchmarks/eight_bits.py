"""What ``starter`` would gain and lose if its image tower computed in 8 bits, at three levels of a processor.

The tower is quantised as by ``clipdex model add --quantize int8-full``. For each level of instructions that oneDNN, and
with it OpenVINO, can be held to (``ONEDNN_MAX_CPU_ISA``), a process of its own times both towers in turn and makes the
hash keys of the images. P@10 is that of ``quality.py``, by Hamming distance.

    python benchmarks/eight_bits.py FOLDER...
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.encoder.devices import core
from clipdex.encoder.runtime import openvino as ov
from clipdex.encoder.towers import ImageTower, Way
from clipdex.media.decoding import load_image
from clipdex.models.conversion.centring import packaged_photos
from clipdex.models.conversion.quantizing import quantize_fully
from common import (
    ROOT,
    Keys,
    add_folders,
    class_folders,
    installed,
    interleaved,
    medians,
    parse,
    show_bar,
    show_command,
    show_table,
)
from quality import embed_classes, precision, signs

Pixels = npt.NDArray[np.uint8]

LEVELS = {"AVX2": "AVX2", "AVX-512": "AVX512_CORE", "AVX-512 VNNI": "AVX512_CORE_VNNI"}
FASTER = 1.7
LOSS = 0.01
EXACT, EIGHT = "f32", "int8-full"
_TIMED = 40  # images in a round


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--step", type=int, default=2, metavar="N", help="every Nth image (default: %(default)s)")
    parser.set_defaults(photos=None)
    arguments = parse(parser, repeats=1, step=15, photos=2)
    show_command()
    if not installed("nncf"):
        return
    model = find_model(None)
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch, class_folders(arguments.folders) as named:
        towers = {EXACT: model.folder / "image.xml", EIGHT: Path(scratch, "image.xml")}
        photos = packaged_photos()[: arguments.photos]
        ov.save_model(quantize_fully(core().read_model(str(towers[EXACT])), photos, model.image), towers[EIGHT])
        files = [sorted(path for path in folder.rglob("*.*g") if path.is_file())[:: arguments.step] for folder in named]
        pixels = Path(scratch, "pixels.npy")
        np.save(pixels, [prepare(load_image(path), model.image) for some in files for path in some])
        levels = {}
        for name, level in LEVELS.items():
            answer = Path(scratch, f"{level}.npz")
            environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": level, "PYTHONPATH": str(ROOT / "benchmarks")}
            code = "import sys, eight_bits; eight_bits.at_one_level(*sys.argv[1:])"
            command = [sys.executable, "-c", code, *map(str, (*towers.values(), pixels, answer, arguments.repeats))]
            subprocess.run(command, check=True, env=environment)
            with np.load(answer) as loaded:
                levels[name] = dict(loaded)
    report(levels)
    first = levels["AVX2"]
    quality(named, files, {name: first[name] for name in (EXACT, EIGHT)})


def at_one_level(exact: str, eight: str, pixels: str, answer: str, repeats: str) -> None:
    """Time both towers in turn, and hash all images with each; this runs in a process that is held to a level.

    Parameters
    ----------
    exact, eight
        The two towers.
    pixels
        File of the prepared images, uint8 ``[n, side, side, 3]``.
    answer
        Is written: the hash keys by tower, and ``milliseconds`` of processor time for an image.
    repeats
        Number of rounds.
    """
    model = find_model(None)
    images: Pixels = np.load(pixels)
    towers = {
        name: ImageTower(Path(path), model.image.size, model.embedding_size, Way(), batch=1)
        for name, path in ((EXACT, exact), (EIGHT, eight))
    }

    def keys(name: str, some: Pixels) -> Keys:
        found = [embedding for _, embedding in towers[name].embed_all((None, image) for image in some)]
        return hash_key(np.stack(found), model.centre("image"))

    timed = images[:_TIMED]
    busy: dict[str, list[float]] = {}
    interleaved({EXACT: lambda: keys(EXACT, timed), EIGHT: lambda: keys(EIGHT, timed)}, int(repeats), busy=busy)
    milliseconds = [1000 * value / len(timed) for value in medians(busy).values()]
    np.savez(answer, milliseconds=milliseconds, **{name: keys(name, images) for name in towers})


def report(levels: dict[str, dict[str, npt.NDArray[np.generic]]]) -> None:
    """Print the times and the bits that change, by level."""
    rows, ratios = [], []
    for name, found in levels.items():
        exact, eight = found["milliseconds"]
        ratios.append(float(exact / eight))
        changed = np.bitwise_count(found[EXACT] ^ found[EIGHT]).sum(axis=1)
        other = [int(np.bitwise_count(found[kind] ^ levels["AVX2"][kind]).sum()) for kind in (EXACT, EIGHT)]
        spread = f"{changed.mean():.1f}", f"{np.percentile(changed, 95):.0f}"
        rows.append([name, f"{exact:.1f}", f"{eight:.1f}", f"{ratios[-1]:.2f}", *spread, *other])
    header = ["level", f"{EXACT}, ms an image", f"{EIGHT}, ms", "times as fast", "bits changed, mean", "95 %"]
    others = [f"bits unlike those of AVX2, all images, {kind}" for kind in (EXACT, EIGHT)]
    print(f"{len(changed):,} images; processor time:\n")
    show_table([*header, *others], rows)
    show_bar(f"{EIGHT} at the slowest level, times as fast", min(ratios), FASTER, at_most=False)


def quality(folders: Sequence[Path], files: Sequence[Sequence[Path]], keys: dict[str, Keys]) -> None:
    """Print P@10 of both, over the first of the images of each folder."""
    encoder = Encoder(find_model(None))
    rows, losses, start = [], [], 0
    for folder, paths in zip(folders, files, strict=True):
        classes = np.array([path.parent.name for path in paths])
        names = sorted(set(classes))
        texts = signs(embed_classes(names, "a photo of a {}", encoder))
        end = start + len(paths)
        for way in ("text to image", "image to image"):
            scores = []
            for found in keys.values():
                stored = signs(np.unpackbits(found[start:end], axis=1).astype(np.float32) - 0.5)
                asked, wanted = (texts, np.array(names)) if way == "text to image" else (stored, classes)
                scores.append(precision(asked, stored, wanted, classes, same=asked is stored)[10])
            losses.append(1 - scores[1] / max(scores[0], 1e-9))
            rows.append([f"{folder.name}, {way}", *(f"{score:.3f}" for score in scores), f"{losses[-1]:.1%}"])
        start = end
    show_table(["P@10, Hamming", *keys, "loss"], rows)
    show_bar("greatest loss of P@10", max(losses), LOSS, at_most=True, unit="of 1")


if __name__ == "__main__":
    main()
