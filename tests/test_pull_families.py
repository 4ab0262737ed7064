"""Every model that can be pulled, from a hub on this machine, with random weights in the form that is published."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipdex.encoder import Encoder
from clipdex.encoder.installed import installed_names
from clipdex.errors import ExtraMissing, ModelDownloadFailed, ModelExists
from clipdex.media.decoding import load_image
from clipdex.models.adding import pull_model
from clipdex.models.conversion.tokenizing import write_tokenizer
from clipdex.models.hub.known import KNOWN, find_known
from helpers_engine import PHOTOS, make_folder
from helpers_hub import LocalHub, closed_endpoint, serving

pytest.importorskip("torch")

from helpers_reference import (
    clip_folder,
    export_onnx,
    mobileclip_folder,
    reference_image_embedding,
    reference_text_embedding,
    siglip_folder,
)

FAMILIES = [known for known in KNOWN if known.layout != "open_clip"]
_COMMAND = """
from dataclasses import replace
from clipdex.models.hub import known
# The weights here are not the published ones.
known.KNOWN = tuple(replace(model, revision="", sha256={}) for model in known.KNOWN)
from clipdex_cli.main import main
main()
"""


def any_weights(name: str):
    """A known model without what pins it to the published weights."""
    return replace(find_known(name), revision="", sha256={})


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """A model of each known family with random weights, by name, as its own library reads it."""
    root = tmp_path_factory.mktemp("references")
    folders = {}
    for known in FAMILIES:
        folder = root / known.name
        if known.name.startswith("siglip"):
            export_onnx(siglip_folder(folder))
            write_tokenizer(folder, folder / "tokenizer.json")
        elif known.name.startswith("mobileclip"):
            mobileclip_folder(folder, says="xenova")
        else:
            clip_folder(folder, image_size=known.image_size)
            (folder / "open_clip_config.json").write_text("{}")
            if known.layout == "towers":
                export_onnx(folder)
        folders[known.name] = folder
    return folders


@pytest.fixture(scope="module")
def published(references, tmp_path_factory):
    """The same with exactly the files that the repositories are said to have."""
    root = tmp_path_factory.mktemp("published")
    for name, folder in references.items():
        known = find_known(name)
        for path in (*known.files, *known.optional):
            if (folder / path).is_file():
                (root / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / path, root / name / path)
    return {name: root / name for name in references}


@pytest.fixture
def hub(published, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with serving({find_known(name).repository: folder for name, folder in published.items()}) as running:
        yield running


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("name", [known.name for known in FAMILIES])
def test_a_pulled_model_embeds_like_its_reference(hub: LocalHub, references, name):
    known = any_weights(name)
    model = pull_model(known, endpoint=hub.endpoint)
    encoder = Encoder(model, precision="f32")
    for photo in ("animals/koala.jpg", "places/pagoda.jpg"):
        image = load_image(PHOTOS / photo)
        reference = reference_image_embedding(references[name], image)
        assert cosine(encoder.image_embedding(image), reference) >= 0.9999
    for text in ("dog", "It's a small, red car -- in the SNOW!"):
        assert cosine(encoder.text_embedding(text), reference_text_embedding(references[name], text)) >= 0.9999
    assert model.source["repository"] == known.repository
    assert re.fullmatch("[0-9a-f]{40}", model.source["revision"])
    assert set(known.files) <= set(model.source["files"]) <= {*known.files, *known.optional}
    assert model.licence == known.licence
    assert model.image.size == known.image_size


def test_every_known_model_is_tried_but_for_those_that_need_open_clip():
    left_out = [known.name for known in KNOWN if known not in FAMILIES]
    assert left_out == ["clip-vit-b-16-laion2b"]


def test_a_dropped_connection_is_gone_on_with(hub):
    hub.fault("onnx/vision_model.onnx", drop_after=100_000, times=1)
    assert pull_model(any_weights("clip-vit-b-32"), endpoint=hub.endpoint).embedding_size == 64


def test_files_that_are_not_what_was_announced_are_not_installed(hub):
    hub.fault("onnx/text_model.onnx", alter=True)
    with pytest.raises(ModelDownloadFailed, match=r"text_model\.onnx"):
        pull_model(any_weights("clip-vit-b-32"), endpoint=hub.endpoint)
    assert installed_names() == []
    hub.mend()
    assert pull_model(any_weights("clip-vit-b-32"), endpoint=hub.endpoint).embedding_size == 64


def test_other_weights_than_the_known_ones_are_refused(hub):
    with pytest.raises(ModelDownloadFailed):
        pull_model(replace(find_known("clip-vit-b-32"), revision=""), endpoint=hub.endpoint)
    assert installed_names() == []


def test_an_installed_model_is_not_fetched_again(hub):
    pull_model(any_weights("mobileclip-s0"), endpoint=hub.endpoint)
    hub.forget()
    with pytest.raises(ModelExists):
        pull_model(any_weights("mobileclip-s0"), endpoint=hub.endpoint)
    assert hub.requests == []


def test_the_download_is_kept_only_where_that_is_asked_for(hub):
    downloads = Path(os.environ["HOME"], ".cache", "clipdex", "downloads")
    pull_model(any_weights("mobileclip-s0"), endpoint=hub.endpoint)
    assert not (downloads / "mobileclip-s0").exists()
    pull_model(any_weights("mobileclip-s2"), endpoint=hub.endpoint, keep=True)
    assert (downloads / "mobileclip-s2" / "onnx" / "vision_model.onnx").is_file()


def test_a_missing_extra_is_noticed_before_the_download(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ExtraMissing, match=r"clipdex\[convert\]"):
        pull_model(any_weights("clip-vit-b-32-laion2b"), endpoint=hub.endpoint)
    assert hub.requests == []


def test_pull_build_and_query_as_commands(hub, tmp_path):
    photos = make_folder(tmp_path / "photos", "cat/a.jpg", "dog/b.jpg", "c.png")
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "CLIPDEX_HOME": str(tmp_path / "home")}

    def clipdex(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _COMMAND, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)

    pulled = clipdex("model", "pull", "clip-vit-b-32")
    assert (pulled.returncode, pulled.stdout) == (0, "")
    assert "Installed clip-vit-b-32" in pulled.stderr
    built = clipdex("build", photos, "--model", "clip-vit-b-32")
    assert built.returncode == 0
    assert "3 added" in built.stderr and "model clip-vit-b-32, as asked for" in built.stderr
    asked = clipdex("query", photos, "--query-str", "dog", "-v")
    assert asked.returncode == 0
    assert len(asked.stdout.splitlines()) == 4
    assert "'a photo of a dog.'" in asked.stderr
    again = clipdex("model", "pull", "clip-vit-b-32")
    assert (again.returncode, "installed already" in again.stderr) == (1, True)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "HF_ENDPOINT"])
def test_without_a_network_the_message_says_how_to_place_files_by_hand(tmp_path, variable):
    value = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": closed_endpoint()}[variable]
    environment = {**os.environ, variable: value, "CLIPDEX_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "clipdex_cli", "model", "pull", "clip-vit-b-32"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "onnx/vision_model.onnx" in done.stderr
    assert "clipdex model add FOLDER --name clip-vit-b-32" in done.stderr
