"""Areas of a map: polygons, short enough for an address, and the items in them.

An area is written as URL-safe base64, without padding, of

- three bytes that name the layout of the map: on another one the same place means something else,
- its box: left, bottom, right and top, each as uint16, big-endian, in steps of 4 / 65535 from -2,
- two bytes for each corner: x and y, in steps of 1 / 255 of the box.

So an area of sixteen corners takes 58 characters, and is the same wherever it is read.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex.errors import QueryError
from clipdex.mapping.placing import Floats
from clipdex.wording import shown

FEWEST_CORNERS, MOST_CORNERS = 3, 64
NAME_BYTES = 3
_REACH = 2.0
_STEPS, _FINE = 65535, 255
_BOX = struct.Struct(">4H")
_TEXT = re.compile("[A-Za-z0-9_-]+")

Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon on a map.

    Attributes
    ----------
    layout
        The name of the layout that it is on.
    corners
        x and y of each corner, in order.
    """

    layout: bytes
    corners: Corners

    @classmethod
    def of(cls, text: str) -> Area:
        """Read an area.

        Raises
        ------
        QueryError
            When it is none.
        """
        try:
            if _TEXT.fullmatch(text) is None:
                raise ValueError
            content = base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True)
            box = _BOX.unpack_from(content, NAME_BYTES)
        except (ValueError, binascii.Error, struct.error):
            content, box = b"", (0, 0, 0, 0)
        fine = content[NAME_BYTES + _BOX.size :]
        turned = box[0] > box[2] or box[1] > box[3]
        if turned or len(fine) % 2 or not FEWEST_CORNERS <= len(fine) // 2 <= MOST_CORNERS:
            raise QueryError(f"area is {shown(text)}, which is no area of a map: draw one on the map of clipdex view.")
        left, bottom, right, top = (2 * _REACH * step / _STEPS - _REACH for step in box)
        corners = tuple(
            (left + (right - left) * x / _FINE, bottom + (top - bottom) * y / _FINE)
            for x, y in zip(fine[::2], fine[1::2], strict=True)
        )
        return cls(content[:NAME_BYTES], corners)

    def __str__(self) -> str:
        """Write the area; corners are rounded to what can be written."""
        points = np.clip(np.array(self.corners, np.float64), -_REACH, _REACH)
        low, high = (
            np.rint((one + _REACH) * _STEPS / (2 * _REACH)).astype(int) for one in (points.min(0), points.max(0))
        )
        start, end = (2 * _REACH * one / _STEPS - _REACH for one in (low, high))
        fine = np.rint((points - start) / np.where(high > low, end - start, 1.0) * _FINE).clip(0, _FINE)
        content = self.layout + _BOX.pack(*low.tolist(), *high.tolist()) + fine.astype(np.uint8).tobytes()
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    def holds(self, places: Floats) -> npt.NDArray[np.bool_]:
        """Tell which places are in the polygon, by the even-odd rule.

        Parameters
        ----------
        places
            float32 ``[n, 2]``. NaN is in no area. What is farther than can be written is at the edge.
        """
        corners = np.array(self.corners, np.float64)
        low, high = corners.min(0), corners.max(0)
        clipped = np.clip(places, -_REACH, np.nextafter(np.float32(_REACH), np.float32(0)))
        held: npt.NDArray[np.bool_] = ((clipped >= low) & (clipped <= high)).all(axis=1)
        near = np.flatnonzero(held)
        x, y = clipped[near].astype(np.float64).T
        odd = np.zeros(len(near), np.bool_)
        for (x1, y1), (x2, y2) in zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True):
            if y1 != y2:
                odd ^= ((y1 > y) != (y2 > y)) & (x < x1 + (x2 - x1) * (y - y1) / (y2 - y1))
        held[near] = odd
        return held


def area_around(layout: bytes, corners: Sequence[tuple[float, float]]) -> str:
    """Return the text of an area.

    Raises
    ------
    QueryError
        When it has fewer than 3 corners, more than 64, or one that is no place.
    """
    points = tuple((float(x), float(y)) for x, y in corners)
    if not FEWEST_CORNERS <= len(points) <= MOST_CORNERS or not np.isfinite(points).all():
        raise QueryError(f"an area has {FEWEST_CORNERS} to {MOST_CORNERS} corners, each with an x and a y.")
    return str(Area(layout, points))
