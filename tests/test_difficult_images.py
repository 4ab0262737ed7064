"""Images as they come from phones, scanners and broken copies: cut JPEG, large texts in PNG, 12 of 16 bits, HEIC."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from clipdex.errors import ImageError, ImageNeedsExtra
from clipdex.media.decoding import decode, image_format, load_image, own_pixel_limit
from clipdex.media.mending import require_decoder
from helpers_engine import claim_size, picture

BOMB = 100_000_000


def saved(image, kind="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(image):
    return np.asarray(image, np.int64)


def noise(size=(320, 240)):
    coarse = np.random.default_rng(3).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


KINDS_OF_JPEG = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "grey": {},
}


@pytest.mark.parametrize("kind", KINDS_OF_JPEG)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_marker_has_all_its_pixels_and_is_damaged(tmp_path, kind, missing):
    data = saved(noise().convert("L" if kind == "grey" else "RGB"), **KINDS_OF_JPEG[kind])
    whole = decode(io.BytesIO(data))
    cut = decode(io.BytesIO(data[:-missing]))
    assert (whole.damage, cut.damage) == ("", "it lacks its end")
    assert np.array_equal(pixels(cut.image), pixels(whole.image))
    (tmp_path / "a.jpg").write_bytes(data[:-missing])
    assert np.array_equal(pixels(load_image(tmp_path / "a.jpg")), pixels(whole.image))


@pytest.mark.parametrize("kind", ["baseline", "restarts", "grey"])
def test_a_jpeg_that_was_cut_shows_its_beginning(kind):
    image = noise().convert("L" if kind == "grey" else "RGB")
    data = saved(image, **KINDS_OF_JPEG[kind])
    cut = decode(io.BytesIO(data[: len(data) * 6 // 10]))
    assert cut.damage
    assert np.array_equal(pixels(cut.image)[:96], pixels(load_image(io.BytesIO(data)))[:96])
    assert np.abs(pixels(cut.image)[-32:] - 128).max() <= 1


def test_a_progressive_jpeg_that_was_cut_anywhere_shows_what_is_there_or_is_an_error():
    data = saved(noise(), progressive=True)
    whole = pixels(load_image(io.BytesIO(data)))
    outcomes = []
    for length in range(100, len(data), 97):
        try:
            cut = decode(io.BytesIO(data[:length]))
            outcomes.append(float(np.abs(pixels(cut.image) - whole).mean()))
            assert cut.damage
        except ImageError:
            outcomes.append(None)
    # Once there is a picture, more of the file never takes it away, and the last scans change little.
    first = next(number for number, outcome in enumerate(outcomes) if outcome is not None)
    assert first < len(outcomes) // 3
    assert None not in outcomes[first:]
    assert outcomes[-1] < 5 < outcomes[first]


@pytest.mark.parametrize("length", [0, 2, 20, 200])
def test_a_jpeg_that_was_cut_in_its_header_is_an_image_error(length):
    with pytest.raises(ImageError):
        decode(io.BytesIO(saved(noise())[:length]))


def test_a_jpeg_that_was_cut_before_its_first_rows_is_an_image_error():
    data = saved(noise())
    start = data.rindex(b"\xff\xda")
    for length in (start + 2, start + 14, start + 20):
        with pytest.raises(ImageError):
            decode(io.BytesIO(data[:length]))


def test_a_plain_jpeg_of_one_colour_without_its_end_is_read():
    cut = decode(io.BytesIO(saved(Image.new("RGB", (64, 64), (200, 30, 30)))[:-2]))
    assert cut.damage
    assert np.abs(pixels(cut.image) - (200, 30, 30)).max() <= 3


def test_a_jpeg_with_something_after_its_end_or_a_second_picture_is_not_damaged():
    data = saved(noise())
    assert decode(io.BytesIO(data + b"\0" * 5000)).damage == ""
    several = saved(noise(), "MPO", save_all=True, append_images=[picture(2, (320, 240))])
    second = several.index(b"\xff\xd8\xff", 1000)
    whole = decode(io.BytesIO(several))
    # The first picture is all that is hashed.
    cut_in_second = decode(io.BytesIO(several[: second + 400]))
    assert (whole.damage, cut_in_second.damage) == ("", "")
    cut_in_first = decode(io.BytesIO(several[: second * 7 // 10]))
    assert cut_in_first.damage
    for image in (cut_in_second.image, cut_in_first.image):
        assert np.array_equal(pixels(image)[:96], pixels(whole.image)[:96])


def test_a_turned_jpeg_without_its_end_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_image(io.BytesIO(saved(noise(), exif=exif)[:-2])).size == (240, 320)


def test_the_pixel_cap_holds_for_a_jpeg_without_its_end():
    with pytest.raises(ImageError, match="--max-pixels"):
        decode(io.BytesIO(saved(noise())[:-2]), max_pixels=1000)


def test_a_jpeg_whose_segments_lie_is_an_image_error():
    data = bytearray(saved(noise(), progressive=True))
    for at in range(2, len(data) - 1, 41):
        broken = bytes(data[:at]) + b"\xff\xc4\xff\xff" + bytes(data[at:-2])
        try:
            assert decode(io.BytesIO(broken)).image.size == (320, 240)
        except ImageError as error:
            assert error.message


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_other_formats_that_lack_their_end_are_image_errors(kind):
    data = saved(noise(), kind)
    with pytest.raises(ImageError):
        decode(io.BytesIO(data[: len(data) * 6 // 10]))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(png, *chunks, last=False):
    """A PNG with more chunks, after its header or before its end."""
    at = len(png) - 12 if last else 33
    return png[:at] + b"".join(chunks) + png[at:]


LARGE = zlib.compress(b"x" * 3_000_000)
LARGE_CHUNKS = {
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + LARGE),
    "iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + LARGE),
    "iCCP": chunk(b"iCCP", b"profile\0\0" + LARGE),
    "exif bomb": chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
    "xmp bomb": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "long tEXt": chunk(b"tEXt", b"Comment\0" + b"x" * 70_000_000),
    "damaged iCCP": chunk(b"iCCP", b"profile\0\0" + LARGE[:-9]),
    "wrong checksum": chunk(b"tEXt", b"Comment\0hello")[:-1] + b"\0",
}


@pytest.mark.parametrize("last", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", LARGE_CHUNKS)
def test_a_png_with_large_texts_or_profiles_is_read(kind, last):
    plain = saved(noise(), "PNG")
    stuffed = io.BytesIO(with_chunks(plain, LARGE_CHUNKS[kind], last=last))
    found = decode(stuffed)
    assert found.damage == ""
    assert np.array_equal(pixels(found.image), pixels(noise()))
    assert image_format(stuffed) == "PNG"


@pytest.mark.parametrize("how", ["eXIf", "xmp", "raw profile"])
def test_a_turned_png_with_a_large_text_is_upright(how):
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    options = {}
    if how == "eXIf":
        options["exif"] = exif
    elif how == "xmp":
        info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>')
    else:
        data = exif.tobytes()
        info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    plain = saved(noise(), "PNG", pnginfo=info, **options)
    assert load_image(io.BytesIO(plain)).size == (240, 320)
    assert load_image(io.BytesIO(with_chunks(plain, LARGE_CHUNKS["zTXt"]))).size == (240, 320)


def test_a_text_that_unpacks_to_very_much_takes_little_memory():
    bomb = zlib.compress(b"\0" * BOMB)
    names = (b"Comment\0\0", b"Raw profile type exif\0\0")
    data = with_chunks(saved(picture(1), "PNG"), *(chunk(b"zTXt", name + bomb) for name in names))
    tracemalloc.start()
    assert load_image(io.BytesIO(data)).size == (64, 48)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BOMB // 10


def test_the_pixel_cap_holds_for_a_png_with_a_large_text(tmp_path):
    data = with_chunks(claim_size(tmp_path / "a.png", 60_000, 60_000).read_bytes(), LARGE_CHUNKS["zTXt"])
    with own_pixel_limit(), pytest.raises(ImageError, match="--max-pixels"):
        decode(io.BytesIO(data))


def test_a_cut_png_with_a_large_text_is_an_image_error():
    data = with_chunks(saved(noise(), "PNG"), LARGE_CHUNKS["zTXt"])
    with pytest.raises(ImageError):
        decode(io.BytesIO(data[: len(data) * 7 // 10]))


RAMP = np.tile(np.linspace(0, 1, 64), (32, 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("low", "high"), [(0, 4095), (300, 2800), (0, 1023), (4000, 4095)])
def test_12_of_16_bits_are_scaled_from_their_own_range(kind, low, high):
    image = Image.fromarray((low + RAMP * (high - low)).round().astype(np.uint16))
    loaded = pixels(load_image(io.BytesIO(saved(image, kind))))
    assert np.abs(loaded - (RAMP * 255)[..., None]).max() <= 3


def test_12_bits_in_32_are_scaled_from_their_own_range_too():
    image = Image.fromarray((RAMP * 4095).round().astype(np.int32))
    assert np.abs(pixels(load_image(io.BytesIO(saved(image, "TIFF")))) - (RAMP * 255)[..., None]).max() <= 1


def test_8_of_16_bits_are_taken_as_they_are():
    image = Image.fromarray((20 + RAMP * 100).astype(np.uint16))
    assert np.array_equal(pixels(load_image(io.BytesIO(saved(image, "PNG"))))[..., 0], (20 + RAMP * 100).astype(int))


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (0, 4096), (7000, 9000)])
def test_16_bits_are_scaled_from_their_full_range(low, high):
    values = (low + RAMP * (high - low)).round().astype(np.uint16)
    loaded = pixels(load_image(io.BytesIO(saved(Image.fromarray(values), "PNG"))))
    assert np.array_equal(loaded[..., 0], values.astype(int) * 255 // 65535)


# As an iPhone writes it: the major brand is heic.
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100


@pytest.fixture
def without_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)


@pytest.mark.usefixtures("without_heif")
def test_heic_without_its_extra_names_the_command_that_installs_it():
    for what in (decode, require_decoder):
        with pytest.raises(ImageNeedsExtra, match=r"pip install 'clipdex\[heif\]'$") as caught:
            what(io.BytesIO(HEIC))
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), ImageNeedsExtra)
    assert image_format(io.BytesIO(HEIC)) is None
    jpeg = io.BytesIO(saved(picture(1)))
    require_decoder(jpeg)
    assert jpeg.tell() == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (b"<HTML><head></head></HTML>", "a web page"),
        (b"<html5-like", "not an image in a format that can be read"),
        (b"hello", "not an image in a format that can be read"),
    ],
)
def test_what_lies_in_the_place_of_an_image_is_named(content, said):
    with pytest.raises(ImageError, match=said):
        decode(io.BytesIO(content))
    assert image_format(io.BytesIO(content)) is None
