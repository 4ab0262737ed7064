"""Recognising the layout of a folder: ONNX towers, safetensors, an OpenCLIP checkpoint, a model folder of clipdex."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clipdex.encoder.languages import languages_of_card
from clipdex.encoder.model import DESCRIPTION
from clipdex.errors import ModelCorrupt, ModelNotFound, ModelUnsupported
from clipdex.models.conversion.reading import read_file, read_settings
from clipdex.paths import is_there
from clipdex.wording import with_article

_MAX_README = 1 << 20
_SHOWN = 8
# The usual folders and names of the two towers, best known first.
_FOLDERS = ("onnx", ".", "openvino")
_IMAGE_NAMES = ("vision_model", "visual_model", "image_model", "visual", "vision", "image")
_TEXT_NAMES = ("text_model", "textual_model", "textual", "text")
_PAIRS_IN_FOLDERS = (("visual/model.onnx", "textual/model.onnx"),)
_SUFFIXES = (".onnx", ".xml")
_COMBINED = ("onnx/model.onnx", "model.onnx")
_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
_OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CHECKPOINTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_ONE_TOWER = re.compile(r"(vision|text)_model$")
_LICENCE = re.compile(r"^license:\s*(.+?)\s*$", re.MULTILINE)
# A word, a list in brackets, or one word per line after a dash.
_LANGUAGES = re.compile(r"^languages?:[ \t]*(.*(?:\r?\n[ \t]*-[ \t].*)*)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Layout:
    """The recognised contents of a folder.

    Attributes
    ----------
    kind
        ``model`` (a model folder of clipdex), ``towers`` (ONNX or IR), ``transformers`` (safetensors), ``open_clip``.
    folder
        The folder of the configuration and the tokenizer.
    image, text
        The files of the towers, for ``towers``; the same file where it holds both.
    family
        ``model_type`` of the configuration, for example ``clip`` or ``siglip``; empty where there is none.
    checkpoint
        Whether the weights are in a pickle, which is loaded only on request.
    """

    kind: str
    folder: Path
    image: Path | None = None
    text: Path | None = None
    family: str = ""
    checkpoint: bool = False


def recognise(folder: Path) -> Layout:
    """Recognise the layout of a folder. ONNX is preferred, because it needs no other packages.

    Raises
    ------
    ModelNotFound
        When there is no such folder.
    ModelUnsupported
        When the folder has no known layout, or only one tower.
    ModelCorrupt
        When the configuration cannot be read.
    """
    if not folder.is_dir():
        what = "is no folder" if is_there(folder) else "does not exist"
        raise ModelNotFound(f"{folder} {what}.")
    if _is(folder, DESCRIPTION):
        return Layout("model", folder)
    family = str((read_settings(folder / "config.json") or {}).get("model_type", ""))
    image, text = _towers(folder)
    if image is not None and text is not None:
        return Layout("towers", folder, image, text, family)
    for name in _COMBINED:
        if _is(folder, name):
            return Layout("towers", folder, folder / name, folder / name, family)
    if image is not None or text is not None or _ONE_TOWER.search(family):
        there, other = ("image", "text") if image is not None or "vision" in family else ("text", "image")
        raise ModelUnsupported(
            f"{folder} holds a {'vision' if there == 'image' else 'text'}-only model: there is {with_article(there)} "
            f"tower and no {other} tower. clipdex needs both, from one dual encoder such as CLIP."
        )
    if family and _any(folder, _SAFETENSORS):
        return Layout("transformers", folder, family=family)
    if _is(folder, "open_clip_config.json") and _any(folder, _OPEN_CLIP):
        return Layout("open_clip", folder, checkpoint=not _is(folder, _OPEN_CLIP[0]))
    if family and _any(folder, _CHECKPOINTS):
        return Layout("transformers", folder, family=family, checkpoint=True)
    raise ModelUnsupported(_nothing(folder))


def licence_of(folder: Path) -> str:
    """Return the licence in the model card (README.md) of a folder; empty where there is none."""
    licence = _LICENCE.search(_head_of_card(folder))
    return licence.group(1).strip("\"'")[:100] if licence else ""


def languages_of(folder: Path) -> tuple[str, ...]:
    """Return the languages in the model card (README.md) of a folder; empty where there are none."""
    found = _LANGUAGES.search(_head_of_card(folder))
    return languages_of_card(_WORD.findall(found.group(1))) if found else ()


def _head_of_card(folder: Path) -> str:
    try:
        text = (read_file(folder / "README.md", _MAX_README) or b"").decode("utf-8", errors="replace")
    except ModelCorrupt:
        return ""
    return text.split("---", 2)[1] if text.startswith("---") and text.count("---") >= 2 else ""


def _towers(folder: Path) -> tuple[Path | None, Path | None]:
    for image, text in _PAIRS_IN_FOLDERS:
        if _is(folder, image) and _is(folder, text):
            return folder / image, folder / text
    for inner in _FOLDERS:
        tower_image, tower_text = (_first(folder, inner, names) for names in (_IMAGE_NAMES, _TEXT_NAMES))
        if tower_image or tower_text:
            return tower_image, tower_text
    return None, None


def _first(folder: Path, inner: str, names: Iterable[str]) -> Path | None:
    for name in names:
        for suffix in _SUFFIXES:
            if _is(folder, f"{inner}/{name}{suffix}"):
                return folder / inner / f"{name}{suffix}"
    return None


def _is(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _any(folder: Path, names: Iterable[str]) -> bool:
    return any(_is(folder, name) for name in names)


def _nothing(folder: Path) -> str:
    there = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    shown = ", ".join(there[:_SHOWN]) + (", ..." if len(there) > _SHOWN else "")
    return (
        f"{folder} holds no known model. clipdex looks for: {DESCRIPTION} (a model folder of clipdex); "
        "onnx/vision_model.onnx with onnx/text_model.onnx, or onnx/model.onnx; model.safetensors with config.json; "
        f"open_clip_config.json with open_clip_model.safetensors. The folder holds: {shown or 'nothing'}. For towers "
        "in files with other names: --image-model FILE --text-model FILE --tokenizer FILE."
    )
