"""Embeddings of models that were added, in every way there is, against the libraries that the models come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from clipdex.encoder import Encoder, find_model
from clipdex.encoder.texts import TextPreparation
from clipdex.media.decoding import load_image
from clipdex.models.adding import Choices, add_model, add_towers
from helpers_engine import PHOTOS
from helpers_reference import (
    BASE,
    clip_folder,
    datumaro_irs,
    embed_pixels,
    export_onnx,
    mobileclip_folder,
    reference_image_embedding,
    reference_pixels,
    reference_text_embedding,
    siglip_folder,
    text_features,
    write_clip_tokenizer,
)

pytestmark = pytest.mark.usefixtures("quick_centres")

PICTURES = ("animals/chelsea-the-cat.jpg", "places/pagoda.jpg", "vehicles/steam-train.jpg")
TEXTS = ("dog", "a photo of a red car in the snow", "It's 2 naïve cafés – 日本語!", "cat " * 200)


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def assert_equal_to_the_reference(encoder: Encoder, folder: Path) -> None:
    for name in PICTURES:
        image = load_image(PHOTOS / name)
        assert cosine(encoder.image_embedding(image), reference_image_embedding(folder, image)) >= 0.9999, name
    for text in TEXTS:
        assert cosine(encoder.text_embedding(text), reference_text_embedding(folder, text)) >= 0.9999, text


def without_safetensors(folder: Path) -> Path:
    """The same as published in ONNX only."""
    copy = folder.with_name(folder.name + "-onnx")
    shutil.copytree(folder, copy)
    (copy / "model.safetensors").unlink()
    return copy


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = clip_folder(tmp_path_factory.mktemp("clip") / "clip")
    export_onnx(folder)
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Like L/14: towers of different widths, and 256 patches."""
    return clip_folder(
        tmp_path_factory.mktemp("large") / "large", hidden=128, text_hidden=96, projection=96, patch=14, heads=8, seed=3
    )


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    folder = siglip_folder(tmp_path_factory.mktemp("siglip") / "siglip")
    export_onnx(folder)
    return folder


def only_safetensors(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to, ignore=shutil.ignore_patterns("onnx")))


def test_clip_from_safetensors(clip, tmp_path):
    add_model(only_safetensors(clip, tmp_path / "clip"), name="clip")
    assert_equal_to_the_reference(Encoder(find_model("clip"), precision="f32"), clip)


def test_clip_from_onnx_needs_no_safetensors(clip):
    add_model(without_safetensors(clip), name="clip")
    assert_equal_to_the_reference(Encoder(find_model("clip"), precision="f32"), clip)


def test_clip_from_onnx_with_an_attention_mask(tmp_path):
    folder = export_onnx(clip_folder(tmp_path / "masked", seed=1), attention_mask=True)
    add_model(without_safetensors(folder), name="clip")
    assert_equal_to_the_reference(Encoder(find_model("clip"), precision="f32"), folder)


def test_clip_from_one_onnx_file_with_both_towers(tmp_path):
    folder = export_onnx(clip_folder(tmp_path / "both", seed=2), combined=True)
    combined = without_safetensors(folder)
    for name in ("vision_model", "text_model"):
        (combined / "onnx" / f"{name}.onnx").unlink()
    add_model(combined, name="clip")
    assert_equal_to_the_reference(Encoder(find_model("clip"), precision="f32"), folder)


def test_towers_of_different_widths_and_many_patches(large):
    add_model(large, name="large")
    model = find_model("large")
    assert model.embedding_size == 96
    assert_equal_to_the_reference(Encoder(model, precision="f32"), large)


def test_clip_b_32_in_its_full_size(tmp_path):
    folder = clip_folder(tmp_path / "base", BASE)
    add_model(folder, name="base", choices=Choices(hashing="sign"))
    model = find_model("base")
    assert (model.embedding_size, model.image.size, model.text.length) == (512, 224, 77)
    assert_equal_to_the_reference(Encoder(model, precision="f32"), folder)


