"""Make a small dataset in the layout of COCO 2017 out of the example photos: ``make_small_coco.py FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from small_photos import CATEGORIES, DESCRIPTION, TRAIN, VAL, box_of, make, save

INFO = {"description": DESCRIPTION}


def write_subset(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> None:
    """Write the images of a subset, numbered from ``first``, and their annotations: one box each."""
    images, annotations = [], []
    for number, (photo, name) in enumerate(photos.items(), first):
        file_name = f"{number:012}.jpg"
        width, height = save(photo, root / "images" / subset / file_name, quality)
        images.append({"id": number, "file_name": file_name, "width": width, "height": height})
        box = left, top, wide, high = box_of(width, height)
        right, bottom = left + wide, top + high
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": CATEGORIES.index(name) + 1,
                "bbox": box,
                "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
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


def write(root: Path) -> None:
    """Write the dataset."""
    write_subset(root, "train2017", TRAIN, first=1, quality=95)
    write_subset(root, "val2017", VAL, first=101, quality=80)


def is_made(root: Path) -> bool:
    """Say whether this script has made the dataset."""
    last = root / "annotations" / "instances_val2017.json"  # what is written last
    try:
        return json.loads(last.read_text(encoding="utf-8")).get("info") == INFO
    except (OSError, ValueError, AttributeError):
        return False


if __name__ == "__main__":
    sys.exit(make(sys.argv[1:], "make_small_coco.py", is_made, write))
