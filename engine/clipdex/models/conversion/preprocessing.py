"""Reading the preprocessing of a published model from the settings of its image processor.

There are three forms: ``preprocessor_config.json``, the part ``image_processor`` of ``processor_config.json`` (both of
Hugging Face's ``transformers``), and ``open_clip_config.json``. The first two omit the defaults of the class that they
name. Only settings that ``prepare`` can follow are accepted: an image becomes a square either by scaling its short side
and cropping the centre, or by squashing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipdex.encoder.model import ImageSettings
from clipdex.errors import ModelCorrupt, ModelUnsupported
from clipdex.models.conversion.reading import part, read_settings
from clipdex.wording import with_article

_SMALLEST, _LARGEST = 8, 2048
_WHITE = (255, 255, 255)
# The numbers of Pillow. 4 and 5, the filters box and hamming, are not supported.
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
_HALF = (0.5, 0.5, 0.5)

_Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Defaults:
    """The defaults of a class of image processors."""

    short_side: bool
    crop: bool
    resample: int
    mean: _Triple
    std: _Triple
    size: int = 224


_CLIP = _Defaults(True, True, 3, OPENAI_MEAN, OPENAI_STD)
_SIGLIP = _Defaults(False, False, 3, _HALF, _HALF)
_CLASSES = {
    "CLIP": _CLIP,
    "ChineseCLIP": _CLIP,
    "Siglip": _SIGLIP,
    "ViT": _Defaults(False, False, 2, _HALF, _HALF),
}
_SUFFIXES = ("Fast", "Pil", "ImageProcessor", "FeatureExtractor")


def image_settings(folder: Path) -> ImageSettings:
    """Read the preprocessing of images of the model in ``folder``.

    Parameters
    ----------
    folder
        An untrusted folder as downloaded from a model hub.

    Raises
    ------
    ModelCorrupt
        When the settings cannot be read, or are impossible.
    ModelUnsupported
        When there are no settings, or clipdex cannot follow them.
    """
    path = folder / "preprocessor_config.json"
    if (settings := read_settings(path)) is not None:
        return _from_processor(settings, path, folder)
    path = folder / "processor_config.json"
    if (settings := read_settings(path)) is not None and (inner := part(settings, "image_processor", path)):
        return _from_processor(inner, path, folder)
    path = folder / "open_clip_config.json"
    if (settings := read_settings(path)) is not None:
        return _from_open_clip(settings, path)
    raise ModelUnsupported(
        f"{folder} does not describe the preprocessing of images: it has no preprocessor_config.json, no "
        "processor_config.json with an image_processor, and no open_clip_config.json. Get that file from where the "
        "model was published."
    )


def _from_processor(settings: dict[str, Any], path: Path, folder: Path) -> ImageSettings:
    """Read the settings of an image processor of ``transformers``. As there, null means the default."""
    values = _Values({name: value for name, value in settings.items() if value is not None}, path)
    defaults = _defaults(values, folder)
    if values.switch("do_pad", False):
        raise values.unsupported("images are padded")
    if not values.switch("do_resize", True):
        raise values.unsupported("images are not scaled")
    short_side, resize_size = _size(values, defaults)
    size = resize_size
    if values.switch("do_center_crop", defaults.crop):
        size = values.square("crop_size", defaults.size)
        if size > resize_size:
            raise values.unsupported(f"images are scaled to {resize_size} pixels and padded to {size}")
        if size < resize_size and not short_side:
            raise values.unsupported("images are squashed and cropped")
    elif short_side:
        raise values.unsupported("images do not become squares: their short side is scaled and nothing is cropped")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if values.switch("do_normalize", True):
        mean, std = values.channels("image_mean", defaults.mean), values.channels("image_std", defaults.std)
    # Mean and standard deviation may be for pixels of another range; clipdex uses the range from 0 to 1.
    white = 1.0
    if not values.switch("do_rescale", True):
        white = 255.0
    elif "rescale_factor" in values.settings:
        white = 255 * values.number("rescale_factor", 1e-6, 1e6)
    if not math.isclose(white, 1.0):
        mean, std = _divided(mean, white), _divided(std, white)
    return _settings(values, size, short_side, resize_size, _filter(values, defaults), mean, std)


def _defaults(values: _Values, folder: Path) -> _Defaults:
    named = values.settings.get("image_processor_type", values.settings.get("feature_extractor_type"))
    if named is None:
        kind = (read_settings(folder / "config.json") or {}).get("model_type")
        return _SIGLIP if isinstance(kind, str) and kind.startswith("siglip") else _CLIP
    bare = named
    if isinstance(bare, str):
        for suffix in _SUFFIXES:
            bare = bare.removesuffix(suffix)
    if not isinstance(bare, str) or bare not in _CLASSES:
        known = ", ".join(f"{name}ImageProcessor" for name in _CLASSES)
        raise values.unsupported(f"it is {with_article(repr(named))[:80]}, and not one of {known}")
    return _CLASSES[bare]


def _size(values: _Values, defaults: _Defaults) -> tuple[bool, int]:
    """Return whether only the short side is scaled, or both sides, and to how many pixels."""
    size = values.settings.get("size", defaults.size)
    if isinstance(size, dict):
        given = {name for name, value in size.items() if value is not None}
        if given == {"shortest_edge"}:
            return True, values.side(size["shortest_edge"], "size")
        if given != {"height", "width"}:
            raise values.unsupported(f"size is {size!r:.80}, neither a shortest_edge nor height and width")
        return False, values.square("size", defaults.size)
    if isinstance(size, list):
        return False, values.square("size", defaults.size)
    return defaults.short_side, values.side(size, "size")


def _filter(values: _Values, defaults: _Defaults) -> str:
    resample = values.settings.get("resample", defaults.resample)
    if isinstance(resample, bool) or not isinstance(resample, int):
        raise values.wrong("resample", resample, "the number of a filter")
    if resample not in _RESAMPLING:
        known = ", ".join(f"{number} ({name})" for number, name in _RESAMPLING.items())
        raise values.unsupported(f"images are scaled with filter {resample}, and not with one of {known}")
    return _RESAMPLING[resample]


def _from_open_clip(settings: dict[str, Any], path: Path) -> ImageSettings:
    """Read ``preprocess_cfg`` of OpenCLIP. Its defaults are OpenAI's, and the image size is that of the tower."""
    tower = part(part(settings, "model_cfg", path), "vision_cfg", path)
    given = {"size": tower.get("image_size"), **part(settings, "preprocess_cfg", path)}
    values = _Values({name: value for name, value in given.items() if value is not None}, path)
    if "size" not in values.settings:
        raise ModelCorrupt(f"{path} says neither preprocess_cfg.size nor model_cfg.vision_cfg.image_size.")
    size = values.square("size", 0)
    mode = values.settings.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise values.unsupported(f"resize_mode is {mode!r:.80}, neither 'shortest' nor 'squash'")
    name = values.settings.get("interpolation", "bicubic")
    # ``random`` applies only to training; otherwise OpenCLIP uses bicubic.
    name = "bicubic" if name == "random" else name
    if name not in ("bicubic", "bilinear"):
        raise values.unsupported(f"interpolation is {name!r:.80}, neither 'bicubic' nor 'bilinear'")
    mean, std = values.channels("mean", OPENAI_MEAN), values.channels("std", OPENAI_STD)
    return _settings(values, size, mode == "shortest", size, name, mean, std)


