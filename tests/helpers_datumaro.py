"""Small datasets in the formats of other tools, made with Datumaro's exporters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from clipdex.readers.datumaro.library import module
from clipdex.readers.datumaro.quiet import quiet
from helpers_engine import PHOTOS, skip_without

skip_without("datumaro")

# Formats that clipdex reads itself.
CORE = frozenset({"coco", "cvat", "voc", "yolo"})
NAMES = ("cat", "dog", "flower", "rocket")


@dataclass(frozen=True)
class Made:
    """One item as it was put in: its picture, and what every format is to keep of it."""

    name: str
    subset: str
    label: str
    photo: str


ITEMS = (
    Made("cat_0", "train", "cat", "animals/chelsea-the-cat.jpg"),
    Made("dog_1", "train", "dog", "animals/german-shepherd.jpg"),
    Made("flower_2", "train", "flower", "plants/dahlia.jpg"),
    Made("rocket_3", "val", "rocket", "vehicles/rocket.jpg"),
    Made("cat_4", "val", "cat", "animals/cat-with-string.jpg"),
)


@dataclass(frozen=True)
class Layout:
    """How a format keeps the items.

    Attributes
    ----------
    exporter
        Name of Datumaro's exporter.
    size
        Width and height of the pictures.
    mode
        ``RGB`` or ``L``.
    red_first
        Whether the arrays in its files have red first, which Datumaro's exporter does not see to.
    pattern
        What the id of an item is, of its name and label.
    subsets
        Whether it keeps subsets.
    lossless
        What the exporter calls pictures that lose nothing.
    """

    exporter: str
    size: tuple[int, int] = (80, 60)
    mode: str = "RGB"
    red_first: bool = False
    pattern: str = "{name}"
    subsets: bool = True
    lossless: str = ".png"

    def id(self, made: Made) -> str:
        return self.pattern.format(name=made.name, label=made.label)

    def subset(self, made: Made) -> str:
        return made.subset if self.subsets else "default"

    def picture(self, made: Made) -> Image.Image:
        with Image.open(PHOTOS / made.photo) as image:
            return image.convert("RGB").resize(self.size, Image.Resampling.BICUBIC).convert(self.mode)


LAYOUTS = {
    "coco": Layout("coco", pattern="{name}.png"),
    "voc": Layout("voc", pattern="{name}.png"),
    "yolo": Layout("yolo", pattern="{name}.png"),
    "yolo with data.yaml": Layout("yolo_ultralytics", pattern="{name}.png"),
    "cvat": Layout("cvat", pattern="{name}.png"),
    "imagenet": Layout("imagenet", pattern="{label}:{name}", subsets=False),
    "open_images": Layout("open_images"),
    "cifar": Layout("cifar", size=(32, 32), red_first=True),
    "mnist": Layout("mnist", size=(28, 28), mode="L"),
    "kitti": Layout("kitti"),
    "label_me": Layout("label_me"),
    "datumaro": Layout("datumaro"),
    "datumaro_binary": Layout("datumaro_binary"),
    "arrow": Layout("arrow", lossless="PNG"),
}


def export(folder: Path, layout: Layout) -> Path:
    """Write the items to a folder in one format, with pictures that lose nothing."""
    components = module("components.dataset", "a test")
    annotation = module("components.annotation", "a test")
    base = module("components.dataset_base", "a test")
    media = module("components.media", "a test")
    items = []
    for number, made in enumerate(ITEMS):
        pixels = np.asarray(layout.picture(made))
        if pixels.ndim == 3 and not layout.red_first:
            pixels = pixels[:, :, ::-1]
        label = NAMES.index(made.label)
        group = number + 1
        box = annotation.Bbox(1, 2, 10, 12, label=label, id=group, group=group, attributes={"occluded": False})
        items.append(
            base.DatasetItem(
                made.name,
                subset=made.subset,
                media=media.Image.from_numpy(np.ascontiguousarray(pixels)),
                annotations=[annotation.Label(label), box],
            )
        )
    with quiet():
        dataset = components.Dataset.from_iterable(items, categories=list(NAMES))
        dataset.export(str(folder), layout.exporter, save_media=True, image_ext=layout.lossless)
    return folder
