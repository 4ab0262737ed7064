"""Make a small dataset in the layout of COCO 2017 out of the example photos: ``make_small_coco.py FOLDER``.

It has 16 images to train with and 8 to validate with. Two of the latter are leaks: they show photographs of the
training set, saved again.
"""

from __future__ import annotations

import json
import sys
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
INFO = {"description": "A small dataset out of the example photos of clipdex"}


def write(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> None:
    """Write the images of a subset, numbered from ``first``, and their annotations: one box each."""
    folder = root / "images" / subset
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number, (photo, name) in enumerate(photos.items(), first):
        with Image.open(PHOTOS / photo) as image:
            picture = image.convert("RGB")
        file_name = f"{number:012}.jpg"
        picture.save(folder / file_name, quality=quality)
        width, height = picture.size
        images.append({"id": number, "file_name": file_name, "width": width, "height": height})
        box = [width // 8, height // 8, width // 4 * 3, height // 4 * 3]
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": CATEGORIES.index(name) + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
        )
    content = {
        "info": INFO,
        "licenses": [],
        "categories": [{"id": at, "name": name, "supercategory": ""} for at, name in enumerate(CATEGORIES, 1)],
        "images": images,
        "annotations": annotations,
    }
    file = root / "annotations" / f"instances_{subset}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def is_free(root: Path) -> bool:
    """Say whether nothing is there yet, or an empty folder."""
    return not root.exists() or (root.is_dir() and not any(root.iterdir()))


def is_made(root: Path) -> bool:
    """Say whether this script has made the dataset."""
    last = root / "annotations" / "instances_val2017.json"  # what is written last
    try:
        return json.loads(last.read_text(encoding="utf-8")).get("info") == INFO
    except (OSError, ValueError, AttributeError):
        return False


def main(words: list[str]) -> str | None:
    """Make the dataset unless it is there; return what is wrong, if anything is."""
    if len(words) != 1:
        return "usage: make_small_coco.py FOLDER"
    root = Path(words[0])
    if is_made(root):
        print(f"{root} exists already.")
        return None
    if not is_free(root):
        return f"{root} exists and is not an empty folder. Name another folder."
    write(root, "train2017", TRAIN, first=1, quality=95)
    write(root, "val2017", VAL, first=101, quality=80)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
