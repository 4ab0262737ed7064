"""Dual encoders: model folders, and what turns images and texts into hash keys. Nothing outside knows which model."""

from clipdex.encoder.devices import AUTO, CPU, nearest_precision
from clipdex.encoder.encoder import EncodedText, Encoder, hash_key
from clipdex.encoder.images import prepare
from clipdex.encoder.installed import installed_names
from clipdex.encoder.model import BUNDLED, Model, find_model

__all__ = [
    "AUTO",
    "BUNDLED",
    "CPU",
    "EncodedText",
    "Encoder",
    "Model",
    "find_model",
    "hash_key",
    "installed_names",
    "nearest_precision",
    "prepare",
]
