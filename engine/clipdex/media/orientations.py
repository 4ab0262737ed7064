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
# By the number that EXIF has for it.
BY_EXIF = {1: 0, 2: 4, 3: 2, 4: 6, 5: 7, 6: 1, 7: 5, 8: 3}
# Something of the left, upper, right and lower side of an image; of a whole one, nothing.
Sides = tuple[float, float, float, float]
WHOLE: Sides = (0, 0, 0, 0)
_MIRRORED = 4
# Pillow turns the other way round.
_TURNS = (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)


def oriented(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image in one of the eight orientations; in the first, the image itself."""
    if orientation >= _MIRRORED:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = _TURNS[orientation % _MIRRORED]
    return image if turn is None else image.transpose(turn)


def oriented_sides(sides: Sides, orientation: int) -> Sides:
    """Return what is on the sides of an image, after it was brought into one of the eight orientations."""
    left, upper, right, lower = sides
    if orientation >= _MIRRORED:
        left, right = right, left
    for _ in range(orientation % _MIRRORED):
        left, upper, right, lower = lower, left, upper, right
    return left, upper, right, lower


def inverse(orientation: int) -> int:
    """Return the orientation that undoes this one. A mirror image that was turned is its own."""
    return orientation if orientation >= _MIRRORED else -orientation % _MIRRORED
