from __future__ import annotations

import dataclasses
import functools
import gzip
import importlib
import io
import json
import lzma
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clipdex import Explorer, build
from clipdex.encoder import Encoder, find_model
from clipdex.encoder.background import BACKGROUND
from clipdex.encoder.installed import installed_names, models_folder
from clipdex.encoder.model import FILES
from clipdex.encoder.runtime import openvino as ov
from clipdex.errors import (
    ExtraMissing,
    ModelCorrupt,
    ModelError,
    ModelExists,
    ModelMisbehaves,
    ModelMismatch,
    ModelNotFound,
    ModelUnsupported,
)
from clipdex.models.adding import Choices, add_model, add_towers
from clipdex.models.archives import unpack
from clipdex.models.benchmarking import bench, best_rate
from clipdex.models.calibrating import calibrate
from clipdex.models.installing import check_name, staged
from clipdex.models.managing import list_models, remove, verify
from clipdex_indexes import Index
from helpers_engine import contents, copy_model, make_folder, picture, temporary_files
from helpers_reference import clip_folder, export_onnx, write_clip_tokenizer

opset = importlib.import_module("openvino.opset13")
pytestmark = pytest.mark.usefixtures("quick_centres")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A small CLIP in ONNX. Not to be changed: take ``source`` for that."""
    folder = export_onnx(clip_folder(tmp_path_factory.mktemp("published") / "small-clip", image_size=64, patch=16))
    (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture
def source(published, tmp_path):
    return Path(shutil.copytree(published, tmp_path / "small-clip"))


def edit(path: Path, **changes):
    settings = json.loads(path.read_text())
    settings.update(changes)
    path.write_text(json.dumps(settings))


def nothing_is_left():
    return installed_names() == [] and (not models_folder().exists() or temporary_files(models_folder()) == [])


def test_a_folder_is_added_under_its_own_name_and_used(published, tmp_path):
    before = contents(published)
    model = add_model(published)
    assert contents(published) == before
    assert (model.name, model.folder) == ("small-clip", models_folder() / "small-clip")
    assert sorted(path.name for path in model.folder.iterdir()) == sorted([*FILES, BACKGROUND, "model.json"])
    data = make_folder(tmp_path / "data", "a.png", "b.png", "c.png")
    report = build(data, model="small-clip")
    assert (report.model, report.model_choice, report.items) == ("small-clip", "as asked for", 3)
    with Explorer(data) as explorer:
        assert explorer.explore_topk(data / "b.png", topk=1)[0].id == "b.png"
        assert len(explorer.explore_topk("a dog")) == 3
    with Index(data / ".clipdex") as index:
        assert (index.manifest.model.location, index.manifest.model.bits) == ("", 64)


def test_adding_the_same_twice_gives_the_same_digest(published):
    first = add_model(published)
    digest = first.digest
    remove("small-clip")
    assert add_model(published).digest == digest


def test_the_digest_depends_on_the_way_of_hashing(published):
    centred = add_model(published, name="one")
    plain = add_model(published, name="one-sign", choices=Choices(hashing="sign"))
    assert centred.digest != plain.digest
    assert (plain.hashing, centred.hashing) == ("sign", "centred")
    assert not plain.centre("image").any()
    assert centred.centre("image").any() and centred.centre("text").any()


def test_plain_signs_are_the_signs_of_the_embedding(published, encoder):
    model = add_model(published, choices=Choices(hashing="sign"))
    own = Encoder(model)
    embedding = own.text_embedding("a dog on a beach")
    assert np.array_equal(np.unpackbits(own.text_key("a dog on a beach").key).astype(bool), embedding > 0)


def test_bits_of_a_centred_model_are_set_for_about_half_of_the_photos(published, photos):
    model = add_model(published)
    build(photos, index=photos.parent / "small", model="small-clip")
    with Index(photos.parent / "small") as index:
        keys = np.concatenate([np.array(segment.keys) for segment in index.segments])
    assert 0.3 < np.unpackbits(keys).mean() < 0.7
    assert model.hashing == "centred"


def test_a_name_that_is_taken_is_refused_before_anything_is_done(published):
    model = add_model(published)
    before = contents(model.folder)
    with pytest.raises(ModelExists, match="--name"):
        add_model(published)
    assert contents(model.folder) == before


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "../up",
        "a/b",
        "a\\b",
        "/abs",
        "",
        "x" * 65,
        "-x",
        ".hidden",
        "a b",
        "starter",
        "NUL",
        "con.x",
        "é",
        "a\n",
    ],
)
def test_names_that_could_lead_elsewhere_are_refused(published, name):
    with pytest.raises(ModelError, match="cannot be called"):
        check_name(name)
    with pytest.raises(ModelError, match=r"cannot be called|no name"):
        add_model(published, name=name or "..")
    with pytest.raises(ModelError):
        remove(name)
    assert nothing_is_left()


def test_what_fails_half_way_leaves_nothing(source):
    (source / "onnx" / "text_model.onnx").write_bytes(b"no ONNX at all")
    with pytest.raises(ModelCorrupt, match=r"text_model\.onnx"):
        add_model(source)
    assert nothing_is_left()


def test_a_model_is_not_seen_before_it_is_whole():
    with pytest.raises(RuntimeError, match="stop"), staged("half") as folder:
        (folder / "model.json").write_text("{}")
        assert installed_names() == []
        raise RuntimeError("stop")
    assert nothing_is_left()


def test_what_a_killed_adding_left_is_deleted_when_it_is_old(published):
    abandoned, recent = models_folder() / ".tmp-old", models_folder() / ".tmp-new"
    for folder in (abandoned, recent):
        folder.mkdir(parents=True)
    os.utime(abandoned, (0, 0))
    add_model(published)
    assert (abandoned.exists(), recent.exists()) == (False, True)


@pytest.mark.parametrize(
    ("missing", "error", "says"),
    [
        ("onnx/text_model.onnx", ModelUnsupported, "vision-only"),
        ("onnx/vision_model.onnx", ModelUnsupported, "text-only"),
        ("preprocessor_config.json", ModelUnsupported, "preprocessor_config.json"),
    ],
)
def test_what_is_missing_is_named(source, missing, error, says):
    (source / missing).unlink()
    with pytest.raises(error, match=says):
        add_model(source)
    assert nothing_is_left()


def test_a_folder_of_nothing_known_says_what_was_looked_for_and_what_is_there(tmp_path):
    make_folder(tmp_path / "data", "a.png")
    with pytest.raises(ModelUnsupported, match=r"onnx/vision_model.onnx.*The folder holds: a\.png"):
        add_model(tmp_path / "data")
    with pytest.raises(ModelNotFound, match="nothing does not exist"):
        add_model(tmp_path / "nothing")


def tower(kind: str, size: int, *, output: str = "embedding", side: int = 32, images: int = -1) -> ov.Model:
    """A tower of one layer, for any number of images or for just as many."""
    generator = np.random.default_rng(size)
    if kind == "image":
        given = opset.parameter([images, 3, side, side], np.float32, name="pixel_values")
        flat = opset.reduce_mean(given, np.array([2], np.int64))
        flat = opset.reshape(flat, np.array([max(0, images), 3 * side], np.int64), special_zero=images < 0)
        if images > 0:  # as many exports have it: the number is built in
            flat = opset.add(
                flat, np.zeros((images, 1), np.float32) if images == 1 else np.ones((images, 1), np.float32)
            )
    else:
        given = opset.parameter([-1, -1], np.int64, name="input_ids")
        table = opset.constant(generator.normal(size=(600, 3 * side)).astype(np.float32))
        flat = opset.reduce_mean(opset.gather(table, given, np.int64(0)), np.array([1], np.int64))
    weights = opset.constant(generator.normal(size=(3 * side, size)).astype(np.float32))
    result = opset.matmul(flat, weights, False, False)
    result.output(0).get_tensor().set_names({output})
    given.output(0).get_tensor().set_names({given.get_friendly_name()})
    return ov.Model([opset.result(result)], [given], kind)


def towers(folder: Path, image: ov.Model, text: ov.Model) -> tuple[Path, Path, Path]:
    folder.mkdir()
    ov.save_model(image, str(folder / "image.xml"))
    ov.save_model(text, str(folder / "text.xml"))
    words = folder / "words"
    words.mkdir()
    write_clip_tokenizer(words)
    return folder / "image.xml", folder / "text.xml", words


@pytest.mark.parametrize("size", [512, 640, 768, 1024, 1152])
def test_any_size_that_is_a_multiple_of_8_is_hashed(tmp_path, size):
    model = add_towers(*towers(tmp_path / "t", tower("image", size), tower("text", size)), name="towers")
    assert model.embedding_size == size
    assert Encoder(model).text_key("dog").key.shape == (size // 8,)


@pytest.mark.parametrize(
    ("image", "text", "says"),
    [
        (("image", 64), ("text", 72), "64 dimensions and the text tower of 72"),
        (("image", 60), ("text", 60), "multiple of 8"),
        (("image", 64), ("image", 64), "takes one array of tokens"),
        (("text", 64), ("text", 64), "takes one array of images|how large its images"),
    ],
)
def test_towers_that_do_not_fit_are_refused(tmp_path, image, text, says):
    with pytest.raises(ModelUnsupported, match=says):
        add_towers(*towers(tmp_path / "t", tower(*image), tower(*text)), name="towers")
    assert nothing_is_left()


def test_a_tower_for_one_image_at_a_time_is_added(tmp_path, photos):
    model = add_towers(*towers(tmp_path / "t", tower("image", 64, images=1), tower("text", 64)), name="towers")
    assert model.image.batch == 1
    assert build(photos, index=tmp_path / "index", model="towers").items == 40


def test_a_tower_for_several_images_at_a_time_only_is_refused(tmp_path):
    files = towers(tmp_path / "t", tower("image", 64, images=3), tower("text", 64))
    with pytest.raises(ModelUnsupported, match="takes 3 images at once and no other number"):
        add_towers(*files, name="towers")
    assert nothing_is_left()


def test_a_missing_projection_is_recognised(tmp_path):
    files = towers(tmp_path / "t", tower("image", 64, output="pooler_output"), tower("text", 64))
    with pytest.raises(ModelUnsupported, match="projection"):
        add_towers(*files, name="towers")


def test_a_tower_that_always_gives_the_same_is_refused(tmp_path):
    given = opset.parameter([-1, 3, 32, 32], np.float32, name="pixel_values")
    zero = opset.multiply(opset.reduce_mean(given, np.array([2, 3], np.int64)), np.float32(0))
    ones = opset.add(opset.matmul(zero, np.zeros((3, 64), np.float32), False, False), np.ones(64, np.float32))
    files = towers(tmp_path / "t", ov.Model([opset.result(ones)], [given], "image"), tower("text", 64))
    with pytest.raises(ModelUnsupported, match="same embedding"):
        add_towers(*files, name="towers")


def test_a_checkpoint_in_a_pickle_is_not_loaded_unless_asked_for(tmp_path):
    import torch
    from transformers import CLIPModel

    folder = clip_folder(tmp_path / "pickled", image_size=64, patch=16)
    weights = CLIPModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelUnsupported, match="--allow-pickle"):
        add_model(folder)
    assert add_model(folder, choices=Choices(allow_pickle=True)).embedding_size == 64


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_program_in_a_pickle_is_not_run(tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    folder = clip_folder(tmp_path / "pickled", image_size=64, patch=16)
    (folder / "model.safetensors").unlink()
    torch.save({"logit_scale": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelCorrupt):
        add_model(folder, choices=Choices(allow_pickle=True))
    assert not (tmp_path / "exploded").exists()


def test_a_damaged_safetensors_file_is_a_typed_error(tmp_path):
    folder = clip_folder(tmp_path / "cut", image_size=64, patch=16)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelCorrupt, match="transformers cannot load"):
        add_model(folder)
    assert nothing_is_left()


def test_a_missing_extra_is_named_with_its_command(tmp_path, monkeypatch):
    import sys

    folder = clip_folder(tmp_path / "clip", image_size=64, patch=16)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'clipdex\[convert\]'"):
        add_model(folder)


def test_a_model_of_ours_is_copied_as_it_is(published, tmp_path):
    model = add_model(published)
    copy = Path(shutil.copytree(model.folder, tmp_path / "usb stick"))
    remove("small-clip")
    again = add_model(copy)
    assert (again.digest, again.folder.name) == (model.digest, "small-clip")
    other = add_model(copy, name="other")
    assert (other.digest, other.folder.name, other.name) == (model.digest, "other", "small-clip")


def test_a_damaged_model_of_ours_is_not_installed(published, tmp_path):
    copy = Path(shutil.copytree(add_model(published).folder, tmp_path / "copy"))
    data = bytearray((copy / "image.bin").read_bytes())
    data[100] ^= 1
    (copy / "image.bin").write_bytes(data)
    with pytest.raises(ModelCorrupt, match=r"image\.bin"):
        add_model(copy, name="other")
    assert installed_names() == ["small-clip"]


def packed(folder: Path, kind: str) -> Path:
    base = folder.parent / f"packed-{kind}"
    return Path(shutil.make_archive(str(base), kind, folder.parent, folder.name))


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_an_archive_of_a_folder_is_added(source, kind):
    model = add_model(packed(source, kind), name="packed")
    assert model.embedding_size == 64
    assert installed_names() == ["packed"]


def zip_with(path: Path, name: str, *, link: bool = False) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (0o120777 if link else 0o100644) << 16
        archive.writestr(entry, "../outside")
    return path


def tar_with(path: Path, name: str, kind: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "../outside"
        archive.addfile(entry)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda path: zip_with(path, "../outside"),
        lambda path: zip_with(path, "/tmp/outside"),
        lambda path: zip_with(path, "a/../../outside"),
        lambda path: zip_with(path, "C:outside"),
        lambda path: zip_with(path, "link", link=True),
        lambda path: tar_with(path, "../outside", tarfile.REGTYPE),
        lambda path: tar_with(path, "link", tarfile.SYMTYPE),
        lambda path: tar_with(path, "link", tarfile.LNKTYPE),
        lambda path: tar_with(path, "device", tarfile.CHRTYPE),
        lambda path: tar_with(path, "pipe", tarfile.FIFOTYPE),
    ],
)
def test_members_of_an_archive_cannot_leave_its_folder(tmp_path, make):
    path = make(tmp_path / "archive")
    with pytest.raises(ModelCorrupt, match=r"outside|link or a device"):
        add_model(path, name="evil")
    assert list(tmp_path.rglob("outside")) == []
    assert nothing_is_left()


def test_a_damaged_archive_is_a_typed_error(source):
    path = packed(source, "zip")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\0" * 100 + data[len(data) // 2 + 100 :])
    with pytest.raises((ModelCorrupt, ModelUnsupported)):
        add_model(path, name="cut")
    assert nothing_is_left()


def tar_of_noise():
    data = np.random.default_rng(0).bytes(100_000)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("model/image.bin")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def overwritten(data):
    return data[: len(data) // 2] + b"\0" * 50 + data[len(data) // 2 + 50 :]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cut.tar.xz", lambda data: lzma.compress(data)[:50_000]),
        ("changed.tar.xz", lambda data: overwritten(lzma.compress(data))),
        ("cut.tar.gz", lambda data: gzip.compress(data)[:50_000]),
        ("short.tar.gz", lambda data: gzip.compress(data)[:20]),
        ("cut.tar", lambda data: data[:50_000]),
        ("empty.tar", lambda data: b""),
    ],
)
def test_an_archive_that_was_damaged_on_its_way_is_a_typed_error(tmp_path, name, make):
    (tmp_path / name).write_bytes(make(tar_of_noise()))
    with pytest.raises((ModelCorrupt, ModelNotFound, ModelUnsupported), match=name):
        add_model(tmp_path / name, name="cut")
    assert nothing_is_left()


def test_an_archive_of_too_much_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", b"\0" * 2_000_000)
        archive.writestr("more", b"")
    for limit, problem in (({"most_bytes": 1 << 20}, "unpacks to more"), ({"most_files": 1}, "more than 1 files")):
        monkeypatch.setattr("clipdex.models.adding.unpack", functools.partial(unpack, **limit))
        with pytest.raises(ModelCorrupt, match=problem):
            add_model(path, name="large")
        assert nothing_is_left()


def test_models_are_listed_with_the_damaged_ones(published):
    folder = add_model(published).folder
    add_model(published, name="second")
    (folder / "model.json").write_text("{")
    listed = {entry.name: entry for entry in list_models()}
    assert list(listed) == ["starter", "second", "small-clip"]
    assert listed["small-clip"].model is None and "model.json" in listed["small-clip"].problem
    remove("small-clip")
    assert installed_names() == ["second"]


def test_removing_deletes_the_model_and_what_was_kept_of_it(published, nothing_kept):
    model = add_model(published)
    Encoder(model).text_key("dog")
    cache = Path(os.environ["HOME"], ".cache", "clipdex", "models")
    assert [path.name for path in cache.iterdir()] == [model.digest[:32]]
    remove("small-clip")
    assert list(cache.iterdir()) == []
    assert not model.folder.exists()
    with pytest.raises(ModelNotFound):
        remove("small-clip")
    with pytest.raises(ModelError, match="part of clipdex"):
        remove("starter")


def test_verify_finds_what_changed_since_the_last_use(published):
    model = add_model(published)
    Encoder(model).self_test()
    assert verify("small-clip").model.digest == model.digest
    path = model.folder / "text.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelCorrupt, match=r"text\.bin"):
        verify("small-clip")


def test_a_file_that_changes_after_it_was_checked_is_checked_again(published):
    model = add_model(published)
    Encoder(model).text_key("dog")
    path = model.folder / "text.bin"
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ModelCorrupt, match=r"text\.bin"):
        Encoder(find_model("small-clip")).text_key("dog")


def with_wrong_self_test(model, what):
    """Return a model that expects another key of one picture, or of the text, and is otherwise the same."""
    right = model.self_test
    if what == "text":
        wrong = dataclasses.replace(right, text_key=opposite(right.text_key))
    else:
        wrong = dataclasses.replace(right, image_keys={**right.image_keys, what: opposite(right.image_keys[what])})
    return dataclasses.replace(model, self_test=wrong)


def opposite(key):
    return bytes(255 - byte for byte in key)


def test_the_self_test_is_made_once_for_each_way_of_running(published):
    model = add_model(published)
    wrong = {what: with_wrong_self_test(model, what) for what in ("text", "gradients", "discs")}
    with pytest.raises(ModelMisbehaves, match="text tower"):
        Encoder(wrong["text"], precision="f32").text_key("dog")
    Encoder(model, precision="f32").text_key("dog")
    Encoder(wrong["text"], precision="f32").text_key("dog")
    for what in ("gradients", "discs"):
        with pytest.raises(ModelMisbehaves, match=rf"image tower \({what}\)"):
            Encoder(wrong[what], precision="f32").image_key(picture(1))
    Encoder(model, precision="f32").image_key(picture(1))
    for what in ("gradients", "discs"):
        Encoder(wrong[what], precision="f32").image_key(picture(1))
    Encoder(model, precision="f32", many=True).self_test()
    for what, altered in wrong.items():
        with pytest.raises(ModelMisbehaves, match=what):
            Encoder(altered, precision="f32", many=True).self_test()


def test_a_note_of_a_check_is_not_believed_for_another_folder(published, tmp_path):
    model = add_model(published)
    Encoder(model).text_key("dog")
    copy = Path(shutil.copytree(model.folder, tmp_path / "copy"))
    (copy / "text.bin").write_bytes(b"\0" * (copy / "text.bin").stat().st_size)
    with pytest.raises(ModelCorrupt):
        Encoder(find_model(str(copy))).text_key("dog")


def test_a_damaged_compiled_model_in_the_cache_is_replaced(published, nothing_kept):
    model = add_model(published)
    expected = Encoder(model).text_key("dog").key.tobytes()
    blobs = list(Path(os.environ["HOME"], ".cache").rglob("*.blob"))
    assert blobs
    for content in (b"", b"rubbish", None):
        for blob in blobs:
            data = blob.read_bytes()
            blob.write_bytes(data[: len(data) // 2] if content is None else content)
        assert Encoder(model).text_key("dog").key.tobytes() == expected


def test_a_cache_that_cannot_be_written_is_done_without(published, nothing_kept):
    model = add_model(published)
    cache = Path(os.environ["HOME"], ".cache")
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("a file, and no folder")
    assert Encoder(model).text_key("dog").key.shape == (8,)


def test_calibrating_makes_another_model_from_ones_own_images(published, tmp_path):
    old = add_model(published)
    images = make_folder(tmp_path / "mine", *(f"{number}.png" for number in range(6)))
    (tmp_path / "words").write_text("cat\n\nhouse\ncat\n")
    new = calibrate("small-clip", images, tmp_path / "words", to="mine")
    assert installed_names() == ["mine", "small-clip"]
    assert new.digest != old.digest
    assert not np.allclose(new.centre("image"), old.centre("image"))
    assert not np.allclose(new.centre("text"), old.centre("text"))
    expected = np.mean(
        [Encoder(old, precision="f32").image_embedding(load(path)) for path in sorted(images.iterdir())], axis=0
    )
    assert np.allclose(new.centre("image"), expected, atol=1e-5)
    verify("mine")


def load(path):
    from clipdex.media.decoding import load_image

    return load_image(path)


def test_an_index_of_before_a_calibration_is_refused_by_what_came_after(published, tmp_path):
    old = add_model(published).digest
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    build(data, model="small-clip")
    model = calibrate("small-clip", make_folder(tmp_path / "mine", "x.png", "y.png", seed=9))
    assert (model.digest != old, model.folder) == (True, models_folder() / "small-clip")
    with pytest.raises(ModelMismatch, match="--rebuild"):
        build(data)
    with Explorer(data) as explorer:
        assert explorer.explore_topk(explorer.item("a.png"), topk=1)[0].id == "a.png"
        with pytest.raises(ModelMismatch, match="--rebuild"):
            explorer.explore_topk("dog")


def test_a_calibrated_copy_has_its_own_name(published, tmp_path):
    add_model(published)
    make_folder(tmp_path / "images", "a.png", "b.png")
    model = calibrate("small-clip", tmp_path / "images", to="other")
    assert (model.name, find_model("small-clip").name) == ("other", "small-clip")


def test_weights_that_cannot_be_written_are_linked_and_left_so(published, tmp_path):
    folder = add_model(published).folder
    for path in folder.iterdir():
        path.chmod(0o444)
    make_folder(tmp_path / "images", "a.png", "b.png")
    calibrate("small-clip", tmp_path / "images", to="other")
    assert (folder / "image.bin").stat().st_mode & 0o777 == 0o444


def test_the_bundled_model_is_calibrated_into_a_new_one_only(tmp_path):
    images = make_folder(tmp_path / "mine", "x.png", "y.png")
    with pytest.raises(ModelError, match="--name"):
        calibrate("starter", images)
    assert calibrate("starter", images, to="my-starter").embedding_size == 512


@pytest.mark.parametrize("how", ["int8", "int8-full"])
def test_weights_in_8_bits_give_nearly_the_same_keys_from_a_smaller_model(published, all_to_centre_with, how):
    exact = add_model(published)
    small = add_model(published, name="small", choices=Choices(quantize=how))
    assert (small.weights, exact.weights) == (how, "f32")
    assert small.size < 0.5 * exact.size or small.size < 1_500_000
    in_f32, in_int8 = Encoder(exact, precision="f32"), Encoder(small, precision="f32")
    for seed in range(3):
        assert in_f32.image_embedding(picture(seed)) @ in_int8.image_embedding(picture(seed)) > 0.97


def test_a_model_that_is_found_by_another_name_still_answers(published, tmp_path):
    add_model(published)
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    build(data, model="small-clip")
    (models_folder() / "small-clip").rename(models_folder() / "renamed")
    with Explorer(data) as explorer:
        assert len(explorer.explore_topk("dog")) == 2


def test_the_variable_names_the_model_of_new_indexes_only(published, tmp_path, monkeypatch):
    add_model(published)
    old = make_folder(tmp_path / "old", "a.png")
    build(old)
    monkeypatch.setenv("CLIPDEX_MODEL", "small-clip")
    assert build(old).model == "starter"
    report = build(make_folder(tmp_path / "new", "a.png"))
    assert (report.model, report.model_choice) == ("small-clip", "named by $CLIPDEX_MODEL")


def test_models_live_where_the_variable_says(published, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPDEX_HOME", str(tmp_path / "elsewhere"))
    model = add_model(published)
    assert model.folder == tmp_path / "elsewhere" / "models" / "small-clip"
    Encoder(model).text_key("dog")
    assert (tmp_path / "elsewhere" / "cache" / "models").is_dir()


def test_a_rate_is_measured_and_remembered(published):
    model = add_model(published)
    assert best_rate(model) is None
    rates = bench("small-clip", precisions=["f32"], batches=[1, 4], seconds=0.02)
    assert [(rate.precision, rate.batch) for rate in rates] == [("f32", 1), ("f32", 4)]
    assert best_rate(model) == max(rates, key=lambda rate: rate.images_per_second)


def test_a_wrong_self_test_of_a_folder_of_ours_keeps_it_from_being_installed(tmp_path):
    def spoil(description):
        keys = description["self_test"]["images"]
        keys["discs"] = bytes(255 - byte for byte in bytes.fromhex(keys["discs"])).hex()

    with pytest.raises(ModelMisbehaves, match="discs"):
        add_model(copy_model(tmp_path / "spoiled", spoil), name="spoiled")
    assert nothing_is_left()


def test_a_configuration_that_is_no_json_is_a_typed_error(source):
    (source / "config.json").write_text("[" * 100_000)
    with pytest.raises(ModelCorrupt, match=r"config\.json"):
        add_model(source)


def test_preprocessing_and_tower_of_different_sizes_are_refused(source):
    edit(source / "preprocessor_config.json", crop_size={"height": 96, "width": 96}, size={"shortest_edge": 96})
    with pytest.raises(ModelUnsupported, match=r"64 pixels|96"):
        add_model(source)
