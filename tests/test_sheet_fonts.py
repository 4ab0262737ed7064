from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from clipdex.report import drawing, system_fonts
from clipdex.report.sheet import draw_sheet
from clipdex.search.result import QueryRecord
from helpers_fonts import CAT, DOG, write_font
from test_sheet import result_of


@pytest.fixture
def fonts(monkeypatch):
    """Say which fonts of Chinese, Japanese and Korean there are."""

    def have(*paths: Path) -> None:
        monkeypatch.setattr(system_fonts, "cjk_fonts", lambda: paths)

    have()
    return have


def drawn(text: str, size: int = 18) -> np.ndarray:
    image = Image.new("L", (300, 40), 255)
    drawing.draw_text(ImageDraw.Draw(image), (4, 4), text, size, "#000000")
    return np.asarray(image)


def test_a_font_of_the_system_draws_what_the_font_of_all_sheets_does_not_have(tmp_path, fonts):
    boxes = drawn(CAT + DOG)
    assert np.array_equal(boxes, drawn(DOG + CAT))
    fonts(write_font(tmp_path / "cjk.ttf", {CAT: "M", DOG: "O"}))
    assert np.array_equal(drawn(CAT + DOG), drawn("MO"))
    assert np.array_equal(drawn(DOG + CAT), drawn("OM"))
    assert drawing.text_width(CAT, 18) == drawing.text_width("M", 18)


def test_a_sheet_says_in_chinese_what_was_asked_and_found(tmp_path, fonts):
    def sheet(text: str) -> np.ndarray:
        return np.asarray(draw_sheet(result_of([tmp_path / "none.png"], (QueryRecord("text", text),), (text,))))

    boxes = sheet(CAT + DOG)
    fonts(write_font(tmp_path / "cjk.ttf", {CAT: "M", DOG: "O"}))
    changed = (sheet(CAT + DOG) != boxes).any(axis=2).any(axis=1)
    # In the card, and in the labels under the picture.
    assert changed[: changed.size // 2].any()
    assert changed[changed.size // 2 :].any()
    assert np.array_equal(sheet(CAT + DOG), sheet("MO"))


@pytest.mark.parametrize("text", ["a dog", "ünï", "", "  ", "\ud800"])
def test_what_the_font_of_all_sheets_has_is_drawn_in_it_also_where_others_have_it(tmp_path, fonts, text):
    before = drawn(text)
    fonts(write_font(tmp_path / "cjk.ttf", dict.fromkeys("a dogünï", "W")))
    assert np.array_equal(drawn(text), before)


def test_a_text_is_drawn_in_the_font_that_has_most_of_it(tmp_path, fonts):
    few = write_font(tmp_path / "few.ttf", {CAT: "M"})
    more = write_font(tmp_path / "more.ttf", {CAT: "W", DOG: "O"})
    fonts(few, more)
    assert np.array_equal(drawn(CAT), drawn("M"))
    assert np.array_equal(drawn(CAT + DOG), drawn("WO"))
    # Neither has letters, so most of this is in the font of all sheets.
    mixed = drawn(f"abc{CAT}")
    fonts()
    assert np.array_equal(drawn(f"abc{CAT}"), mixed)


@pytest.mark.parametrize("damage", ["missing", "empty", "folder", "no font", "cut", "zeros", "giant"])
def test_a_font_that_cannot_be_used_leaves_the_font_of_all_sheets(tmp_path, fonts, damage):
    boxes = drawn(CAT + DOG)
    path = tmp_path / "cjk.ttf"
    good = write_font(path, {CAT: "M", DOG: "O"}).read_bytes()
    contents = {
        "empty": b"",
        "no font": b"\0\1\0\0" + b"x" * 5000,
        "cut": good[: len(good) // 3],
        "zeros": good[:5000] + bytes(len(good) - 5000),
    }
    if damage == "giant":  # glyphs of 128 times the size that is asked for
        write_font(path, {CAT: "M", DOG: "O"}, units_per_em=16)
    elif damage in contents:
        path.write_bytes(contents[damage])
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    fonts(path)
    assert np.array_equal(drawn(CAT + DOG), boxes)


def test_shortened_and_broken_texts_fit_in_the_font_that_draws_them(tmp_path, fonts):
    fonts(write_font(tmp_path / "cjk.ttf", {CAT: "W", DOG: "i"}))
    text = (CAT * 3 + DOG) * 40
    for shortened in (drawing.fitted(text, 18, 150), drawing.begun(text, 18, 150)):
        assert 100 < drawing.text_width(shortened, 18) <= 150
    lines = drawing.wrapped(text, 18, 150)
    assert "".join(lines) == text
    assert all(100 < drawing.text_width(line, 18) <= 150 for line in lines[:-1])


def test_fonts_are_found_below_the_usual_folders_the_best_first(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    wanted = [
        one / "opentype" / "noto" / "NotoSansCJK-Regular.ttc",
        two / "WQY-ZenHei.TTC",
        one / "Hiragino Sans GB.ttc",
        two / "a" / "b" / "c" / "msyh.ttc",
    ]
    others = [one / "DejaVuSans.ttf", one / "NotoSansCJK-Regular.pcf", two / "a" / "b" / "c" / "d" / "malgun.ttf"]
    for path in (*wanted, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (two / "simsun.ttc").mkdir()
    assert system_fonts.find_cjk_fonts([tmp_path / "none", two, one]) == tuple(wanted)


def test_the_search_for_fonts_is_bounded(tmp_path, monkeypatch):
    for name in ("a", "b", "c", "d", "msyh.ttc"):
        (tmp_path / name).write_bytes(b"12345")
    assert len(system_fonts.find_cjk_fonts([tmp_path])) == 1
    monkeypatch.setattr(system_fonts, "_MOST_BYTES", 4)
    assert system_fonts.find_cjk_fonts([tmp_path]) == ()
    monkeypatch.undo()
    monkeypatch.setattr(system_fonts, "_MOST_ENTRIES", 0)
    assert system_fonts.find_cjk_fonts([tmp_path]) == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and links")
def test_pipes_are_no_fonts_and_links_to_folders_are_not_followed(tmp_path):
    os.mkfifo(tmp_path / "msyh.ttc")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "malgun.ttf").symlink_to("nowhere")
    assert system_fonts.find_cjk_fonts([tmp_path]) == ()


def test_fonts_of_the_user_are_looked_for_and_no_home_is_no_error(monkeypatch):
    home = Path.home()
    assert any(folder.is_relative_to(home) for folder in system_fonts.font_folders())
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert all(folder.is_absolute() for folder in system_fonts.font_folders())
