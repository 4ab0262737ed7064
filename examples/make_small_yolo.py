"""Make a small dataset in the layout of YOLO out of the example photos: ``make_small_yolo.py FOLDER``.

It has one image more to validate with, which has no file of labels.
"""

from __future__ import annotations

import sys
from pathlib import Path

from small_photos import CATEGORIES, DESCRIPTION, TRAIN, VAL, has_text, make, save

DATA = "\n".join(
    [
        f"# {DESCRIPTION}.",
        "train: images/train",
        "val: images/val",
        "names:",
        *(f"  {at}: {name}" for at, name in enumerate(CATEGORIES)),
        "",
    ]
)
WITHOUT_LABELS = "places/sea.jpg"


def write_subset(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> None:
    """Write the images of a subset, numbered from ``first``, and their labels: one box each."""
    labels = root / "labels" / subset
    labels.mkdir(parents=True)
    for number, (photo, name) in enumerate(photos.items(), first):
        save(photo, root / "images" / subset / f"{number:04}.jpg", quality)
        (labels / f"{number:04}.txt").write_text(f"{CATEGORIES.index(name)} 0.5 0.5 0.75 0.75\n", encoding="utf-8")


def write(root: Path) -> None:
    """Write the dataset."""
    write_subset(root, "train", TRAIN, first=1, quality=95)
    write_subset(root, "val", VAL, first=101, quality=80)
    save(WITHOUT_LABELS, root / "images" / "val" / "0109.jpg", quality=80)
    (root / "data.yaml").write_text(DATA, encoding="utf-8")  # what is written last


def is_made(root: Path) -> bool:
    """Say whether this script has made the dataset."""
    return has_text(root / "data.yaml", DATA)


if __name__ == "__main__":
    sys.exit(make(sys.argv[1:], "make_small_yolo.py", is_made, write))
