"""Looking after installed models: is one right, how fast is it here, and a centre from the user's own images."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipdex.encoder.checks import model_cache
from clipdex.encoder.devices import CPU, EXACT
from clipdex.encoder.encoder import Encoder
from clipdex.encoder.installed import (
    check_name,
    installed_folder,
    installed_names,
    models_folder,
    remove_installed,
    staged,
)
from clipdex.encoder.model import BUNDLED, FILES, Model, find_model, read_model
from clipdex.encoder.selftest import SELF_TEST_IMAGES, self_test_pixels
from clipdex.errors import ClipdexError, IndexCorrupt, ModelError
from clipdex_indexes.storage.files import atomic_write, read_bounded

if TYPE_CHECKING:
    from clipdex.encoder.towers import ImageTower
    from clipdex.models.conversion.assembling import Progress

Pixels = npt.NDArray[np.uint8]

_RATES = "rates.json"
_MAX_RATES = 1 << 20
_MOST_IMAGES = 2000
_MAX_TEXTS_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that is here: the name it is found by, the model or why it cannot be read, and its measured rate."""

    name: str
    model: Model | None
    problem: str = ""
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many images a second the image tower embeds, in one way of running it."""

    device: str
    precision: str
    batch: int
    images_per_second: float


def list_models() -> list[Listed]:
    """Return the bundled model and the installed ones; those that are damaged, too."""
    return [_listed(name) for name in [BUNDLED, *installed_names()]]


def _listed(name: str) -> Listed:
    try:
        model = find_model(name)
    except ClipdexError as error:
        return Listed(name, None, error.message)
    return Listed(name, model, "", best_rate(model))


def verify(name: str, *, device: str = CPU, precision: str = EXACT) -> Encoder:
    """Check the checksums of all files of a model, and its self-test, whatever was noted before; return how it was run.

    Raises
    ------
    ModelNotFound
        When there is no such model.
    ModelCorrupt
        When a file is not the one that its description names.
    ModelMisbehaves
        When this machine computes other bits.
    """
    model = find_model(name)
    for file in FILES:
        model.check(file)
    encoder = Encoder(model, device=device, precision=precision)
    encoder.self_test()
    return encoder


def remove(name: str) -> Path:
    """Delete an installed model, and what was kept of it; return where it was.

    Raises
    ------
    ModelError
        When it is the bundled one, or cannot be deleted.
    """
    if name == BUNDLED:
        raise ModelError(f"{BUNDLED!r} is part of clipdex, and cannot be removed.")
    with contextlib.suppress(ClipdexError):
        folder = installed_folder(name)
        if folder is not None:
            shutil.rmtree(model_cache(read_model(folder)), ignore_errors=True)
    return remove_installed(name)


def calibrate(
    name: str, images: Path, texts: Path | None = None, *, to: str | None = None, progress: Progress | None = None
) -> Model:
    """Give a model centres computed from the user's own images, and texts where there are any.

    Hash keys made with the old centres cannot be compared with those of the new ones: the model has another digest.

    Parameters
    ----------
    name
        An installed model; also the bundled one, or a folder, with ``to``.
    images
        A folder of images; of more than 2,000, as many are taken evenly.
    texts
        A file of texts, one a line; None keeps the centre of the text tower.
    to
        Make a new model of that name, and leave the old one as it is.
    progress
        Called now and then, from this thread.

    Raises
    ------
    ModelError
        When there is no such model, or none of the images can be read.
    DatasetNotFound
        When there is no such folder.
    """
    from clipdex.models.conversion.assembling import recentre
    from clipdex.readers import FolderReader, ReadItem
    from clipdex.readers.sources import locate

    model = find_model(name)
    if to is None and installed_folder(name) is None:
        raise ModelError(f"{name!r} is not installed, and cannot be changed: name the new model with --name.")
    reader = FolderReader(locate(images).location)
    found = [reader.root / item.id for item in reader.read() if isinstance(item, ReadItem)]
    if not found:
        raise ModelError(f"there are no images in {images}.")
    step = -(-len(found) // _MOST_IMAGES)
    chosen = found[::step]
    lines = read_texts(texts) if texts is not None else []
    called = name if to is None else check_name(to)
    with staged(called, replace=to is None) as folder:
        for file in FILES:
            model.check(file)
            if file != "centre.npz":
                _link(model.folder / file, folder / file)
        note = f"{len(chosen)} images" + (f", {len(lines)} texts" if lines else "")
        recentre(folder, model, chosen, lines, progress or (lambda what, done, total: None), name=called, note=note)
    return read_model(models_folder() / called)


def read_texts(path: Path) -> list[str]:
    """Read texts, one a line, for a calibration; empty lines and repetitions are left out.

    Raises
    ------
    ModelError
        When the file cannot be read, or holds none.
    """
    try:
        lines = read_bounded(path, _MAX_TEXTS_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, IndexCorrupt) as error:
        raise ModelError(f"{path} cannot be read as a list of texts: {error}.") from error
    texts = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not texts:
        raise ModelError(f"{path} holds no text.")
    return texts


def bench(
    name: str,
    *,
    device: str = CPU,
    precisions: Sequence[str],
    batches: Sequence[int],
    seconds: float = 1.0,
    progress: Callable[[Rate], None] | None = None,
) -> list[Rate]:
    """Measure how many images a second the image tower embeds, from prepared pixels; the best rate is remembered.

    Parameters
    ----------
    name
        The model.
    device
        Device, as OpenVINO names it.
    precisions, batches
        All combinations are measured.
    seconds
        How long one of three measurements takes at least.
    progress
        Called with each rate.

    Returns
    -------
    list
        The rates, in the order in which they were measured.

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
    _remember(model, max(rates, key=lambda rate: rate.images_per_second))
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
    """Return the best rate of a model that was measured on this machine; None where none was."""
    try:
        data = (model_cache(model) / _RATES).read_bytes()[:_MAX_RATES]
        value = json.loads(data)
        return Rate(
            str(value["device"]), str(value["precision"]), int(value["batch"]), float(value["images_per_second"])
        )
    except (OSError, ClipdexError, ValueError, KeyError, TypeError):
        return None


def _remember(model: Model, rate: Rate) -> None:
    with contextlib.suppress(OSError, ClipdexError):
        folder = model_cache(model)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(folder / _RATES, json.dumps(asdict(rate)).encode())


def _link(source: Path, target: Path) -> None:
    """Let two models share a file, which neither changes; copy it where that is impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
