"""Dual encoders as others publish them, small and with random weights, and what their own libraries make of an input.

Nothing is downloaded. Weights are large enough that embeddings of different inputs differ well.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import importlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from clipdex.encoder.runtime import openvino as ov
from helpers_amounts import CLIP_LAYERS, CLIP_WORDS, LAYERS
from helpers_engine import skip_without

skip_without("torch", "transformers", "sentencepiece", "onnxruntime")


class _Late:
    """A library that is imported when something of it is used: that takes seconds, and few processes need it."""

    def __init__(self, name: str, start: Callable[[Any], None] = lambda library: None) -> None:
        self._name = name
        self._start = start

    @functools.cached_property
    def _library(self) -> Any:
        library = importlib.import_module(self._name)
        self._start(library)
        return library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


# The models are too small to gain from threads.
torch = _Late("torch", lambda library: library.set_num_threads(1))
transformers = _Late("transformers")
networks = _Late("helpers_networks")
sentencepiece = _Late("sentencepiece")

START, END = "<|startoftext|>", "<|endoftext|>"
TEXT = """a photo of the dog cat horse bird bridge at night mountain meadow astronaut with camera old sea sunset yellow
red blue flower kingfisher giraffe car train street people in front castle boats on water bicycle cup coffee it's don't
we're I'll they've é è ü ö ñ ç naïve café 日本 語 猫 κόσμος ς привет мир 12 2024 3rd small large two three"""
MOBILECLIP_PREPROCESSOR = {
    "crop_size": {"height": 256, "width": 256},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": False,
    "do_rescale": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_processor_type": "CLIPFeatureExtractor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 256},
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries that are compared with: their warnings are not ours."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(level)


def sentences(count: int = 3000) -> list[str]:
    chance = np.random.default_rng(0)
    words = TEXT.split()
    return [" ".join(chance.choice(words, size=chance.integers(3, 12))) for _ in range(count)]


