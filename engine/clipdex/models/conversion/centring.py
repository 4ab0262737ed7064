"""Centres: the vectors that are subtracted from the embeddings of a tower before their signs become bits.

The embeddings of a dual encoder lie in a narrow cone, and images and texts lie in different cones (Liang et al. 2022,
"Mind the gap: understanding the modality gap in multi-modal contrastive representation learning"). Most of their signs
therefore only tell which tower they come from. After the mean of its tower is subtracted, each bit is set for about
half of the images and half of the texts, and so carries the most information (Weiss et al. 2008, "Spectral hashing").
Subtracting the mean also reduces hubs, the items that are near everything (Suzuki et al. 2013, "Centering similarity
measures to reduce hubs").

The mean is taken over typical inputs: photographs, decoded and prepared as in a build, and everyday nouns in the prompt
of short queries. ``benchmarks/centring.py`` shows that more views or more inputs change nothing. This module runs no
tower, so the same functions serve the user's own images.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CALIBRATION_FOLDER = Path(__file__).resolve().parent.parent / "calibration"


def packaged_photos() -> list[Path]:
    """Return the bundled photographs, in order. They are lossless, so every decoder gives the same pixels."""
    return sorted(CALIBRATION_FOLDER.glob("*/*.webp"))


def packaged_nouns() -> list[str]:
    """Return the bundled everyday English nouns, in the order of their file."""
    return (CALIBRATION_FOLDER / "nouns.txt").read_text(encoding="utf-8").splitlines()


def centre(embeddings: Floats) -> Floats:
    """Return the mean of embeddings.

    ``math.fsum`` adds exactly and rounds once (Shewchuk 1997, "Adaptive precision floating-point arithmetic"), so the
    result does not depend on the order or on the build of NumPy.

    Parameters
    ----------
    embeddings
        float32 ``[n, d]`` of one tower, n at least 1.

    Returns
    -------
    float32 ``[d]``.

    Raises
    ------
    ValueError
        When there is no embedding, or a value is not finite.
    """
    if embeddings.ndim != 2 or not len(embeddings):
        raise ValueError(f"no embeddings to take the mean of: {list(embeddings.shape)}")
    if not np.isfinite(embeddings).all():
        raise ValueError("an embedding has values that are not finite")
    sums = [math.fsum(column.tolist()) for column in embeddings.T]
    return (np.array(sums, np.float64) / len(embeddings)).astype(np.float32)
