"""The commands below ``clipdex model``: what they print, and with which code they end."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pytest

from clipdex.encoder import find_model
from clipdex.encoder.installed import installed_names, models_folder
from clipdex.models import benchmarking
from clipdex.models.adding import add_model
from clipdex.models.hub.known import KNOWN
from helpers_amounts import LONG
from helpers_engine import make_folder, renamed_model
from helpers_reference import clip_folder, export_onnx

pytestmark = pytest.mark.usefixtures("quick_centres")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A small CLIP in ONNX, as a hub has it."""
    folder = export_onnx(clip_folder(tmp_path_factory.mktemp("published") / "small-clip", image_size=64, patch=16))
    (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture
def ours(tmp_path):
    """A finished model folder, called ``mine``."""
    return renamed_model(tmp_path / "mine", "mine")


@pytest.fixture
def installed():
    return renamed_model(models_folder() / "mine", "mine")


@pytest.fixture
def small(published):
    """The name of an installed model that is quick."""
    add_model(published, name="small")
    return "small"


@pytest.fixture
def _short_benches(monkeypatch):
    """Measure for a moment only, but in the long run."""
    if not LONG:
        monkeypatch.setattr(benchmarking, "bench", functools.partial(benchmarking.bench, seconds=0.02))


def rows_of(cli) -> dict[str, dict]:
    return {row["name"]: row for row in cli("model", "list", "--json").json}


def test_list_shows_the_bundled_the_installed_and_the_known_models(cli, installed):
    rows = rows_of(cli)
    assert (rows["starter"]["state"], rows["starter"]["bits"], rows["starter"]["image size"]) == ("bundled", 512, 240)
    assert rows["mine"]["state"] == "installed"
    assert set(rows) == {"starter", "mine", *(known.name for known in KNOWN)}
    for known in KNOWN:
        state = "can be pulled" if known.verified else "can be pulled, unverified"
        assert (rows[known.name]["state"], rows[known.name]["licence"]) == (state, known.licence)
    lines = cli("model", "list").lines
    assert lines[0].split() == ["name", "bits", "size", "installed"]
    assert len(lines) == 1 + len(rows)
    assert max(map(len, lines)) <= 80
    shown = {line.split()[0]: line.split("  ")[-1].strip() for line in lines}
    assert (shown["starter"], shown["mine"], shown[KNOWN[0].name]) == ("yes, default", "yes", "no")


def test_list_marks_the_default_that_the_environment_names(cli, installed, monkeypatch):
    monkeypatch.setenv("CLIPDEX_MODEL", "mine")
    lines = cli("model", "list").lines
    assert [line.split()[0] for line in lines if line.endswith("default")] == ["mine"]


def test_list_shows_a_damaged_model_with_what_is_wrong(cli, installed):
    (installed / "model.json").write_text("{}")
    row = rows_of(cli)["mine"]
    assert row["state"] == "damaged"
    assert row["note"]
    assert cli("model", "list").code == 0


@pytest.mark.usefixtures("_short_benches")
def test_list_shows_the_rate_once_it_was_measured(cli, small):
    assert rows_of(cli)[small]["images/s"] is None
    done = cli("model", "bench", small, "--precision", "f32", "--batch", "1", "--json")
    assert done.code == 0
    [rate] = done.json
    assert (rate["device"], rate["precision"], rate["batch"]) == ("CPU", "f32", 1)
    assert rows_of(cli)[small]["images/s"] == round(rate["images_per_second"], 1) > 0
    shown = f"{rate['images_per_second']:,.1f} images/s on CPU in f32, 1 at once"
    assert shown in cli("model", "info", small).out.decode()


@pytest.mark.usefixtures("_short_benches")
def test_bench_prints_a_table_and_says_each_rate_as_it_comes(cli, small):
    done = cli("model", "bench", small, "--precision", "f32", "--batch", "1", "--batch", "2")
    assert done.code == 0
    assert [line.split()[:2] for line in done.lines] == [["precision", "images"], ["f32", "1"], ["f32", "2"]]
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["f32, 1 at once", "f32, 2 at once"]


def test_info_of_an_installed_model_says_what_it_is(cli, installed):
    model = find_model("mine")
    out = cli("model", "info", "mine").out.decode()
    for text in (model.digest[:12], str(installed), "512 bits, sign", "240 x 240 pixels", model.licence):
        assert text in out
    assert "not measured: clipdex model bench mine" in out
    assert cli("model", "info", "mine", "--json").json == json.loads((installed / "model.json").read_text())


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_info_of_a_model_that_can_be_pulled_names_repository_files_and_licence(cli, known):
    done = cli("model", "info", known.name)
    assert done.code == 0
    out = done.out.decode()
    for text in (f"clipdex model pull {known.name}", known.repository, *known.files, known.licence):
        assert text in out
    assert ("unverified" in out) == (not known.verified)


@pytest.mark.parametrize(
    "command",
    [("info",), ("verify",), ("bench",), ("remove",), ("calibrate", "--images", ".")],
    ids=lambda command: command[0],
)
def test_a_name_that_nobody_knows_is_refused_with_where_to_look(cli, command):
    done = cli("model", command[0], "mien", *command[1:])
    assert done.code == 1
    assert "'mien'" in done.err
    assert "clipdex model list" in done.err


def test_a_name_that_leads_out_of_the_models_folder_removes_nothing(cli, installed):
    outside = models_folder().parent / "outside"
    shutil.copytree(installed, outside)
    done = cli("model", "remove", "../outside")
    assert done.code == 1
    assert outside.is_dir()
    assert installed_names() == ["mine"]


def test_pull_of_an_unknown_name_lists_the_known_ones(cli):
    done = cli("model", "pull", "clip-vit-b-23")
    assert done.code == 1
    assert all(known.name in done.err for known in KNOWN)


def test_add_installs_a_published_model_and_says_how_to_use_it(cli, published, tmp_path):
    done = cli("model", "add", published, "--name", "small", "-q")
    assert (done.code, done.out) == (0, b"")
    assert done.err.startswith(f"Installed small in {models_folder() / 'small'}: 64 bits")
    assert "clipdex build PHOTOS --model small" in done.err
    data = make_folder(tmp_path / "data", "a.png", "b.png")
    built = cli("build", data, "--model", "small")
    assert built.code == 0
    assert "model small, as asked for" in built.err
    assert cli("query", data, "--text", "dog", "--output", "json").json["datasets"][0]["model"] == "small"


def test_add_of_towers_needs_all_that_belong_to_a_model(cli, published):
    onnx = published / "onnx"
    towers = ["--image-model", onnx / "vision_model.onnx", "--text-model", onnx / "text_model.onnx"]
    done = cli("model", "add", *towers, "--name", "apart")
    assert (done.code, installed_names()) == (2, [])
    assert "--tokenizer" in done.err
    done = cli("model", "add", *towers, "--tokenizer", published / "tokenizer.json", "--name", "apart", "-q")
    assert (done.code, installed_names()) == (0, ["apart"])


@pytest.mark.parametrize("arguments", [(), ("PATH", "--image-model", "x.onnx")], ids=["nothing", "both"])
def test_add_takes_a_path_or_towers(cli, arguments):
    done = cli("model", "add", *arguments)
    assert done.code == 2
    assert "give either PATH, or --image-model" in done.err


def test_add_of_what_is_not_there_says_so(cli):
    done = cli("model", "add", "nowhere")
    assert done.code == 1
    assert "nowhere" in done.err
    assert installed_names() == []


def test_add_of_a_tower_alone_is_refused(cli, published, tmp_path):
    alone = Path(shutil.copytree(published, tmp_path / "alone"))
    (alone / "onnx" / "text_model.onnx").unlink()
    done = cli("model", "add", alone)
    assert done.code == 1
    assert "text" in done.err
    assert installed_names() == []


def test_add_under_a_name_that_is_taken_is_refused(cli, installed, ours):
    before = (installed / "model.json").read_bytes()
    done = cli("model", "add", ours)
    assert done.code == 1
    assert "mine" in done.err
    assert (installed / "model.json").read_bytes() == before


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden", "con/.."])
def test_add_under_a_name_that_leads_elsewhere_is_refused(cli, ours, name):
    done = cli("model", "add", ours, "--name", name)
    assert done.code == 1
    assert installed_names() == []


def test_verify_says_that_a_model_is_right_and_names_a_file_that_is_not(cli, installed):
    done = cli("model", "verify", "mine")
    assert done.code == 0
    assert "self-test is passed on CPU in f32" in done.err
    path = installed / "image.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # the file may be a link to the one that was added
    path.write_bytes(data)
    done = cli("model", "verify", "mine")
    assert done.code == 1
    assert "image.bin" in done.err


def test_verify_on_a_device_that_is_not_here_lists_those_that_are(cli, installed):
    done = cli("model", "verify", "mine", "--device", "GPU.7")
    assert done.code == 1
    assert "GPU.7" in done.err
    assert "CPU" in done.err


def test_remove_deletes_a_model_and_leaves_the_bundled_one(cli, installed):
    done = cli("model", "remove", "mine")
    assert done.code == 0
    assert str(installed) in done.err
    assert installed_names() == []
    done = cli("model", "remove", "starter")
    assert done.code == 1
    assert "cannot be removed" in done.err
    assert find_model("starter")


def test_calibrate_makes_a_model_of_its_own_from_images_and_texts(cli, installed, tmp_path):
    images = make_folder(tmp_path / "images", *(f"{number}.png" for number in range(4)))
    (tmp_path / "texts.txt").write_text("a dog\na red car\n")
    before = find_model("mine").digest
    texts = ("--texts", tmp_path / "texts.txt")
    done = cli("model", "calibrate", "mine", "--images", images, *texts, "--name", "better", "-q")
    assert done.code == 0
    assert done.err.startswith(f"Installed better in {models_folder() / 'better'}")
    assert find_model("mine").digest == before != find_model("better").digest
    done = cli("model", "calibrate", "mine", "--images", images, "-q")
    assert done.code == 0
    assert "clipdex build --rebuild --model mine" in done.err
    assert find_model("mine").digest != before


def test_calibrate_without_images_changes_nothing(cli, installed, tmp_path):
    before = find_model("mine").digest
    assert cli("model", "calibrate", "mine").code == 2
    (tmp_path / "empty").mkdir()
    done = cli("model", "calibrate", "mine", "--images", tmp_path / "empty")
    assert done.code == 1
    assert "no images" in done.err
    assert find_model("mine").digest == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "x", "--hash", "md5"),
        ("add", "x", "--quantize", "int4"),
        ("bench", "starter", "--batch", "0"),
        ("bench", "starter", "--precision", "f8"),
        ("list", "surplus"),
        ("remove",),
        ("nothing",),
    ],
    ids=lambda command: " ".join(command),
)
def test_wrong_usage_is_code_2(cli, arguments):
    assert cli("model", *arguments).code == 2
