"""Small datasets of YOLO, and what is read of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipdex.readers import ReadItem, UnreadableItem
from clipdex.readers.annotated.yolo import YoloReader
from clipdex.readers.ordering import in_item_order
from helpers_engine import picture

CAT, DOG = "0 0.5 0.5 0.2 0.2\n", "1 0.5 0.5 0.2 0.2\n"
NAMES = "names: [cat, dog]\n"
USUAL = "train: images/train\nval: images/val\n" + NAMES
# Layout of two images with labels, one in each subset.
TWO = {
    "images/train/a.jpg": "",
    "images/val/b.jpg": "",
    "labels/train/a.txt": CAT,
    "labels/val/b.txt": DOG,
}


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files; a name of an image gets a picture, another one for each path."""
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".jpg", ".png") and not content:
            picture(number, (16, 12)).save(path, "PNG")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
    return root


class Read:
    """What a reader read of a dataset.

    Attributes
    ----------
    items
        Labels of the items, by ``SUBSET/ID``.
    failed, problems, remarks
        Reasons of failures by id; problems as ``FILE: SENTENCE``; remarks as one text.
    """

    def __init__(self, location: Path, **options: str) -> None:
        self.reader = YoloReader(location, options)
        found = list(in_item_order(self.reader))
        images = [item for item in found if isinstance(item, ReadItem)]
        assert [item.order for item in images] == sorted({item.order for item in images})
        for item in images:
            opened = self.reader.open(item)
            assert isinstance(opened, Path)
            assert opened.stat().st_size == item.size
        self.media = {f"{item.subset}/{item.id}": item.media or item.id for item in images}
        self.items = {f"{item.subset}/{item.id}": list(item.labels) for item in images}
        self.failed = {item.id: item.reason for item in found if isinstance(item, UnreadableItem)}
        self.problems = [f"{one.file}: {one.sentence}" for one in self.reader.annotation_problems.named]
        self.remarks = " ".join(self.reader.remarks)


def labels_of(root: Path, content: str | bytes, names: str = NAMES) -> tuple[list[str], list[str]]:
    """The labels and problems of an image with this file of labels."""
    files = {"data.yaml": f"train: images\n{names}", "images/a.jpg": "", "labels/a.txt": content}
    read = Read(write(root, files))
    return read.items["train/a.jpg"], read.problems
