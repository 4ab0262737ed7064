from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from clipdex import ClipdexError, Explorer, build
from clipdex.encoder import Encoder, find_model
from clipdex.errors import ModelCorrupt, ModelMisbehaves, ModelMismatch, ModelNotFound
from helpers_engine import STARTER, contents, copy_model, make_folder, picture, renamed_model, rows_and_keys

FILES = ["image.xml", "image.bin", "text.xml", "text.bin", "tokenizer.json", "centre.npz"]
IMAGE_FILES = ["image.xml", "image.bin", "centre.npz"]


def use(folder, tower):
    encoder = Encoder(find_model(str(folder)))
    return encoder.text_key("dog") if tower == "text" else encoder.image_key(picture(1))


def replace(path, data: bytes):
    path.unlink()
    path.write_bytes(data)


def restamped(folder, name, data: bytes):
    """Put another file into a model, with the checksum that it has."""
    replace(folder / name, data)
    description = json.loads((folder / "model.json").read_text())
    description["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "model.json").write_text(json.dumps(description))


def test_the_bundled_model_is_complete_and_described():
    model = find_model(None)
    assert model == find_model("starter")
    assert model.location == ""
    assert model.embedding_size == 512
    assert "not CLIP" in model.kind
    assert model.not_good_at
    for name in FILES:
        assert model.check(name).is_file()
    assert sum(path.stat().st_size for path in STARTER.iterdir()) <= 45_000_000


@pytest.mark.parametrize("name", ["no-such-model", "/nowhere/at/all", "", "~nobody-of-that-name/model", "a" * 5000])
def test_an_unknown_model_is_not_found(name):
    with pytest.raises(ModelNotFound, match="starter"):
        find_model(name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "flipped", "longer", "empty"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    folder = copy_model(tmp_path / "model")
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        replace(path, {"flipped": bytes(data), "longer": path.read_bytes() + b"\0", "empty": b""}[damage])
    with pytest.raises(ModelCorrupt) as caught:
        use(folder, "image" if name in IMAGE_FILES else "text")
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_rubbish_with_the_right_checksum_is_a_typed_error(tmp_path, name):
    folder = copy_model(tmp_path / "model")
    restamped(folder, name, b"PK\x03\x04 rubbish " * 64)
    with pytest.raises((ModelCorrupt, ModelMisbehaves)):
        use(folder, "image" if name in IMAGE_FILES else "text")


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"image": np.zeros(8, np.float32)},
        {"image": np.zeros((2, 256), np.float32)},
        {"image": np.full(512, np.nan, np.float32)},
        {"image": np.array(["a"] * 512)},
    ],
)
def test_a_centre_of_another_kind_is_refused(tmp_path, arrays):
    folder = copy_model(tmp_path / "model")
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    restamped(folder, "centre.npz", stream.getvalue())
    with pytest.raises(ModelCorrupt, match="centre"):
        use(folder, "image")


def zipped(array: bytes, *, method=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("image.npy", array)
    return stream.getvalue()


def in_directory(data: bytes, at: int, value: int) -> bytes:
    """Change both headers of the one file in a ZIP: its flags are at 6, its method is at 8."""
    changed = bytearray(data)
    changed[at] = changed[data.index(b"PK\x01\x02") + at + 2] = value
    return bytes(changed)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


GOOD_CENTRE = zipped(npy(np.zeros(512, np.float32)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped(npy(np.zeros(512, np.float32)).replace(b"(512,), }" + b" " * 13, b"(%d,), }" % 10**15)), ""),
        (zipped(npy(np.zeros(512, np.float32)).replace(b"(512,), }" + b" " * 21, b"(%d,), }" % 10**23)), ""),
        (zipped(npy(np.zeros(1 << 25, np.float32)), method=zipfile.ZIP_DEFLATED), "too large"),
        (in_directory(GOOD_CENTRE, 6, 1), "encrypted"),
        (in_directory(GOOD_CENTRE, 8, 99), "method"),
        (npy(np.zeros(512, np.float32)), "zip"),
        (zipped(npy(np.zeros(512, np.complex64))), "complex64"),
        (zipped(npy(np.full(512, 1e300))), "numbers"),
    ],
    ids=["huge", "more than 64 bits", "bomb", "encrypted", "method", "no zip", "complex", "beyond float32"],
)
def test_a_centre_made_to_break_the_reader_is_refused(tmp_path, data, says):
    folder = copy_model(tmp_path / "model")
    restamped(folder, "centre.npz", data)
    with pytest.raises(ModelCorrupt, match=f"centre of the image tower.*{says}"):
        find_model(str(folder)).centre("image")


