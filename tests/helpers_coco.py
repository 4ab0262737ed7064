"""Small datasets of COCO, written by hand in any layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clipdex.readers import ReadItem, UnreadableItem
from clipdex.readers.annotated.coco import CocoReader
from clipdex.readers.ordering import in_item_order
from helpers_engine import make_folder

CAT, DOG = {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}
IMAGES = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
ANNOTATIONS = [{"id": 1, "image_id": 1, "category_id": 1}, {"id": 2, "image_id": 2, "category_id": 2}]


def body(images: Any = IMAGES, annotations: Any = ANNOTATIONS, categories: Any = (CAT, DOG), **more: Any) -> dict:
    """The content of an annotation file; what is None is left out."""
    said = {"images": images, "annotations": annotations, "categories": categories, **more}
    return {key: value for key, value in said.items() if value is not None}


def write(path: Path, content: Any) -> Path:
    """Write an annotation file: an object, a text, or bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def dataset(root: Path, content: Any = None, file: str = "annotations/instances_train.json", folder="train") -> Path:
    """Two images in a folder, and one annotation file."""
    make_folder(root / folder, "a.jpg", "b.jpg")
    write(root / file, body() if content is None else content)
    return root


class Read:
    """What the reader found: items and failures by subset and id, problems and remarks as sentences."""

    def __init__(self, location: Path, **options: str) -> None:
        self.reader = CocoReader(location, options)
        found = list(in_item_order(self.reader))
        images = [item for item in found if isinstance(item, ReadItem)]
        self.items = {f"{item.subset}/{item.id}": ";".join(item.labels) for item in images}
        self.media = {f"{item.subset}/{item.id}": item.media for item in images}
        self.failed = {item.id: item.kind for item in found if isinstance(item, UnreadableItem)}
        self.reasons = {item.id: item.reason for item in found if isinstance(item, UnreadableItem)}
        problems = self.reader.annotation_problems
        self.count = problems.count
        self.problems = [f"{one.file}: {one.sentence}" for one in problems.named]
        self.remarks = self.reader.remarks
        assert len(self.items) == len(images)
