"""The dual encoder: images and texts in, hash keys out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.encoder.images import prepare
from clipdex.encoder.model import Model
from clipdex.errors import ModelMisbehaves
from clipdex_indexes import ModelStamp

if TYPE_CHECKING:
    # OpenVINO and the tokenizer are imported when they are needed: a query for an item needs neither.
    from clipdex.encoder.texts import TextPreparation
    from clipdex.encoder.towers import ImageTower, TextTower

Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.uint8]
T = TypeVar("T")

# The same bits on every machine; faster arithmetic changes some of them, and on some machines all.
PRECISION = "f32"


def hash_key(embedding: Floats, centre: Floats) -> Keys:
    """Binarise an embedding: one bit for each dimension, set where it is above the centre.

    The sign of a centred embedding keeps angles: two keys differ in about ``angle / pi`` of their bits (Charikar 2002,
    "Similarity estimation techniques from rounding algorithms").

    Parameters
    ----------
    embedding
        float32 ``[..., d]``, d a multiple of 8.
    centre
        float32 ``[d]``.

    Returns
    -------
    uint8 ``[..., d / 8]``, most significant bit first.
    """
    return np.packbits(embedding > centre, axis=-1)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The hash key of a text, uint8 ``[bytes]``, what was encoded after the prompt, and whether it was cut."""

    key: Keys
    encoded: str
    truncated: bool


class Encoder:
    """Hashes images and texts with one model. A tower is loaded, and tested, when it is first needed.

    Several threads may use one encoder.

    Parameters
    ----------
    model
        The model folder.
    many
        Prepare for many images (a build) rather than for one soon (a query).

    Raises
    ------
    ModelCorrupt
        From any method, when a file of the model cannot be used.
    ModelMisbehaves
        From any method, when this machine computes other bits than the self-test of the model.
    """

    def __init__(self, model: Model, *, many: bool = False) -> None:
        self.model = model
        self._many = many
        self._loading = threading.RLock()
        self._loaded: dict[str, Any] = {}

    @property
    def stamp(self) -> ModelStamp:
        """What an index remembers of this encoder."""
        model = self.model
        return ModelStamp(model.name, model.digest, model.embedding_size, PRECISION, model.location)

    def image_key(self, image: Image.Image) -> Keys:
        """Hash one RGB image: uint8 ``[bytes]``."""
        return hash_key(self.image_embedding(image), self.image_centre)

    def image_keys(self, images: Iterable[tuple[T, npt.NDArray[np.uint8]]]) -> Iterator[tuple[T, Keys]]:
        """Hash many prepared images (uint8 ``[size, size, 3]``), each with anything, in order."""
        for token, embedding in self.image_embeddings(images):
            yield token, hash_key(embedding, self.image_centre)

    def image_embeddings(self, images: Iterable[tuple[T, npt.NDArray[np.uint8]]]) -> Iterator[tuple[T, Floats]]:
        """Embed many prepared images like ``image_keys``: float32 ``[embedding_size]`` each, not centred."""
        return self._image_tower.embed_all(images)

    def text_key(self, text: str) -> EncodedText:
        """Hash a text query, in the model's prompt where it is short."""
        from clipdex.encoder.texts import prompted

        encoded = prompted(text, self.model.text.prompt)
        tokens = self._text_preparation(encoded)
        return EncodedText(hash_key(self._text_tower(tokens), self.text_centre), encoded, tokens.truncated)

    def image_embedding(self, image: Image.Image) -> Floats:
        """Embed one RGB image: float32 ``[embedding_size]``, not centred."""
        return self._image_tower(prepare(image, self.model.image))

    def text_embedding(self, text: str) -> Floats:
        """Embed a text as it is, without prompt: float32 ``[embedding_size]``, not centred."""
        return self._text_tower(self._text_preparation(text))

    @property
    def image_centre(self) -> Floats:
        """Centre of the image tower, float32 ``[embedding_size]``."""
        return self._once("image centre", lambda: self.model.centre("image"))

    @property
    def text_centre(self) -> Floats:
        """Centre of the text tower, float32 ``[embedding_size]``."""
        return self._once("text centre", lambda: self.model.centre("text"))

    @property
    def _text_preparation(self) -> TextPreparation:
        return self._once("text preparation", self._load_text_preparation)

    @property
    def _image_tower(self) -> ImageTower:
        return self._once("image tower", self._load_image_tower)

    @property
    def _text_tower(self) -> TextTower:
        return self._once("text tower", self._load_text_tower)

    def _once(self, name: str, load: Callable[[], T]) -> T:
        """Return what ``load`` gave when it was first asked for, by whichever thread."""
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = load()
            loaded: T = self._loaded[name]
            return loaded

    def _load_text_preparation(self) -> TextPreparation:
        from clipdex.encoder.texts import TextPreparation

        return TextPreparation(self.model.path("tokenizer.json"), self.model.text)

    def _load_image_tower(self) -> ImageTower:
        from clipdex.encoder.towers import ImageTower

        model = self.model
        model.path("image.bin")
        tower = ImageTower(model.path("image.xml"), model.image, model.embedding_size, PRECISION, throughput=self._many)
        pixels = self_test_pixels(model.image.size)
        # Through the requests that a build uses, which have gone wrong where a single call had not.
        found = [embedding for _, embedding in tower.embed_all((number, pixels) for number in range(2))]
        for embedding in found:
            self._check("image", hash_key(embedding, self.image_centre), model.self_test.image_key)
        return tower

    def _load_text_tower(self) -> TextTower:
        from clipdex.encoder.towers import TextTower

        model = self.model
        model.path("text.bin")
        tower = TextTower(model.path("text.xml"), model.embedding_size, PRECISION)
        embedding = tower(self._text_preparation(model.self_test.text))
        self._check("text", hash_key(embedding, self.text_centre), model.self_test.text_key)
        return tower

    def _check(self, tower: str, key: Keys, expected: bytes) -> None:
        from clipdex.encoder.towers import DEVICE

        differing = int(np.bitwise_count(key ^ np.frombuffer(expected, np.uint8)).sum())
        if differing > self.model.self_test.tolerance:
            raise ModelMisbehaves(
                f"the {tower} tower of model {self.model.name!r} gives wrong results on {DEVICE}: {differing} of "
                f"{self.model.embedding_size} bits of its self-test differ ({self.model.self_test.tolerance} may). "
                "Get the model again, or try another version of OpenVINO."
            )


def self_test_pixels(size: int) -> npt.NDArray[np.uint8]:
    """Return the picture of the image self-test: three gradients, uint8 ``[size, size, 3]``."""
    y, x = np.mgrid[0:size, 0:size]
    planes = [x * 255 // (size - 1), y * 255 // (size - 1), (x + y) * 255 // (2 * (size - 1))]
    return np.stack(planes, axis=-1).astype(np.uint8)
