"""The eight orientations of an image: four quarter turns, of the image and of its mirror image.

An orientation is a number: 0 to 3 quarter turns clockwise; from 4 on, the image is mirrored, left and right exchanged,
and then turned.
"""

from __future__ import annotations

from PIL import Image

ORIENTATIONS = (
    *("", "rotated 90", "rotated 180", "rotated 270"),
    *("mirrored", "mirrored, rotated 90", "mirrored, rotated 180", "mirrored, rotated 270"),
)
_MIRRORED = 4
# Pillow turns the other way round.
_TURNS = (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)


def oriented(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image in one of the eight orientations; in the first, the image itself."""
    if orientation >= _MIRRORED:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = _TURNS[orientation % _MIRRORED]
    return image if turn is None else image.transpose(turn)


def inverse(orientation: int) -> int:
    """Return the orientation that undoes this one. A mirror image that was turned is its own."""
    return orientation if orientation >= _MIRRORED else -orientation % _MIRRORED
