"""What the small datasets out of the example photos have in common: ``make_small_coco.py`` and the like.

Each has 16 images to train with and 8 to validate with. Two of the latter are leaks: they show photographs of the
training set, saved again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

PHOTOS = Path(__file__).resolve().parent / "photos"
TRAIN = {
    "animals/cat-with-string.jpg": "cat",
    "animals/chelsea-the-cat.jpg": "cat",
    "animals/dogs-at-the-window.jpg": "dog",
    "animals/elephant.png": "elephant",
    "animals/giraffes.jpg": "giraffe",
    "animals/horses.jpg": "horse",
    "animals/kingfisher.webp": "bird",
    "animals/sheep.jpg": "sheep",
    "food/citrus-fruit.jpg": "orange",
    "people/astronaut.jpg": "person",
    "things/chair.jpg": "chair",
    "things/scissors.jpg": "scissors",
    "vehicles/bicycle.jpg": "bicycle",
    "vehicles/fire-engine.jpg": "truck",
    "vehicles/jet-plane.png": "airplane",
    "vehicles/steam-train.jpg": "train",
}
VAL = {
    "animals/german-shepherd.jpg": "dog",
    "animals/parrot.jpg": "bird",
    "food/cup-of-coffee.jpg": "cup",
    "people/man-with-camera.jpg": "person",
    "things/wall-clock.jpg": "clock",
    "vehicles/rowing-boats.jpg": "boat",
    # The leaks.
    "animals/giraffes.jpg": "giraffe",
    "vehicles/steam-train.jpg": "train",
}
CATEGORIES = sorted({*TRAIN.values(), *VAL.values()})
DESCRIPTION = "A small dataset out of the example photos of clipdex"


def save(photo: str, file: Path, quality: int) -> tuple[int, int]:
    """Save a photo as a JPEG; return its width and height."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTOS / photo) as image:
        picture = image.convert("RGB")
    picture.save(file, quality=quality)
    return picture.size


def box_of(width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box in the middle of an image: left, top, width, height."""
    return width // 8, height // 8, width // 4 * 3, height // 4 * 3


def make(words: list[str], script: str, is_made: Callable[[Path], bool], write: Callable[[Path], None]) -> str | None:
    """Make a dataset unless it is there; return what is wrong, if anything is.

    Parameters
    ----------
    words
        The words of the command line: a folder.
    script
        The name of the script.
    is_made
        Says whether the script has made the dataset in a folder.
    write
        Writes it.
    """
    if len(words) != 1:
        return f"usage: {script} FOLDER"
    root = Path(words[0])
    if is_made(root):
        print(f"{root} exists already.")
        return None
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        return f"{root} exists and is not an empty folder. Name another folder."
    write(root)
    return None


def has_text(file: Path, text: str) -> bool:
    """Say whether a file has this text."""
    try:
        return text in file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
