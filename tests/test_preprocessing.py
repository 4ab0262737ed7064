from __future__ import annotations

import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, build
from clipdex.encoder import find_model, prepare
from clipdex.errors import ImageError
from clipdex.media.decoding import image_format, load_image, own_pixel_limit, to_rgb
from helpers_engine import PHOTOS, claim_size, picture

ORIENTATION = 0x0112
# What a camera does to an upright picture before it writes each orientation.
TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
BACKGROUND = (10, 200, 90)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int64)


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("tiff", {}), ("webp", {"lossless": True})])
def test_exif_orientation_gives_the_upright_image(tmp_path, orientation, suffix, options):
    upright = picture(1, (40, 24))
    turn = TURNED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"turned.{suffix}"
    stored.save(path, exif=exif, **options)

    loaded = load_image(path)

    assert loaded.size == upright.size
    assert np.array_equal(pixels(loaded), pixels(upright))


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_of_a_jpeg_that_is_decoded_smaller_is_upright_too(tmp_path, orientation):
    upright = picture(2, (800, 480))
    turn = TURNED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)

    loaded = load_image(tmp_path / "turned.jpg", enough=50)

    assert loaded.width < upright.width
    expected = upright.resize(loaded.size, Image.Resampling.BOX)
    assert np.abs(pixels(loaded) - pixels(expected)).mean() < 4


# Pillow's warning, which the program switches off.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_cost_the_image(tmp_path):
    picture(1).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffgarbage")
    assert load_image(tmp_path / "a.jpg").size == (64, 48)


def half_transparent(mode: str, hidden: int) -> Image.Image:
    """Left half opaque grey 120, right half invisible, with the colour ``hidden`` under it."""
    grey = Image.new("L", (40, 30), 120)
    grey.paste(hidden, (20, 0, 40, 30))
    alpha = Image.new("L", (40, 30), 255)
    alpha.paste(0, (20, 0, 40, 30))
    if mode == "PA":
        image = Image.new("PA", (40, 30), (120, 255))
        image.putpalette([value for value in range(256) for _ in "rgb"])
        image.paste((hidden, 0), (20, 0, 40, 30))
        return image
    if mode == "LA":
        return Image.merge("LA", (grey, alpha))
    return Image.merge("RGBA", (grey, grey, grey, alpha))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize("hidden", [0, 77, 255])
def test_transparency_is_composited_on_the_background_whatever_colour_is_hidden(mode, hidden):
    composited = pixels(to_rgb(half_transparent(mode, hidden), BACKGROUND))
    assert (composited[:, :20] == 120).all()
    assert (composited[:, 20:] == BACKGROUND).all()


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_premultiplied_transparency_is_composited(mode):
    source = half_transparent("RGBA" if mode == "RGBa" else "LA", 77)
    composited = pixels(to_rgb(source.convert(mode), BACKGROUND))
    assert (composited[:, :20] == 120).all()
    assert (composited[:, 20:] == BACKGROUND).all()


def test_palette_with_a_transparent_entry_is_composited(tmp_path):
    image = Image.new("P", (40, 30), 0)
    image.putpalette([200, 0, 0, 0, 0, 250])
    image.paste(1, (20, 0, 40, 30))
    for transparency in (1, bytes([255, 0])):
        image.save(tmp_path / "p.png", transparency=transparency)
        composited = pixels(load_image(tmp_path / "p.png", BACKGROUND))
        assert (composited[:, :20] == (200, 0, 0)).all()
        assert (composited[:, 20:] == BACKGROUND).all()


@pytest.mark.parametrize(("mode", "key", "seen"), [("RGB", (1, 2, 3), (9, 9, 9)), ("L", 7, 120)])
def test_colour_that_a_png_declares_transparent_is_composited(tmp_path, mode, key, seen):
    image = Image.new(mode, (40, 30), seen)
    image.paste(key, (20, 0, 40, 30))
    image.save(tmp_path / "t.png", transparency=key)
    composited = pixels(load_image(tmp_path / "t.png", BACKGROUND))
    assert (composited[:, :20] == seen).all()
    assert (composited[:, 20:] == BACKGROUND).all()


