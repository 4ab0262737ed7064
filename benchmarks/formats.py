"""Time and peak memory of reading a COCO dataset: clipdex's reader, against Datumaro's own ways to import it.

Makes datasets of two sizes, with seven boxes an image and one tiny image file for each, and reads each in processes of
their own, in turn. Without Datumaro, only clipdex's own reader is measured.
Then it does the same with Pascal VOC, YOLO and CVAT, against one look at each image and each file of labels. Processor
time is what a busy machine spoils least.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from common import installed, parse, show_bar, show_command, show_table

BOXES = 7
CATEGORIES = 80
# One pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe"
    "0def46b80000000049454e44ae426082"
)
# Reading VOC and YOLO takes at most so many looks.
_MOST_LOOKS = 2
# Run in a process of its own, each way: see ``Run``.
_WAYS = {
    "`import datumaro`": "import datumaro; count = 0",
    "clipdex, finding the format": (
        "from clipdex.readers.formats import choose; count = len(choose(path).notices); assert count == 1"
    ),
    "clipdex, all items in order": (
        "from clipdex.readers.sources import Source, open_reader\n"
        "from clipdex.readers.ordering import in_item_order\n"
        "count = sum(1 for item in in_item_order(open_reader(Source(path, 'coco'))))"
    ),
    "clipdex through Datumaro, all items in order": (
        "from clipdex.readers.sources import Source, open_reader\n"
        "from clipdex.readers.ordering import in_item_order\n"
        "count = sum(1 for item in in_item_order(open_reader(Source(path, 'datumaro:coco'))))"
    ),
    "Datumaro `StreamDataset`, iterated": (
        "from datumaro.components.dataset import StreamDataset\n"
        "count = sum(1 for item in StreamDataset.import_from(str(path), 'coco'))"
    ),
    "Datumaro `Dataset.import_from`": (
        "from datumaro.components.dataset import Dataset\ndataset = Dataset.import_from(str(path), 'coco'); count = 0"
    ),
    "Datumaro `Dataset`, iterated": (
        "from datumaro.components.dataset import Dataset\n"
        "count = sum(1 for item in Dataset.import_from(str(path), 'coco'))"
    ),
}
_VOC_WAYS = {
    "VOC: one look at each file": (
        "import os\n"
        "count = sum(1 for entry in os.scandir(path / 'JPEGImages') if entry.stat())\n"
        "for entry in os.scandir(path / 'Annotations'):\n"
        "    with open(entry.path, 'rb') as file:\n"
        "        file.read()"
    ),
    "VOC: clipdex, all items in order": (
        "from clipdex.readers.sources import Source, open_reader\n"
        "from clipdex.readers.ordering import in_item_order\n"
        "count = sum(1 for item in in_item_order(open_reader(Source(path, 'voc'))))"
    ),
}
_YOLO_WAYS = {
    "YOLO: one look at each file": (
        "import os\n"
        "count = sum(1 for entry in os.scandir(path / 'images/train') if entry.stat())\n"
        "for entry in os.scandir(path / 'labels/train'):\n"
        "    with open(entry.path, 'rb') as file:\n"
        "        file.read()"
    ),
    "YOLO: clipdex, all items in order": (
        "from clipdex.readers.sources import Source, open_reader\n"
        "from clipdex.readers.ordering import in_item_order\n"
        "count = sum(1 for item in in_item_order(open_reader(Source(path, 'yolo'))))"
    ),
}
_CVAT_WAYS = {
    "CVAT: one look at each file": (
        "import os\n"
        "count = sum(1 for entry in os.scandir(path / 'images') if entry.stat())\n"
        "with open(path / 'annotations.xml', 'rb') as file:\n"
        "    file.read()"
    ),
    "CVAT: clipdex, all items in order": (
        "from clipdex.readers.sources import Source, open_reader\n"
        "from clipdex.readers.ordering import in_item_order\n"
        "count = sum(1 for item in in_item_order(open_reader(Source(path, 'cvat'))))"
    ),
}
# Those that work without Datumaro.
_ALONE = ("clipdex, finding the format", "clipdex, all items in order")
_FRAME = """
import json, resource, sys, time
from pathlib import Path
path = Path(sys.argv[1])
begin, processor = time.perf_counter(), time.process_time()
{way}
seconds, processor = time.perf_counter() - begin, time.process_time() - processor
print(json.dumps([seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, count]))
"""


class Run(NamedTuple):
    """What one way to read a dataset took: seconds, seconds of processors, peak memory in MB, and number of items."""

    seconds: float
    processor: float
    peak: float
    count: int


def make_coco(root: Path, items: int) -> Path:
    """Write a COCO dataset of this many images."""
    images = root / "images" / "train"
    images.mkdir(parents=True)
    (root / "annotations").mkdir()
    for number in range(items):
        (images / f"{number:012}.png").write_bytes(PNG)
    with (root / "annotations" / "instances_train.json").open("w") as handle:
        categories = [{"id": one + 1, "name": f"class {one}", "supercategory": ""} for one in range(CATEGORIES)]
        handle.write(f'{{"info": {{}}, "licenses": [], "categories": {json.dumps(categories)}, "images": [')
        for number in range(items):
            image = {"id": number + 1, "file_name": f"{number:012}.png", "width": 640, "height": 480}
            handle.write(f"{',' if number else ''}\n{json.dumps(image)}")
        handle.write('], "annotations": [')
        for number in range(items * BOXES):
            box = {
                "id": number + 1,
                "image_id": number % items + 1,
                "category_id": number * 7 % CATEGORIES + 1,
                "bbox": [10.5, 20.5, 100.0, 50.0],
                "area": 5000.0,
                "iscrowd": 0,
                "segmentation": [],
            }
            handle.write(f"{',' if number else ''}\n{json.dumps(box)}")
        handle.write("]}")
    return root


def make_voc(root: Path, items: int) -> Path:
    """Write a dataset of Pascal VOC of this many images, in two subsets."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for number in range(items):
        (root / "JPEGImages" / f"{number:012}.png").write_bytes(PNG)
        objects = "".join(
            f"\t<object>\n\t\t<name>class {(number * BOXES + box) % CATEGORIES}</name>\n\t\t<pose>Left</pose>\n"
            "\t\t<truncated>0</truncated>\n\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>48</xmin>\n"
            "\t\t\t<ymin>240</ymin>\n\t\t\t<xmax>195</xmax>\n\t\t\t<ymax>371</ymax>\n\t\t</bndbox>\n\t</object>\n"
            for box in range(BOXES)
        )
        (root / "Annotations" / f"{number:012}.xml").write_text(
            f"<annotation>\n\t<folder>VOC</folder>\n\t<filename>{number:012}.png</filename>\n\t<size>\n"
            "\t\t<width>640</width>\n\t\t<height>480</height>\n\t\t<depth>3</depth>\n\t</size>\n"
            f"\t<segmented>0</segmented>\n{objects}</annotation>\n"
        )
    for subset, part in (("train", range(0, items, 2)), ("val", range(1, items, 2)), ("trainval", range(items))):
        (root / "ImageSets" / "Main" / f"{subset}.txt").write_text("".join(f"{number:012}\n" for number in part))
    return root


