from __future__ import annotations

import hashlib
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from clipdex.media.decoding import load_image
from clipdex.models.conversion.centring import CALIBRATION_FOLDER, centre, packaged_nouns, packaged_photos

PIXELS = 224
FREE = {"public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0"}


def sources() -> dict[str, list[str]]:
    """The rows of the table of sources: file -> what it shows, author, source, licence."""
    text = (CALIBRATION_FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| \S+\.webp ", line)]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def names() -> list[str]:
    return [path.relative_to(CALIBRATION_FOLDER).as_posix() for path in packaged_photos()]


def test_there_are_enough_photos_and_nouns_for_a_stable_mean():
    assert 60 <= len(packaged_photos()) <= 100
    assert 300 <= len(packaged_nouns()) <= 400


def test_every_photo_can_be_read_by_a_build():
    for path in packaged_photos():
        assert load_image(path).size == (PIXELS, PIXELS), path


def test_photos_are_lossless_so_that_every_decoder_gives_the_same_pixels():
    for path in packaged_photos():
        assert path.read_bytes()[12:16] == b"VP8L", path


def test_photos_hold_no_metadata():
    for path in packaged_photos():
        with Image.open(path) as image:
            assert not {"exif", "xmp", "icc_profile"} & set(image.info), path


def test_photos_come_in_one_order():
    assert names() == sorted(names())
    assert packaged_photos() == packaged_photos()


def test_no_photo_is_there_twice():
    pixels = [hashlib.sha256(load_image(path).tobytes()).digest() for path in packaged_photos()]
    assert len(set(pixels)) == len(pixels)


def test_photos_are_of_many_kinds():
    kinds = Counter(name.partition("/")[0] for name in names())
    assert kinds.keys() >= {"animals", "food", "people", "places", "plants", "textures", "things", "vehicles"}
    assert max(kinds.values()) <= len(names()) * 0.4


def test_the_folder_holds_nothing_else_and_is_small():
    files = [path for path in CALIBRATION_FOLDER.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.suffix != ".webp"} == {"SOURCES.md", "nouns.txt"}
    assert sum(path.stat().st_size for path in files) <= 4_000_000


def test_every_photo_has_an_author_a_source_and_a_free_licence():
    table = sources()
    assert sorted(table) == names()
    for name, (shows, author, source, licence) in table.items():
        assert shows and author and source, name
        assert licence in FREE, name


def test_nouns_are_clean():
    nouns = packaged_nouns()
    assert len(set(nouns)) == len(nouns)
    for noun in nouns:
        assert re.fullmatch(r"[a-z]+( [a-z]+){0,2}", noun), noun


def test_centre_is_the_mean():
    embeddings = np.random.default_rng(1).standard_normal((89, 40)).astype(np.float32)
    expected = [float(sum(map(float, column))) / len(embeddings) for column in embeddings.T]
    result = centre(embeddings)
    assert result.dtype == np.float32
    assert result.shape == (40,)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-9)


def test_centre_is_the_same_in_any_order_and_layout():
    generator = np.random.default_rng(2)
    embeddings = (generator.standard_normal((300, 24)) * 10.0 ** generator.integers(-6, 6, (300, 24))).astype(
        np.float32
    )
    expected = centre(embeddings)
    assert np.array_equal(centre(embeddings[::-1]), expected)
    assert np.array_equal(centre(np.asfortranarray(embeddings[generator.permutation(300)])), expected)


def test_centre_keeps_what_cancels():
    embeddings = np.array([[1e8], [1.0], [-1e8]], np.float32)
    assert centre(embeddings).tolist() == [np.float32(1 / 3)]


def test_centre_of_one_embedding_is_that_embedding():
    embedding = np.array([[0.1, -2.5, 0.0]], np.float32)
    assert np.array_equal(centre(embedding), embedding[0])


def test_centre_sets_every_bit_for_half_of_a_symmetric_cloud_wherever_it_lies():
    cloud = np.random.default_rng(3).standard_normal((2000, 16)).astype(np.float32) + np.float32(7)
    share = (cloud > centre(cloud)).mean(axis=0)
    assert np.abs(share - 0.5).max() < 0.05


@pytest.mark.parametrize("shape", [(0, 8), (8,), (2, 3, 4)])
def test_centre_of_what_is_no_list_of_embeddings_is_refused(shape):
    with pytest.raises(ValueError, match="no embeddings"):
        centre(np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_centre_of_values_that_are_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        centre(np.array([[0.0, value]], np.float32))
