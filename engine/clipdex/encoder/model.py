"""Model folders: the description of one encoder, read from ``model.json`` and checked.

A model folder holds ``model.json``, ``image.xml``/``.bin`` and ``text.xml``/``.bin`` (OpenVINO IR), ``tokenizer.json``
and ``centre.npz``. It is untrusted: the size and the checksum of a file are compared before a library reads it, unless
the same file was compared before (see ``checks``).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipdex.encoder.installed import installed_folder, is_installed
from clipdex.encoder.languages import languages_of_source, stated_languages
from clipdex.encoder.selftest import SELF_TEST_IMAGES
from clipdex.errors import IndexCorrupt, ModelCorrupt, ModelNotFound
from clipdex.paths import expanded, is_folder
from clipdex_indexes.storage.files import read_bounded, sha256_of

BUNDLED = "starter"
SCHEMA = 1
FILES = ("image.xml", "image.bin", "text.xml", "text.bin", "tokenizer.json", "centre.npz")
BUNDLED_FOLDER = Path(__file__).resolve().parent.parent / "models" / BUNDLED
DESCRIPTION = "model.json"
HASHINGS = ("centred", "sign")
WEIGHTS = ("f32", "int8", "int8-full")
_MAX_DESCRIPTION = 4 << 20
_MAX_FILE = 8 << 30
_MAX_CENTRE = 1 << 20
_MAX_EMBEDDING = 8192
_MAX_IMAGE = 2048
_MAX_BATCH = 256
_MAX_PROMPTS = 100
_MAX_TOKEN = 1 << 24
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
RESIZES = ("short-side", "squash")

Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The preprocessing of images for the image tower.

    Attributes
    ----------
    size
        Side of the square input, in pixels.
    resize
        ``short-side``: keep the proportions, scale the short side to ``resize_size`` and crop the centre. ``squash``:
        scale both sides to ``size``.
    resize_size
        Pixels of the short side after scaling, at least ``size``.
    interpolation
        Name of the antialiased filter.
    mean, std
        Mean and standard deviation of each channel, on the scale 0 to 1.
    background
        Colour under transparent pixels, 0 to 255 per channel.
    batch
        The best number of images per request where there are many.
    """

    size: int
    resize: str
    resize_size: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    background: tuple[int, int, int]
    batch: int = 1


