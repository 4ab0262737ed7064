"""Parquet with a column of images."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from clipdex import Explorer, build, find_duplicates, plan_build, save_result
from clipdex.errors import DatasetError, ImageError
from clipdex.media import parquet as rows
from clipdex.media.opening import open_media
from clipdex.readers import UnreadableItem
from clipdex.readers.parquet import ParquetReader
from clipdex.testing import check_reader
from helpers_engine import make_folder, picture
from helpers_formats import PICTURES, content, picture_folder, write_parquet

NAMES = list(PICTURES)
CLASSES = ["flower", "dog", "cat"]


def items(location, **options):
    return {item.id: (item.subset, item.labels) for item in ParquetReader(location, options).read()}


@pytest.fixture
def dataset(tmp_path):
    """Two subsets in three files, of several row groups."""
    data = tmp_path / "set" / "data"
    write_parquet(data / "train-00000-of-00002.parquet", NAMES[:1], CLASSES)
    write_parquet(data / "train-00001-of-00002.parquet", NAMES[1:2], CLASSES)
    write_parquet(data / "validation-00000-of-00001.parquet", NAMES[2:] * 3, CLASSES, row_group_size=2)
    return tmp_path / "set"


def test_contract_and_classes_by_name(dataset):
    expected = {
        "data/train-00000-of-00002/00000000": ("train", ("cat",)),
        "data/train-00001-of-00002/00000000": ("train", ("dog",)),
    }
    for row in range(6):
        label = ("dog", "flower")[row % 2]
        expected[f"data/validation-00000-of-00001/{row:08}"] = ("validation", (label,))
    check_reader(ParquetReader, dataset, items=expected, failures={})


def test_build_query_and_save(dataset, tmp_path):
    report = build(dataset)
    assert (report.items, report.failed) == (8, ())
    with Explorer(dataset) as explorer:
        assert explorer.explore_topk("a cat", topk=1)[0].labels == ("cat",)
        found = explorer.explore_topk(PICTURES[NAMES[3]], topk=3)
        assert [(hit.distance, hit.subset, hit.labels) for hit in found] == [(0, "validation", ("flower",))] * 3
        assert explorer.item("data/train-00001-of-00002/00000000").subset == "train"
    saved = save_result(found, tmp_path / "saved")
    assert [path.read_bytes() for path in saved.images] == [content(NAMES[3])] * 3
    assert {path.suffix for path in saved.images} == {".jpg"}
    assert build(dataset).unchanged == 8
    write_parquet(dataset / "data" / "train-00001-of-00002.parquet", NAMES[:2], CLASSES)
    report = build(dataset)
    assert (report.added, report.changed, report.unchanged) == (1, 1, 7)
    (dataset / "data" / "train-00000-of-00002.parquet").unlink()
    assert build(dataset).removed == 1


def test_one_file_with_labels_as_texts(tmp_path):
    path = write_parquet(tmp_path / "photos.parquet", NAMES)
    assert items(path) == {
        "00000000": ("default", ("cat",)),
        "00000001": ("default", ("dog",)),
        "00000002": ("default", ("dog",)),
        "00000003": ("default", ("flower",)),
    }
    assert open_media(f"{path}!/image/3").read() == content(NAMES[3])


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("test.parquet", "test"),
        ("my-val.parquet", "val"),
        ("unsupervised-00000-of-00001.parquet", "unsupervised"),
        ("dev/0000.parquet", "dev"),
        ("trainings.parquet", "default"),
        ("0000.parquet", "default"),
    ],
)
def test_subset_is_what_the_name_of_the_file_says(name, subset, tmp_path):
    write_parquet(tmp_path / name, NAMES[:1])
    assert {found for found, _ in items(tmp_path).values()} == {subset}


def test_plain_bytes_several_labels_and_ids_by_column(tmp_path):
    table = pa.table(
        {
            "img": pa.array([content(name) for name in NAMES], pa.binary()),
            "tags": pa.array([["a", "b"], [], None, ["c"]]),
            "key": ["one", "two", "three", "four"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert items(tmp_path / "a.parquet", label="tags", id="key") == {
        "one": ("default", ("a", "b")),
        "two": ("default", ()),
        "three": ("default", ()),
        "four": ("default", ("c",)),
    }
    with pytest.raises(DatasetError, match="no column 'nothing' for the label"):
        items(tmp_path / "a.parquet", label="nothing")


def test_which_column_holds_the_images_is_asked_where_it_is_not_clear(tmp_path):
    pq.write_table(pa.table({"a": [b"x"], "b": [b"y"], "c": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"several: a, b\. Name it: --option image=COLUMN"):
        items(tmp_path / "a.parquet")
    pq.write_table(pa.table({"c": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DatasetError, match="none; its columns are c"):
        items(tmp_path / "b.parquet")


def test_image_that_is_a_file_beside_it_is_opened_and_none_is_named(tmp_path):
    picture_folder(tmp_path)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": None, "path": NAMES[0]}, {"bytes": None, "path": None}, None], kind)
    pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet")
    reader = ParquetReader(tmp_path / "a.parquet")
    found = list(reader.read())
    assert reader.open(found[0]).read_bytes() == content(NAMES[0])
    for item in found[1:]:
        with pytest.raises(ImageError, match="no image in this row"):
            reader.open(item)


@pytest.mark.parametrize("member", ["image/99", "nothing/0", "image/-1", "image/99999999999999999999", "image"])
def test_locator_of_a_row_that_is_not_there_is_missing(member, tmp_path):
    path = write_parquet(tmp_path / "a.parquet", NAMES)
    with pytest.raises(ImageError):
        open_media(f"{path}!/{member}")


def test_damaged_file_of_several_is_named(dataset):
    path = dataset / "data" / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:100])
    failed = [item for item in ParquetReader(dataset).read() if isinstance(item, UnreadableItem)]
    assert [item.id for item in failed] == ["data/train-00001-of-00002.parquet"]
    with pytest.raises(DatasetError):
        list(ParquetReader(path).read())


def test_any_order_of_rows_gives_the_right_images_from_few_rows_in_memory(tmp_path):
    table = pa.table({"image": pa.array([b"%d" % number for number in range(1000)], pa.binary())})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    container = rows.ParquetContainer(tmp_path / "a.parquet")
    kept = 0
    for row in [*range(0, 1000, 3), 5, 999, 0, 299, 300, 301, 299]:
        assert container.open(f"image/{row}").read() == b"%d" % row
        column = container._columns["image"]
        kept = max(kept, sum(map(len, column._kept.values())))
    assert kept <= rows._ROWS_AT_ONCE * rows._BATCHES_KEPT


def test_features_that_make_no_sense_are_passed_over(tmp_path):
    for metadata in (b"not json", b"[1]", b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": 3}}}}'):
        path = write_parquet(tmp_path / "a.parquet", NAMES[:1])
        pq.write_table(pq.read_table(path).replace_schema_metadata({"huggingface": metadata}), path)
        assert items(path) == {"00000000": ("default", ("cat",))}
    features = {"image": {"_type": "Image"}, "label": {"feature": {"names": ["x"], "_type": "ClassLabel"}}}
    table = pa.table({"image": [content(NAMES[0])], "label": [[0, 7, -1]]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)
    assert items(path) == {"00000000": ("default", ("x", "7"))}


def test_without_pyarrow_the_command_to_install_it_is_given(tmp_path):
    path = write_parquet(tmp_path / "photos.parquet", NAMES)
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from clipdex_cli.main import run\n"
        f"sys.exit(run(['build', {str(path)!r}]))"
    )
    build(path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "pip install 'clipdex[parquet]'" in done.stderr
    for command in ("info", "query"):
        asked = ["--item", "00000000"] if command == "query" else []
        done = subprocess.run(
            [sys.executable, "-c", code.replace(f"['build', {str(path)!r}]", repr([command, str(path), *asked]))],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_rows_that_only_name_files_are_items_of_these(tmp_path):
    folder = tmp_path / "set/data"
    make_folder(folder, "a.png", "b.png")
    rows = [{"bytes": None, "path": name} for name in ("a.png", "b.png", "gone.png")]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(rows, kind), "label": ["x", "y", "z"]}), folder / "t.parquet")
    for target in (folder / "t.parquet", tmp_path / "set:parquet"):
        first = build(target)
        assert (first.added, [(one.kind, one.reason) for one in first.failed]) == (
            2,
            [("missing", f"row 2: no such file: {'data/' * (target != folder / 't.parquet')}gone.png")],
        )
        picture(50).save(folder / "a.png")
        assert plan_build(target).changed == 1
        report = build(target)
        assert (report.changed, report.unchanged) == (1, 1)
        make_folder(folder, "a.png")
        (found,) = find_duplicates(target, max_distance=512).groups
        assert sorted(item.path for item in found.items) == [str(folder / "a.png"), str(folder / "b.png")]


def test_a_file_outside_may_be_in_a_folder_that_looks_like_an_archive(tmp_path):
    make_folder(tmp_path / "data!", "a.png")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": None, "path": "data!/a.png"}], kind)
    pq.write_table(pa.table({"image": images}), tmp_path / "t.parquet")
    report = build(tmp_path / "t.parquet")
    assert (report.added, report.failed) == (1, ())
