from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest

from clipdex.encoder import Encoder, find_model, hash_key
from clipdex.encoder.model import Model, TextSettings
from clipdex.encoder.texts import TextPreparation, prompted
from clipdex.errors import DeviceUnavailable
from clipdex.media.decoding import load_image
from clipdex_indexes import Index
from helpers_amounts import ENCODERS, ROUNDS
from helpers_engine import picture


def test_hash_key_packs_the_most_significant_bit_first():
    embedding = np.array([1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.float32)
    assert hash_key(embedding, np.full(16, 0.5, np.float32)).tolist() == [0b10000001, 0b11000000]


def test_a_bit_is_set_only_above_the_centre():
    centre = np.array([0.25] * 8, np.float32)
    above, below = np.nextafter(centre, 1), np.nextafter(centre, 0)
    assert hash_key(centre, centre).tolist() == [0]
    assert hash_key(above, centre).tolist() == [255]
    assert hash_key(below, centre).tolist() == [0]


def test_hash_key_takes_many_embeddings_at_once():
    embeddings = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    centre = np.linspace(-1, 1, 32).astype(np.float32)
    together = hash_key(embeddings, centre)
    assert together.shape == (5, 4)
    assert together.dtype == np.uint8
    for embedding, key in zip(embeddings, together, strict=True):
        assert np.array_equal(hash_key(embedding, centre), key)


def test_every_example_photo_has_the_same_key_in_a_query_as_in_the_index(photos, encoder):
    settings = encoder.model.image
    different = []
    with Index(photos / ".clipdex") as index:
        assert len(index) >= 20
        for location, row in index.items():
            image = load_image(photos / row.id, settings.background)
            if not np.array_equal(encoder.image_key(image), index.key(location)):
                different.append(row.id)
    assert different == []


def test_one_by_one_and_many_at_once_give_the_same_keys_in_order(encoder):
    settings = encoder.model.image
    images = [picture(seed, (settings.size, settings.size)) for seed in range(9)]
    one_by_one = [encoder.image_key(image).tobytes() for image in images]
    from clipdex.encoder import prepare

    many = list(encoder.image_keys((number, prepare(image, settings)) for number, image in enumerate(images)))
    assert [number for number, _ in many] == list(range(9))
    assert [key.tobytes() for _, key in many] == one_by_one
    assert len(set(one_by_one)) == 9


def test_encoders_that_come_and_go_do_not_wait_for_each_other_for_ever():
    code = f"""
from clipdex.encoder import Encoder, find_model, prepare
from PIL import Image
model = find_model(None)
pixels = prepare(Image.new("RGB", (300, 300)), model.image)
for number in range({ENCODERS.now}):
    encoder = Encoder(model, many=number % 2 == 1)
    next(encoder.image_keys((number, pixels) for number in range(4)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("dog", "a photo of a dog"),
        ("a dog", "a photo of a dog"),
        ("An  elephant ", "a photo of a elephant"),
        ("the red car", "a photo of a red car"),
        ("steam train", "a photo of a steam train"),
        ("theatre", "a photo of a theatre"),
        ("a dog on a beach", "a dog on a beach"),
        ("dogs, cats", "dogs, cats"),
        ("a dog.", "a dog."),
        ("what is it?", "what is it?"),
        ("  two\n\twords ", "a photo of a two words"),
        ("{}", "a photo of a {}"),
        ("犬", "a photo of a 犬"),
    ],
)
def test_short_texts_get_the_prompt_and_sentences_are_left_alone(text, encoded):
    assert prompted(text, TextSettings(77, "a photo of a {}")) == (encoded,)


def test_other_braces_of_a_prompt_are_only_text():
    assert prompted("dog", TextSettings(77, "{x} {} {0}")) == ("{x} dog {0}",)


def test_a_long_text_is_cut_and_said_to_be(encoder):
    short = encoder.text_key("a dog and a cat on the sofa")
    long = encoder.text_key("a dog and a cat on the sofa " * 500)
    assert not short.truncated
    assert long.truncated
    assert long.key.shape == short.key.shape == (encoder.model.embedding_size // 8,)


def test_text_of_a_million_characters_is_cut_before_it_is_tokenised():
    model = find_model(None)
    tokens = TextPreparation(model.check("tokenizer.json"), model.text)("dog " * 250_000)
    assert tokens.truncated
    assert tokens.ids.shape == (1, model.text.length)


@pytest.mark.parametrize("text", ["\U0001f600", "\0", "猫", "e\u0301", "\u202e", "a" * 5000, "\ud800"])
def test_any_text_has_a_key(encoder, text):
    assert encoder.text_key(text).key.shape == (encoder.model.embedding_size // 8,)


def test_texts_find_what_they_name(encoder):
    def bits(first, second):
        return int(np.bitwise_count(encoder.text_key(first).key ^ encoder.text_key(second).key).sum())

    assert bits("dog", "a photo of a dog") == 0
    assert bits("dog", "puppy") < bits("dog", "sailing boat")


class CountingModel(Model):
    """A model that notes which of its files are checked."""

    checked: ClassVar[list[str]] = []

    def check(self, name):
        self.checked.append(name)
        return super().check(name)


def test_threads_that_share_an_encoder_get_the_keys_of_one_thread(encoder, tmp_path, monkeypatch):
    texts = ["dog", "a red car on a road", "steam train", "two cats, asleep", "food", "a sailing boat at sea"]
    images = [picture(seed) for seed in range(6)]
    alone = [encoder.text_key(text).key.tobytes() for text in texts]
    alone += [encoder.image_key(image).tobytes() for image in images]
    # New, and without the notes of earlier checks, so that the threads load everything.
    monkeypatch.setenv("CLIPDEX_HOME", str(tmp_path))
    CountingModel.checked.clear()
    values = {field.name: getattr(encoder.model, field.name) for field in dataclasses.fields(encoder.model)}
    shared = Encoder(CountingModel(**values))

    def keys(turn):
        asked = [*texts, *images]
        order = [(number + 3 * turn) % len(asked) for number in range(len(asked))]
        hashed = {}
        for number in order:
            query = asked[number]
            key = shared.text_key(query).key if isinstance(query, str) else shared.image_key(query)
            hashed[number] = key.tobytes()
        return [hashed[number] for number in range(len(asked))]

    with ThreadPoolExecutor(4) as pool:
        assert all(hashed == alone for hashed in pool.map(keys, range(ROUNDS.now)))
    assert CountingModel.checked.count("tokenizer.json") == 1


def test_a_tower_that_was_begun_is_loaded_once_and_gives_the_same_keys(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPDEX_HOME", str(tmp_path))
    CountingModel.checked.clear()
    values = {field.name: getattr(encoder.model, field.name) for field in dataclasses.fields(encoder.model)}
    early = Encoder(CountingModel(**values))
    early.begin("text")
    early.begin("text")
    assert early.text_key("a dog").key.tobytes() == encoder.text_key("a dog").key.tobytes()
    assert CountingModel.checked.count("text.bin") == 1


def test_whoever_needs_a_tower_that_was_begun_in_vain_gets_the_error(encoder):
    early = Encoder(encoder.model, device="GPU.7")
    early.begin("image")
    with pytest.raises(DeviceUnavailable, match=r"no device 'GPU\.7'"):
        early.image_key(picture(1))
