"""Completing a model folder that holds both towers as IR: centres, self-test, ``model.json`` and background."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipdex.encoder.background import Background, background_of, write_background
from clipdex.encoder.encoder import hash_key
from clipdex.encoder.images import prepare
from clipdex.encoder.model import DESCRIPTION, FILES, SCHEMA, ImageSettings, Model, TextSettings, read_model
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.encoder.texts import TextPreparation, prompted
from clipdex.encoder.towers import ImageTower, TextTower, Way
from clipdex.errors import ImageError, ModelUnsupported
from clipdex.media.decoding import load_image
from clipdex.models.conversion.centring import centre, packaged_nouns, packaged_photos
from clipdex_indexes.storage.files import sha256_of

Floats = npt.NDArray[np.float32]
# Called with the current step, the amount that is done, and the total; None where the total is not known.
Progress = Callable[[str, int, int | None], None]

_TEST_TEXT = "a photo of a dog"
# A wrong computation changes about half of the bits; 16-bit arithmetic changes a few percent.
_TOLERATED_SHARE = 16


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The entries of ``model.json`` that are not computed here; see ``Model`` and its settings."""

    name: str
    embedding_size: int
    image: ImageSettings
    text: TextSettings
    kind: str = ""
    good_at: str = ""
    not_good_at: str = ""
    licence: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    hashing: str = "centred"
    weights: str = "f32"
    precision: str = "auto"
    languages: tuple[str, ...] = ()


def assemble(folder: Path, blueprint: Blueprint, progress: Progress) -> Model:
    """Write the centres, ``model.json`` and the background for a folder that holds both towers and ``tokenizer.json``.

    Raises
    ------
    ModelError
        When a tower does not run, or its embeddings cannot be hashed.
    """
    towers = _Towers(folder, blueprint)
    images, texts = towers.packaged(progress)
    if blueprint.hashing == "sign":
        zero = np.zeros(blueprint.embedding_size, np.float32)
        centres = {"image": zero, "text": zero}
    else:
        centres = {"image": centre(images), "text": centre(texts)}
    return _completed(folder, blueprint, towers, centres, progress)


def recentre(
    folder: Path,
    model: Model,
    images: Sequence[Path],
    texts: Sequence[str],
    progress: Progress,
    *,
    name: str,
    note: str,
) -> Model:
    """Write centres from images, and from texts where they are given, to a copy of a model; ``name`` names the copy.

    Raises
    ------
    ModelUnsupported
        When none of the images can be read.
    """
    blueprint = Blueprint(
        name=name,
        embedding_size=model.embedding_size,
        image=model.image,
        text=model.text,
        kind=model.kind,
        good_at=model.good_at,
        not_good_at=model.not_good_at,
        licence=model.licence,
        source={"model": model.source, "calibrated": note},
        hashing="centred",
        weights=model.weights,
        precision=model.precision,
        languages=model.languages,
    )
    towers = _Towers(folder, blueprint)
    text_centre = centre(towers.texts(texts, progress)) if texts else model.centre("text")
    centres = {"image": centre(towers.images(images, progress)), "text": text_centre}
    return _completed(folder, blueprint, towers, centres, progress)


def add_background(model: Model, progress: Progress) -> None:
    """Write the background of a model into its folder: that of the packaged photographs and nouns."""
    centres = {tower: model.centre(tower) for tower in ("image", "text")}
    write_background(model, _Towers(model.folder, model).background(centres, progress))


