"""Types of the arrays that the modules of this package hand to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint8]
"""Hash keys, uint8 ``[n, bits / 8]``: bits packed most significant first, as ``numpy.packbits`` packs them."""

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

Masks = Sequence["Bools | None"]
"""For each array of keys, which of them count, bool ``[n]``; None where all do."""

Element = TypeVar("Element", bound=np.generic)


def take_rows(array: npt.NDArray[Element], positions: Ints) -> npt.NDArray[Element]:
    """Copy some rows of a contiguous array ``[n, m]``; a row is moved as one thing, which is several times as fast."""
    rows = array.view(f"V{array.shape[1] * array.itemsize}")[:, 0]
    return rows.take(positions).view(array.dtype).reshape(len(positions), array.shape[1])
