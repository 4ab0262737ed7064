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


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (1, 1), (3, 2), (1000, 1000)])
def test_proportions_are_kept(tmp_path, size):
    colour = (200, 30, 60)
    solid(colour, size).save(tmp_path / "a.png")
    left, top, right, bottom = where(draw_sheet(result_of([tmp_path / "a.png"])), colour)
    width, height = right - left, bottom - top
    assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1])
    assert (width, height) <= (180, 180)


FRAME = (0xB4, 0xBC, 0xC8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_frame_of_one_pixel_shows_where_a_white_or_transparent_image_is(tmp_path, mode):
    Image.new(mode, (60, 40), (255, 255, 255, 0)[: len(mode)]).save(tmp_path / "a.png")
    sheet = draw_sheet(result_of([tmp_path / "a.png"]))
    left, top, right, bottom = where(sheet, FRAME)
    assert (right - left, bottom - top) == (180 + 2, 120 + 2)
    tile = packed(sheet.crop((left, top, right, bottom)))
    assert (tile[1:-1, 1:-1] == 0xFFFFFF).all()
    assert set(np.concatenate([tile[0], tile[-1], tile[:, 0], tile[:, -1]])) == {0xB4BCC8}


def test_a_frame_covers_nothing_of_its_image(tmp_path):
    solid((200, 30, 60)).save(tmp_path / "a.png")
    sheet = draw_sheet(result_of([tmp_path / "a.png"]))
    left, top, right, bottom = where(sheet, (200, 30, 60))
    assert (left - 1, top - 1, right + 1, bottom + 1) == where(sheet, FRAME)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_of_a_very_long_image_the_middle_is_shown_at_a_readable_size(tmp_path, upright, asked):
    inside, ends = (200, 30, 60), (30, 60, 200)
    image = solid(ends, (1200, 60))
    image.paste(inside, (510, 0, 690, 60))  # 3 times as long as it is wide
    (image.transpose(Image.Transpose.ROTATE_90) if upright else image).save(tmp_path / "long.png")
    records = (QueryRecord("image", "long.png", str(tmp_path / "long.png")),) if asked else None
    sheet = draw_sheet(result_of([] if asked else [tmp_path / "long.png"], records))
    left, top, right, bottom = where(sheet, inside)
    long, short = sorted((right - left, bottom - top), reverse=True)
    assert long / short == pytest.approx(3, rel=0.04)
    assert short >= 50
    assert not (packed(sheet) == 0x1E3CC8).any()
    # The ends are torn: less of the colour than in the middle. The sides are not.
    part = packed(sheet.crop((left, top, right, bottom))) == 0xC81E3C
    part = part if long == right - left else part.T
    assert part[:, part.shape[1] // 2].all()
    for end in (part[:, 0], part[:, -1]):
        assert end.mean() < 0.8


def test_an_image_three_times_as_long_as_wide_is_shown_whole(tmp_path):
    image = solid((200, 30, 60), (300, 100))
    for left, colour in ((0, (30, 60, 200)), (290, (60, 200, 30))):
        image.paste(colour, (left, 0, left + 10, 100))
    image.save(tmp_path / "a.png")
    sheet = draw_sheet(result_of([tmp_path / "a.png"]))
    assert where(sheet, (30, 60, 200))[2] < where(sheet, (60, 200, 30))[0]


def test_cards_of_many_queries_are_in_rows_in_the_order_of_the_queries(tmp_path):
    wanted = colours(12)
    records = []
    for number, colour in enumerate(wanted):
        solid(colour).save(tmp_path / f"{number}.png")
        records.append(QueryRecord("image", f"{number}.png", str(tmp_path / f"{number}.png")))
    solid((90, 90, 90)).save(tmp_path / "hit.png")
    sheet = draw_sheet(result_of([tmp_path / "hit.png"], tuple(records)))
    boxes = [where(sheet, colour) for colour in wanted]
    assert sorted(boxes, key=lambda box: (box[1], box[0])) == boxes
    assert len({(right - left, bottom - top) for left, top, right, bottom in boxes}) == 1
    rows = sorted({top for _, top, _, _ in boxes})
    assert len(rows) == 2
    assert rows[0] + 150 < rows[1] < where(sheet, (90, 90, 90))[1]
    assert boxes[0][2] - boxes[0][0] >= 180


def test_a_card_of_every_text_is_on_the_sheet(tmp_path):
    solid((90, 90, 90)).save(tmp_path / "hit.png")
    paper = 0xF2F6FC
    for count in (1, 4, 5, 6, 7, 12, 40, 60):
        queries = tuple(QueryRecord("text", f"query {number}") for number in range(count))
        cards = packed(draw_sheet(result_of([tmp_path / "hit.png"], queries))) == paper
        # Just below the upper edges of the cards of one row there is paper and no text.
        edges = np.flatnonzero(np.diff(cards.any(axis=1).astype(int)) == 1) + 3
        assert sum(int((np.diff(cards[row].astype(int)) == 1).sum()) for row in edges) == min(count, 40)


def caption(sheet: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """What is written under the picture of this colour."""
    left, _, right, bottom = where(sheet, colour)
    return np.asarray(sheet.crop((left, bottom + 5, right, bottom + 5 + 18 * 5)))


@pytest.mark.parametrize(
    ("kind", "one", "same", "other"),
    [
        ("text", "dog", "dog", "owl"),
        ("image", "/here/a.jpg", "/there/a.jpg", "/here/b.jpg"),
        ("item", "here/a.jpg", "here/a.jpg", "there/a.jpg"),
    ],
)
def test_captions_name_the_query_that_a_hit_matched(tmp_path, kind, one, same, other):
    first, second = (200, 30, 60), (30, 200, 60)
    paths = [tmp_path / "first.png", tmp_path / "second.png"]
    for path, colour in zip(paths, (first, second), strict=True):
        solid(colour).save(path)
    sheets = {
        value: draw_sheet(result_of(paths, (QueryRecord("text", "cat"), QueryRecord(kind, value))))
        for value in (one, same, other)
    }
    assert np.array_equal(caption(sheets[one], second), caption(sheets[same], second))
    assert not np.array_equal(caption(sheets[one], second), caption(sheets[other], second))
    assert np.array_equal(caption(sheets[one], first), caption(sheets[other], first))


def test_captions_of_one_query_do_not_name_it(tmp_path):
    solid((200, 30, 60)).save(tmp_path / "a.png")
    paths = [tmp_path / "a.png"]
    away = QueryRecord("text", "cat", negative=True)
    sheets = [
        draw_sheet(result_of(paths, (QueryRecord("text", text), *others)))
        for text, others in (("dog", ()), ("owl", ()), ("dog", (away,)))
    ]
    captions = [caption(sheet, (200, 30, 60)) for sheet in sheets]
    assert np.array_equal(captions[0], captions[1])
    assert np.array_equal(captions[0], captions[2])


def test_copies_are_drawn_in_the_place_of_the_images(tmp_path):
    solid((200, 30, 60)).save(tmp_path / "image.png")
    solid((30, 200, 60)).save(tmp_path / "copy.png")
    result = result_of([tmp_path / "image.png"] * 2)
    sheet = draw_sheet(result, copies=[None, tmp_path / "copy.png"])
    assert where(sheet, (30, 200, 60))[0] > 200
    assert not (packed(sheet) == 0xC81E3C).any()


def test_a_text_that_is_too_long_for_a_card_begins_on_it_and_ends_in_dots(tmp_path):
    word = "x" * 20
    card = draw_sheet(result_of([], (QueryRecord("text", f"{word} " * 30),)))
    other_end = draw_sheet(result_of([], (QueryRecord("text", f"{word} " * 30 + "the end"),)))
    other_start = draw_sheet(result_of([], (QueryRecord("text", f"y{word} " * 30),)))
    assert card.tobytes() == other_end.tobytes()
    assert card.tobytes() != other_start.tobytes()


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
