"""Make a small dataset in the layout of Pascal VOC out of the example photos: ``make_small_voc.py FOLDER``.

It has one image more, which has no XML file and is in no list.
"""

from __future__ import annotations

import sys
from pathlib import Path

from small_photos import DESCRIPTION, TRAIN, VAL, box_of, has_text, make, save

ANNOTATION = """\
<annotation>
  <!-- {description} -->
  <filename>{name}.jpg</filename>
  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>
  <object>
    <name>{label}</name>
    <bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>
  </object>
</annotation>
"""
UNLISTED = "places/sea.jpg"


def write_subset(root: Path, subset: str, photos: dict[str, str], first: int, quality: int) -> None:
    """Write the images of a subset, numbered from ``first``, the XML file of each with one box, and their list."""
    names = []
    for number, (photo, label) in enumerate(photos.items(), first):
        names.append(f"{number:06}")
        width, height = save(photo, root / "JPEGImages" / f"{names[-1]}.jpg", quality)
        left, top, wide, high = box_of(width, height)
        text = ANNOTATION.format(
            description=DESCRIPTION,
            name=names[-1],
            width=width,
            height=height,
            label=label,
            left=left,
            top=top,
            right=left + wide,
            bottom=top + high,
        )
        file = root / "Annotations" / f"{names[-1]}.xml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    listed = root / "ImageSets" / "Main" / f"{subset}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def write(root: Path) -> None:
    """Write the dataset."""
    save(UNLISTED, root / "JPEGImages" / "000201.jpg", quality=80)
    write_subset(root, "train", TRAIN, first=1, quality=95)
    write_subset(root, "val", VAL, first=101, quality=80)


def is_made(root: Path) -> bool:
    """Say whether this script has made the dataset."""
    last = root / "ImageSets" / "Main" / "val.txt"
    return last.is_file() and has_text(root / "Annotations" / "000108.xml", DESCRIPTION)


if __name__ == "__main__":
    sys.exit(make(sys.argv[1:], "make_small_voc.py", is_made, write))
