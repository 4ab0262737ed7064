from __future__ import annotations

import colorsys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, Hit, Result
from clipdex.datasets.record import DatasetRecord
from clipdex.report.sheet import draw_sheet
from clipdex.search.result import QueryRecord
from helpers_engine import picture, solid


def colours(count: int) -> list[tuple[int, int, int]]:
    """Strong colours that differ from each other and from all that the sheet itself is drawn in."""
    wheel = [colorsys.hsv_to_rgb(number / count, 1, 0.55 + 0.4 * (number % 2)) for number in range(count)]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in wheel]


def result_of(paths: list[Path], queries=None, labels=("a label",), ids=None) -> Result:
    queries = queries or (QueryRecord("text", "dog"),)
    ids = ids or [path.name for path in paths]
    hits = tuple(
        Hit(number + 1, 100 + number, number % len(queries), 1, "data", ids[number], "default", str(path), labels)
        for number, path in enumerate(paths)
    )
    return Result(50, "distance", tuple(queries), (DatasetRecord("data", "/data", 1000, "starter", "", 512),), hits)


def packed(sheet: Image.Image) -> np.ndarray:
    """Colours as one number each."""
    return np.asarray(sheet, np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def where(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) of the pixels of exactly this colour."""
    red, green, blue = colour
    rows, columns = np.nonzero(packed(sheet) == (red << 16) + (green << 8) + blue)
    assert len(rows), f"{colour} is not in the sheet"
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("count", [1, 3, 8, 9, 50])
def test_each_hit_is_shown_once_in_the_order_of_ranks(tmp_path, count):
    wanted = colours(count)
    paths = []
    for number, colour in enumerate(wanted):
        paths.append(tmp_path / f"{number}.png")
        solid(colour).save(paths[-1])
    sheet = draw_sheet(result_of(paths))

    boxes = [where(sheet, colour) for colour in wanted]

    assert sorted(boxes, key=lambda box: (box[1], box[0])) == boxes
    for left, top, right, bottom in boxes:
        assert (right - left) / (bottom - top) == pytest.approx(60 / 40, rel=0.03)
        assert right - left >= 100
        region = np.asarray(sheet)[top:bottom, left:right]
        assert (region == region[0, 0]).all()


def test_thumbnails_look_like_the_images_of_the_hits(photos, tmp_path):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk("a dog", topk=16)
    # Where the pictures are is found by drawing one colour instead of each.
    wanted = colours(len(result))
    painted = []
    for hit, colour in zip(result, wanted, strict=True):
        with Image.open(hit.path) as image:
            painted.append(replace(hit, path=str(tmp_path / f"{hit.rank}.png")))
            solid(colour, image.size).save(painted[-1].path)
    places = draw_sheet(replace(result, hits=tuple(painted)))

    sheet = np.asarray(draw_sheet(result), np.float64)

    for hit, colour in zip(result, wanted, strict=True):
        left, top, right, bottom = where(places, colour)
        with Image.open(hit.path) as image:
            seen = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
        expected = seen.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        shown = sheet[top:bottom, left:right]
        assert np.abs(shown - np.asarray(expected, np.float64)).mean() < 4, hit.id


def test_fifty_hits_make_a_sheet_of_sensible_size(tmp_path):
    paths = []
    for number in range(50):
        paths.append(tmp_path / f"{number}.png")
        picture(number).save(paths[-1])
    sheet = draw_sheet(result_of(paths))
    assert sheet.mode == "RGB"
    assert 1000 <= sheet.width <= 2000
    assert 1000 <= sheet.height <= 2500
    sheet.save(tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size < 10_000_000


@pytest.mark.parametrize("size", [(400, 20), (20, 400), (1, 1), (3, 2), (1000, 1000)])
def test_proportions_are_kept(tmp_path, size):
    colour = (200, 30, 60)
    solid(colour, size).save(tmp_path / "a.png")
    left, top, right, bottom = where(draw_sheet(result_of([tmp_path / "a.png"])), colour)
    width, height = right - left, bottom - top
    assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1])
    assert (width, height) <= (180, 180)


def test_an_image_query_is_shown_and_a_text_query_is_written(tmp_path):
    solid((10, 120, 20)).save(tmp_path / "query.png")
    solid((120, 10, 20)).save(tmp_path / "hit.png")
    records = (QueryRecord("image", "query.png", str(tmp_path / "query.png")), QueryRecord("text", "dog"))
    sheet = draw_sheet(result_of([tmp_path / "hit.png"], records))
    query, hit = where(sheet, (10, 120, 20)), where(sheet, (120, 10, 20))
    assert query[3] < hit[1]
    other = draw_sheet(result_of([tmp_path / "hit.png"], (records[0], QueryRecord("text", "cat"))))
    assert sheet.tobytes() != other.tobytes()


def test_an_image_query_in_memory_is_shown(photos):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(solid((250, 3, 3), (90, 60)), topk=2)
    left, top, right, bottom = where(draw_sheet(result), (250, 3, 3))
    assert (right - left) * (bottom - top) > 5000


def test_texts_under_a_picture_tell_hits_apart(tmp_path):
    picture(1).save(tmp_path / "a.png")
    path = [tmp_path / "a.png"]
    sheets = {
        draw_sheet(result_of(path)).tobytes(),
        draw_sheet(result_of(path, labels=("other",))).tobytes(),
        draw_sheet(result_of(path, ids=["b.png"])).tobytes(),
    }
    assert len(sheets) == 3


def test_a_missing_or_broken_image_is_an_empty_frame(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    solid((200, 30, 60)).save(tmp_path / "good.png")
    sheet = draw_sheet(result_of([tmp_path / "broken.png", tmp_path / "none.png", tmp_path / "good.png"]))
    good = where(sheet, (200, 30, 60))
    frames = (np.asarray(sheet) == (0xE4, 0xE7, 0xEC)).all(axis=2)
    # Left of the picture that is there are two frames: four upright lines.
    row = frames[(good[1] + good[3]) // 2, : good[0]]
    assert int((np.diff(row.astype(int)) == 1).sum()) == 4


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5000,
        "a very long sentence of words " * 60,
        "two\nlines",
        "\x1b[31m",
        "猫 ünï \U0001f600",
        "\ud800",
        " ",
        "عربى",
    ],
)
def test_any_text_fits(tmp_path, text):
    picture(1).save(tmp_path / "a.png")
    plain = draw_sheet(result_of([tmp_path / "a.png"] * 5))
    sheet = draw_sheet(result_of([tmp_path / "a.png"] * 5, (QueryRecord("text", text),), (text,), [text] * 5))
    assert sheet.size == plain.size
    # Nothing is written into the margins.
    pixels = np.asarray(sheet)
    for margin in (pixels[:, :18], pixels[:, -18:], pixels[:10], pixels[-18:]):
        assert (margin == 255).all()


def test_many_queries_and_many_hits_are_cut_and_said_to_be(tmp_path):
    picture(1).save(tmp_path / "a.png")
    queries = tuple(QueryRecord("text", f"query {number}") for number in range(30))
    sheet = draw_sheet(result_of([tmp_path / "a.png"] * 450, queries))
    assert sheet.height < 15_000
    assert draw_sheet(result_of([], queries)).width > 0


def test_no_hits_make_a_sheet_too():
    assert draw_sheet(result_of([])).height > 100


def test_pillow_s_own_limit_does_not_keep_a_hit_from_being_shown(tmp_path, monkeypatch):
    solid((200, 30, 60), (300, 300)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)
    where(draw_sheet(result_of([tmp_path / "a.png"])), (200, 30, 60))


def test_an_image_of_many_pixels_is_shown_where_more_are_allowed(tmp_path):
    solid((200, 30, 60), (300, 300)).save(tmp_path / "a.png")
    result = result_of([tmp_path / "a.png"])
    where(draw_sheet(result, max_pixels=90_000), (200, 30, 60))
    with pytest.raises(AssertionError):
        where(draw_sheet(result, max_pixels=89_999), (200, 30, 60))


def test_few_images_are_in_memory_at_once(tmp_path, monkeypatch):
    lock, now, most = threading.Lock(), 0, 0

    def load(path, *, max_pixels, enough):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return picture(1)

    monkeypatch.setattr("clipdex.report.drawing.load_image", load)
    draw_sheet(result_of([tmp_path / "a.png"] * 30))
    assert most <= 2


def test_captions_keep_to_their_column(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path in paths:
        solid((10, 120, 200)).save(path)
    queries = (QueryRecord("text", "dog"), QueryRecord("text", "cat"))
    result = result_of(paths, queries, ids=["a very long name of an image " * 4] * 6, labels=("a long label " * 9,))
    hits = tuple(replace(hit, score=1234.5, distance=999, rank=hit.rank + 1000) for hit in result.hits)
    sheet = np.asarray(draw_sheet(replace(result, hits=hits)))
    captions = sheet[-4 * 18 :]
    between = [20 + 196 * column + 182 for column in range(5)]
    assert all((captions[:, left : left + 12] == 255).all() for left in between)


def test_hits_of_several_datasets_and_subsets_are_told_apart(tmp_path):
    solid((10, 120, 200)).save(tmp_path / "a.png")
    result = result_of([tmp_path / "a.png", tmp_path / "a.png"])
    second = replace(result.datasets[0], name="other")
    one = replace(result, datasets=(*result.datasets, second))
    two = replace(one, hits=(one.hits[0], replace(one.hits[1], dataset="other")))
    three = replace(two, hits=(two.hits[0], replace(two.hits[1], subset="val")))
    sheets = [np.asarray(draw_sheet(each)) for each in (one, two, three)]
    assert not np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[1], sheets[2])
