"""HEIC, which clipdex[heif] decodes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, build
from clipdex.errors import ImageError
from clipdex.media.decoding import image_format, load_image, own_pixel_limit
from helpers_engine import make_folder, picture, skip_without

skip_without("pillow_heif")
import pillow_heif

TURNS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


@pytest.fixture
def registered_by_nobody(monkeypatch):
    for registry in (Image.OPEN, Image.SAVE):
        monkeypatch.delitem(registry, "HEIF", raising=False)


def heic(image, **options):
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95, **options)
    return stream.getvalue()


@pytest.mark.usefixtures("registered_by_nobody")
def test_heic_is_read_whatever_its_file_is_called(tmp_path):
    data = heic(picture(1, (320, 240)))
    assert image_format(io.BytesIO(data)) == "HEIF"
    for name in ("a.heic", "a.HIF", "a.jpg"):
        (tmp_path / name).write_bytes(data)
        for source in (tmp_path / name, io.BytesIO(data)):
            loaded = np.asarray(load_image(source), int)
            assert np.abs(loaded - np.asarray(picture(1, (320, 240)), int)).mean() < 4


@pytest.mark.parametrize("orientation", TURNS)
def test_a_turned_heic_is_upright(orientation):
    upright = picture(1, (320, 240))
    stored = upright if TURNS[orientation] is None else upright.transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = load_image(io.BytesIO(heic(stored, exif=exif.tobytes())))
    assert loaded.size == upright.size
    assert np.abs(np.asarray(loaded, int) - np.asarray(upright, int)).mean() < 4


def test_transparency_in_heic_is_composited():
    image = picture(1).convert("RGBA")
    image.putalpha(0)
    loaded = np.asarray(load_image(io.BytesIO(heic(image)), (10, 200, 90)), int)
    assert np.abs(loaded - (10, 200, 90)).max() <= 2


def test_the_pixel_cap_holds_and_opening_decodes_nothing():
    data = heic(picture(1, (320, 240)))
    with pytest.raises(ImageError, match="--max-pixels"):
        load_image(io.BytesIO(data), max_pixels=1000)
    with own_pixel_limit(), Image.open(io.BytesIO(data)) as image:
        assert vars(image).get("_im", vars(image).get("im")) is None


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.9])
def test_a_cut_heic_is_an_image_error(keep):
    data = heic(picture(1, (320, 240)))
    with pytest.raises(ImageError):
        load_image(io.BytesIO(data[: int(len(data) * keep)]))


def test_a_folder_of_heic_is_built_and_searched(tmp_path):
    root = make_folder(tmp_path, "a.png")
    (root / "b.heic").write_bytes(heic(picture(0, (64, 48))))
    report = build(root)
    assert (report.added, report.failed, report.passed_over) == (2, (), {})
    with Explorer(root) as explorer:
        assert {hit.id for hit in explorer.explore_topk(root / "b.heic")} == {"a.png", "b.heic"}
