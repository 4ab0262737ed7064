"""The map in a real browser: areas by mouse and keyboard, and what is chosen."""

from __future__ import annotations

import re

import pytest

from helpers_browser import entered
from helpers_engine import skip_without
from helpers_web import served

skip_without("playwright")
pytest.importorskip("openTSNE")
from playwright.sync_api import expect


@pytest.fixture
def page(browser, photos_copy, tmp_path):
    with served(tmp_path, photos_copy) as site, entered(browser, site, place="map") as page:
        page.get_by_role("button", name="Make the map").click()
        expect(page.locator("#map")).to_be_visible()
        yield page


def test_an_area_is_drawn_and_leads_to_its_images(page):
    page.get_by_role("button", name="Draw an area").click()
    box = page.locator("#map").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()
    link = page.get_by_role("link", name="Images of the area")
    expect(link).to_be_visible()
    page.reload()
    link.click()
    expect(page.get_by_role("status")).to_have_text("40 images.")
    assert len(page.url) < 700


def test_the_keyboard_takes_what_is_shown_and_chooses_an_image(page):
    page.get_by_role("button", name="Take what the map shows").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Images of the area")).to_be_visible()
    page.get_by_role("button", name="No area").press("Enter")
    assert "area=" not in page.url
    page.locator("#map").focus()
    page.keyboard.press("n")
    page.locator("#chosen").get_by_role("link", name="more like this").click()
    page.wait_for_url(re.compile(r"/\?item="))