@dataclass(frozen=True, slots=True)
class TextSettings:
    """The preprocessing of texts for the text tower.

    Attributes
    ----------
    length
        The most tokens that the tower takes.
    prompt
        The sentence for short queries; the query replaces ``{}``.
    ensemble
        Several such prompts, whose embeddings are averaged on request.
    pad_id
        The token that pads every text to ``length``; None where texts are not padded.
    """

    length: int
    prompt: str
    ensemble: tuple[str, ...] = ()
    pad_id: int | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The expected hash keys of the self-test, and how many bits of each may differ on other hardware.

    The images are those of ``selftest.SELF_TEST_IMAGES``, by name.
    """

    image_keys: Mapping[str, bytes]
    text: str
    text_key: bytes
    tolerance: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose description was read and checked.

    Attributes
    ----------
    folder
        The folder.
    name, kind, good_at, not_good_at, licence
        Texts for people.
    digest
        SHA-256 of ``model.json``, which holds the checksums of all other files. It identifies the model.
    embedding_size
        Number of embedding dimensions, equal to the number of bits of a hash key.
    image, text
        The preprocessing of images and of texts.
    self_test
        The expected results of the self-test.
    files
        Size in bytes and SHA-256 of each file, by name.
    hashing
        ``centred``, or ``sign`` where the centre is zero.
    weights
        Format of the weights: ``f32``, ``int8`` (weights only) or ``int8-full`` (activations too).
    precision
        The meaning of ``auto`` for this model: ``f32``, or ``auto`` for the fastest precision of the device.
    source
        The origin of the model, in any form that its maker chose.
    languages
        Codes of the languages that the text tower reads; empty where they are not known.
    """

    folder: Path
    name: str
    kind: str
    good_at: str
    not_good_at: str
    licence: str
    digest: str
    embedding_size: int
    image: ImageSettings
    text: TextSettings
    self_test: SelfTest
    files: Mapping[str, tuple[int, str]]
    hashing: str
    weights: str
    precision: str
    source: Any
    languages: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """The folder as a text; empty for a model that is found by its name."""
        return "" if self.folder == BUNDLED_FOLDER or is_installed(self.folder) else str(self.folder)

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(size for size, _ in self.files.values())

    def check(self, name: str) -> Path:
        """Compare size and SHA-256 of a file of the model; return its path.

        Raises
        ------
        ModelCorrupt
            When the file is missing or differs from the description in ``model.json``.
        """
        path = self.folder / name
        size, checksum = self.files[name]
        try:
            same = path.stat().st_size == size and sha256_of(path) == checksum
        except OSError as error:
            raise ModelCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error
        if not same:
            raise ModelCorrupt(f"{path} is not the file that model.json describes. Get the model again.")
        return path

    def centre(self, tower: str) -> Floats:
        """Return the centre of a tower, ``image`` or ``text``: float32 ``[embedding_size]``."""
        import zipfile  # late: a query for an item needs no centre

        path = self.check("centre.npz")
        try:
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo(f"{tower}.npy").file_size > _MAX_CENTRE:
                    raise ValueError("it is too large")
                data = io.BytesIO(archive.read(f"{tower}.npy"))
            array = np.lib.format.read_array(data, allow_pickle=False)
            if array.dtype.kind != "f":
                raise ValueError(f"it is of type {array.dtype}")
            with np.errstate(over="ignore"):
                centre = array.astype(np.float32)
        except Exception as error:
            # The libraries raise nearly any error: KeyError, RuntimeError (encrypted), MemoryError, zlib.error.
            raise ModelCorrupt(
                f"{path} holds no centre of the {tower} tower: {error or type(error).__name__}."
            ) from error
        if centre.shape != (self.embedding_size,) or not np.isfinite(centre).all():
            raise ModelCorrupt(f"{path}: the centre of the {tower} tower is not {self.embedding_size} numbers.")
        return centre


def find_model(name: str | None) -> Model:
    """Read a model: the bundled one (``starter`` or None), an installed one by its name, or a folder by its path.

    Raises
    ------
    ModelNotFound
        When there is no such model.
    ModelCorrupt
        When its description is damaged.
    """
    if name is None or name == BUNDLED:
        return read_model(BUNDLED_FOLDER)
    if (installed := installed_folder(name)) is not None:
        return read_model(installed)
    folder = expanded(name)
    if not is_folder(folder) or not (folder / DESCRIPTION).is_file():
        raise ModelNotFound(
            f"there is no model {name!r} here: none of that name is installed beside {BUNDLED!r}, and it is no folder "
            f"with a {DESCRIPTION}. See what there is: clipdex model list. Install one: clipdex model pull NAME"
        )
    return read_model(folder.resolve())


