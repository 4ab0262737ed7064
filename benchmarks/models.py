"""What the precision of a model costs and gives, and how clipdex compares with other ways to run CLIP ViT-B/32.

The weights are random, which takes the same time as trained ones; the bits that a precision changes are also
measured on the bundled model, whose weights are trained. Needs ``clipdex[convert,quantize]``, onnx and onnxruntime; the
parts that need what is not installed are left out, and named.

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from build_rate import make_photos, time_build
from clipdex.encoder import Encoder, find_model, hash_key, prepare
from clipdex.encoder.devices import CPU, precisions
from clipdex.encoder.model import Model
from clipdex.encoder.towers import ImageTower, Way
from clipdex.media.decoding import load_image
from clipdex.models.adding import Choices, add_model
from common import Keys, installed, parse, random_keys, show_bar, show_command, show_table

Ways = list[tuple[str, str]]

PRECISIONS = ("f32", "bf16")
# What --quantize is, by the name of the model.
VARIANTS = {"plain": "none", "int8": "int8", "int8-full": "int8-full"}
BARS = {"(a)": 4.0, "(b)": 4.0, "(c)": 1.3}
# Of both towers.
TINY_SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 2, "num_hidden_layers": 1}
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
WORDS = ["dog", "a red car in the snow", "two people at a table", "tree", "castle", "train", "blue", "a cup of coffee"]


@dataclass(frozen=True)
class Recipe:
    """Which models are made: their names, how they hash, and the settings of towers that differ from ViT-B/32."""

    variants: tuple[str, ...] = tuple(VARIANTS)
    hashing: str = "centred"
    sizes: dict[str, int] = field(default_factory=dict)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, metavar="DIR", help="photos (default: made from examples/photos)")
    parser.add_argument("--count", type=int, default=300, help="photos to make without --images (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", default=["rate", "bits", "query"], choices=["rate", "bits", "query"])
    parser.set_defaults(recipe=Recipe(), items=100_000, processes=12)
    tiny = Recipe(("plain", "int8-full"), "sign", TINY_SIZES)
    arguments = parse(parser, count=4, repeats=1, recipe=tiny, items=100, processes=1)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        folder = Path(scratch)
        images = arguments.images
        if images is None:
            images = folder / "photos"
            make_photos(images, arguments.count)
        with mock.patch.dict(os.environ, CLIPDEX_HOME=str(folder / "home")):
            ways: Ways = []
            if installed("torch", "transformers", "safetensors"):
                ways = make_models(folder, arguments.recipe)
            if "rate" in arguments.parts and ways:
                rates(folder, images, ways, arguments.repeats)
            if "bits" in arguments.parts:
                bits(images, ways)
            if "query" in arguments.parts and ways:
                query(folder, arguments.items, arguments.processes)


def make_models(folder: Path, recipe: Recipe) -> Ways:
    """Install a CLIP ViT-B/32 with random weights: in several forms, or in one where NNCF is not installed.

    Parameters
    ----------
    folder
        Where the weights are put, as ``vit-b-32``.
    recipe
        What is made of them.

    Returns
    -------
    list
        Names of models, each with the precisions that the processor has of its own.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    source = folder / "vit-b-32"
    CLIPModel(CLIPConfig(text_config=recipe.sizes, vision_config=recipe.sizes)).eval().save_pretrained(source)
    words = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz.,")]
    names = {word: number for number, word in enumerate([*words, "<unk>"])} | {"<|s|>": 49406, "<|e|>": 49407}
    tokenizer = Tokenizer(models.BPE(names, [], end_of_word_suffix="</w>", unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("<|e|>", 49407), ("<|s|>", 49406))
    tokenizer.save(str(source / "tokenizer.json"))
    settings = '{"image_processor_type": "CLIPImageProcessor", "size": 224, "crop_size": 224}'
    (source / "preprocessor_config.json").write_text(settings)
    names = recipe.variants if installed("nncf") else ("plain",)
    for name in names:
        add_model(source, name=name, choices=Choices(recipe.hashing, quantize=VARIANTS[name]))
    return [(name, precision) for name in names for precision in PRECISIONS if precision in precisions(CPU)]


def export_onnx(tower: Any, path: Path) -> None:  # noqa: ANN401
    """Export an image tower to ONNX."""
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            (torch.rand(2, 3, 224, 224),),
            path,
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


def rates(folder: Path, images: Path, ways: Ways, repeats: int) -> None:
    """Compare the ways from JPEG files to hash keys."""
    files = sorted(images.rglob("*.jpg"))
    calls: dict[str, Callable[[], float]] = {
        f"clipdex build, {name}, {precision}": _build(images, folder, name, precision) for name, precision in ways
    }
    others = other_ways(folder, files[: max(20, len(files) // 4)])
    measured: dict[str, list[float]] = {name: [] for name in (*calls, *others)}
    for _ in range(repeats):
        for name, call in (calls | others).items():
            measured[name].append(call())

    def ratio(name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(measured[name], measured[other], strict=True))

    print(f"{len(files):,} photos, from file to hash key:\n")
    rows = [
        [name, f"{statistics.median(values):.1f}", *(f"{ratio(name, other):.2f}" for other in others)]
        for name, values in measured.items()
    ]
    show_table(["way", "images/s, median", *(f"of {other[:3]}" for other in others)], rows)
    for name in calls:
        for other in others:
            show_bar(f"{name}, of {other[:3]}", ratio(name, other), BARS[other[:3]], at_most=False)


def other_ways(folder: Path, files: Sequence[Path]) -> dict[str, Callable[[], float]]:
    """Return the other ways from JPEG files to hash keys, by name: each gives its images a second."""
    import torch
    from transformers import CLIPVisionModelWithProjection

    tower = CLIPVisionModelWithProjection.from_pretrained(folder / "vit-b-32").eval()

    def with_torch(pixels: np.ndarray) -> Keys:
        with torch.no_grad():
            return np.packbits(tower(torch.from_numpy(pixels[None])).image_embeds.numpy() > 0, axis=1)

    def one_by_one(embed: Callable[[np.ndarray], Keys]) -> float:
        begin = time.perf_counter()
        for path in files:
            embed(pixels_of(path))
        return len(files) / (time.perf_counter() - begin)

    torch_alone = {"(b) PyTorch, one at a time": lambda: one_by_one(with_torch)}
    if not installed("onnx", "onnxruntime"):
        return torch_alone
    import onnxruntime

    export_onnx(tower, folder / "image.onnx")
    session = onnxruntime.InferenceSession(folder / "image.onnx", providers=["CPUExecutionProvider"])

    def with_onnx(batch: Sequence[np.ndarray]) -> Keys:
        return np.packbits(session.run(["image_embeds"], {"pixel_values": np.stack(batch)})[0] > 0, axis=1)

    def batched(size: int) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            pending: list[np.ndarray] = []
            for pixels in pool.map(pixels_of, files):
                pending.append(pixels)
                if len(pending) == size:
                    with_onnx(pending)
                    pending = []
            if pending:
                with_onnx(pending)
        return len(files) / (time.perf_counter() - begin)

    best = max((1, 4, 8, 16, 32), key=batched)
    return {
        "(a) ONNX Runtime, one at a time": lambda: one_by_one(lambda pixels: with_onnx([pixels])),
        **torch_alone,
        f"(c) ONNX Runtime, {best} at a time, decoding ahead": lambda: batched(best),
    }


def _build(images: Path, folder: Path, name: str, precision: str) -> Callable[[], float]:
    return lambda: time_build(images, folder / "index", model=name, precision=precision).rate


def bits(images: Path, ways: Ways) -> None:
    """Compare the hash keys and the hits of each precision with those of f32."""
    files = sorted(images.rglob("*.jpg"))
    photos = [load_image(path) for path in files]
    rows = []
    if ways:
        exact = _keys(find_model("plain"), "f32", photos)
        texts = _text_keys(find_model("plain"), "f32")
    for name, precision in ways[1:]:
        model = find_model(name)
        keys = _keys(model, precision, photos)
        rows.append([f"ViT-B/32, random weights: {name}, {precision}", *_compared(exact, keys)])
        changed = np.bitwise_count(texts ^ _text_keys(model, precision)).sum(axis=1) / (8 * texts.shape[1])
        rows[-1].append(f"{changed.mean():.2%}")
    starter = find_model(None)
    exact = _keys(starter, "f32", photos)
    rows += [
        [f"starter, trained weights: {precision}", *_compared(exact, _keys(starter, precision, photos)), ""]
        for precision in PRECISIONS
        if precision != "f32" and precision in precisions(CPU)
    ]
    if not rows:
        print("This processor has no other precision than f32.\n")
        return
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


def query(folder: Path, items: int, processes: int) -> None:
    """Time whole processes that answer a text query, and say where the time goes."""
    from clipdex.version import WRITER
    from clipdex_indexes import IndexWriter
    from common import made_up_rows

    rows: list[list[Any]] = []
    here = [precision for precision in PRECISIONS if precision in precisions(CPU)]
    for precision in here:
        root = folder / f"data-{precision}"
        root.mkdir()
        with IndexWriter(root / ".clipdex", fresh=True) as writer:
            writer.start(Encoder(find_model("plain"), precision=precision).stamp, "folder", WRITER)
            writer.add(made_up_rows(random_keys(items)))
            writer.commit()
        command = [sys.executable, "-m", "clipdex_cli", "query", str(root), "--text", "dog", "--output", "json"]
        seconds = []
        for _ in range(1 + processes):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
        rows.append([precision, f"{1000 * seconds[0]:.0f}", f"{1000 * statistics.median(seconds[1:]):.0f}"])
    print(f"Text query on {items:,} items, whole process:\n")
    show_table(["precision", "first of all, ms", "later, median ms"], rows)
    stages(folder / f"data-{here[-1]}", min(processes, 7))


def stages(root: Path, processes: int) -> None:
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
encoder = explorer._the_encoder()
encoder._text_preparation; note("check the note, load the tokenizer")
encoder._text_tower; note("check the note, load the compiled tower")
encoder.text_key("dog"); note("embed the text")
explorer.explore_topk("dog"); note("embed it again, search")
maps = open("/proc/self/maps").read()
print(f"image tower opened|{'yes' if 'image.bin' in maps or 'image tower' in encoder._loaded else 'no'}")
"""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    found: dict[str, list[str]] = {}
    for _ in range(processes):
        done = subprocess.run(
            [sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True, env=environment
        )
        for line in done.stdout.splitlines():
            name, _, value = line.partition("|")
            found.setdefault(name, []).append(value)
    opened = set(found.pop("image tower opened"))
    rows = [[name, f"{statistics.median(map(float, values)):.0f}"] for name, values in found.items()]
    show_table(["stage", "median ms"], rows)
    print(f"Is the image tower opened? {', '.join(opened)}.\n")


if __name__ == "__main__":
    main()