def change(path, value):
    def edit(description):
        *parents, last = path
        for parent in parents:
            description = description[parent]
        description[last] = value

    return edit


def remove(*path):
    def edit(description):
        *parents, last = path
        for parent in parents:
            description = description[parent]
        del description[last]

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (change(["schema"], 2), "schema 2"),
        (change(["embedding_size"], 511), "multiple of 8"),
        (change(["embedding_size"], 1 << 40), "embedding_size"),
        (change(["embedding_size"], "512"), "embedding_size"),
        (change(["embedding_size"], True), "embedding_size"),
        (change(["image", "size"], 0), "image size"),
        (change(["image", "size"], 1_000_000), "image size"),
        (change(["image", "resize"], "stretch"), "stretch"),
        (change(["image", "resize_size"], 100), "resize_size"),
        (change(["image", "interpolation"], "magic"), "magic"),
        (change(["image", "mean"], [0, 0]), "mean"),
        (change(["image", "mean"], [10**400] * 3), "too large"),
        (change(["name"], "\ud800"), "surrogate"),
        (change(["text", "prompt"], "\udcff {}"), "surrogate"),
        (change(["image", "std"], [0, 1, 1]), "std"),
        (change(["image", "std"], [float("nan"), 1, 1]), "std"),
        (change(["image", "background"], [0, 0, 300]), "background"),
        (change(["text", "length"], 0), "text length"),
        (change(["text", "prompt"], "a photo"), "prompt"),
        (change(["text", "prompt"], "{} and {}"), "prompt"),
        (change(["self_test", "images", "discs"], "00"), "self-test"),
        (change(["self_test", "images", "discs"], "zz"), "hex"),
        (change(["self_test", "tolerance"], -1), "tolerance"),
        (change(["files", "image.bin", "size"], -5), "size of image.bin"),
        (change(["files", "image.bin", "size"], 1 << 60), "size of image.bin"),
        (change(["files", "centre.npz", "size"], 1 << 30), "centre.npz"),
        (change(["files"], []), "model.json"),
        (remove("name"), "name"),
        (remove("image", "mean"), "mean"),
        (remove("files", "text.xml"), "text.xml"),
        (remove("self_test"), "self_test"),
    ],
)
def test_a_description_that_cannot_be_used_says_why(tmp_path, edit, says):
    folder = tmp_path / "model"
    folder.mkdir()
    description = json.loads((STARTER / "model.json").read_text())
    edit(description)
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelCorrupt) as caught:
        find_model(str(folder))
    assert says in caught.value.message
    assert str(folder) in caught.value.message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1}'])
def test_a_description_that_is_no_json_object_is_a_typed_error(tmp_path, text):
    (tmp_path / "model.json").write_bytes(text)
    with pytest.raises(ModelCorrupt):
        find_model(str(tmp_path))


