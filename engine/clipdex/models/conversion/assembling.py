"""Completing a model folder that holds both towers as IR: the centres, the self-test and ``model.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
    """Write ``centre.npz`` and ``model.json`` for a folder that holds both towers and ``tokenizer.json``.

    Raises
    ------
    ModelError
        When a tower does not run, or its embeddings cannot be hashed.
    """
    towers = _Towers(folder, blueprint)
    if blueprint.hashing == "sign":
        zero = np.zeros(blueprint.embedding_size, np.float32)
        centres = {"image": zero, "text": zero}
    else:
        centres = {
            "image": towers.image_centre(packaged_photos(), progress),
            "text": towers.text_centre(packaged_nouns(), progress),
        }
    return _describe(folder, blueprint, towers, centres)


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
    text_centre = towers.text_centre(texts, progress) if texts else model.centre("text")
    centres = {"image": towers.image_centre(images, progress), "text": text_centre}
    return _describe(folder, blueprint, towers, centres)


class _Towers:
    """The towers of a folder without a description, in float32 on the CPU."""

    def __init__(self, folder: Path, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        image, bits = blueprint.image, blueprint.embedding_size
        self._image = ImageTower(folder / "image.xml", image.size, bits, Way(), batch=image.batch)
        self._text = TextTower(folder / "text.xml", bits, Way())
        self._preparation = TextPreparation(folder / "tokenizer.json", blueprint.text)

    def image_centre(self, photos: Sequence[Path], progress: Progress) -> Floats:
        """Return the centre of the image tower over photos, without those that cannot be read."""
        settings = self._blueprint.image

        def pixels() -> Iterable[tuple[None, npt.NDArray[np.uint8]]]:
            for number, photo in enumerate(photos):
                progress("centre of the image tower", number, len(photos))
                try:
                    image = load_image(photo, settings.background)
                except ImageError:
                    continue
                yield None, prepare(image, settings)

        embeddings = [embedding for _, embedding in self._image.embed_all(pixels())]
        if embeddings and not np.isfinite(embeddings).all():
            raise ModelUnsupported(
                f"the image tower of {self._blueprint.name} gives values that are not finite for some images."
            )
        if not embeddings:
            raise ModelUnsupported("none of the images can be read, so there is nothing to compute a centre from.")
        return centre(np.stack(embeddings))

    def text_centre(self, texts: Sequence[str], progress: Progress) -> Floats:
        """Return the centre of the text tower over texts. Short texts are put into the prompt."""
        embeddings = []
        for number, text in enumerate(texts):
            progress("centre of the text tower", number, len(texts))
            embeddings.append(self.text(prompted(text, self._blueprint.text)[0]))
        if not np.isfinite(embeddings).all():
            raise ModelUnsupported(
                f"the text tower of {self._blueprint.name} gives values that are not finite for some texts."
            )
        return centre(np.stack(embeddings))

    def text(self, text: str) -> Floats:
        """Embed one text."""
        return self._text(self._preparation(text))

    def pictures(self) -> dict[str, Floats]:
        """Embed the pictures of the self-test in parallel requests, as a build does."""
        size = self._blueprint.image.size
        return dict(self._image.embed_all((name, self_test_pixels(name, size)) for name in SELF_TEST_IMAGES))


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
