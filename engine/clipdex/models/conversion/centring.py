"""Centres: what is subtracted from the embeddings of a tower before their signs become bits.

The embeddings of a dual encoder lie in a narrow cone, and those of images and of texts in different ones (Liang et al.
2022, "Mind the gap: understanding the modality gap in multi-modal contrastive representation learning"), so that most
of their signs only tell which tower they come from. Once the mean of its tower is subtracted, a bit is set for about
half of the images and about half of the texts, and tells the most it can (Weiss et al. 2008, "Spectral hashing").
Subtracting the mean also keeps single items from being near everything (Suzuki et al. 2013, "Centering similarity
measures to reduce hubs").

The mean is taken over what the towers will be given: photographs as they are decoded and prepared for a build, one
view of each, and everyday nouns in the prompt that a short query is put into. ``benchmarks/centring.py`` measures that
more views or more of either change nothing. Nothing here runs a tower: the same mean serves the user's own images.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CALIBRATION_FOLDER = Path(__file__).resolve().parent.parent / "calibration"


def packaged_photos() -> list[Path]:
    """Return the photographs that come with clipdex, in order: lossless, so the same pixels with every decoder."""
    return sorted(CALIBRATION_FOLDER.glob("*/*.webp"))


def packaged_nouns() -> list[str]:
    """Return the everyday English nouns that come with clipdex, in the order of their file."""
    return (CALIBRATION_FOLDER / "nouns.txt").read_text(encoding="utf-8").splitlines()


def centre(embeddings: Floats) -> Floats:
    """Return the mean of embeddings.

    The sums are exact and rounded once (Shewchuk 1997, "Adaptive precision floating-point arithmetic", in
    ``math.fsum``), so the result is the same in any order and with any build of NumPy.

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