def test_an_enormous_description_is_refused(tmp_path):
    (tmp_path / "model.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(ClipdexError):
        find_model(str(tmp_path))


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_wrong_self_test_key_means_that_the_machine_computes_wrongly(tmp_path, tower):
    def edit(description):
        tests = description["self_test"]
        keys, name = (tests["images"], "discs") if tower == "image" else (tests["text"], "key")
        keys[name] = bytes(255 - byte for byte in bytes.fromhex(keys[name])).hex()

    folder = copy_model(tmp_path / "model", edit)
    with pytest.raises(ModelMisbehaves) as caught:
        use(folder, tower)
    assert tower in caught.value.message
    assert "512 of 512" in caught.value.message


def test_errors_about_models_pickle():
    with pytest.raises(ModelNotFound) as caught:
        find_model("nothing")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is ModelNotFound
    assert again.message == caught.value.message


def test_a_model_folder_given_by_its_path_works_and_is_remembered(tmp_path):
    model = renamed_model(tmp_path / "my model", "mine")
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    report = build(data, model=str(model))
    assert report.model == "mine"
    with Explorer(data) as explorer:
        image = explorer.explore_topk(data / "b.png")
        assert next((hit.id, hit.distance) for hit in image) == ("b.png", 0)
        assert len(explorer.explore_topk("a dog")) == 2
        assert image.datasets[0].model == "mine"
    again = build(data)
    assert (again.model, again.unchanged, again.added) == ("mine", 2, 0)


def test_a_custom_model_that_is_gone_leaves_item_queries_working(tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    build(data, model=str(model))
    shutil.rmtree(model)
    with Explorer(data) as explorer:
        assert explorer.explore_topk(explorer.item("a"))[0].id == "a.png"
        with pytest.raises(ModelNotFound, match="model"):
            explorer.explore_topk("dog")


def test_datasets_of_different_models_are_not_mixed(tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    ours, theirs = make_folder(tmp_path / "ours", "a.png"), make_folder(tmp_path / "theirs", "b.png")
    build(ours, model=str(model))
    build(theirs)
    with pytest.raises(ModelMismatch) as caught:
        Explorer(ours, theirs)
    for part in ("mine", "starter", str(ours), str(theirs), "--rebuild"):
        assert part in caught.value.message


def test_an_index_of_another_model_is_added_to_only_with_rebuild(tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    build(data)
    keys = rows_and_keys(data / ".clipdex")
    before = contents(data / ".clipdex")

    with pytest.raises(ModelMismatch) as caught:
        build(data, model=str(model))
    for part in ("mine", "starter", "--rebuild"):
        assert part in caught.value.message
    assert contents(data / ".clipdex") == before

    report = build(data, model=str(model), rebuild=True)
    assert (report.model, report.added, report.items) == ("mine", 2, 2)
    assert rows_and_keys(data / ".clipdex") == keys
    with Explorer(data, model=str(model)) as explorer:
        assert len(explorer) == 2


def test_asking_with_another_model_than_the_index_is_refused(tmp_path, odd):
    model = renamed_model(tmp_path / "model", "mine")
    with pytest.raises(ModelMismatch) as caught:
        Explorer(odd, model=str(model))
    assert "--rebuild" in caught.value.message
    with Explorer(odd, model="starter") as explorer:
        assert len(explorer) == 6


def test_a_model_that_changed_in_its_folder_is_noticed(tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    data = make_folder(tmp_path / "data", "a.png")
    build(data, model=str(model))
    description = json.loads((model / "model.json").read_text())
    description["version"] = "of another day"
    (model / "model.json").write_text(json.dumps(description))
    with Explorer(data) as explorer, pytest.raises(ModelMismatch, match="another version"):
        explorer.explore_topk("dog")
    with pytest.raises(ModelMismatch, match="another version"):
        build(data)


def test_a_text_query_needs_no_image_tower_and_an_image_query_no_text_tower(tmp_path):
    model = renamed_model(tmp_path / "model", "mine")
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    build(data, model=str(model))
    for name in ("image.bin", "image.xml"):
        (model / name).unlink()
    with Explorer(data) as explorer:
        assert len(explorer.explore_topk("dog")) == 2
        with pytest.raises(ModelCorrupt):
            explorer.explore_topk(data / "a.png")

    other = renamed_model(tmp_path / "other", "mine")
    for name in ("text.bin", "text.xml", "tokenizer.json"):
        (other / name).unlink()
    shutil.rmtree(model)
    other.rename(model)
    with Explorer(data) as explorer:
        assert explorer.explore_topk(data / "a.png")[0].distance == 0
        with pytest.raises(ModelCorrupt):
            explorer.explore_topk("dog")
