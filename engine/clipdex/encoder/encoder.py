"""The dual encoder: images and texts in, hash keys out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from clipdex.encoder.devices import AUTO, CPU, EXACT
from clipdex.encoder.model import Model
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.errors import ClipdexError, ModelMisbehaves
from clipdex_indexes import ModelStamp

if TYPE_CHECKING:
    # OpenVINO, the tokenizer and Pillow are imported late: a query needs one of the last two, or none of them.
    from PIL import Image

    from clipdex.encoder.checks import Note
    from clipdex.encoder.texts import TextPreparation
    from clipdex.encoder.towers import ImageTower, TextTower, Way
    from clipdex.encoder.unread import Unread
    from clipdex.media.orientations import Sides

Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.uint8]
T = TypeVar("T")

# A tower of so few bytes of weights is too little work, for one input, for several threads: they would mostly wait for
# each other, which takes a third more processor time.
_LITTLE = 32 << 20
# What an encoder loads when it is first needed.
_PARTS = ("precision", "image tower", "image centre", "text tower", "text centre", "text preparation")


def hash_key(embedding: Floats, centre: Floats) -> Keys:
    """Binarise an embedding: one bit per dimension, set where the value is above the centre.

    The signs of centred embeddings preserve angles: two keys differ in about ``angle / pi`` of their bits (Charikar
    2002, "Similarity estimation techniques from rounding algorithms").

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


def unit(embeddings: Floats) -> Floats:
    """Return the mean of unit embeddings, float32 ``[n, d]``, as a unit embedding ``[d]``."""
    mean = embeddings.astype(np.float64).mean(axis=0)
    scaled: Floats = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return scaled


@dataclass(frozen=True, slots=True)
class EncodedText:
    """An encoded text query.

    Attributes
    ----------
    key
        The hash key, uint8 ``[bytes]``.
    encoded
        The text as it was encoded, in its prompt; the first text of an ensemble.
    ensemble
        The texts whose embeddings were averaged; empty where there is only one.
    truncated
        Whether a text was cut to fit.
    embedding
        The centred embedding of which the key has the signs, float32 ``[embedding_size]``.
    unread
        What the model does not read of the query.
    """

    key: Keys
    encoded: str
    ensemble: tuple[str, ...]
    truncated: bool
    embedding: Floats
    unread: Unread


