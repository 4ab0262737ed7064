"""What the precision of a model costs and gives, and how clipdex compares with other ways to run CLIP ViT-B/32.

The weights are random, which takes the same time as trained ones; the bits that a precision changes are also
measured on the bundled model, whose weights are trained. Needs ``clipdex[convert,quantize]``, onnx and onnxruntime.

Three parts: images a second from JPEG file to hash key, against ONNX Runtime and PyTorch; bits and hits that change
with the precision; and a whole process that answers a text query on an index of 100,000 items.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from build_rate import make_photos, time_build
from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.encoder.devices import CPU, precisions
from clipdex.encoder.model import Model
from clipdex.encoder.towers import ImageTower, Way
from clipdex.media.decoding import load_image
from clipdex.models.adding import Choices, add_model
from common import Keys, random_keys, show_bar, show_command, show_table

VARIANTS = {"plain": "none", "int8": "int8", "int8-full": "int8-full"}
# Those of these precisions that the processor has of its own.
WAYS = [(name, precision) for name in VARIANTS for precision in ("f32", "bf16") if precision in precisions(CPU)]
ONE_BY_ONE, BATCHED = 4.0, 1.3
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
WORDS = ["dog", "a red car in the snow", "two people at a table", "tree", "castle", "train", "blue", "a cup of coffee"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos (default: made from examples/photos)")
    parser.add_argument("--count", type=int, default=300, help="photos to make without --images (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", default=["rate", "bits", "query"], choices=["rate", "bits", "query"])
    arguments = parser.parse_args()
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        folder = Path(scratch)
        os.environ["CLIPDEX_HOME"] = str(folder / "home")
        images = arguments.images
        if images is None:
            images = folder / "photos"
            make_photos(images, arguments.count)
        make_models(folder)
        if "rate" in arguments.parts:
            rates(folder, images, arguments.repeats)
        if "bits" in arguments.parts:
            bits(images)
        if "query" in arguments.parts:
            query(folder)


def make_models(folder: Path) -> None:
    """Install a CLIP ViT-B/32 with random weights in three forms, and export its image tower to ONNX."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    source = folder / "vit-b-32"
    CLIPModel(CLIPConfig()).eval().save_pretrained(source)
    words = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz.,")]
    names = {word: number for number, word in enumerate([*words, "<unk>"])} | {"<|s|>": 49406, "<|e|>": 49407}
    tokenizer = Tokenizer(models.BPE(names, [], end_of_word_suffix="</w>", unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("<|e|>", 49407), ("<|s|>", 49406))
    tokenizer.save(str(source / "tokenizer.json"))
    settings = '{"image_processor_type": "CLIPImageProcessor", "size": 224, "crop_size": 224}'
    (source / "preprocessor_config.json").write_text(settings)
    for name, how in VARIANTS.items():
        add_model(source, name=name, choices=Choices(quantize=how))
    tower = CLIPVisionModelWithProjection.from_pretrained(source).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            (torch.rand(2, 3, 224, 224),),
            folder / "image.onnx",
            input_names=["pixel_values"],
            output_names=["image_embeds"],
            dynamic_axes={"pixel_values": {0: "n"}},
            dynamo=False,
        )


