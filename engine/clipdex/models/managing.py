"""Listing, checking and removing models."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from clipdex.encoder.checks import model_cache
from clipdex.encoder.devices import CPU, EXACT
from clipdex.encoder.encoder import Encoder
from clipdex.encoder.installed import installed_folder, installed_names
from clipdex.encoder.model import BUNDLED, FILES, Model, find_model, read_model
from clipdex.errors import ClipdexError, ModelError
from clipdex.models.benchmarking import Rate, best_rate
from clipdex.models.installing import remove_installed


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the list of models: the name, the model or the reason why it cannot be read, and its best rate."""

    name: str
    model: Model | None
    problem: str = ""
    rate: Rate | None = None


def list_models() -> list[Listed]:
    """Return the bundled model and the installed ones, including damaged ones."""
    return [_listed(name) for name in [BUNDLED, *installed_names()]]


def _listed(name: str) -> Listed:
    try:
        model = find_model(name)
    except ClipdexError as error:
        return Listed(name, None, error.message)
    return Listed(name, model, "", best_rate(model))


def verify(name: str, *, device: str = CPU, precision: str = EXACT) -> Encoder:
    """Compare all checksums of a model and run its self-test, regardless of notes; return the encoder.

    Raises
    ------
    ModelNotFound
        When there is no such model.
    ModelCorrupt
        When a file differs from its description.
    ModelMisbehaves
        When the self-test fails on this machine.
    """
    model = find_model(name)
    for file in FILES:
        model.check(file)
    encoder = Encoder(model, device=device, precision=precision)
    encoder.self_test()
    return encoder


def remove(name: str) -> Path:
    """Delete an installed model and its cache; return its former folder.

    Raises
    ------
    ModelError
        When the model is the bundled one, or cannot be deleted.
    """
    if name == BUNDLED:
        raise ModelError(f"{BUNDLED!r} is part of clipdex, and cannot be removed.")
    with contextlib.suppress(ClipdexError):
        folder = installed_folder(name)
        if folder is not None:
            shutil.rmtree(model_cache(read_model(folder)), ignore_errors=True)
    return remove_installed(name)
