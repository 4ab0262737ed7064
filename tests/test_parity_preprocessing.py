"""Pixels compared with those of transformers' own image processors, on photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex.encoder import prepare
from clipdex.media.decoding import load_image
from clipdex.models.conversion.preprocessing import image_settings
from helpers_engine import PHOTOS
from helpers_reference import (
    MOBILECLIP_PREPROCESSOR,
    clip_folder,
    embed_pixels,
    reference_pixels,
    siglip_folder,
)

pytestmark = pytest.mark.usefixtures("quick_centres")

ORIENTATION = 0x0112
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
OPEN_CLIP = {
    "model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 240}},
    "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
}


def write(folder: Path, name: str, settings: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """For each model, the folder that clipdex reads and the one that transformers reads: for OpenCLIP they differ."""
    root = tmp_path_factory.mktemp("published")
    clip, siglip = clip_folder(root / "clip"), siglip_folder(root / "siglip")
    large = clip_folder(root / "large", image_size=336, patch=56)
    mobile = write(root / "mobileclip", "preprocessor_config.json", MOBILECLIP_PREPROCESSOR)
    # Processors of transformers are told by this name which class they are; the feature extractors are gone.
    renamed = {**MOBILECLIP_PREPROCESSOR, "image_processor_type": "CLIPImageProcessor"}
    mobile_reference = write(root / "mobileclip-reference", "preprocessor_config.json", renamed)
    same = {"image_processor_type": "CLIPImageProcessor", "size": 240, "crop_size": 240}
    return {
        "CLIP 224": (clip, clip),
        "CLIP 336": (large, large),
        "SigLIP": (siglip, siglip),
        "MobileCLIP 256": (mobile, mobile_reference),
        "OpenCLIP 240": (
            write(root / "open_clip", "open_clip_config.json", OPEN_CLIP),
            write(root / "open_clip-reference", "preprocessor_config.json", same),
        ),
    }


def transformed(path: Path) -> Image.Image:
    """Load an image like transformers, but for transparency.

    Its function drops transparency and shows whatever colours are below it. Its processors, given an image with
    transparency, composite it on white, as clipdex does; older versions did not.
    """
    from transformers.image_utils import load_image as load_like_transformers

    with Image.open(path) as image:
        if image.has_transparency_data:
            layer = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert("RGB")
    return load_like_transformers(str(path))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All example photos, among them grey and transparent ones, and some made of them that are hard to get right."""
    root = tmp_path_factory.mktemp("photographs")
    photos = {path.stem: path for path in sorted(PHOTOS.glob("*/*")) if path.suffix in (".jpg", ".png", ".webp")}
    with Image.open(PHOTOS / "animals" / "koala.jpg") as koala, Image.open(PHOTOS / "places" / "sea.jpg") as sea:
        made = {
            "tiny": sea.resize((43, 29), Image.Resampling.BICUBIC),
            "tiny portrait": koala.resize((29, 43), Image.Resampling.BICUBIC),
            "one pixel": koala.resize((1, 1)),
            "panorama": sea.crop((0, 200, 640, 264)),
            "tall panorama": koala.crop((200, 0, 264, 640)),
            "odd": sea.crop((0, 0, 639, 425)),
            "grey": koala.convert("L"),
        }
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        koala.save(root / "rotated.jpg", exif=exif, quality=95)
    for name, image in made.items():
        image.save(root / f"{name}.png")
        photos[name] = root / f"{name}.png"
    return {**photos, "rotated": root / "rotated.jpg"}


MODELS = ["CLIP 224", "CLIP 336", "SigLIP", "MobileCLIP 256", "OpenCLIP 240"]


@pytest.mark.parametrize("name", MODELS)
def test_pixels_are_those_of_the_reference(name, published, photographs):
    folder, reference = published[name]
    settings = image_settings(folder)
    mean, std = np.array(settings.mean)[:, None, None], np.array(settings.std)[:, None, None]
    largest, beyond, different = 0.0, 0, 0
    for path in photographs.values():
        prepared = prepare(load_image(path, settings.background), settings)
        ours = (prepared.transpose(2, 0, 1) / 255 - mean) / std
        theirs = reference_pixels(reference, transformed(path))
        assert theirs.shape == ours.shape
        difference = np.abs(ours - theirs) * std * 255
        largest = max(largest, float(difference.max()))
        beyond += int((difference > 1.01).sum())
        different += int((difference > 0.01).sum())
    pixels = len(photographs) * 3 * settings.size**2
    print(
        f"{name}: {different / pixels:.3%} differ, {beyond / pixels:.6%} by more than 1, at most {largest:.2f} of 255"
    )
    # Pillow 13 scales the columns of some images first, which clipdex never does: it shows beside hard edges.
    assert largest < 16
    assert beyond / pixels < 2e-5
    assert different / pixels < 0.02


@pytest.mark.parametrize("name", ["CLIP 224", "SigLIP"])
def test_embeddings_of_photographs_have_the_signs_of_the_reference(name, published, photographs):
    folder, _ = published[name]
    settings = image_settings(folder)
    ours, theirs = [], []
    for path in photographs.values():
        pixels = prepare(load_image(path, settings.background), settings) / np.float32(255)
        normalised = (pixels - np.float32(settings.mean)) / np.float32(settings.std)
        ours.append(embed_pixels(folder, normalised.transpose(2, 0, 1).astype(np.float32)) > 0)
        theirs.append(embed_pixels(folder, reference_pixels(folder, transformed(path))) > 0)
    agreement = float((np.array(ours) == np.array(theirs)).mean())
    print(f"{name}: {agreement:.4%} of the signs agree")
    assert agreement >= 0.995


def test_transparent_images_are_composited_like_the_reference_processors_do(published):
    folder, _ = published["CLIP 224"]
    settings = image_settings(folder)
    path = PHOTOS / "animals" / "elephant.png"
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        theirs = reference_pixels(folder, image)
    ours = prepare(load_image(path, settings.background), settings).transpose(2, 0, 1) / 255
    std = np.array(settings.std)[:, None, None]
    assert np.abs(ours - np.array(settings.mean)[:, None, None] - theirs * std).max() * 255 < 2.01
