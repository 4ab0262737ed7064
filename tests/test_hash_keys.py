from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from clipdex import Explorer, ItemQuery, build, export_hash_keys, import_hash_keys
from clipdex.errors import DatasetEmpty, DatasetError, ModelMismatch, ModelNotFound, OutputError
from clipdex_indexes import read_manifest
from helpers_engine import every_file, make_folder, rows_and_keys

DATUMARO = {"hashkey": {"default/cat/a": [0] * 63 + [1], "default/dog/b": [0] * 63 + [7], "train/gone": [255] * 64}}


@pytest.fixture
def pictures(tmp_path):
    return make_folder(tmp_path / "pictures", "cat/a.png", "dog/b.png", "dog/c.png")


def write(path, body):
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def test_every_item_has_its_hash_key(odd):
    expected = rows_and_keys(odd / ".clipdex")
    with Explorer(odd) as explorer:
        items = list(explorer.items())
        assert [(item.id, item.subset, item.labels, item.hash_key.tobytes()) for item in items] == [
            (row.id, row.subset, row.labels, key) for row, key in expected
        ]
        assert all(item.path.exists() and item.dataset == "odd" for item in items)


def test_json_is_that_of_datumaro_and_says_the_model(odd, tmp_path):
    report = export_hash_keys(tmp_path / "keys.json", odd)
    body = json.loads((tmp_path / "keys.json").read_text(encoding="utf-8"))
    expected = rows_and_keys(odd / ".clipdex")
    assert body["hashkey"] == {f"{row.subset}/{row.id}": list(key) for row, key in expected}
    stamp = read_manifest(odd / ".clipdex").model
    assert body["clipdex"] == {
        "model": stamp.name,
        "digest": stamp.digest,
        "bits": stamp.bits,
        "precision": stamp.precision,
    }
    assert (report.keys, report.digest) == (len(expected), stamp.digest)


