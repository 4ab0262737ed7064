"""Measuring the speed of the image tower of a model on this machine."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex.encoder.checks import model_cache
from clipdex.encoder.devices import CPU
from clipdex.encoder.model import Model, find_model
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.errors import ClipdexError
from clipdex_indexes.storage.files import atomic_write

if TYPE_CHECKING:
    from clipdex.encoder.towers import ImageTower

Pixels = npt.NDArray[np.uint8]

_RATES = "rates.json"
_MAX_RATES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rate:
    """The speed of the image tower, in images per second, on one device, in one precision, with one batch size."""

    device: str
    precision: str
    batch: int
    images_per_second: float


def bench(
    name: str,
    *,
    device: str = CPU,
    precisions: Sequence[str],
    batches: Sequence[int],
    seconds: float = 1.0,
    progress: Callable[[Rate], None] | None = None,
) -> list[Rate]:
    """Measure how many prepared images per second the image tower embeds; store the best rate.

    Parameters
    ----------
    name
        The model.
    device
        Name of the device in OpenVINO.
    precisions, batches
        The precisions and batch sizes; all combinations are measured.
    seconds
        The shortest time of one measurement. Each rate is the median of three.
    progress
        Called with each rate.

    Returns
    -------
    list
        The rates in the order of measurement.

    Raises
    ------
    ModelError
        When there is no such model, or it does not run.
    """
    from clipdex.encoder.devices import require_device, require_precision
    from clipdex.encoder.towers import ImageTower, Way

    model = find_model(name)
    require_device(device)
    for precision in precisions:
        require_precision(precision, device)
    for file in ("image.xml", "image.bin"):
        model.check(file)
    picture = self_test_pixels(SELF_TEST_IMAGES[1], model.image.size)
    rates = []
    for precision in precisions:
        for batch in batches:
            tower = ImageTower(
                model.folder / "image.xml", model.image.size, model.embedding_size, Way(device, precision), batch=batch
            )
            rate = Rate(device, precision, batch, _rate_of(tower, picture, batch * (tower.streams + 1), seconds))
            rates.append(rate)
            if progress is not None:
                progress(rate)
    _store(model, max(rates, key=lambda rate: rate.images_per_second))
    return rates


def _rate_of(tower: ImageTower, picture: Pixels, at_once: int, least: float) -> float:
    def run(count: int) -> float:
        begin = time.perf_counter()
        for _ in tower.embed_all((None, picture) for _ in range(count)):
            pass
        return time.perf_counter() - begin

    run(at_once)
    count = at_once
    while (seconds := run(count)) < least:
        count *= 2
    return statistics.median([count / seconds, count / run(count), count / run(count)])


def best_rate(model: Model) -> Rate | None:
    """Return the best measured rate of a model on this machine; None where none was measured."""
    try:
        data = (model_cache(model) / _RATES).read_bytes()[:_MAX_RATES]
        value = json.loads(data)
        return Rate(
            str(value["device"]), str(value["precision"]), int(value["batch"]), float(value["images_per_second"])
        )
    except (OSError, ClipdexError, ValueError, KeyError, TypeError):
        return None


def _store(model: Model, rate: Rate) -> None:
    with contextlib.suppress(OSError, ClipdexError):
        folder = model_cache(model)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(folder / _RATES, json.dumps(asdict(rate)).encode())
