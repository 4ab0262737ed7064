from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, build
from clipdex.errors import DatasetError, DatasetShrunk, ExtraMissing, ImageError, QueryError
from clipdex.readers import ReadItem, UnreadableItem, mounts
from clipdex.readers.datumaro import formats as datumaro_formats
from clipdex.readers.datumaro.library import module
from clipdex.readers.datumaro.quiet import quiet
from clipdex.readers.formats import choose
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import Source, open_reader
from helpers_datumaro import CORE, ITEMS, LAYOUTS, export
from helpers_engine import make_folder, picture
from test_imports import command, imported_by

DETECTED = {
    "yolo with data.yaml": "yolo",
    "kitti": "kitti_detection",
    "imagenet": "folder",
    "arrow": "folder",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The datasets of every layout, made when they are asked for. Not to be changed."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = export(tmp_path_factory.mktemp("exported") / "dataset", LAYOUTS[name])
        return made[name]

    return get


def read(root: Path, format_name: str, **options: str) -> list[ReadItem | UnreadableItem]:
    return list(in_item_order(open_reader(Source(root, format_name, options))))


def coco(
    root: Path, images: list[dict], annotations: list[dict], categories: list[dict], task="instances", bare=False
) -> Path:
    (root / "annotations").mkdir(parents=True)
    body = {} if bare else {"info": {}, "licenses": []}
    body |= {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / f"{task}_train.json").write_text(json.dumps(body))
    return root


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_told_by_its_files_of_annotations(exported, name):
    root = exported(name)
    expected = DETECTED.get(name, name)
    assert choose(root).format == expected
    said = datumaro_formats.detect(root)
    assert list(said) == ([] if expected == "folder" or expected in CORE else [expected])
    assert all(text.startswith("it has ") for text in said.values())


def test_detection_imports_no_datumaro(exported):
    code = (
        "import sys; from pathlib import Path; from clipdex.readers.datumaro import formats as datumaro_formats\n"
        f"assert datumaro_formats.detect(Path({str(exported('label_me'))!r})) and len(datumaro_formats.names()) > 80\n"
        "assert datumaro_formats.reader_class('label_me').detect(Path('/')) is None\n"
        "assert not {'datumaro', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ordinary_folders_are_left_to_our_own_reader(tmp_path):
    root = make_folder(
        tmp_path / "photos", "cat/a.png", "dog/b.png", "train/cat/c.png", "annotations/d.png", "images/e.png"
    )
    (root / "annotations" / "notes.json").write_text('{"notes": []}')
    (root / "feed.xml").write_text("<annotations/>")
    (root / "train" / "labels.txt").write_text("cat")
    assert datumaro_formats.detect(root) == {}
    assert datumaro_formats.detect(root / "cat" / "a.png") == {}
    assert datumaro_formats.detect(tmp_path / "nothing") == {}


def test_labels_are_of_every_kind_of_annotation_each_once_in_order(tmp_path):
    categories = [{"id": number, "name": name} for number, name in enumerate(["cat", "dog", "bird"], start=1)]
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "iscrowd": 0, "area": 25, "segmentation": []},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 0, "area": 25,
         "segmentation": [[1, 1, 6, 1, 6, 6]]},
        {"id": 3, "image_id": 1, "category_id": 3, "bbox": [2, 2, 5, 5], "iscrowd": 0, "area": 25, "segmentation": []},
    ]  # fmt: skip
    images = [{"id": 1, "file_name": "sub/a.png", "width": 64, "height": 48}]
    root = coco(tmp_path / "coco", images, annotations, categories)
    make_folder(root / "images" / "train", "sub/a.png")
    (found,) = read(root, "datumaro:coco")
    assert (found.id, found.subset, found.labels) == ("sub/a", "train", ("bird", "cat"))
    assert found.media == "images/train/sub/a.png"


def test_coco_of_tools_that_leave_out_the_licences_is_read_all_the_same(tmp_path):
    images = [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}]
    root = coco(tmp_path / "coco", images, [], [{"id": 1, "name": "cat"}], bare=True)
    make_folder(root / "images" / "train", "a.png")
    assert [item.id for item in read(root, "datumaro:coco")] == ["a"]