def test_siglip_from_safetensors(siglip, tmp_path):
    add_model(only_safetensors(siglip, tmp_path / "siglip"), name="siglip")
    model = find_model("siglip")
    assert (model.text.length, model.text.pad_id is not None, model.image.resize) == (64, True, "squash")
    assert_equal_to_the_reference(Encoder(model, precision="f32"), siglip)


def test_siglip_from_onnx(siglip):
    add_model(without_safetensors(siglip), name="siglip")
    assert_equal_to_the_reference(Encoder(find_model("siglip"), precision="f32"), siglip)


@pytest.mark.parametrize("says", ["apple", "xenova"])
def test_mobileclip_from_onnx(tmp_path, says):
    folder = mobileclip_folder(tmp_path / "mobile", says=says)
    add_model(folder, name="mobileclip")
    assert_equal_to_the_reference(Encoder(find_model("mobileclip"), precision="f32"), folder)


def test_the_irs_that_datumaro_kept(tmp_path):
    folder = datumaro_irs(tmp_path / "cache", seed=5)
    words = tmp_path / "words"
    words.mkdir()
    write_clip_tokenizer(words)
    model = add_towers(
        folder / "clip_visual_ViT-B_32.xml", folder / "clip_text_ViT-B_32.xml", words / "tokenizer.json", name="old"
    )
    assert (model.text.length, model.text.pad_id, model.image.size) == (77, 0, 224)
    reference = clip_folder(tmp_path / "same", projection=64, seed=5)
    assert_equal_to_the_reference(Encoder(model, precision="f32"), reference)


def test_many_at_once_gives_the_embeddings_of_one_by_one(clip):
    add_model(clip, name="clip")
    model = find_model("clip")
    assert model.image.batch > 1
    single, many = Encoder(model, precision="f32"), Encoder(model, many=True, precision="f32")
    from clipdex.encoder import prepare

    images = [load_image(path) for path in sorted(PHOTOS.rglob("*.jpg"))[:11]]
    embedded = list(many.image_embeddings((number, prepare(image, model.image)) for number, image in enumerate(images)))
    assert [number for number, _ in embedded] == list(range(11))
    for image, (_, embedding) in zip(images, embedded, strict=True):
        assert np.abs(single.image_embedding(image) - embedding).max() < 1e-5
        assert cosine(embedding, embed_pixels(clip, reference_pixels(clip, image))) >= 0.9999


def test_a_text_alone_and_one_that_is_filled_up_are_the_same_to_clip(clip):
    add_model(clip, name="clip")
    encoder = Encoder(find_model("clip"), precision="f32")
    tokens = TextPreparation(encoder.model.folder / "tokenizer.json", encoder.model.text)("a dog").ids
    end = tokens[0, -1]
    filled = np.full((1, 77), end)
    filled[0, : tokens.shape[1]] = tokens[0]
    assert cosine(encoder.text_embedding("a dog"), text_features(clip, filled)) >= 0.9999


def test_open_clip_gives_the_same_where_it_can_be_imported(tmp_path):
    open_clip = pytest.importorskip(
        "open_clip", reason="open_clip needs torchvision, which needs CUDA", exc_type=ImportError
    )
    import json

    import safetensors.torch
    import torch

    settings = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 2},
    }
    torch.manual_seed(0)
    reference = open_clip.CLIP(**settings).eval()
    folder = tmp_path / "open"
    folder.mkdir()
    safetensors.torch.save_file(reference.state_dict(), folder / "open_clip_model.safetensors")
    preprocessing = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": settings, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    write_clip_tokenizer(folder)
    encoder = Encoder(add_model(folder, name="open"), precision="f32")
    tokens = TextPreparation(encoder.model.folder / "tokenizer.json", encoder.model.text)("a dog").ids
    with torch.no_grad():
        expected = reference.encode_text(torch.from_numpy(tokens))[0].numpy()
    assert cosine(encoder.text_embedding("a dog"), expected) >= 0.9999
