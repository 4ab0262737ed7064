"""The formats that Datumaro reads, under its names for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipdex.errors import ExtraMissing
from clipdex.readers.base import Reader


def names() -> Mapping[str, str]:
    """Return the formats, in a few words, by name, whether Datumaro is installed or not."""
    return {}


def detect(location: Path) -> dict[str, str]:
    """Return what speaks for each format that fits."""
    return {}


def reader_class(name: str) -> type[Reader]:
    """Return the reader of a format.

    Raises
    ------
    ExtraMissing
        When Datumaro is not installed.
    """
    raise ExtraMissing(
        f"the format {name} needs the package datumaro, which is not installed. Install it: "
        "pip install 'clipdex[datumaro]'"
    )
