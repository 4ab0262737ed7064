"""The pictures of the self-test. Integer arithmetic makes them the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SELF_TEST_IMAGES = ("gradients", "discs")


def self_test_pixels(name: str, size: int) -> npt.NDArray[np.uint8]:
    """Return a picture of the self-test: three gradients, or coloured discs on stripes; uint8 ``[size, size, 3]``."""
    y, x = np.mgrid[0:size, 0:size]
    if name == "gradients":
        planes = [x * 255 // (size - 1), y * 255 // (size - 1), (x + y) * 255 // (2 * (size - 1))]
        return np.stack(planes, axis=-1).astype(np.uint8)
    picture = np.where((x // max(1, size // 16) % 2 == 0)[..., None], [40, 90, 60], [200, 210, 180])
    for number, colour in enumerate(([220, 40, 30], [30, 60, 220], [250, 220, 40])):
        across, down = size * (number + 1) // 4, size * (2 + 3 * (number % 2)) // 7
        inside = (x - across) ** 2 + (y - down) ** 2 < (size // (5 + number)) ** 2
        picture = np.where(inside[..., None], colour, picture)
    return picture.astype(np.uint8)