def test_captions_are_the_labels_where_there_are_no_categories(tmp_path):
    images = [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}]
    annotations = [{"id": number, "image_id": 1, "caption": f"picture {number}"} for number in (1, 2)]
    root = coco(tmp_path / "coco", images, annotations, [], task="captions")
    make_folder(root / "images" / "train", "a.png")
    (found,) = read(root, "datumaro:coco")
    assert sorted(found.labels) == ["picture 1", "picture 2"]


def test_an_annotation_without_its_image_is_missing(tmp_path):
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in (1, 2)]
    root = coco(tmp_path / "coco", images, [], [{"id": 1, "name": "cat"}])
    make_folder(root / "images" / "train", "2.png")
    missing, found = sorted(read(root, "datumaro:coco"), key=lambda item: item.id)
    assert (missing.id, missing.kind) == ("1", "missing")
    assert str(root / "images" / "train" / "1.png") in missing.reason
    assert found.id == "2"


def test_an_item_that_leads_out_of_the_dataset_is_named_and_the_others_are_read(tmp_path):
    names = ["../../../outside.png", "good.png"]
    images = [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names, start=1)]
    root = coco(tmp_path / "coco", images, [], [{"id": 1, "name": "cat"}])
    make_folder(root / "images" / "train", "good.png")
    make_folder(tmp_path, "outside.png")
    problem, found = sorted(read(root, "datumaro:coco"), key=lambda item: item.id)
    assert isinstance(problem, UnreadableItem)
    # Said by Datumaro since 1.13, and before by us, of its id.
    assert "Datumaro cannot read it" in problem.reason or "no relative path" in problem.reason
    assert found.id == "good"


def test_point_clouds_and_tables_are_no_images(tmp_path):
    root = tmp_path / "clouds"
    base, media = module("components.dataset_base", "a test"), module("components.media", "a test")
    dataset = module("components.dataset", "a test").Dataset
    cloud = media.PointCloud.from_bytes(b"points")
    with quiet():
        dataset.from_iterable([base.DatasetItem("one", media=cloud)], media_type=media.PointCloud).export(
            str(root), "datumaro", save_media=True
        )
    (found,) = read(root, "datumaro")
    assert (found.id, found.kind, found.reason) == ("one", "no image", "it is no image, but a point cloud")


@pytest.mark.parametrize(
    ("format_name", "path", "content"),
    [
        ("datumaro:coco", "annotations/instances_train.json", b'{"images": [tr'),
        ("datumaro:cvat", "a.xml", b"<annotations><image"),
        ("datumaro", "annotations/train.json", b'{"items": 7}'),
        ("cifar", "batches.meta", b"cposix\nsystem\n(S'touch /nowhere'\ntR."),
        ("mnist", "train-labels-idx1-ubyte.gz", b"no gzip"),
        ("datumaro:voc", "nothing.txt", b""),
    ],
)
def test_what_datumaro_says_of_damage_is_one_error(tmp_path, capfd, caplog, format_name, path, content):
    target = tmp_path / "data" / path
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    (tmp_path / "data" / "data_batch_1").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path / "data", format_name)
    importer = format_name.removeprefix("datumaro:")
    assert f"Datumaro cannot read {tmp_path / 'data'} in format {importer}: " in caught.value.message
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_reading_prints_logs_and_configures_nothing(exported, capfd):
    before = list(logging.getLogger().handlers), list(logging.getLogger().filters)
    assert len(read(exported("coco"), "datumaro:coco")) == len(ITEMS)  # of several tasks, which Datumaro warns of
    assert (logging.getLogger().handlers, logging.getLogger().filters) == before
    assert capfd.readouterr() == ("", "")


def test_without_datumaro_its_formats_name_the_extra(exported, monkeypatch):
    root = exported("label_me")
    monkeypatch.setitem(sys.modules, "datumaro", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'clipdex\[datumaro\]'"):
        open_reader(Source(root, "label_me"))
    chosen = choose(root)
    assert chosen.format == "folder"
    assert any("looks like label_me" in notice and "clipdex[datumaro]" in notice for notice in chosen.notices)
    assert "voc" in datumaro_formats.names()


def test_the_known_names_are_those_of_the_installed_datumaro():
    with quiet():
        environment = module("components.environment", "a test").Environment()
        assert set(datumaro_formats.names()) >= set(environment.importers)


def test_options_are_those_of_the_importer(tmp_path):
    images = [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}]
    root = coco(tmp_path / "coco", images, [], [{"id": 5, "name": "cat"}])
    make_folder(root / "images" / "train", "a.png")
    assert len(read(root, "datumaro:coco", keep_original_category_ids="true")) == 1
    with pytest.raises(DatasetError, match="must be true or false"):
        read(root, "datumaro:coco", keep_original_category_ids="perhaps")
    with pytest.raises(DatasetError, match="no option 'nonsense': its options are keep_original_category_ids"):
        read(root, "datumaro:coco", nonsense="1")