def test_half_transparent_pixels_are_mixed_with_the_background():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    composited = pixels(to_rgb(image, (255, 255, 255)))
    assert np.abs(composited - (255, 127, 127)).max() <= 1


def test_colours_under_transparent_pixels_do_not_change_the_hash_key(encoder):
    keys = {
        encoder.image_key(to_rgb(half_transparent("RGBA", hidden), encoder.model.image.background)).tobytes()
        for hidden in (0, 77, 255)
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("1", suffix) for suffix in ("png", "tiff", "bmp")),
        *(("L", suffix) for suffix in ("png", "tiff", "bmp", "webp")),
        *(("P", suffix) for suffix in ("png", "tiff", "bmp", "gif")),
        *(("LA", suffix) for suffix in ("png", "tiff")),
        *(("I;16", suffix) for suffix in ("png", "tiff")),
        *(("I", suffix) for suffix in ("tiff",)),
        *(("F", suffix) for suffix in ("tiff",)),
        *(("RGBA", suffix) for suffix in ("png", "tiff", "webp")),
        *(("CMYK", suffix) for suffix in ("jpg", "tiff")),
        *(("YCbCr", suffix) for suffix in ("jpg", "tiff")),
        *(("L", suffix) for suffix in ("jpg",)),
    ],
)
def test_every_mode_comes_out_as_the_same_picture_in_rgb(tmp_path, mode, suffix):
    # Black to white from left to right: every mode can show that.
    ramp = np.tile(np.linspace(0, 255, 64), (32, 1))
    if mode == "I;16":
        image = Image.fromarray((ramp * 257).astype(np.uint16))
    elif mode == "I":
        image = Image.fromarray((ramp * 257).astype(np.int32))
    elif mode == "F":
        image = Image.fromarray((ramp / 255).astype(np.float32))
    else:
        grey = Image.fromarray(ramp.astype(np.uint8))
        image = grey.convert(mode) if mode == "P" else grey.convert("RGB").convert(mode)
    assert image.mode == mode
    path = tmp_path / f"ramp.{suffix}"
    # Pillow 12 and older do not read the YCbCr that they write without compression.
    image.save(path, **({"compression": "tiff_lzw"} if (mode, suffix) == ("YCbCr", "tiff") else {}))

    loaded = load_image(path)

    assert loaded.mode == "RGB"
    if mode == "1":
        loaded = loaded.resize((8, 4), Image.Resampling.BOX)
        ramp = ramp.reshape(4, 8, 8, 8).mean(axis=(1, 3))
    assert np.abs(pixels(loaded) - ramp[..., None]).max() <= (45 if mode == "1" else 12)


@pytest.mark.parametrize("value", [0, 1, 255, 300, 65535, 70000, -5])
@pytest.mark.parametrize("mode", ["I", "F"])
def test_an_image_of_one_value_is_decoded_in_modes_of_many_bits(tmp_path, mode, value):
    Image.new(mode, (20, 20), value).save(tmp_path / "flat.tiff")
    assert len(np.unique(pixels(load_image(tmp_path / "flat.tiff")))) == 1


def test_not_a_number_in_a_float_image_is_survived(tmp_path):
    values = np.full((20, 20), 0.5, np.float32)
    values[:5] = np.nan
    values[5:9] = np.inf
    values[9:12] = -np.inf
    Image.fromarray(values).save(tmp_path / "nan.tiff")
    assert load_image(tmp_path / "nan.tiff").size == (20, 20)


def test_an_animation_is_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    assert (pixels(load_image(tmp_path / "a.gif")) == (255, 0, 0)).all()