def make_yolo(root: Path, items: int) -> Path:
    """Write a YOLO dataset of this many images, in the folders that Ultralytics makes."""
    for kind in ("images", "labels"):
        (root / kind / "train").mkdir(parents=True)
    for number in range(items):
        (root / "images" / "train" / f"{number:012}.png").write_bytes(PNG)
        classes = ((number * BOXES + box) % CATEGORIES for box in range(BOXES))
        lines = "".join(f"{one} 0.512345 0.423456 0.234567 0.345678\n" for one in classes)
        (root / "labels" / "train" / f"{number:012}.txt").write_text(lines)
    names = "".join(f"- class {one}\n" for one in range(CATEGORIES))
    (root / "data.yaml").write_text(f"train: images/train\nnames:\n{names}")
    return root


def make_cvat(root: Path, items: int) -> Path:
    """Write a task of CVAT of this many images: one XML file, and the images beside it."""
    (root / "images").mkdir(parents=True)
    for number in range(items):
        (root / "images" / f"{number:012}.png").write_bytes(PNG)
    with (root / "annotations.xml").open("w") as handle:
        handle.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        for number in range(items):
            handle.write(f'  <image id="{number}" name="{number:012}.png" width="640" height="480">\n')
            for box in range(BOXES):
                handle.write(
                    f'    <box label="class {(number * BOXES + box) % CATEGORIES}" source="manual" occluded="0" '
                    'xtl="10.50" ytl="20.50" xbr="110.50" ybr="70.50" z_order="0">\n    </box>\n'
                )
            handle.write("  </image>\n")
        handle.write("</annotations>\n")
    return root


def measure(way: str, root: Path, compiled: Path) -> Run:
    """Run one way in a process of its own, which keeps compiled modules in a folder."""
    code = _FRAME.format(way={**_WAYS, **_VOC_WAYS, **_YOLO_WAYS, **_CVAT_WAYS}[way])
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return Run(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[12_000, 120_000], help="sizes of the datasets")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=list(_FORMATS), choices=_FORMATS, help="formats to read [all]")
    arguments = parse(parser, items=[20], repeats=1)
    show_command()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.formats:
            show(name, Path(folder), arguments)


def show(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Make datasets of a format, measure each way to read them, and print a table."""
    make, ways, most_looks = _FORMATS[name]
    if name == "coco" and not installed("datumaro"):
        ways = [way for way in ways if way in _ALONE]
    rows, looks = [], 0.0
    compiled = folder / "compiled"
    for way in ways:
        measure(way, folder / name / "1" if way != ways[0] else make(folder / name / "1", 1), compiled)
    for items in arguments.items:
        root = make(folder / name / f"{items}-items", items)
        found: dict[str, list[Run]] = {way: [] for way in ways}
        for _ in range(arguments.repeats):
            for way in ways:
                found[way].append(measure(way, root, compiled))
                print(f"{items:,} {way}: {found[way][-1]}", file=sys.stderr)
        for way, runs in found.items():
            counts = {run.count for run in runs}
            if max(counts) > 1 and counts != {items}:
                sys.exit(f"{way} found {counts} items of {items}")
            seconds, processor, peak = (statistics.median(values) for values in list(zip(*runs, strict=True))[:3])
            rows.append([way, f"{items:,}", f"{seconds:.2f}", f"{processor:.2f}", f"{peak:,.0f}"])
        # The looks of a round and the reading that follows it are under the same conditions.
        look, own = (found[way] for way in ways[:2])
        looks = statistics.median(run.processor / one.processor for one, run in zip(look, own, strict=True))
    show_table(["way", "items", "seconds", "processor seconds", "peak MB"], rows)
    if most_looks:
        what = f"processor time of clipdex for {arguments.items[-1]:,} items, of a look"
        show_bar(what, looks, most_looks, at_most=True)


_FORMATS: dict[str, tuple[Callable[[Path, int], Path], list[str], int]] = {
    "coco": (make_coco, list(_WAYS), 0),
    "voc": (make_voc, list(_VOC_WAYS), _MOST_LOOKS),
    "yolo": (make_yolo, list(_YOLO_WAYS), _MOST_LOOKS),
    "cvat": (make_cvat, list(_CVAT_WAYS), 0),
}


if __name__ == "__main__":
    main()
