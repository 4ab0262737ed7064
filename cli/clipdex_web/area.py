"""Areas of a map: polygons in its coordinates, short enough for an address, and the items in them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from clipdex.errors import QueryError
from clipdex.wording import shown

MOST_CORNERS = 64
_LONGEST = 4096
Corners = tuple[tuple[float, float], ...]


def area_of(text: str) -> Corners:
    """Read the corners of a polygon: ``X,Y`` each, with ``_`` between them.

    Raises
    ------
    QueryError
        When it is none.
    """
    try:
        if len(text) > _LONGEST or not text.isascii():
            raise ValueError
        pairs = [corner.split(",") for corner in text.split("_")]
        corners = tuple((float(x), float(y)) for x, y in pairs)
    except ValueError:
        corners = ()
    if not 3 <= len(corners) <= MOST_CORNERS or not all(math.isfinite(one) for corner in corners for one in corner):
        raise QueryError(f"area is {shown(text)}, and must have 3 to {MOST_CORNERS} corners: X,Y_X,Y_X,Y.")
    return corners


def inside(corners: Corners, places: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the numbers of the places in a polygon, by the even-odd rule.

    Parameters
    ----------
    corners
        The polygon.
    places
        float32 ``[n, 2]``.
    """
    x, y = places[:, 0].astype(np.float64), places[:, 1].astype(np.float64)
    odd = np.zeros(len(places), np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            odd ^= crosses & (x < x1 + (x2 - x1) * (y - y1) / (y2 - y1))
    return np.flatnonzero(odd)