def test_pixel_cap_is_applied_to_the_header_before_anything_is_decoded(tmp_path):
    path = claim_size(tmp_path / "huge.png", 60_000, 60_000)
    with pytest.raises(ImageError):
        load_image(path)  # imports what it needs
    tracemalloc.start()
    with own_pixel_limit(), pytest.raises(ImageError) as caught:
        load_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "--max-pixels" in caught.value.message
    assert "60000" in caught.value.message
    assert peak < 1_000_000


def test_pixel_cap_is_inclusive_and_can_be_set(tmp_path):
    picture(1, (20, 10)).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png", max_pixels=200).size == (20, 10)
    with pytest.raises(ImageError):
        load_image(tmp_path / "a.png", max_pixels=199)


@pytest.mark.parametrize(
    ("suffix", "keep"),
    [
        *((suffix, keep) for suffix in ("png", "gif", "bmp", "webp", "tiff", "jp2") for keep in (0.0, 0.02, 0.3, 0.7)),
        *(("jpg", keep) for keep in (0.0, 0.02)),
    ],
)
def test_a_cut_file_is_an_image_error(tmp_path, suffix, keep):
    path = tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert caught.value.message


SIGNATURES = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"MM\0*", b"BM"]


@pytest.mark.parametrize("start", SIGNATURES)
def test_garbage_is_an_image_error(tmp_path, start):
    path = tmp_path / "garbage.jpg"
    path.write_bytes(start + np.random.default_rng(5).bytes(3000))
    with pytest.raises(ImageError):
        load_image(path)


def test_a_format_that_would_start_another_program_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match="not an image"):
        load_image(path)


def test_missing_file_folder_and_pipe_are_image_errors(tmp_path):
    import os

    with pytest.raises(ImageError, match="no such file"):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError):
        load_image(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError):
            load_image(tmp_path / "pipe.png")


def test_an_image_is_read_from_an_open_file():
    stream = io.BytesIO()
    picture(4).save(stream, "PNG")
    stream.seek(0)
    assert np.array_equal(pixels(load_image(stream)), pixels(picture(4)))


def scaled_and_cropped(image: Image.Image, size: int, short_side: int, resample: Image.Resampling) -> np.ndarray:
    """What transformers computes, in its order: all of the image is scaled, rows first, and then cropped."""
    short, long = sorted(image.size)
    long_side = int(short_side * long / short)
    wide, high = (short_side, long_side) if image.width <= image.height else (long_side, short_side)
    scaled = image.resize((wide, image.height), resample).resize((wide, high), resample)
    left, top = (wide - size) // 2, (high - size) // 2
    return pixels(scaled.crop((left, top, left + size, top + size)))


SIZES = [(500, 300), (300, 500), (292, 292), (1200, 800), (801, 1203), (31, 17), (17, 31), (2000, 40), (40, 2000)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(("side", "short_side"), [(224, 224), (288, 292), (224, 256)])
def test_pixels_are_those_of_scaling_the_short_side_and_then_cropping_whole_pixels(
    size, interpolation, side, short_side
):
    noise = np.random.default_rng(6).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    settings = replace(find_model(None).image, size=side, resize_size=short_side, interpolation=interpolation)
    expected = scaled_and_cropped(image, side, short_side, Image.Resampling[interpolation.upper()])

    prepared = prepare(image, settings)

    assert prepared.shape == (side, side, 3)
    assert prepared.dtype == np.uint8
    difference = np.abs(prepared.astype(int) - expected)
    # Pillow keeps the edges of what it scales in 32 bits.
    assert (difference > 1).mean() < 1e-4
    assert difference.max() <= 2


def test_the_crop_is_the_same_pixels_at_every_place_of_a_picture_that_is_not_scaled():
    noise = np.random.default_rng(7).integers(0, 256, (240, 255, 3), dtype=np.uint8)
    settings = replace(find_model(None).image, size=225, resize_size=240, interpolation="bicubic")
    prepared = prepare(Image.fromarray(noise), settings)
    assert np.array_equal(prepared, noise[7:232, 15:240])


@pytest.mark.parametrize("size", SIZES)
def test_squashing_scales_both_sides(size):
    noise = np.random.default_rng(8).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    settings = replace(find_model(None).image, size=224, resize="squash", resize_size=224, interpolation="bicubic")
    bicubic = Image.Resampling.BICUBIC
    expected = image.resize((224, image.height), bicubic).resize((224, 224), bicubic)
    assert np.array_equal(prepare(image, settings), np.asarray(expected))


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 40_000), (1, 1), (2, 1)])
def test_a_picture_of_any_proportions_is_prepared_without_scaling_all_of_it(size):
    # All of the first would be gigabytes.
    settings = find_model(None).image
    prepared = prepare(Image.new("RGB", size, (10, 200, 90)), settings)
    assert prepared.shape == (settings.size, settings.size, 3)
    assert (prepared == (10, 200, 90)).all()