def pixels_of(path: Path) -> np.ndarray:
    """Decode and prepare a photo as scripts around CLIP do: float32 ``[3, 224, 224]``."""
    with Image.open(path) as photo:
        image = photo.convert("RGB")
    scale = 224 / min(image.size)
    width, height = (max(224, int(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - 224) // 2, (height - 224) // 2
    values = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
    return ((values - MEAN) / STD).transpose(2, 0, 1)


def rates(folder: Path, images: Path, repeats: int) -> None:
    """Compare the ways from JPEG files to hash keys."""
    import onnxruntime
    import torch
    from transformers import CLIPVisionModelWithProjection

    files = sorted(images.rglob("*.jpg"))
    session = onnxruntime.InferenceSession(folder / "image.onnx", providers=["CPUExecutionProvider"])
    tower = CLIPVisionModelWithProjection.from_pretrained(folder / "vit-b-32").eval()
    some = files[: max(20, len(files) // 4)]

    def with_onnx(batch: Sequence[np.ndarray]) -> Keys:
        return np.packbits(session.run(["image_embeds"], {"pixel_values": np.stack(batch)})[0] > 0, axis=1)

    def with_torch(pixels: np.ndarray) -> Keys:
        with torch.no_grad():
            return np.packbits(tower(torch.from_numpy(pixels[None])).image_embeds.numpy() > 0, axis=1)

    def one_by_one(embed: Callable[[np.ndarray], Keys]) -> float:
        begin = time.perf_counter()
        for path in some:
            embed(pixels_of(path))
        return len(some) / (time.perf_counter() - begin)

    def batched(size: int) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            pending: list[np.ndarray] = []
            for pixels in pool.map(pixels_of, some):
                pending.append(pixels)
                if len(pending) == size:
                    with_onnx(pending)
                    pending = []
            if pending:
                with_onnx(pending)
        return len(some) / (time.perf_counter() - begin)

    best = max((1, 4, 8, 16, 32), key=batched)
    ways: dict[str, Callable[[], float]] = {
        f"clipdex build, {name}, {precision}": _build(images, folder, name, precision) for name, precision in WAYS
    }
    ways["(a) ONNX Runtime, one at a time"] = lambda: one_by_one(lambda pixels: with_onnx([pixels]))
    ways["(b) PyTorch, one at a time"] = lambda: one_by_one(with_torch)
    ways[f"(c) ONNX Runtime, {best} at a time, decoding ahead"] = lambda: batched(best)
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            measured[name].append(way())
    others = list(ways)[-3:]

    def ratio(name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(measured[name], measured[other], strict=True))

    print(f"{len(files):,} photos, from file to hash key:\n")
    rows = [
        [name, f"{statistics.median(values):.1f}", *(f"{ratio(name, other):.2f}" for other in others)]
        for name, values in measured.items()
    ]
    show_table(["way", "images/s, median", "of (a)", "of (b)", "of (c)"], rows)
    for name, precision in WAYS:
        mine = f"clipdex build, {name}, {precision}"
        for other, bar in zip(others, (ONE_BY_ONE, ONE_BY_ONE, BATCHED), strict=True):
            show_bar(f"{mine}, of {other[:3]}", ratio(mine, other), bar, at_most=False)


def _build(images: Path, folder: Path, name: str, precision: str) -> Callable[[], float]:
    return lambda: time_build(images, folder / "index", model=name, precision=precision)[1]


def bits(images: Path) -> None:
    """Compare the hash keys and the hits of each precision with those of f32."""
    files = sorted(images.rglob("*.jpg"))
    photos = [load_image(path) for path in files]
    exact = _keys(find_model("plain"), "f32", photos)
    texts = _text_keys(find_model("plain"), "f32")
    rows = []
    for name, precision in WAYS[1:]:
        model = find_model(name)
        keys = _keys(model, precision, photos)
        rows.append([f"ViT-B/32, random weights: {name}, {precision}", *_compared(exact, keys)])
        changed = np.bitwise_count(texts ^ _text_keys(model, precision)).sum(axis=1) / (8 * texts.shape[1])
        rows[-1].append(f"{changed.mean():.2%}")
    starter = find_model(None)
    exact = _keys(starter, "f32", photos)
    others = sorted({precision for _, precision in WAYS} - {"f32"})
    rows += [
        [f"starter, trained weights: {precision}", *_compared(exact, _keys(starter, precision, photos)), ""]
        for precision in others
    ]
    print(f"{len(files):,} photos, against f32 of the same model:\n")
    header = ["model and precision", "bits changed, mean", "95 %", "most", "same first hit", "top 10 in common"]
    show_table([*header, "bits of texts changed"], rows)


def _keys(model: Model, precision: str, photos: Sequence[Image.Image]) -> Keys:
    # Not through Encoder, which refuses the bundled model in bf16.
    tower = ImageTower(
        model.folder / "image.xml",
        model.image.size,
        model.embedding_size,
        Way("CPU", precision),
        batch=model.image.batch,
    )
    found = tower.embed_all((None, prepare(photo, model.image)) for photo in photos)
    return hash_key(np.stack([embedding for _, embedding in found]), model.centre("image"))


def _text_keys(model: Model, precision: str) -> Keys:
    encoder = Encoder(model, precision=precision)
    return np.stack([encoder.text_key(text).key for text in WORDS])


def _compared(exact: Keys, other: Keys) -> list[str]:
    """Compare bits, and the hits of each photo among the others, both hashed in the same way."""
    changed = np.bitwise_count(exact ^ other).sum(axis=1) / (8 * exact.shape[1])
    first, common = [], []
    for number in range(len(exact)):
        orders = []
        for keys in (exact, other):
            distances = np.bitwise_count(keys ^ keys[number]).sum(axis=1).astype(int)
            distances[number] = 1 << 20
            orders.append(np.argsort(distances, kind="stable")[:10])
        first.append(orders[0][0] == orders[1][0])
        common.append(len(set(orders[0]) & set(orders[1])) / 10)
    shares = [changed.mean(), np.quantile(changed, 0.95), changed.max()]
    return [*(f"{share:.2%}" for share in shares), f"{np.mean(first):.0%}", f"{np.mean(common):.0%}"]


def query(folder: Path, items: int = 100_000, runs: int = 12) -> None:
    """Time whole processes that answer a text query, and say where the time goes."""
    from clipdex.version import WRITER
    from clipdex_indexes import IndexWriter
    from common import made_up_rows

    rows: list[list[Any]] = []
    for precision in ("f32", "bf16"):
        root = folder / f"data-{precision}"
        root.mkdir()
        with IndexWriter(root / ".clipdex", fresh=True) as writer:
            writer.start(Encoder(find_model("plain"), precision=precision).stamp, "folder", WRITER)
            writer.add(made_up_rows(random_keys(items)))
            writer.commit()
        command = [sys.executable, "-m", "clipdex_cli", "query", str(root), "--text", "dog", "--output", "json"]
        seconds = []
        for _ in range(runs):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
        rows.append([precision, f"{1000 * seconds[0]:.0f}", f"{1000 * statistics.median(seconds[1:]):.0f}"])
    print(f"Text query on {items:,} items, whole process:\n")
    show_table(["precision", "first of all, ms", "later, median ms"], rows)
    stages(folder / "data-bf16")


def stages(root: Path) -> None:
    """Print where the time of a text query goes, from a process that notes the time at each step."""
    code = """
import sys, time
last = time.perf_counter()
def note(name):
    global last
    now = time.perf_counter()
    print(f"{name}|{1000 * (now - last):.1f}")
    last = now
import numpy; note("import numpy")
import faiss; note("import faiss")
from clipdex import Explorer; note("import clipdex")
explorer = Explorer(sys.argv[1]); note("open the index")
import openvino; note("import openvino")
encoder = explorer._encoder
encoder._text_preparation; note("check the note, load the tokenizer")
encoder._text_tower; note("check the note, load the compiled tower")
encoder.text_key("dog"); note("embed the text")
explorer.explore_topk("dog"); note("embed it again, search")
maps = open("/proc/self/maps").read()
print(f"image tower opened|{'yes' if 'image.bin' in maps or 'image tower' in encoder._loaded else 'no'}")
"""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    found: dict[str, list[str]] = {}
    for _ in range(7):
        done = subprocess.run(
            [sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True, env=environment
        )
        for line in done.stdout.splitlines():
            name, _, value = line.partition("|")
            found.setdefault(name, []).append(value)
    rows = [
        [name, values[0] if not values[0][0].isdigit() else f"{statistics.median(map(float, values)):.0f}"]
        for name, values in found.items()
    ]
    show_table(["stage", "median ms"], rows)


if __name__ == "__main__":
    main()