class _Towers:
    """The towers of a folder, which need not have a description, in float32 on the CPU."""

    def __init__(self, folder: Path, described: Blueprint | Model) -> None:
        self._described = described
        image, bits = described.image, described.embedding_size
        self._image = ImageTower(folder / "image.xml", image.size, bits, Way(), batch=image.batch)
        self._text = TextTower(folder / "text.xml", bits, Way())
        self._preparation = TextPreparation(folder / "tokenizer.json", described.text)
        self._packaged: tuple[Floats, Floats] | None = None

    def packaged(self, progress: Progress) -> tuple[Floats, Floats]:
        """Embed the packaged photographs and nouns, once: float32 ``[n, d]`` each."""
        if self._packaged is None:
            self._packaged = self.images(packaged_photos(), progress), self.texts(packaged_nouns(), progress)
        return self._packaged

    def background(self, centres: Mapping[str, Floats], progress: Progress) -> Background:
        """Return the background that the packaged photographs and nouns make."""
        images, texts = self.packaged(progress)
        kinds = [photo.parent.name for photo in packaged_photos()]
        return background_of(hash_key(images, centres["image"]), kinds, hash_key(texts, centres["text"]))

    def images(self, photos: Sequence[Path], progress: Progress) -> Floats:
        """Embed photographs, without those that cannot be read: float32 ``[n, d]``."""
        settings = self._described.image

        def pixels() -> Iterable[tuple[None, npt.NDArray[np.uint8]]]:
            for number, photo in enumerate(photos):
                progress("photographs for the image tower", number, len(photos))
                try:
                    image = load_image(photo, settings.background)
                except ImageError:
                    continue
                yield None, prepare(image, settings)

        embeddings = [embedding for _, embedding in self._image.embed_all(pixels())]
        if embeddings and not np.isfinite(embeddings).all():
            raise ModelUnsupported(
                f"the image tower of {self._described.name} gives values that are not finite for some images."
            )
        if not embeddings:
            raise ModelUnsupported("none of the images can be read, so there is nothing to compute a centre from.")
        return np.stack(embeddings)

    def texts(self, texts: Sequence[str], progress: Progress) -> Floats:
        """Embed texts, short ones in the prompt: float32 ``[n, d]``."""
        embeddings = []
        for number, text in enumerate(texts):
            progress("texts for the text tower", number, len(texts))
            embeddings.append(self.text(prompted(text, self._described.text)[0]))
        if not np.isfinite(embeddings).all():
            raise ModelUnsupported(
                f"the text tower of {self._described.name} gives values that are not finite for some texts."
            )
        return np.stack(embeddings)

    def text(self, text: str) -> Floats:
        """Embed one text."""
        return self._text(self._preparation(text))

    def pictures(self) -> dict[str, Floats]:
        """Embed the pictures of the self-test in parallel requests, as a build does."""
        size = self._described.image.size
        return dict(self._image.embed_all((name, self_test_pixels(name, size)) for name in SELF_TEST_IMAGES))


def _completed(
    folder: Path, blueprint: Blueprint, towers: _Towers, centres: Mapping[str, Floats], progress: Progress
) -> Model:
    model = _describe(folder, blueprint, towers, centres)
    write_background(model, towers.background(centres, progress))
    return model


def _describe(folder: Path, blueprint: Blueprint, towers: _Towers, centres: Mapping[str, Floats]) -> Model:
    np.savez(folder / "centre.npz", **centres)  # type: ignore[arg-type]
    pictures = towers.pictures()
    text = towers.text(_TEST_TEXT)
    for what, embedding in (*pictures.items(), ("text", text)):
        if not np.isfinite(embedding).all() or not embedding.any():
            raise ModelUnsupported(f"a tower of {blueprint.name} gives no usable embedding for the self-test ({what}).")
    first, second = pictures.values()
    if np.array_equal(first, second) or np.array_equal(text, towers.text("two grey elephants")):
        raise ModelUnsupported(f"a tower of {blueprint.name} gives the same embedding for different inputs.")
    values = asdict(blueprint)
    description = {
        "schema": SCHEMA,
        **{name: values[name] for name in ("name", "kind", "good_at", "not_good_at", "licence", "source")},
        **({"languages": list(blueprint.languages)} if blueprint.languages else {}),
        **{name: values[name] for name in ("embedding_size", "hashing", "weights", "precision", "image", "text")},
        "files": {
            name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in sorted(FILES)
        },
        "self_test": {
            "images": {
                name: hash_key(embedding, centres["image"]).tobytes().hex() for name, embedding in pictures.items()
            },
            "text": {"value": _TEST_TEXT, "key": hash_key(text, centres["text"]).tobytes().hex()},
            "tolerance": blueprint.embedding_size // _TOLERATED_SHARE,
        },
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return read_model(folder)
