"""What the bundled model knows of everyday photographs."""

import subprocess
import sys

import pytest

from clipdex import Explorer
from clipdex.encoder import find_model

ASTRONAUT = "people/astronaut.jpg"
PEOPLE = ("a person", "people", "a man", "a woman", "a child", "a face", "a portrait", "a smiling person")
# The part of people in an embedding: two scores that are added. In another process it must be the same.
KEYS = """
import sys
from clipdex.encoder import Encoder, find_model, prepare
from clipdex.media.decoding import load_image
encoder = Encoder(find_model(None), many=sys.argv[2] == "many")
settings = encoder.model.image
pixels = prepare(load_image(sys.argv[1], settings.background), settings)
(key,) = (key for _, key in encoder.image_keys([(None, pixels)]))
print(key.tobytes().hex())
"""


@pytest.fixture(scope="module")
def explorer(photos):
    with Explorer(photos) as opened:
        yield opened


@pytest.mark.parametrize("text", PEOPLE)
def test_a_question_about_people_finds_a_person_first(explorer, text):
    assert explorer.explore_topk(text, 1)[0].id == ASTRONAUT


@pytest.mark.parametrize(
    ("text", "found"),
    [("a dog", "animals/german-shepherd.jpg"), ("a bicycle", "vehicles/bicycle.jpg"), ("fruit", "food/fig.jpg")],
)
def test_what_is_no_person_is_still_found_as_what_it_is(explorer, text, found):
    assert explorer.explore_topk(text, 1)[0].id == found


def test_all_of_the_model_is_at_most_45_megabytes():
    folder = find_model(None).folder
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 45_000_000


def test_a_photograph_has_the_same_key_in_every_process(photos, tmp_path):
    env = {"CLIPDEX_HOME": str(tmp_path), "PATH": ""}
    keys = [
        subprocess.run(
            [sys.executable, "-c", KEYS, str(photos / ASTRONAUT), way],
            env=env, capture_output=True, text=True, timeout=120, check=True,
        ).stdout
        for way in ("many", "many", "one")
    ]  # fmt: skip
    assert len(set(keys)) == 1
