"""The page of a map in a browser: what people do with mouse and keyboard."""

from __future__ import annotations

import shutil

import pytest

from clipdex.mapping.dataset_map import DatasetMap
from clipdex.report.map_page import map_page
from clipdex.report.map_points import points_of
from helpers_engine import make_folder, skip_without
from helpers_index import row
from test_map_report import hits_of, mapped, points

skip_without("playwright")
from playwright.sync_api import expect

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

NASTY = "zoo/<b>'\"\u2028.png"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, tmp_path):
    """The page of six images in a line, two of them dogs; whatever it complains of fails the test."""
    names = ["a.png", "b.png", "c.png", "d.png", "e.png", NASTY]
    make_folder(tmp_path, *names[:3])
    rows = [row(name, labels=("dog" if name in names[:2] else "cat",)) for name in names]
    file = tmp_path / "map.html"
    file.write_text(map_page(points(tmp_path, rows, most_named=10)), encoding="utf-8")
    page = browser.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()


def test_the_list_the_legend_and_the_filter_say_what_the_map_shows(page):
    assert page.locator("#rows tr").count() == 6
    assert page.locator("#rows tr").last.locator("td").first.inner_text() == NASTY
    assert page.locator("#legend .name").all_inner_texts() == ["cat", "dog"]
    page.fill("#filter", "DOG")
    assert page.locator("#count").inner_text() == "1 to 2 of 2"
    page.locator("#legend button").last.click()
    assert page.locator("#legend button").last.get_attribute("aria-pressed") == "true"


def test_the_keyboard_moves_zooms_and_chooses(page):
    page.focus("#map")
    page.keyboard.press("n")
    assert "a.png" in page.locator("#chosen").inner_text()
    page.check("#seen")
    page.focus("#map")
    for _ in range(12):
        page.keyboard.press("+")
    expect(page.locator("#count")).to_have_text("1 to 1 of 1")
    assert page.locator("#rows button").all_inner_texts() == ["a.png"]
    page.keyboard.press("0")
    expect(page.locator("#count")).to_have_text("1 to 6 of 6")


def test_the_pointer_shows_and_chooses_the_image_below_it(page):
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 45, box["y"] + box["height"] / 2)
    page.wait_for_selector("#tip:not([hidden])")
    assert "a.png" in page.locator("#tip").inner_text()
    page.mouse.down()
    page.mouse.up()
    assert page.locator("#chosen li").all_inner_texts()[0] == "b.png"
    page.locator("#chosen li button").first.click()
    assert "b.png" in page.locator("#chosen strong").inner_text()


def test_a_hit_without_a_point_of_its_own_is_shown_itself(browser, tmp_path):
    dataset, one = mapped(tmp_path, [row(f"{number}.png") for number in range(9)])
    with dataset.index:
        made = DatasetMap((one,), "t-SNE", 9)
        found = points_of([dataset], made, most_named=2, result=hits_of(dataset, "0.png", "7.png"))
    assert [one.id for one in found.named] == ["0.png", "4.png"]
    (tmp_path / "map.html").write_text(map_page(found), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "map.html").as_uri())
    for hit in ("0.png", "7.png"):
        page.locator("#found").get_by_role("button", name=hit).click()
        expect(page.locator("#chosen strong")).to_have_text(hit)
    page.close()
