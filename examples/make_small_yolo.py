"""Make a small dataset in the layout of YOLO out of the example photos: ``make_small_yolo.py FOLDER``.

It has the images, the classes and the leaks of the dataset that ``make_small_coco.py`` makes, and one image more to
validate with, which has no file of labels.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from make_small_coco import CATEGORIES, PHOTOS, TRAIN, VAL, is_free

DATA = "\n".join(
    [
        "# A small dataset out of the example photos of clipdex.",
        "train: images/train",
        "val: images/val",
        "names:",
        *(f"  {at}: {name}" for at, name in enumerate(CATEGORIES)),
        "",
    ]
)
WITHOUT_LABELS = "places/sea.jpg"


def save(photo: str, file: Path, quality: int) -> None:
    """Save a photo as a JPEG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTOS / photo) as image:
        image.convert("RGB").save(file, quality=quality)


def write(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> None:
    """Write the images of a subset, numbered from ``first``, and their labels: one box each."""
    labels = root / "labels" / subset
    labels.mkdir(parents=True)
    for number, (photo, name) in enumerate(photos.items(), first):
        save(photo, root / "images" / subset / f"{number:04}.jpg", quality)
        (labels / f"{number:04}.txt").write_text(f"{CATEGORIES.index(name)} 0.5 0.5 0.75 0.75\n", encoding="utf-8")


def main(words: list[str]) -> str | None:
    """Make the dataset unless it is there; return what is wrong, if anything is."""
    if len(words) != 1:
        return "usage: make_small_yolo.py FOLDER"
    root = Path(words[0])
    data = root / "data.yaml"  # what is written last
    if data.is_file() and data.read_text(encoding="utf-8") == DATA:
        print(f"{root} exists already.")
        return None
    if not is_free(root):
        return f"{root} exists and is not an empty folder. Name another folder."
    write(root, "train", TRAIN, first=1, quality=95)
    write(root, "val", VAL, first=101, quality=80)
    save(WITHOUT_LABELS, root / "images" / "val" / "0109.jpg", quality=80)
    data.write_text(DATA, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
