"""Running towers: OpenVINO, and nothing else here knows it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino.preprocess import PrePostProcessor

from clipdex.encoder.model import ImageSettings
from clipdex.errors import ModelCorrupt

if TYPE_CHECKING:
    from clipdex.encoder.texts import Tokens

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

DEVICE = "CPU"


def _read(path: Path) -> Any:  # noqa: ANN401
    try:
        return ov.Core().read_model(str(path))
    except RuntimeError as error:
        raise ModelCorrupt(f"OpenVINO cannot read {path}: {str(error).strip().splitlines()[-1]}") from error


def _compile(model: Any, path: Path, hint: str, precision: str) -> Any:  # noqa: ANN401
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
    try:
        return ov.Core().compile_model(model, DEVICE, settings)
    except RuntimeError as error:
        raise ModelCorrupt(f"OpenVINO cannot run {path}: {str(error).strip().splitlines()[-1]}") from error


def _embedding(output: Any, size: int, path: Path) -> Floats:  # noqa: ANN401
    embedding = np.array(output, np.float32)
    if embedding.shape != (1, size):
        raise ModelCorrupt(f"{path} gives an array of {list(embedding.shape)}, and not of {[1, size]}.")
    first: Floats = embedding[0]
    return first


class ImageTower:
    """The image tower of a model, compiled.

    Parameters
    ----------
    path
        Its IR: float32 ``[n, 3, size, size]`` in, ``[n, embedding_size]`` out. Normalisation and layout are added here.
    settings
        Image settings of the model.
    embedding_size
        Number of dimensions it must give.
    precision
        ``f32`` or another that OpenVINO names.
    throughput
        Compile for many images rather than for one soon.
    """

    def __init__(
        self, path: Path, settings: ImageSettings, embedding_size: int, precision: str, *, throughput: bool
    ) -> None:
        self._path = path
        self._size = embedding_size
        side = settings.size
        model = _read(path)
        try:
            steps = PrePostProcessor(model)
            steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
            steps.input().tensor().set_shape([1, side, side, 3])
            steps.input().model().set_layout(ov.Layout("NCHW"))
            chain = steps.input().preprocess().convert_element_type(ov.Type.f32)
            chain.mean([255 * channel for channel in settings.mean])
            chain.scale([255 * channel for channel in settings.std])
            model = steps.build()
            model.reshape([1, side, side, 3])
        except RuntimeError as error:
            raise ModelCorrupt(f"{path} does not take images of {side} pixels: {error}") from error
        self._compiled = _compile(model, path, "THROUGHPUT" if throughput else "LATENCY", precision)
        self._one_call = threading.Lock()

    def __call__(self, pixels: Pixels) -> Floats:
        """Embed one image, uint8 ``[size, size, 3]``: float32 ``[embedding_size]``."""
        # All calls share one request, and what it gives is its own memory until it is copied.
        with self._one_call:
            return _embedding(self._compiled([pixels[None]])[0], self._size, self._path)

    def embed_all(self, images: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Floats]]:
        """Embed many images in parallel requests, in order, holding no more of them than there are requests.

        Parameters
        ----------
        images
            Pairs of anything and pixels, uint8 ``[size, size, 3]``.
        """
        # No callbacks, and so no AsyncInferQueue: its threads need the GIL for a moment after their last callback, and
        # destroying the compiled model in that moment waits for them while holding it, for ever.
        count = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
        free = [self._compiled.create_infer_request() for _ in range(count)]
        running: deque[tuple[T, Any]] = deque()

        def finish() -> tuple[T, Floats]:
            token, request = running.popleft()
            request.wait()
            free.append(request)
            return token, _embedding(request.get_output_tensor(0).data, self._size, self._path)

        try:
            for token, pixels in images:
                done = finish() if not free else None
                request = free.pop()
                request.start_async([pixels[None]])
                running.append((token, request))
                if done is not None:
                    yield done
            while running:
                yield finish()
        finally:
            for _, request in running:
                request.wait()


class TextTower:
    """The text tower of a model, compiled for one text at a time.

    Parameters
    ----------
    path
        Its IR: ``input_ids`` and ``attention_mask``, int64 ``[n, length]``, in; ``[n, embedding_size]`` out.
    embedding_size
        Number of dimensions it must give.
    precision
        As for the image tower.
    """

    def __init__(self, path: Path, embedding_size: int, precision: str) -> None:
        self._path = path
        self._size = embedding_size
        self._compiled = _compile(_read(path), path, "LATENCY", precision)
        self._one_call = threading.Lock()

    def __call__(self, tokens: Tokens) -> Floats:
        """Embed one text: float32 ``[embedding_size]``."""
        with self._one_call:  # as for images
            try:
                output = self._compiled({"input_ids": tokens.ids, "attention_mask": tokens.mask})[0]
            except RuntimeError as error:
                raise ModelCorrupt(f"{self._path} does not take input_ids and attention_mask: {error}") from error
            return _embedding(output, self._size, self._path)