class Encoder:
    """Hashes images and texts with one model.

    A tower is loaded when it is first needed. When it first runs in some way on this machine, its self-test is run.
    Several threads may use one encoder.

    Parameters
    ----------
    model
        The model folder.
    many
        Whether to compile for the throughput of many images (a build) rather than the latency of one (a query).
    device
        Name of the device in OpenVINO: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16``, ``f16``, or ``auto``: the preference of the model, which is ``f32`` or the fastest native
        precision of the device that passes the self-test.

    Raises
    ------
    DeviceUnavailable
        From any method, when this machine lacks the device, or the device lacks the precision.
    ModelCorrupt
        From any method, when a file of the model cannot be used.
    ModelMisbehaves
        From any method, when this machine fails the self-test of the model.
    """

    def __init__(self, model: Model, *, many: bool = False, device: str = CPU, precision: str = AUTO) -> None:
        self.model = model
        self.device = device
        self._many = many
        self._wanted = precision if precision != AUTO or model.precision == AUTO else EXACT
        self._locks = {name: threading.RLock() for name in _PARTS}
        self._loaded: dict[str, Any] = {}

    @property
    def precision(self) -> str:
        """The precision of the towers: ``f32``, ``bf16`` or ``f16``."""
        return self._once("precision", self._choose_precision)

    @property
    def stamp(self) -> ModelStamp:
        """The description of this encoder that an index stores."""
        model = self.model
        return ModelStamp(model.name, model.digest, model.embedding_size, self.precision, model.location)

    def begin(self, tower: str) -> None:
        """Begin to load a tower, ``image`` or ``text``, in a thread: OpenVINO compiles while Python does other things.

        Whoever needs the tower waits for it. Where it cannot be loaded, they get the error.
        """
        if f"{tower} tower" in self._loaded:
            return

        def load() -> None:
            with contextlib.suppress(Exception):
                getattr(self, f"_{tower}_tower")

        threading.Thread(target=load, name=f"clipdex-{tower}-tower").start()

    def require_here(self) -> None:
        """Check that this machine has the device, and the device the precision; no tower is loaded.

        Raises
        ------
        DeviceUnavailable
            When one of them is missing.
        """
        if self._wanted == EXACT and self.device == CPU:
            return  # without importing OpenVINO
        from clipdex.encoder.devices import require_device, require_precision

        require_device(self.device)
        if self._wanted != AUTO:
            require_precision(self._wanted, self.device)

    def self_test(self) -> None:
        """Load both towers and run their self-tests, even where they passed before.

        Raises
        ------
        ModelMisbehaves
            When this machine computes too many other bits.
        """
        self._new_image_tower(self.precision, again=True)
        self._new_text_tower(self.precision, again=True)

    def image_key(self, image: Image.Image) -> Keys:
        """Hash one RGB image: uint8 ``[bytes]``."""
        return hash_key(self.image_embedding(image), self.image_centre)

    def image_keys(self, images: Iterable[tuple[T, npt.NDArray[np.uint8]]]) -> Iterator[tuple[T, Keys]]:
        """Hash many prepared images in order: pairs of any token and an image, uint8 ``[size, size, 3]``."""
        for token, embedding in self.image_embeddings(images):
            yield token, hash_key(embedding, self.image_centre)

    def image_embeddings(self, images: Iterable[tuple[T, npt.NDArray[np.uint8]]]) -> Iterator[tuple[T, Floats]]:
        """Embed many prepared images, as ``image_keys``: float32 ``[embedding_size]`` each, not centred."""
        return self._image_tower.embed_all(images)

    def text_key(self, text: str, prompting: str = "auto") -> EncodedText:
        """Hash a text query; ``prompting`` is one of ``defaults.PROMPTINGS``."""
        from clipdex.encoder.texts import prompted

        texts = prompted(text, self.model.text, prompting)
        tokenized = [self._text_preparation(one) for one in texts]
        embeddings = np.stack([self._text_tower(tokens) for tokens in tokenized])
        embedding = embeddings[0] if len(texts) == 1 else unit(embeddings)
        return EncodedText(
            hash_key(embedding, self.text_centre),
            texts[0],
            texts if len(texts) > 1 else (),
            any(tokens.truncated for tokens in tokenized),
            embedding - self.text_centre,
            self._text_preparation.unread(text, self.model.languages),
        )

    def image_embedding(self, image: Image.Image, beyond: Sides = (0, 0, 0, 0)) -> Floats:
        """Embed one RGB image, given as to ``prepare``: float32 ``[embedding_size]``, not centred."""
        from clipdex.encoder.images import prepare

        return self._image_tower(prepare(image, self.model.image, beyond))

    def text_embedding(self, text: str) -> Floats:
        """Embed a text without a prompt: float32 ``[embedding_size]``, not centred."""
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
        """Return the result of ``load``, which only the first call, from any thread, runs."""
        # One lock for each: the tower is loaded in one thread, and the tokenizer in another.
        with self._locks[name]:
            if name not in self._loaded:
                self._loaded[name] = load()
            loaded: T = self._loaded[name]
            return loaded

    def _choose_precision(self) -> str:
        self.require_here()
        if self._wanted != AUTO:
            return self._wanted
        from clipdex.encoder.devices import fastest

        candidate = fastest(self.device)
        if candidate != EXACT:
            try:
                # Only the tower that is needed: a text query does not load the image tower.
                tower = self._new_image_tower(candidate) if self._many else self._new_text_tower(candidate)
            except ModelMisbehaves:
                return EXACT
            self._loaded["image tower" if self._many else "text tower"] = tower
        return candidate

    def _load_text_preparation(self) -> TextPreparation:
        from clipdex.encoder.checks import Note
        from clipdex.encoder.texts import TextPreparation

        self._check_files(Note(self.model, ["tokenizer.json"], {}), write=True)
        return TextPreparation(self.model.folder / "tokenizer.json", self.model.text)

    def _load_image_tower(self) -> ImageTower:
        precision = self.precision
        # Choosing the precision may have loaded the tower.
        return self._loaded.get("image tower") or self._new_image_tower(precision)

    def _load_text_tower(self) -> TextTower:
        precision = self.precision
        return self._loaded.get("text tower") or self._new_text_tower(precision)

    def _new_image_tower(self, precision: str, *, again: bool = False) -> ImageTower:
        from clipdex.encoder.towers import ImageTower

        model = self.model
        batch = model.image.batch if self._many else 0
        way, note = self._way_of("image", precision, batch)
        known = self._check_files(note)
        path = model.folder / "image.xml"
        tower = ImageTower(path, model.image.size, model.embedding_size, way, batch=batch)
        if again or not known:
            # Through parallel requests, as in a build: these have failed on machines where a single call was right.
            pictures = [(name, self_test_pixels(name, model.image.size)) for name in SELF_TEST_IMAGES]
            for name, embedding in tower.embed_all(pictures):
                key = hash_key(embedding, self.image_centre)
                self._compare(f"image tower ({name})", way, key, model.self_test.image_keys[name])
            note.write()
        return tower

    def _new_text_tower(self, precision: str, *, again: bool = False) -> TextTower:
        from clipdex.encoder.towers import TextTower

        model = self.model
        way, note = self._way_of("text", precision, 0)
        known = self._check_files(note)
        tower = TextTower(model.folder / "text.xml", model.embedding_size, way)
        if again or not known:
            embedding = tower(self._text_preparation(model.self_test.text))
            self._compare("text tower", way, hash_key(embedding, self.text_centre), model.self_test.text_key)
            note.write()
        return tower

    def _way_of(self, tower: str, precision: str, batch: int) -> tuple[Way, Note]:
        """Return how a tower runs, and the note of its check."""
        from clipdex.encoder.checks import Note, model_cache
        from clipdex.encoder.devices import describe_device, require_device
        from clipdex.encoder.runtime import openvino
        from clipdex.encoder.towers import Way

        require_device(self.device)
        description = describe_device(self.device)
        is_little = self.device == CPU and not batch and self.model.files[f"{tower}.bin"][0] <= _LITTLE
        threads = 1 if is_little else 0
        try:
            version = openvino.__version__.replace("/", "-")
            kind = f"{self.device.replace(':', '-')}-{precision}{'-1-thread' if threads else ''}"
            cache = model_cache(self.model) / f"{kind}-{version}"
        except ClipdexError:
            cache = None
        note = Note(
            self.model,
            [f"{tower}.xml", f"{tower}.bin"],
            {
                "tower": tower,
                "device": [self.device, description],
                "precision": precision,
                "batch": batch,
                "threads": threads,
            },
        )
        return Way(self.device, precision, cache, threads), note

    def _check_files(self, note: Note, *, write: bool = False) -> bool:
        """Compare the checksums of the files of a note, unless the note holds; return whether it held."""
        if note.holds():
            return True
        for name in note.files:
            self.model.check(name)
        if write:
            note.write()
        return False

    def _compare(self, tower: str, way: Way, key: Keys, expected: bytes) -> None:
        differing = int(np.bitwise_count(key ^ np.frombuffer(expected, np.uint8)).sum())
        if differing > self.model.self_test.tolerance:
            from clipdex.encoder.devices import describe_device

            raise ModelMisbehaves(
                f"the {tower} of model {self.model.name!r} gives wrong results on {way.device} "
                f"({describe_device(way.device)}) in {way.precision}: {differing} of {self.model.embedding_size} bits "
                f"of its self-test differ ({self.model.self_test.tolerance} may). Try --precision f32, another "
                "--device or another version of OpenVINO, or get the model again."
            )
