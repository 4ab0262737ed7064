"""Making a model from a published one and installing it: from a folder, from separate files, or by download."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipdex.encoder.background import read_background, write_background
from clipdex.encoder.encoder import Encoder
from clipdex.encoder.installed import installed_folder, models_folder
from clipdex.encoder.model import DESCRIPTION, FILES, ImageSettings, Model, TextSettings, read_model
from clipdex.errors import ModelError, ModelExists, ModelNotFound, ModelUnsupported
from clipdex.models.archives import is_archive, unpack
from clipdex.models.conversion.layouts import Layout, languages_of, licence_of, recognise
from clipdex.models.installing import check_name, staged
from clipdex.paths import expanded

if TYPE_CHECKING:
    from clipdex.models.conversion.assembling import Progress
    from clipdex.models.hub.known import KnownModel

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "bpe_simple_vocab_16e6.txt.gz",
    "bpe_simple_vocab_16e6.txt",
    "spiece.model",
)
_BATCH = 8
_UNKNOWN_LICENCE = "not stated: ask where it comes from"
_CLIP_LENGTH = 77
# The prompts of CLIP ("Learning Transferable Visual Models From Natural Language Supervision", Radford et al. 2021):
# the plain one, and the seven that the authors' notebook on prompts selects.
_PROMPT = "a photo of a {}."
_ENSEMBLE = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)


@dataclass(frozen=True, slots=True)
class Choices:
    """The user's choices for a new model.

    Attributes
    ----------
    hashing
        ``centred``, or ``sign`` for the signs of embeddings that are not centred.
    quantize
        ``none``, ``int8`` (weights) or ``int8-full`` (the image tower also computes in 8 bits).
    precision
        The meaning of ``auto`` for this model: ``auto``, the fastest precision of a device, or ``f32``.
    allow_pickle
        Whether to load weights from a pickle, tensors only.
    """

    hashing: str = "centred"
    quantize: str = "none"
    precision: str = "auto"
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """Facts about a model that are not in its files. Empty texts are filled from its folder."""

    kind: str = ""
    good_at: str = ""
    not_good_at: str = ""
    licence: str = ""
    source: Mapping[str, Any] | None = None


def add_model(
    path: Path,
    *,
    name: str | None = None,
    choices: Choices = Choices(),
    about: About = About(),
    progress: Progress | None = None,
) -> Model:
    """Install a model from a folder or an archive of a folder, without a download.

    Parameters
    ----------
    path
        A folder as published on a model hub (ONNX files or safetensors), a model folder of clipdex, or a ZIP or TAR
        archive of one.
    name
        The name of the model; None takes that of the folder, or that in a model folder of clipdex.
    choices
        How to make the model. A model folder of clipdex is copied unchanged.
    about
        Facts about the model.
    progress
        Called from this thread as the work proceeds.

    Raises
    ------
    ModelNotFound
        When there is no such folder.
    ModelUnsupported
        When the folder holds no usable dual encoder.
    ModelExists
        When the name is taken.
    ModelCorrupt
        When a file is damaged.
    ExtraMissing
        When the conversion needs a package that is not installed.
    """
    report = progress or _silent
    source = expanded(path)
    if source.is_file() and is_archive(source):
        with tempfile.TemporaryDirectory(prefix="clipdex-") as scratch:
            report("unpack", 0, None)
            folder = unpack(source, Path(scratch))
            return add_model(
                folder,
                name=_name_of(source.name) if name is None else name,
                choices=choices,
                about=about,
                progress=progress,
            )
    layout = recognise(source)
    if layout.kind == "model":
        return _copy(layout.folder, name, report)
    name = _name_of(source.resolve().name) if name is None else name
    with staged(name) as folder:
        _convert(layout, folder, name, choices, about, report)
    return read_model(models_folder() / name)


def add_towers(
    image: Path,
    text: Path,
    tokenizer: Path,
    *,
    name: str,
    choices: Choices = Choices(),
    progress: Progress | None = None,
) -> Model:
    """Install a model from separate towers, each an ONNX file or an OpenVINO IR.

    Parameters
    ----------
    image, text
        The towers. The preprocessing is read from the folder of the image tower. Where it has none, the preprocessing
        is CLIP's, for the image size of the tower.
    tokenizer
        A ``tokenizer.json``, a folder with one (or with ``vocab.json`` and ``merges.txt``), or CLIP's vocabulary file.
    name, choices, progress
        As for ``add_model``.

    Raises
    ------
    ModelError
        As for ``add_model``.
    """
    for path in (image, text, tokenizer):
        if not expanded(path).exists():
            raise ModelNotFound(f"there is no {path}.")
    layout = Layout("towers", expanded(image).resolve().parent, expanded(image), expanded(text))
    with staged(name) as folder, _folder_of(expanded(tokenizer)) as words:
        _convert(layout, folder, name, choices, About(), progress or _silent, tokenizer=words)
    return read_model(models_folder() / name)


def pull_model(
    known: KnownModel,
    *,
    name: str | None = None,
    choices: Choices = Choices(),
    keep: bool = False,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Model:
    """Download a known model and install it. An interrupted download continues where it stopped.

    Parameters
    ----------
    known
        The model.
    name
        The name of the model; None takes its known name.
    choices, progress
        As for ``add_model``.
    keep
        Whether to keep the downloaded files, in the cache folder.
    endpoint
        The address of the hub; None takes that of ``HF_ENDPOINT``, or the public hub.

    Raises
    ------
    ModelDownloadFailed
        When the download fails, or a file differs from the announced one.
    ModelError
        As for ``add_model``.
    """
    from clipdex.models.hub.download import download
    from clipdex.user_folders import cache_folder

    report = progress or _silent
    name = check_name(known.name if name is None else name)
    if installed_folder(name) is not None:
        raise ModelExists(f"the model {name!r} is installed already, in {models_folder() / name}.")
    _require_extras(known, choices)
    folder = cache_folder() / "downloads" / known.name
    fetched = download(
        known, folder, endpoint=endpoint, progress=lambda at: report(f"download {at.file}", at.done, at.total)
    )
    source = {
        "repository": fetched.repository,
        "revision": fetched.revision,
        "files": {path: {"size": file.size, "sha256": file.sha256} for path, file in fetched.files.items()},
    }
    about = About(known.title, known.good_at, "", known.licence, source)
    model = add_model(folder, name=name, choices=choices, about=about, progress=progress)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return model


def _require_extras(known: KnownModel, choices: Choices) -> None:
    """Raise for a missing package before gigabytes are downloaded."""
    from clipdex.extras import optional

    if known.layout != "towers":
        optional("torch", "convert", f"Converting {known.name}")
        library, extra = ("open_clip", "openclip") if known.layout == "open_clip" else ("transformers", "convert")
        optional(library, extra, f"Converting {known.name}")
    if choices.quantize != "none":
        optional("nncf", "quantize", "Quantising")


def _silent(what: str, done: int, total: int | None) -> None:
    return


def _name_of(text: str) -> str:
    """Make the name of a model from that of a folder or a file."""
    name = re.sub(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$", "", text, flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-_")[:64]
    try:
        return check_name(name.lower())
    except ModelError as error:
        raise ModelError(f"{text!r} gives no valid name of a model: give one with --name.") from error


@contextlib.contextmanager
def _folder_of(tokenizer: Path) -> Iterator[Path]:
    """Yield the folder of a tokenizer. A file with an unusual name is treated as ``tokenizer.json``."""
    if tokenizer.is_dir() or tokenizer.name in TOKENIZER_FILES:
        yield tokenizer if tokenizer.is_dir() else tokenizer.parent
        return
    with tempfile.TemporaryDirectory(prefix="clipdex-") as scratch:
        shutil.copyfile(tokenizer, Path(scratch, TOKENIZER_FILES[0]))
        yield Path(scratch)


def _copy(source: Path, name: str | None, progress: Progress) -> Model:
    """Install a copy of a model folder of clipdex, after its checksums and its self-test; make a missing background."""
    from clipdex.models.conversion.assembling import add_background

    model = read_model(source)
    name = _name_of(model.name) if name is None else name
    with staged(name) as folder:
        for number, file in enumerate(FILES):
            progress("copy", number, len(FILES))
            model.check(file)
            shutil.copyfile(source / file, folder / file)
        shutil.copyfile(source / DESCRIPTION, folder / DESCRIPTION)
        copied = read_model(folder)
        if copied.digest != model.digest:
            raise ModelError(f"{source} changed while it was copied.")
        progress("self-test", 0, None)
        Encoder(copied, precision="f32").self_test()
        if (background := read_background(model)) is not None:
            write_background(copied, background)
        else:
            add_background(copied, progress)
    return read_model(models_folder() / name)


def _convert(
    layout: Layout,
    folder: Path,
    name: str,
    choices: Choices,
    about: About,
    progress: Progress,
    *,
    tokenizer: Path | None = None,
) -> None:
    """Fill a new model folder from a layout."""
    from clipdex.models.conversion import ir
    from clipdex.models.conversion.assembling import Blueprint, assemble
    from clipdex.models.conversion.tokenizing import write_tokenizer

    write_tokenizer(tokenizer if tokenizer is not None else layout.folder, folder / "tokenizer.json")
    progress("convert", 0, None)
    if layout.kind == "towers":
        image_settings, text_settings, raw_image, raw_text = _read_towers(layout, bare=tokenizer is not None)
    else:
        image_settings, text_settings, raw_image, raw_text = _trace_towers(layout, choices)
    pooled = layout.family.startswith("siglip")
    filled = text_settings.length if text_settings.pad_id is not None else None
    image = ir.image_tower(raw_image, image_settings, _shown(layout, layout.image), pooled=pooled)
    text = ir.text_tower(raw_text, _shown(layout, layout.text), length=filled, pooled=pooled)
    del raw_image, raw_text
    bits = ir.embedding_size(image, "the image tower")
    if (other := ir.embedding_size(text, "the text tower")) != bits:
        raise ModelUnsupported(
            f"the image tower gives embeddings of {bits} dimensions and the text tower of {other}: they are not of one "
            "dual encoder."
        )
    if ir.takes_one_image(image):
        image_settings = replace(image_settings, batch=1)
    if choices.quantize != "none":
        image, text = _quantized(image, text, image_settings, choices, progress)
    progress("write", 0, None)
    ir.save_tower(image, folder / "image.xml")
    ir.save_tower(text, folder / "text.xml")
    del image, text
    blueprint = Blueprint(
        name=name,
        embedding_size=bits,
        image=image_settings,
        text=text_settings,
        kind=about.kind or _kind(layout),
        good_at=about.good_at,
        not_good_at=about.not_good_at,
        licence=about.licence or licence_of(layout.folder) or _UNKNOWN_LICENCE,
        source=about.source or {"folder": layout.folder.name, "layout": layout.kind},
        hashing=choices.hashing,
        weights="f32" if choices.quantize == "none" else choices.quantize,
        precision=choices.precision,
        languages=() if about.source else languages_of(layout.folder),
    )
    assemble(folder, blueprint, progress)


def _quantized(
    image: Any,  # noqa: ANN401
    text: Any,  # noqa: ANN401
    settings: ImageSettings,
    choices: Choices,
    progress: Progress,
) -> tuple[Any, Any]:
    from clipdex.models.conversion.centring import packaged_photos
    from clipdex.models.conversion.quantizing import compress_weights, quantize_fully

    progress("quantise", 0, None)
    full = choices.quantize == "int8-full"
    image = quantize_fully(image, packaged_photos(), settings) if full else compress_weights(image)
    return image, compress_weights(text)


def _shown(layout: Layout, file: Path | None) -> str:
    return str(file if file is not None else layout.folder)


def _kind(layout: Layout) -> str:
    family = {"clip": "CLIP", "siglip": "SigLIP"}.get(layout.family, layout.family)
    return f"{family} dual encoder, added by the user".strip() if family else "Dual encoder, added by the user"


def _settings(layout: Layout) -> tuple[ImageSettings, TextSettings]:
    from clipdex.models.conversion.preprocessing import image_settings
    from clipdex.models.conversion.tokenizing import text_form

    text = text_form(layout.folder)
    return replace(image_settings(layout.folder), batch=_BATCH), _text_settings(text.length, text.pad_id)


def _clip_images(side: int) -> ImageSettings:
    """Return the preprocessing of CLIP, for a tower that takes images of ``side`` pixels."""
    from clipdex.models.conversion.preprocessing import OPENAI_MEAN, OPENAI_STD

    return ImageSettings(side, "short-side", side, "bicubic", OPENAI_MEAN, OPENAI_STD, (255, 255, 255), _BATCH)


def _text_settings(length: int, pad_id: int | None) -> TextSettings:
    return TextSettings(length, _PROMPT, _ENSEMBLE, pad_id)


def _read_towers(layout: Layout, *, bare: bool) -> tuple[ImageSettings, TextSettings, Any, Any]:
    """Read both towers. ``bare`` towers need no configuration; without one they are treated as CLIP's."""
    from clipdex.models.conversion import ir

    if layout.image is None or layout.text is None:
        raise ModelUnsupported(f"{layout.folder} does not hold both towers.")
    raw_image = ir.read_tower(layout.image)
    raw_text = raw_image if layout.text == layout.image else ir.read_tower(layout.text)
    fixed = ir.fixed_length(raw_text)
    try:
        image_settings, text_settings = _settings(layout)
    except ModelUnsupported:
        if not bare:
            raise
        image_settings = _clip_images(ir.side_of(raw_image, str(layout.image)))
        text_settings = _text_settings(fixed or _CLIP_LENGTH, None)
    if fixed is not None and text_settings.pad_id is None:
        # CLIP reads up to the end token and ignores the padding after it.
        text_settings = replace(text_settings, length=fixed, pad_id=0)
    return image_settings, text_settings, raw_image, raw_text


def _trace_towers(layout: Layout, choices: Choices) -> tuple[ImageSettings, TextSettings, Any, Any]:
    from clipdex.models.conversion.torch_towers import torch_towers

    image_settings, text_settings = _settings(layout)
    if layout.kind == "open_clip":
        text_settings = replace(text_settings, pad_id=text_settings.pad_id or 0)
    image, text = torch_towers(
        layout,
        image_settings.size,
        text_settings.length,
        padded=text_settings.pad_id is not None,
        pickles=choices.allow_pickle,
    )
    return image_settings, text_settings, image, text