def _settings(
    values: _Values, size: int, short_side: bool, resize_size: int, interpolation: str, mean: _Triple, std: _Triple
) -> ImageSettings:
    if min(std) <= 0:
        raise values.wrong("the standard deviation", std, "three positive numbers")
    resize = "short-side" if short_side else "squash"
    return ImageSettings(size, resize, resize_size, interpolation, mean, std, _WHITE)


def _divided(channels: _Triple, by: float) -> _Triple:
    red, green, blue = channels
    return red / by, green / by, blue / by


@dataclass(frozen=True, slots=True)
class _Values:
    """The settings of a file that are not null, with typed access."""

    settings: dict[str, Any]
    path: Path

    def unsupported(self, what: str) -> ModelUnsupported:
        return ModelUnsupported(f"{self.path}: {what}, which clipdex does not do.")

    def wrong(self, name: str, value: object, wanted: str) -> ModelCorrupt:
        return ModelCorrupt(f"{self.path}: {name} is {value!r:.80}, and not {wanted}.")

    def switch(self, name: str, default: bool) -> bool:
        value = self.settings.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        value = self.settings[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.wrong(name, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def channels(self, name: str, default: _Triple) -> _Triple:
        value = self.settings.get(name, list(default))
        three = value if isinstance(value, list) else [value] * 3
        if len(three) != 3 or not all(_is_number(channel) for channel in three):
            raise self.wrong(name, value, "three numbers")
        return float(three[0]), float(three[1]), float(three[2])

    def side(self, value: object, name: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not _SMALLEST <= value <= _LARGEST:
            raise self.wrong(name, value, f"a whole number of pixels from {_SMALLEST} to {_LARGEST}")
        return value

    def square(self, name: str, default: int) -> int:
        """Return the side of a square that is given as one number, as two, or as height and width."""
        value = self.settings.get(name, default)
        sides = [self.side(side, name) for side in self._sides(name, value)]
        if len(set(sides)) != 1:
            raise self.unsupported(f"{name} is {value!r:.80}, and not a square")
        return sides[0]

    def _sides(self, name: str, value: object) -> Iterator[object]:
        if isinstance(value, dict):
            if set(value) != {"height", "width"}:
                raise self.wrong(name, value, "height and width")
            return iter([value["height"], value["width"]])
        if isinstance(value, list):
            if len(value) != 2:
                raise self.wrong(name, value, "height and width")
            return iter(value)
        return iter([value])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
