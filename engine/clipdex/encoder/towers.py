"""Running towers with OpenVINO, compiled for the latency of one input or the throughput of many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from clipdex.encoder.devices import CPU, core
from clipdex.encoder.runtime import openvino as ov
from clipdex.errors import ModelCorrupt

if TYPE_CHECKING:
    from clipdex.encoder.texts import Tokens

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """How a tower runs.

    Attributes
    ----------
    device, precision
        The device, and what it computes in.
    cache
        The folder where OpenVINO may cache the compiled tower.
    threads
        How many threads of the processor compute; 0 for as many as OpenVINO chooses.
    """

    device: str = CPU
    precision: str = "f32"
    cache: Path | None = None
    threads: int = 0

    @property
    def settings(self) -> dict[str, object]:
        """The settings of OpenVINO that say so, without the cache."""
        threads = {"INFERENCE_NUM_THREADS": self.threads} if self.threads else {}
        return {"INFERENCE_PRECISION_HINT": self.precision, **threads}


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _compile(model: Any, path: Path, hint: str, way: Way) -> Any:  # noqa: ANN401
    settings = {"PERFORMANCE_HINT": hint, **way.settings}
    try:
        return core().compile_model(model, way.device, settings)
    except RuntimeError as error:
        raise ModelCorrupt(f"OpenVINO cannot run {path} on {way.device}: {_last_line(error)}") from error


def _compile_cached(path: Path, way: Way) -> Any:  # noqa: ANN401
    """Compile a file for the latency of one input, or load the compiled tower from the cache."""
    if way.cache is None:
        return _compile(_read(path), path, "LATENCY", way)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        **way.settings,
        "CACHE_DIR": str(way.cache),
        # The cache omits the weights; OpenVINO maps them from the file of the model.
        "CACHE_MODE": "OPTIMIZE_SIZE",
    }
    try:
        way.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        return core().compile_model(str(path), way.device, settings)
    except (OSError, RuntimeError):
        # The cache is unusable, or the device supports none: compile without it.
        return _compile(_read(path), path, "LATENCY", way)


def _compile_for_many(path: Path, shape: tuple[int, int, int, int], way: Way) -> Any:  # noqa: ANN401
    """Compile an image tower for many requests of one shape, ``[n, side, side, 3]``."""
    model = _read(path)
    try:
        model.reshape(list(shape))
    except RuntimeError as error:
        raise ModelCorrupt(f"{path} does not take images of {shape[1]} pixels: {_last_line(error)}") from error
    return _compile(model, path, "THROUGHPUT", way)


def _read(path: Path) -> Any:  # noqa: ANN401
    try:
        return core().read_model(str(path))
    except RuntimeError as error:
        raise ModelCorrupt(f"OpenVINO cannot read {path}: {_last_line(error)}") from error


def _embeddings(output: Any, count: int, size: int, path: Path) -> Floats:  # noqa: ANN401
    embeddings = np.array(output, np.float32)
    if embeddings.shape != (count, size):
        raise ModelCorrupt(f"{path} gives an array of {list(embeddings.shape)}, and not of {[count, size]}.")
    return embeddings


class ImageTower:
    """The compiled image tower of a model.

    Parameters
    ----------
    path
        The IR: uint8 ``[n, side, side, 3]`` in, float32 ``[n, embedding_size]`` out.
    side
        Side of the images in pixels.
    embedding_size
        The expected number of dimensions.
    way
        How the tower runs.
    batch
        Images per request, compiled for throughput; 0 compiles for the latency of one image.
    """

    def __init__(self, path: Path, side: int, embedding_size: int, way: Way, *, batch: int = 0) -> None:
        self._path = path
        self._embedding_size = embedding_size
        self._shape = (max(1, batch), side, side, 3)
        self._compiled = _compile_for_many(path, self._shape, way) if batch else _compile_cached(path, way)
        self._require_input()
        self._one_call = threading.Lock()

    def _require_input(self) -> None:
        inputs = self._compiled.inputs
        fits = (
            len(inputs) == 1
            and inputs[0].get_element_type() == ov.Type.u8
            and inputs[0].get_partial_shape().compatible(ov.PartialShape(list(self._shape)))
        )
        if not fits:
            raise ModelCorrupt(f"{self._path} does not take images as uint8 {list(self._shape)}.")

    @property
    def streams(self) -> int:
        """The number of requests that run in parallel."""
        return int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def __call__(self, pixels: Pixels) -> Floats:
        """Embed one image, uint8 ``[side, side, 3]``: float32 ``[embedding_size]``."""
        filled = np.zeros(self._shape, np.uint8)
        filled[0] = pixels
        # All calls share one request, whose output must be copied before the next call.
        with self._one_call:
            output = self._compiled([filled])[0]
            first: Floats = _embeddings(output, self._shape[0], self._embedding_size, self._path)[0]
            return first

    def embed_all(self, images: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Floats]]:
        """Embed many images in parallel requests, in order. Only as many images are held as the requests take.

        Parameters
        ----------
        images
            Pairs of any token and pixels, uint8 ``[side, side, 3]``.
        """
        # Callbacks, and so AsyncInferQueue, can deadlock: its threads need the GIL shortly after their last callback,
        # and destroying the compiled model at that moment waits for the threads while holding the GIL.
        free = [self._compiled.create_infer_request() for _ in range(self.streams + 1)]
        running: deque[tuple[list[T], Any]] = deque()

        def finish() -> Iterator[tuple[T, Floats]]:
            tokens, request = running.popleft()
            try:
                request.wait()
            except RuntimeError as error:
                raise ModelCorrupt(f"OpenVINO cannot run {self._path}: {_last_line(error)}") from error
            output = request.get_output_tensor(0).data
            embeddings = _embeddings(output, self._shape[0], self._embedding_size, self._path)
            free.append(request)
            return zip(tokens, embeddings, strict=False)  # the last request may not be full

        try:
            for tokens, pixels in self._requests(images):
                done = finish() if not free else iter(())
                request = free.pop()
                request.start_async([pixels])
                running.append((tokens, request))
                yield from done
            while running:
                yield from finish()
        finally:
            for _, request in running:
                request.wait()

    def _requests(self, images: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[list[T], Pixels]]:
        """Group images into requests; black fills the rest of the last one."""
        tokens: list[T] = []
        pixels = np.zeros(self._shape, np.uint8)
        for token, image in images:
            pixels[len(tokens)] = image
            tokens.append(token)
            if len(tokens) == self._shape[0]:
                yield tokens, pixels
                tokens, pixels = [], np.zeros(self._shape, np.uint8)
        if tokens:
            yield tokens, pixels


class TextTower:
    """The text tower of a model, compiled for one text at a time.

    Parameters
    ----------
    path
        The IR: ``input_ids`` and, where the tower has that input, ``attention_mask``, int64 ``[n, length]``, in;
        float32 ``[n, embedding_size]`` out.
    embedding_size
        The expected number of dimensions.
    way
        How the tower runs.
    """

    def __init__(self, path: Path, embedding_size: int, way: Way) -> None:
        self._path = path
        self._size = embedding_size
        self._compiled = _compile_cached(path, way)
        self._inputs = {name for port in self._compiled.inputs for name in port.get_names()}
        if "input_ids" not in self._inputs:
            raise ModelCorrupt(f"{path} does not take input_ids; it takes {', '.join(sorted(self._inputs)) or 'none'}.")
        self._one_call = threading.Lock()

    def __call__(self, tokens: Tokens) -> Floats:
        """Embed one text: float32 ``[embedding_size]``."""
        values = {"input_ids": tokens.ids}
        if "attention_mask" in self._inputs:
            values["attention_mask"] = tokens.mask
        with self._one_call:  # as in ImageTower
            try:
                output = self._compiled(values)[0]
            except RuntimeError as error:
                raise ModelCorrupt(f"{self._path} does not take the tokens of a text: {_last_line(error)}") from error
            first: Floats = _embeddings(output, 1, self._size, self._path)[0]
            return first
