"""Running a dual encoder: reading its model folder, and turning images and texts into hash keys.

This package does not know how a model is made, converted, downloaded or installed, and nothing of datasets or indexes.
Code outside handles ``Model`` and ``Encoder`` and does not depend on any particular model.

A query loads only the tower that it needs: a text query the text tower, an image query the image tower, an item query
none. When a tower first runs in some way on a machine, its checksums are compared and its self-test is run, because
drivers have given silently wrong results. A note keeps the size, times and inode of the files; as long as these stay
the same, neither check is repeated. OpenVINO keeps compiled towers in the cache folder without their weights, which it
maps from the file of the model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipdex.encoder.devices import AUTO, CPU, nearest_precision
    from clipdex.encoder.encoder import EncodedText, Encoder, hash_key
    from clipdex.encoder.images import decode_to_hash, prepare
    from clipdex.encoder.installed import installed_names
    from clipdex.encoder.model import BUNDLED, Model, find_model

# Pillow is imported with the first image: a query for an item or a text needs none.
_LAZY = {
    "AUTO": "devices",
    "CPU": "devices",
    "nearest_precision": "devices",
    "EncodedText": "encoder",
    "Encoder": "encoder",
    "hash_key": "encoder",
    "decode_to_hash": "images",
    "prepare": "images",
    "installed_names": "installed",
    "BUNDLED": "model",
    "Model": "model",
    "find_model": "model",
}

__all__ = [
    "AUTO",
    "BUNDLED",
    "CPU",
    "EncodedText",
    "Encoder",
    "Model",
    "decode_to_hash",
    "find_model",
    "hash_key",
    "installed_names",
    "nearest_precision",
    "prepare",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        return getattr(importlib.import_module(f"clipdex.encoder.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
