"""Large JPEGs are decoded at a lower resolution for their hash keys, which changes no more bits than saving again."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, build
from clipdex.encoder import decode_to_hash, find_model, prepare
from clipdex.media.decoding import decode, load_image
from clipdex.media.orientations import BY_EXIF, oriented, oriented_sides
from clipdex.search.queries import ImageQuery
from helpers_engine import PHOTOS

SETTINGS = find_model(None).image
# A model of few pixels, for which photos of ordinary size are large.
SMALL = replace(SETTINGS, size=30, resize_size=32)
TRAIN = PHOTOS / "vehicles/steam-train.jpg"
SIZE = (953, 733)  # Neither can be divided by 2.
LARGE = 2 * 1920  # pixels of the short side from which on JPEGs are decoded at half their resolution


def jpeg(image: Image.Image, quality: int, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, **settings)
    return stream.getvalue()


def enlarged(photo: str, size: tuple[int, int]) -> Image.Image:
    """A photo as large as a camera makes it, with the noise of its sensor."""
    large = np.asarray(load_image(PHOTOS / photo).resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = np.random.default_rng(0).normal(0, 4, (*large.shape[:2], 1)).astype(np.int16)
    return Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))


def prepared(content: bytes, orientation: int = 0) -> np.ndarray:
    decoded = decode(io.BytesIO(content), enough=180)
    assert min(decoded.image.size) == 184
    turned = oriented(decoded.image, orientation)
    return np.asarray(prepare(turned, SMALL, oriented_sides(decoded.beyond, orientation)), np.int16)


@pytest.mark.parametrize("number", BY_EXIF)
def test_picture_is_where_it_would_be_if_all_pixels_were_decoded(number):
    exif = Image.Exif()
    exif[0x0112] = number
    content = jpeg(load_image(TRAIN).resize(SIZE, Image.Resampling.BICUBIC), 95, exif=exif)
    whole = np.asarray(prepare(load_image(io.BytesIO(content)), SMALL), np.int16)
    # With parts of a pixel taken for whole ones, it is 2 and more.
    assert np.abs(prepared(content) - whole).mean() < 0.4


@pytest.mark.parametrize("orientation", range(8))
def test_picture_that_is_turned_after_decoding_is_where_it_would_be_too(orientation):
    content = jpeg(load_image(TRAIN).resize(SIZE, Image.Resampling.BICUBIC), 95)
    whole = np.asarray(prepare(oriented(load_image(io.BytesIO(content)), orientation), SMALL), np.int16)
    assert np.abs(prepared(content, orientation) - whole).mean() < 0.4


def test_jpegs_are_decoded_at_half_their_resolution_where_much_is_left_and_others_in_full():
    for long, short, left, lower in (
        (LARGE + 16, LARGE, LARGE // 2, 0),
        (LARGE + 17, LARGE + 1, LARGE // 2 + 1, 0.5),
        (LARGE + 3, LARGE + 3, LARGE // 2 + 2, 0.5),
        (LARGE + 16, LARGE - 1, LARGE - 1, 0),
        (1600, 1200, 1200, 0),
    ):
        decoded = decode_to_hash(io.BytesIO(jpeg(Image.new("RGB", (long, short)), 90)), SETTINGS)
        assert decoded.image.height == left
        assert decoded.beyond[3] == lower


def test_other_formats_are_decoded_in_full():
    stream = io.BytesIO()
    Image.new("RGB", (LARGE, LARGE)).save(stream, "PNG")
    assert decode_to_hash(stream, SETTINGS).image.size == (LARGE, LARGE)


def test_no_more_bits_of_a_large_jpeg_change_than_by_saving_it_again(encoder, tmp_path):
    again = lower = 0
    for photo in ("animals/koala.jpg", "places/castle.jpg"):
        content = jpeg(enlarged(photo, (4000, 3842)), 95)
        (tmp_path / "large.jpg").write_bytes(content)
        build(tmp_path)
        whole = encoder.image_key(load_image(io.BytesIO(content)))
        saved_again = jpeg(load_image(io.BytesIO(content)), 90)
        again += np.bitwise_count(whole ^ encoder.image_key(load_image(io.BytesIO(saved_again)))).sum()
        with Explorer(tmp_path) as explorer:
            lower += np.bitwise_count(whole ^ explorer.item("large").hash_key).sum()
            # A query decodes as a build does.
            assert [hit.distance for hit in explorer.explore_topk(tmp_path / "large.jpg")] == [0]
            assert [hit.distance for hit in explorer.explore_topk(ImageQuery(content))] == [0]
    assert lower <= again
    assert decode_to_hash(io.BytesIO(content), SETTINGS).image.width == 4000 // 2