def read_model(folder: Path) -> Model:
    """Read ``model.json`` in ``folder``. The other files are checked when they are first used."""
    path = folder / DESCRIPTION
    try:
        data = read_bounded(path, _MAX_DESCRIPTION)
        return _from_description(folder, json.loads(data.decode("utf-8")), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise ModelNotFound(f"{path} cannot be read: {error.strerror or error}.") from error
    except IndexCorrupt as error:
        raise ModelCorrupt(f"the description of a model cannot be read: {error}") from error
    except KeyError as error:
        raise ModelCorrupt(f"{path} does not say {error}.") from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelCorrupt(f"{path} is not a description of a model: {error}.") from error


def _from_description(folder: Path, text: dict[str, Any], digest: str) -> Model:
    try:
        json.dumps(text, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # An index would store the name, and could not be read again.
        raise ValueError("half of a surrogate pair, which is no text, is in it") from error
    if text["schema"] != SCHEMA:
        raise ValueError(f"schema {text['schema']!r}, and this clipdex reads schema {SCHEMA}")
    bits = _whole(text["embedding_size"], 8, _MAX_EMBEDDING, "embedding_size")
    if bits % 8:
        raise ValueError(f"embedding_size {bits} is not a multiple of 8")
    files = {}
    for name in FILES:
        entry = text["files"][name]
        files[name] = (_whole(entry["size"], 1, _MAX_FILE, f"size of {name}"), str(entry["sha256"]))
    _whole(files["centre.npz"][0], 1, _MAX_CENTRE, "size of centre.npz")
    test = text["self_test"]
    return Model(
        folder=folder,
        name=str(text["name"]),
        kind=str(text.get("kind", "")),
        good_at=str(text.get("good_at", "")),
        not_good_at=str(text.get("not_good_at", "")),
        licence=str(text.get("licence", "")),
        digest=digest,
        embedding_size=bits,
        image=_image_settings(text["image"]),
        text=_text_settings(text["text"]),
        self_test=SelfTest(
            {name: _hash_key(test["images"][name], bits) for name in SELF_TEST_IMAGES},
            str(test["text"]["value"]),
            _hash_key(test["text"]["key"], bits),
            _whole(test["tolerance"], 0, bits, "self_test tolerance"),
        ),
        files=files,
        hashing=_one_of(text.get("hashing", HASHINGS[0]), HASHINGS, "hashing"),
        weights=_one_of(text.get("weights", WEIGHTS[0]), WEIGHTS, "weights"),
        precision=_one_of(text.get("precision", "f32"), ("f32", "auto"), "precision"),
        source=text.get("source"),
        languages=(
            stated_languages(text["languages"]) if "languages" in text else languages_of_source(text.get("source"))
        ),
    )


def _image_settings(text: dict[str, Any]) -> ImageSettings:
    size = _whole(text["size"], 8, _MAX_IMAGE, "image size")
    background = _triple(text["background"], "background")
    settings = ImageSettings(
        size=size,
        resize=_one_of(text["resize"], RESIZES, "resize"),
        resize_size=_whole(text.get("resize_size", size), size, 2 * _MAX_IMAGE, "resize_size"),
        interpolation=_one_of(text["interpolation"], INTERPOLATIONS, "interpolation"),
        mean=_triple(text["mean"], "mean"),
        std=_triple(text["std"], "std"),
        background=(int(background[0]), int(background[1]), int(background[2])),
        batch=_whole(text.get("batch", 1), 1, _MAX_BATCH, "batch"),
    )
    if min(settings.std) <= 0 or not all(0 <= channel <= 255 for channel in background):
        raise ValueError("std must be positive, and background between 0 and 255")
    return settings


def _text_settings(text: dict[str, Any]) -> TextSettings:
    pad = text.get("pad_id")
    ensemble = text.get("ensemble", [])
    if not isinstance(ensemble, list) or len(ensemble) > _MAX_PROMPTS:
        raise ValueError(f"ensemble is not a list of at most {_MAX_PROMPTS} prompts")
    return TextSettings(
        length=_whole(text["length"], 4, 8192, "text length"),
        prompt=_prompt(text["prompt"]),
        ensemble=tuple(_prompt(prompt) for prompt in ensemble),
        pad_id=None if pad is None else _whole(pad, 0, _MAX_TOKEN, "pad_id"),
    )


def _prompt(value: object) -> str:
    if not isinstance(value, str) or value.count("{}") != 1:
        raise ValueError("a prompt must hold {} once")
    return value


def _one_of(value: object, known: tuple[str, ...], what: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{what} {value!r} is none of {', '.join(known)}")
    return value


def _whole(value: object, low: int, high: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}, not a whole number from {low} to {high}")
    return value


def _triple(value: object, what: str) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3 or not np.isfinite(np.asarray(value, np.float64)).all():
        raise ValueError(f"{what} is {value!r}, not three numbers")
    return float(value[0]), float(value[1]), float(value[2])


def _hash_key(value: object, bits: int) -> bytes:
    key = bytes.fromhex(str(value))
    if len(key) != bits // 8:
        raise ValueError(f"a self-test key does not have {bits} bits")
    return key
