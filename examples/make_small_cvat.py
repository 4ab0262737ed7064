"""Make a small dataset as CVAT exports it out of the example photos: ``make_small_cvat.py FOLDER``.

It is that of a project with two subsets, in the format "CVAT for images".
"""

from __future__ import annotations

import sys
from pathlib import Path

from small_photos import DESCRIPTION, TRAIN, VAL, box_of, has_text, make, save

BEGIN = f"""\
<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <!-- {DESCRIPTION} -->
  <version>1.1</version>
"""
IMAGE = """\
  <image id="{number}" name="{name}" subset="{subset}" width="{width}" height="{height}">
    <box label="{label}" source="manual" occluded="0" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"/>
  </image>
"""


def write_subset(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> str:
    """Write the images of a subset, numbered from ``first``; return their XML, with one box each."""
    images = []
    for number, (photo, label) in enumerate(photos.items(), first):
        name = f"{number:04}.jpg"
        width, height = save(photo, root / "images" / subset / name, quality)
        left, top, wide, high = box_of(width, height)
        images.append(
            IMAGE.format(
                number=number,
                name=name,
                subset=subset,
                width=width,
                height=height,
                label=label,
                left=left,
                top=top,
                right=left + wide,
                bottom=top + high,
            )
        )
    return "".join(images)


def write(root: Path) -> None:
    """Write the dataset."""
    images = write_subset(root, "train", TRAIN, first=1, quality=95)
    images += write_subset(root, "val", VAL, first=101, quality=80)
    (root / "annotations.xml").write_text(f"{BEGIN}{images}</annotations>\n", encoding="utf-8")  # what is written last


def is_made(root: Path) -> bool:
    """Say whether this script has made the dataset."""
    return has_text(root / "annotations.xml", BEGIN)


if __name__ == "__main__":
    sys.exit(make(sys.argv[1:], "make_small_cvat.py", is_made, write))