def test_arrays_and_parquet_hold_the_same_in_item_order(odd, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    expected = [("odd", row.id, row.subset, list(row.labels), key) for row, key in rows_and_keys(odd / ".clipdex")]
    digest = read_manifest(odd / ".clipdex").model.digest
    for name in ("keys.npy", "keys.npz", "keys.parquet"):
        export_hash_keys(tmp_path / name, odd)

    keys = np.load(tmp_path / "keys.npy")
    beside = json.loads((tmp_path / "keys.items.json").read_text(encoding="utf-8"))
    assert (keys.dtype, [key.tobytes() for key in keys]) == (np.uint8, [row[4] for row in expected])
    assert [tuple(item) for item in beside["items"]] == [(row[0], row[2], row[1]) for row in expected]
    assert beside["clipdex"]["digest"] == digest

    with np.load(tmp_path / "keys.npz") as arrays:
        columns = [arrays[name].tolist() for name in ("datasets", "ids", "subsets")]
        assert list(zip(*columns, strict=True)) == [row[:3] for row in expected]
        assert np.array_equal(arrays["keys"], keys)
        assert json.loads(str(arrays["model"]))["digest"] == digest

    table = parquet.read_table(tmp_path / "keys.parquet")
    assert table.column_names == ["dataset", "id", "subset", "labels", "hash_key"]
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    assert json.loads(table.schema.metadata[b"clipdex"])["digest"] == digest


def test_several_datasets_go_into_one_file_where_it_can_tell_them_apart(odd, odd_copy, tmp_path):
    export_hash_keys(tmp_path / "keys.npz", odd, odd_copy)
    with np.load(tmp_path / "keys.npz") as arrays:
        assert set(arrays["datasets"].tolist()) == {"odd", "odd-2"}
    with pytest.raises(OutputError, match="no place for names of datasets"):
        export_hash_keys(tmp_path / "keys.json", odd, odd_copy)
    assert not (tmp_path / "keys.json").exists()


def test_what_cannot_be_exported_is_said(odd, tmp_path):
    with pytest.raises(OutputError, match=r"none of \.json, \.npy, \.npz, \.parquet"):
        export_hash_keys(tmp_path / "keys.txt", odd)
    with pytest.raises(OutputError, match="cannot write"):
        export_hash_keys(tmp_path / "nowhere" / "keys.json", odd)
    with pytest.raises(DatasetError, match="no dataset"):
        export_hash_keys(tmp_path / "keys.json")


def test_our_keys_survive_a_round_trip(odd, odd_copy, tmp_path):
    export_hash_keys(tmp_path / "keys.json", odd)
    before = rows_and_keys(odd_copy / ".clipdex")
    shutil.rmtree(odd_copy / ".clipdex")
    report = import_hash_keys(tmp_path / "keys.json", odd_copy, model="starter")
    assert (report.ours, report.items, report.without_key, report.unused) == (True, len(before), 0, 0)
    assert [(row[:2], key) for row, key in rows_and_keys(odd_copy / ".clipdex")] == [
        (row[:2], key) for row, key in before
    ]
    again = build(odd_copy)
    assert (again.added, again.changed, again.unchanged) == (0, 0, len(before))
    with Explorer(odd, odd_copy) as explorer:
        assert len(explorer.explore_topk("a cat").hits) == 2 * len(before)


def test_keys_of_datumaro_answer_item_queries_and_nothing_else(pictures, tmp_path):
    file = write(tmp_path / "hash_keys.json", DATUMARO)
    report = import_hash_keys(file, pictures, model="clip")
    assert (report.ours, report.items, report.without_key, report.unused) == (False, 2, 1, 1)
    assert report.digest.startswith("elsewhere:")
    with Explorer(pictures) as explorer:
        result = explorer.explore_topk(ItemQuery("cat/a"))
        assert [(hit.distance, hit.id) for hit in result.hits] == [(0, "cat/a.png"), (2, "dog/b.png")]
        for query in ("a cat", pictures / "cat" / "a.png"):
            with pytest.raises(ModelNotFound, match=r"come from elsewhere.*only items can be asked for"):
                explorer.explore_topk(query)


def test_keys_from_elsewhere_are_never_mixed_with_ours(pictures, odd, tmp_path):
    body = {"hashkey": {"default/cat/a.png": [3] * 64}}
    # A name of ours makes them no keys of ours, and neither does a digest of ours without that name.
    stamp = read_manifest(odd / ".clipdex").model
    about = {"model": "starter", "digest": stamp.digest, "bits": stamp.bits, "precision": stamp.precision}
    for made, model in ((body, "starter"), ({**body, "clipdex": about}, "clip"), ({**body, "clipdex": []}, "starter")):
        assert not import_hash_keys(write(tmp_path / "a.json", made), pictures, model=model, rebuild=True).ours
        with pytest.raises(ModelMismatch):
            Explorer(odd, pictures)
        with pytest.raises(ModelNotFound, match="come from elsewhere"):
            build(pictures)
    assert build(pictures, rebuild=True).items == 3
    Explorer(odd, pictures).close()


def test_an_index_that_is_there_is_kept(odd_copy, tmp_path):
    file = write(tmp_path / "hash_keys.json", {"hashkey": {"default/loose": [1]}})
    before = every_file(odd_copy)
    with pytest.raises(DatasetError, match="has an index already"):
        import_hash_keys(file, odd_copy, model="clip")
    with pytest.raises(DatasetEmpty, match="no hash key for any item"):
        import_hash_keys(write(tmp_path / "b.json", {"hashkey": {"x/y": [1]}}), odd_copy, model="clip", rebuild=True)
    assert every_file(odd_copy) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ([], 'no object "hashkey"'),
        ({"hashkey": []}, 'no object "hashkey"'),
        ({"hashkey": {}}, "no hash keys in it"),
        ({"hashkey": {"a": [1]}}, "is not named SUBSET/ID"),
        ({"hashkey": {"a/b": "abc"}}, "no list of numbers"),
        ({"hashkey": {"a/b": [256]}}, "no list of numbers"),
        ({"hashkey": {"a/b": [True]}}, "no list of numbers"),
        ({"hashkey": {"a/b": [[1]]}}, "no list of numbers"),
        ({"hashkey": {"a/b": []}}, "has 0 bytes"),
        ({"hashkey": {"a/b": [1] * 2000}}, "has 2000 bytes"),
        ({"hashkey": {"a/b": [1, 2], "a/c": [1]}}, "has 1 bytes, and those before it 2"),
    ],
)
def test_a_file_that_is_none_is_named(pictures, tmp_path, body, said):
    with pytest.raises(DatasetError) as caught:
        import_hash_keys(write(tmp_path / "hash_keys.json", body), pictures, model="clip")
    assert said in caught.value.message
    assert str(tmp_path / "hash_keys.json") in caught.value.message
    assert not (pictures / ".clipdex").exists()


def test_the_commands_export_and_import(cli, odd_copy, tmp_path):
    done = cli("export", "--hash-keys", tmp_path / "keys.json", odd_copy)
    assert (done.code, done.out) == (0, b"")
    assert "6 hash keys of model starter" in done.err
    shutil.rmtree(odd_copy / ".clipdex")
    assert cli("import-hash-keys", tmp_path / "keys.json", odd_copy).code == 2
    done = cli("import-hash-keys", tmp_path / "keys.json", odd_copy, "--model", "clip")
    assert "6 items have a hash key now ('clip', from elsewhere), 0 have none; 0 keys are of no item" in done.err
    done = cli("query", odd_copy, "--text", "cat")
    assert (done.code, "come from elsewhere" in done.err) == (1, True)
    assert cli("query", odd_copy, "--item", "loose", "--output", "json").ids[0] == "loose.png"
    assert cli("info", odd_copy).code == 0
