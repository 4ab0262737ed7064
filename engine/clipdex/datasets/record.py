"""What results say of a dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One dataset that was searched."""

    name: str
    root: str
    items: int
    model: str
    model_digest: str
    bits: int