@functools.cache
def clip_vocabulary() -> tuple[dict[str, int], list[str]]:
    """A small vocabulary in the order of CLIP's (bytes, bytes that end a word, merges, start, end), and its merges."""
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet(), key=lambda letter: (ord(letter) > 255, ord(letter)))
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=bytes_, end_of_word_suffix="</w>", show_progress=False
    )
    trained.train_from_iterator(sentences(), trainer)
    merges = [" ".join(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    # Merges that look like comments are in CLIP's own list, too.
    merges += [pair for pair in ("# #", "! !</w>", "' s</w>") if pair not in merges]
    entries = [*bytes_, *(byte + "</w>" for byte in bytes_), *(pair.replace(" ", "") for pair in merges), START, END]
    return {entry: number for number, entry in enumerate(entries)}, merges


def write_clip_vocabulary(folder: Path) -> None:
    """Write ``vocab.json`` and ``merges.txt``, as slow tokenizers had them."""
    vocabulary, merges = clip_vocabulary()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")


def write_openai_vocabulary(folder: Path) -> None:
    """Write the same vocabulary as OpenAI's own file."""
    folder.mkdir(parents=True, exist_ok=True)
    text = '"bpe_simple_vocab_16e6.txt#version: 0.2\n' + "\n".join(clip_vocabulary()[1]) + "\n"
    (folder / "bpe_simple_vocab_16e6.txt.gz").write_bytes(gzip.compress(text.encode()))


@functools.cache
def clip_tokenizer() -> transformers.CLIPTokenizer:
    """The tokenizer of transformers with the small vocabulary."""
    vocabulary, merges = clip_vocabulary()
    with quiet():
        return transformers.CLIPTokenizer(
            vocab=vocabulary, merges=[tuple(pair.split()) for pair in merges], model_max_length=77
        )


def write_clip_tokenizer(folder: Path) -> None:
    """Write all files that CLIP is published with: the two of the vocabulary, ``tokenizer.json`` and its settings."""
    with quiet():
        clip_tokenizer().save_pretrained(folder)
    write_clip_vocabulary(folder)


@functools.cache
def sentencepiece_model() -> bytes:
    """A small vocabulary of the kind of SigLIP's: 0 is padding, 1 the end, 2 unknown."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text.lower() for text in sentences()]),
        model_writer=model,
        vocab_size=300,
        hard_vocab_limit=False,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def siglip_tokenizer(folder: Path) -> transformers.SiglipTokenizer:
    """The tokenizer of transformers with the vocabulary that is in ``folder``."""
    with quiet():
        return transformers.SiglipTokenizer(str(folder / "spiece.model"), model_max_length=64)


def write_siglip_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(sentencepiece_model())
    with quiet():
        siglip_tokenizer(folder).save_pretrained(folder)


@dataclass(frozen=True)
class ClipShape:
    """How large the parts of a CLIP are; the text tower is like the image tower where nothing is said of it.

    ``words`` makes the vocabulary larger than that of the tokenizer.
    """

    layers: int = LAYERS.now
    hidden: int = 64
    heads: int = 4
    projection: int = 64
    image_size: int = 224
    patch: int = 32
    text_hidden: int | None = None
    text_heads: int | None = None
    words: int | None = None


# A ViT-B/32, in its full size where all layers and words are asked for.
BASE = ClipShape(CLIP_LAYERS.now, 768, 12, projection=512, text_hidden=512, text_heads=8, words=CLIP_WORDS.now)


def clip_folder(root: Path, shape: ClipShape = ClipShape(), *, seed: int = 0, **changes: int) -> Path:
    """A CLIP as transformers saves it: safetensors, configuration, image processor and tokenizer.

    ``changes`` are of the shape.
    """
    shape = replace(shape, **changes)
    vocabulary, _ = clip_vocabulary()
    text_hidden = shape.text_hidden or shape.hidden
    config = _config(
        transformers.CLIPConfig,
        projection_dim=shape.projection,
        vision_config={
            "hidden_size": shape.hidden,
            "intermediate_size": 4 * shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "image_size": shape.image_size,
            "patch_size": shape.patch,
            "projection_dim": shape.projection,
        },
        text_config={
            "vocab_size": shape.words or len(vocabulary),
            "hidden_size": text_hidden,
            "intermediate_size": 4 * text_hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.text_heads or shape.heads,
            "projection_dim": shape.projection,
            "bos_token_id": vocabulary[START],
            "eos_token_id": vocabulary[END],
            "pad_token_id": vocabulary[END],
        },
    )
    _save(root, transformers.CLIPModel, config, seed)
    with quiet():
        transformers.CLIPImageProcessorPil(
            size={"shortest_edge": shape.image_size}, crop_size={"height": shape.image_size, "width": shape.image_size}
        ).save_pretrained(root)
    _as_published(root / "preprocessor_config.json")
    write_clip_tokenizer(root)
    return root


def siglip_folder(
    root: Path,
    *,
    layers: int = LAYERS.now,
    hidden: int = 64,
    heads: int = 4,
    image_size: int = 224,
    patch: int = 32,
    seed: int = 0,
) -> Path:
    """A SigLIP as transformers saves it."""
    write_siglip_tokenizer(root)
    size = siglip_tokenizer(root).vocab_size
    sides = {"hidden_size": hidden, "intermediate_size": 4 * hidden, "num_hidden_layers": layers}
    config = _config(
        transformers.SiglipConfig,
        vision_config={**sides, "num_attention_heads": heads, "image_size": image_size, "patch_size": patch},
        text_config={**sides, "num_attention_heads": heads, "vocab_size": size},
    )
    _save(root, transformers.SiglipModel, config, seed)
    with quiet():
        transformers.SiglipImageProcessorPil(size={"height": image_size, "width": image_size}).save_pretrained(root)
    _as_published(root / "preprocessor_config.json")
    return root


def _config(kind: Any, **settings: Any) -> Any:
    # It would warn of small vocabularies.
    with quiet():
        return kind(**settings)


def _as_published(path: Path) -> None:
    """Name the class that published folders name: the one with Pil in its name is there for want of torchvision."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("ImageProcessorPil", "ImageProcessor"), encoding="utf-8")


def _save(root: Path, kind: Any, config: Any, seed: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config)
        _enlarge(model)
        model.save_pretrained(root)


def _enlarge(model: torch.nn.Module) -> None:
    """Give matrices weights that let the input through: tokens count for more than positions, attention is sharp."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "logit" in name:
                continue
            if parameter.dim() < 2:
                if name.endswith("bias"):
                    parameter.normal_(std=0.02)
            elif "position" in name:
                parameter.normal_(std=0.3)
            elif "token" in name:
                parameter.normal_(std=2.0)
            else:
                sharp = 3.0 if any(part in name for part in ("q_proj", "queries")) else 1.5
                parameter.normal_(std=sharp / parameter[0].numel() ** 0.5)


@functools.lru_cache(maxsize=4)
def _model(folder: Path) -> Any:
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    with quiet():
        model = {"clip": transformers.CLIPModel, "siglip": transformers.SiglipModel}[kind].from_pretrained(
            folder, attn_implementation="eager"
        )
    return model.eval()


@functools.lru_cache(maxsize=8)
def image_processor(folder: Path) -> Any:
    """The image processor of transformers that the folder names; the one with Pillow, as torchvision is not there."""
    settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    kind = (
        transformers.SiglipImageProcessorPil
        if "Siglip" in settings["image_processor_type"]
        else transformers.CLIPImageProcessorPil
    )
    with quiet():
        return kind.from_pretrained(folder)


def reference_pixels(folder: Path, image: Image.Image) -> np.ndarray:
    """What the image processor of ``folder`` makes of an image: float32 ``[3, size, size]``."""
    with quiet():
        return np.asarray(image_processor(folder)(image, return_tensors="np")["pixel_values"][0], np.float32)


def embed_pixels(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """The embedding of prepared pixels, float32 ``[3, size, size]``, by PyTorch, not normalised."""
    if not (folder / "model.safetensors").exists():
        return run_onnx(folder / "onnx" / "vision_model.onnx", {"pixel_values": pixels[None]}, "image_embeds")
    with torch.no_grad(), quiet():
        return _image_features(_model(folder), torch.from_numpy(pixels[None]))[0].numpy()


def reference_image_embedding(folder: Path, image: Image.Image) -> np.ndarray:
    """The embedding of an image by the libraries of the model alone, not normalised."""
    return embed_pixels(folder, reference_pixels(folder, image))


def reference_tokens(folder: Path, text: str) -> list[int]:
    """The tokens of a text by transformers, filled up to the full length where the model wants that."""
    if (folder / "spiece.model").exists():
        return siglip_tokenizer(folder)(text, padding="max_length", truncation=True, max_length=64).input_ids
    tokens = clip_tokenizer()(text, truncation=True, max_length=77).input_ids
    # MobileCLIP's own code fills with zeros.
    return tokens if (folder / "model.safetensors").exists() else tokens + [0] * (77 - len(tokens))


def reference_text_embedding(folder: Path, text: str) -> np.ndarray:
    """The embedding of a text by the libraries of the model alone, not normalised."""
    tokens = np.array([reference_tokens(folder, text)], np.int64)
    if not (folder / "model.safetensors").exists():
        return run_onnx(folder / "onnx" / "text_model.onnx", {"input_ids": tokens}, "text_embeds")
    return text_features(folder, tokens)


def text_features(folder: Path, tokens: np.ndarray) -> np.ndarray:
    """The embedding of tokens, int64 ``[1, n]``, by PyTorch, not normalised."""
    with torch.no_grad(), quiet():
        return _text_features(_model(folder), torch.from_numpy(tokens))[0].numpy()


def _image_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return model.visual_projection(pooled) if hasattr(model, "visual_projection") else pooled


def _text_features(model: Any, ids: torch.Tensor) -> torch.Tensor:
    pooled = model.text_model(input_ids=ids).pooler_output
    return model.text_projection(pooled) if hasattr(model, "text_projection") else pooled


def run_onnx(path: Path, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
    """One output of an ONNX file for inputs of a batch of one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run([output], inputs)[0][0]


def export_onnx(folder: Path, *, attention_mask: bool = False, combined: bool = False) -> Path:
    """Add ``onnx/vision_model.onnx`` and ``onnx/text_model.onnx``, with inputs and outputs named as Xenova's are.

    With ``combined``, ``onnx/model.onnx`` is added, too, which takes both inputs and gives both embeddings. With
    ``attention_mask``, the text tower of CLIP takes one, too; SigLIP's never does.
    """
    model = _model(folder)
    clip = isinstance(model, transformers.CLIPModel)
    size = model.config.vision_config.image_size
    pixels, ids = torch.rand(2, 3, size, size), torch.randint(3, 100, (2, 64))
    mask = torch.ones_like(ids)
    image_names = ["image_embeds", "last_hidden_state"] if clip else ["last_hidden_state", "pooler_output"]
    text_names = ["text_embeds", "last_hidden_state"] if clip else ["last_hidden_state", "pooler_output"]

    def image(model: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = model.vision_model(pixel_values=pixels)
        if clip:
            return model.visual_projection(out.pooler_output), out.last_hidden_state
        return out.last_hidden_state, out.pooler_output

    def text(model: Any, ids: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        out = model.text_model(input_ids=ids, attention_mask=mask)
        if clip:
            return model.text_projection(out.pooler_output), out.last_hidden_state
        return out.last_hidden_state, out.pooler_output

    def both(model: Any, ids: torch.Tensor, pixels: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
        out = model(input_ids=ids, pixel_values=pixels, attention_mask=mask)
        return out.logits_per_image, out.logits_per_text, out.text_embeds, out.image_embeds

    masked = clip and attention_mask
    _export(
        networks.Tower(model, image), (pixels,), ["pixel_values"], image_names, folder / "onnx" / "vision_model.onnx"
    )
    inputs, names = ((ids, mask), ["input_ids", "attention_mask"]) if masked else ((ids,), ["input_ids"])
    _export(networks.Tower(model, text), inputs, names, text_names, folder / "onnx" / "text_model.onnx")
    if combined:
        inputs, names = (ids, pixels), ["input_ids", "pixel_values"]
        if clip:
            inputs, names = (*inputs, mask), [*names, "attention_mask"]
        outputs = ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
        _export(networks.Tower(model, both), inputs, names, outputs, folder / "onnx" / "model.onnx")
    return folder


_AXES = {
    "pixel_values": {0: "batch_size"},
    "input_ids": {0: "batch_size", 1: "sequence_length"},
    "attention_mask": {0: "batch_size", 1: "sequence_length"},
}


def _export(
    tower: torch.nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], outputs: list[str], path: Path
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = {name: axes for name, axes in _AXES.items() if name in names}
    with quiet(), torch.no_grad():
        torch.onnx.export(
            tower.eval(),
            inputs,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes={**axes, **{name: {0: "batch_size"} for name in outputs}},
            opset_version=17,
            dynamo=False,
        )


def mobileclip_folder(root: Path, *, size: int = 64, causal: bool = False, says: str = "apple", seed: int = 0) -> Path:
    """A MobileCLIP as ONNX alone: 256 pixels that are not normalised, and texts filled up with zeros.

    ``says`` is whose configuration it has: ``apple`` (with ``causal_masking``), ``open_clip``, or ``xenova``, which
    says nothing of the text tower.
    """
    vocabulary, _ = clip_vocabulary()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        image, text = (
            networks.ConvolutionalImage(size),
            networks.TextAtAllPositions(len(vocabulary), size, causal=causal),
        )
        for tower in (image, text):
            _enlarge(tower)
    onnx = root / "onnx"
    _export(image, (torch.rand(2, 3, 256, 256),), ["pixel_values"], ["image_embeds"], onnx / "vision_model.onnx")
    _export(text, (torch.randint(3, 100, (2, 64)),), ["input_ids"], ["text_embeds"], onnx / "text_model.onnx")
    (root / "preprocessor_config.json").write_text(json.dumps(MOBILECLIP_PREPROCESSOR), encoding="utf-8")
    text_cfg = {"context_length": 77, "vocab_size": len(vocabulary)}
    apple = {"embed_dim": size, "text_cfg": {**text_cfg, "causal_masking": causal, "model_name": "base"}}
    open_clip = {"model_cfg": {"embed_dim": size, "text_cfg": {**text_cfg, "no_causal_mask": not causal}}}
    name, config = {
        "apple": ("config.json", apple),
        "open_clip": ("open_clip_config.json", open_clip),
        "xenova": ("config.json", {"model_type": "clip"}),
    }[says]
    (root / name).write_text(json.dumps(config), encoding="utf-8")
    write_clip_tokenizer(root)
    return root


def datumaro_irs(root: Path, *, projection: int = 64, seed: int = 0) -> Path:
    """The two towers of a CLIP as Datumaro kept them: IR of fixed shapes without telling names, and nothing else."""
    source = export_onnx(clip_folder(root / "source", projection=projection, seed=seed))
    for old, new, shape in (
        ("vision_model", "clip_visual_ViT-B_32", [1, 3, 224, 224]),
        ("text_model", "clip_text_ViT-B_32", [1, 77]),
    ):
        model = ov.Core().read_model(str(source / "onnx" / f"{old}.onnx"))
        embedding = model.outputs[0].get_node().input_value(0)
        model = ov.Model([embedding], model.get_parameters(), "model")
        model.reshape(shape)
        model.validate_nodes_and_infer_types()
        for tensor, name in ((model.input(), "x"), (model.output(), "y")):
            tensor.get_tensor().set_names({name})
            tensor.get_node().set_friendly_name(name)
        ov.save_model(model, str(root / f"{new}.xml"), compress_to_fp16=False)
    shutil.rmtree(source)
    return root
