"""What Datumaro reports while it reads: counted and named, never printed; and an order that no process changes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.datumaro.library import Reports, module, open_dataset
from clipdex.readers.datumaro.quiet import quiet
from clipdex.readers.sources import Source, open_reader
from helpers_datumaro import LAYOUTS, export
from helpers_engine import make_folder, skip_without

skip_without("datumaro")


def ade20k(root: Path, names: list[str]) -> Path:
    """Make a dataset in the layout of ADE20K of 2020 with one image."""
    objects = [
        {
            "id": number, "name_ndx": number + 1, "name": name, "raw_name": name, "attributes": [], "occluded": "no",
            "crop": 0, "parts": {"part_level": 0}, "instance_mask": f"1/instance_{number:03}_1.png",
            "polygon": {"x": [1, 5, 5], "y": [1, 1, 5]},
        }
        for number, name in enumerate(names)
    ]  # fmt: skip
    scene = make_folder(root / "training" / "street", "1.png", "1_seg.png")
    (scene / "1.json").write_text(json.dumps({"annotation": {"filename": "1.png", "object": objects}}))
    return root


LABELS_OF = """
import sys
from pathlib import Path
from clipdex.readers.sources import Source, open_reader
print([item.labels for item in open_reader(Source(Path(sys.argv[1]), "ade20k2020")).read()])
"""


def test_labels_are_in_one_order_in_every_process(tmp_path):
    names = ["road", "car", "sky", "tree", "house", "wall"]
    root = ade20k(tmp_path / "ade", names)

    def labels(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", LABELS_OF, str(root)]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    assert labels("1") == labels("2") == f"{[tuple(sorted(names))]}\n"


def test_what_datumaro_warns_of_is_counted_and_named_by_its_file(tmp_path, capfd):
    root = ade20k(tmp_path / "ade", ["road", "car"])
    reader = open_reader(Source(root, "ade20k2020"))
    assert len(list(reader.read())) == 1
    problems = reader.annotation_problems
    assert problems.count == 2
    assert problems.named[0].file == "training/street/1/instance_000_1.png"
    assert "Datumaro says: Can`t find instance mask" in problems.named[0].reason
    assert capfd.readouterr() == ("", "")
    list(reader.read())
    assert problems.count == 2


def test_a_build_tells_what_datumaro_warned_of(cli, tmp_path):
    done = cli("build", ade20k(tmp_path / "ade", ["road", "car"]), "--format", "ade20k2020")
    assert done.code == 0
    assert "annotation not read: training/street/1/instance_000_1.png: Datumaro says: Can`t find" in done.err
    assert "2 annotations not read" in done.err


def test_an_annotation_that_datumaro_refuses_is_named_with_its_image(tmp_path):
    root = tmp_path / "coco"
    make_folder(root / "images" / "train", "a.png", "b.png")
    box = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 0, "area": 25, "segmentation": []}
    body = {
        "info": {}, "licenses": [], "categories": [{"id": 1, "name": "cat"}],
        "images": [{"id": n, "file_name": f"{name}.png", "width": 9, "height": 9} for n, name in enumerate("ab", 1)],
        "annotations": [{**box, "id": 1}, {**box, "id": 2, "image_id": 2, "category_id": 9}],
    }  # fmt: skip
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train.json").write_text(json.dumps(body))
    problems = AnnotationProblems()
    reports = Reports(root, problems)
    dataset = open_dataset("coco", root, {}, stream=True, reports=reports)
    with quiet(reports.said):
        assert {str(item.id) for item, _ in dataset.items()} == {"a", "b"}
    (problem,) = problems.named
    assert problem.file in ("b", "2")  # which of them it tells is up to the importer
    assert "of this image, Datumaro cannot read an annotation: " in problem.reason


def test_a_label_without_a_name_is_counted(tmp_path):
    root = tmp_path / "own"
    annotations, base, media = (
        module(f"components.{name}", "a test") for name in ("annotation", "dataset_base", "media")
    )
    dataset = module("components.dataset", "a test").Dataset
    image = media.Image.from_numpy(np.zeros((8, 8, 3), np.uint8))
    item = base.DatasetItem("a", media=image, annotations=[annotations.Label(0), annotations.Label(0)])
    with quiet():
        dataset.from_iterable([item], categories=["cat"]).export(
            str(root), "datumaro", save_media=True, image_ext=".png"
        )
    path = root / "annotations" / "default.json"
    body = json.loads(path.read_text())
    body["items"][0]["annotations"][0]["label_id"] = 5
    path.write_text(json.dumps(body))
    reader = open_reader(Source(root, "datumaro"))
    (found,) = reader.read()
    assert found.labels == ("cat",)
    assert [problem[:2] for problem in reader.annotation_problems.named] == [
        ("a", "label 5 of an annotation has no name")
    ]


def test_whatever_is_printed_logged_or_warned_of_meanwhile_is_heard_and_shown_nowhere(capfd, monkeypatch):
    heard: list[str] = []
    elsewhere = threading.Event()
    go_on = threading.Event()

    def another() -> None:
        elsewhere.wait()
        print("of another thread", file=sys.stderr)
        go_on.set()

    thread = threading.Thread(target=another)
    thread.start()
    of_datumaro = logging.LogRecord("root", logging.ERROR, "/x/datumaro/plugins/a.py", 1, "logged %s", ("so",), None)
    with quiet(heard.append):
        logging.getLogger().handle(of_datumaro)
        logging.getLogger("datumaro.plugins").warning("by name")
        logging.getLogger("datumaro.plugins").info("not worth a word")
        warnings.warn("look\nhere", UserWarning, stacklevel=1)
        warnings.warn("will go", DeprecationWarning, stacklevel=1)
        print("said", file=sys.stderr)
        print("chatter")
        print("\r 10%|#   |", end="", file=sys.stderr)
        inner = threading.Thread(target=lambda: print("\nof a new thread", file=sys.stderr))
        inner.start()
        inner.join()
        elsewhere.set()
        go_on.wait()
    thread.join()
    assert heard == ["logged so", "by name", "look here", "said", "of a new thread"]
    assert capfd.readouterr() == ("", "of another thread\n")


def test_what_libraries_in_c_print_is_heard_too(tmp_path, capfd):
    media = module("components.media", "a test")
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, icc_profile=b"no profile" * 20)
    heard: list[str] = []
    with quiet(heard.append):
        os.write(2, b"written directly\n")
        assert media.Image.from_file(path=str(path)).data.shape == (8, 8, 3)
    assert heard[0] == "written directly"
    os.write(2, b"and after\n")
    assert capfd.readouterr() == ("", "and after\n")


@pytest.mark.parametrize("name", ["kitti", "open_images", "label_me"])
def test_a_sound_dataset_has_no_problems(name, tmp_path):
    reader = open_reader(Source(export(tmp_path / "made", LAYOUTS[name]), name))
    assert len(list(reader.read())) == 5
    assert (reader.annotation_problems.count, reader.remarks) == (0, [])