def test_images_in_arrays_are_opened_by_several_threads_and_noticed_when_they_change(tmp_path):
    layout = LAYOUTS["mnist"]
    root = export(tmp_path / "mnist", layout)
    reader = open_reader(Source(root, "mnist"))
    items = list(in_item_order(reader))

    def pixels(item: ReadItem) -> np.ndarray:
        with reader.open(item) as file, Image.open(file) as image:
            return np.asarray(image)

    expected = {made.name: np.asarray(layout.picture(made)) for made in ITEMS}
    with ThreadPoolExecutor(8) as pool:
        for item, found in zip(items * 5, pool.map(pixels, items * 5), strict=True):
            assert np.array_equal(found, expected[item.id])

    swapped = root / "train-images-idx3-ubyte.gz"
    (root / "val-images-idx3-ubyte.gz").replace(tmp_path / "kept")
    export(tmp_path / "other", layout)
    gone = next(item for item in items if item.subset == "val")
    os.utime(swapped, ns=(1, 1))
    with pytest.raises(ImageError, match="no such image in the dataset any more"):
        reader.open(gone)
    again = {item.id: item for item in in_item_order(reader)}
    assert again[gone.id].kind == "missing"


def test_the_content_of_arrays_says_whether_they_changed(tmp_path, exported):
    before = {item.id: item.content for item in read(exported("mnist"), "mnist")}
    changed = export(tmp_path / "mnist", LAYOUTS["mnist"])
    media = module("components.media", "a test")
    from clipdex.readers.datumaro.media import content_hash

    assert {item.id: item.content for item in read(changed, "mnist")} == before
    assert len(set(before.values())) == len(before)
    assert 0 not in before.values()
    one, other = np.asarray(picture(1)), np.asarray(picture(2))
    assert content_hash(media.Image.from_numpy(one)) != content_hash(media.Image.from_numpy(other))
    assert content_hash(media.Image.from_numpy(one)) != content_hash(media.Image.from_numpy(one.swapaxes(0, 1)))


def test_a_query_imports_no_datumaro(exported, tmp_path):
    root = exported("cvat")
    build(root, index=tmp_path / "index")
    query = ["query", str(root), "--index", str(tmp_path / "index"), "--item", "cat_0", "--output", "json"]
    loaded = imported_by(command(*query))
    assert "numpy" in loaded
    assert "datumaro" not in loaded


def test_objects_of_datumaro_are_refused_with_what_to_give_instead(photos):
    base, dataset_of = module("components.dataset_base", "a test"), module("components.dataset", "a test").Dataset
    dataset, item = dataset_of.from_iterable([]), base.DatasetItem("a")
    for take in (Explorer, build):
        with pytest.raises(TypeError, match="not a Dataset of Datumaro: export it, and give its folder"):
            take(dataset)
    with (
        Explorer(photos) as explorer,
        pytest.raises(QueryError, match=r"of datumaro is no query.*Explorer\.item\(ID\)"),
    ):
        explorer.explore_topk(item)


def test_images_on_a_disk_that_is_away_are_kept(exported, tmp_path, monkeypatch):
    root = shutil.copytree(exported("coco"), tmp_path / "data")
    assert build(root).items == 5
    for image in (root / "images" / "val").iterdir():
        image.unlink()
    with pytest.raises(DatasetShrunk, match=r"2 of the 5 images .*all 2 of the subset val"):
        build(root)
    table = tmp_path / "fstab"
    table.write_text(f"/dev/sdb1 {root / 'images' / 'val'} ext4 noauto 0 0\n")
    monkeypatch.setattr(mounts, "TABLES", ((table, 1),))
    report = build(root)
    assert (report.unchanged, report.kept, report.removed, report.items) == (3, 2, 0, 5)