def test_proportions_are_kept_and_not_squashed_to_a_square():
    # A disc stays as wide as it is high.
    y, x = np.mgrid[0:300, 0:600]
    disc = ((x - 300) ** 2 + (y - 150) ** 2 < 80**2).astype(np.uint8) * 255
    inside = prepare(Image.fromarray(disc).convert("RGB"), find_model(None).image)[..., 0] > 127
    wide, high = inside.any(axis=0).sum(), inside.any(axis=1).sum()
    assert abs(int(wide) - int(high)) <= 2


def test_hash_key_of_a_large_jpeg_is_that_of_all_its_pixels(encoder, tmp_path: Path):
    large = load_image(PHOTOS / "vehicles" / "steam-train.jpg").resize((2400, 1800), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", "JPEG", quality=92)
    build(tmp_path)
    with Explorer(tmp_path) as explorer:
        key = explorer.item("large").hash_key
    with Image.open(tmp_path / "large.jpg") as image:
        whole = image.convert("RGB")
    assert (key == encoder.image_key(whole)).all()


def test_pillow_s_own_limit_is_as_it_was_after_an_error(tmp_path: Path):
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError), own_pixel_limit():
        load_image(tmp_path / "none.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_pillow_s_own_limit_is_back_when_the_last_of_several_users_ends():
    before = Image.MAX_IMAGE_PIXELS
    first, second = own_pixel_limit(), own_pixel_limit()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS is None
    second.__exit__(None, None, None)
    assert before == Image.MAX_IMAGE_PIXELS is not None

    def use(_):
        for _ in range(200):
            with own_pixel_limit(), own_pixel_limit():
                assert Image.MAX_IMAGE_PIXELS is None

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert before == Image.MAX_IMAGE_PIXELS


def test_an_icon_is_refused_because_pillow_decodes_it_before_its_size_is_known(tmp_path):
    picture(1, (32, 32)).save(tmp_path / "a.ico")
    with own_pixel_limit(), pytest.raises(ImageError, match="not an image in a format that can be read"):
        load_image(tmp_path / "a.ico")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "tiff", "jp2", "tga", "pcx", "ppm"])
def test_opening_an_image_decodes_nothing(tmp_path, suffix):
    # The cap is checked after opening.
    picture(1, (400, 300)).save(tmp_path / f"a.{suffix}")
    with own_pixel_limit(), Image.open(tmp_path / f"a.{suffix}") as image:
        # Pillow 10 calls it im.
        assert vars(image).get("_im", vars(image).get("im")) is None


def test_transparency_is_mixed_as_exactly_as_pillow_composites():
    colour, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    image = Image.fromarray(np.stack([colour, colour, 255 - colour, alpha], axis=-1))
    expected = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image).convert("RGB")
    assert np.array_equal(pixels(to_rgb(image, BACKGROUND)), pixels(expected))


def test_a_file_is_told_to_be_an_image_by_its_header():
    def told(data: bytes) -> bool:
        return image_format(io.BytesIO(data)) is not None

    stream = io.BytesIO()
    picture(1).save(stream, "PNG")
    assert told(stream.getvalue())
    assert told(stream.getvalue()[:60])
    assert not any(map(told, [b"", b"root:*:19000:0:99999:7:::\n", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"]))
