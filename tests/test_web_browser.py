"""The page in a real browser: what its scripts add, and that the browser has nothing to complain of."""

from __future__ import annotations

import re
import shutil

import pytest

from clipdex import Explorer
from helpers_engine import PHOTOS, skip_without
from helpers_web import TOKEN, WAIT

skip_without("playwright")
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
CAT = PHOTOS / "animals" / "chelsea-the-cat.jpg"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, site):
    """The first page, entered by the address that is printed; complaints of the browser fail the test."""
    context = browser.new_context(color_scheme="light")
    context.set_default_timeout(WAIT * 1000)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.url}?token={TOKEN}")
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert complaints == []


def shown(page):
    return page.locator("[data-tile] img").evaluate_all("images => images.map(image => image.alt)")


def test_the_page_is_as_light_or_dark_as_the_system(page):
    background = "() => getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(21, 24, 28)"


def test_a_text_finds_images_and_the_address_says_so(page, site, photos):
    page.get_by_label("Search for", exact=True).fill("a dog")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"{site.url}?text=a+dog")
    with Explorer(photos) as explorer:
        assert shown(page) == [hit.id for hit in explorer.explore_topk("a dog")]
    page.go_back()
    expect(page.get_by_text("in order")).to_be_visible()


def test_a_label_narrows_at_once_and_pictures_are_there(page, site):
    page.get_by_role("checkbox", name="food").click()
    page.wait_for_url(f"{site.url}?label=food")
    widths = "images => Promise.all(images.map(async image => { await image.decode(); return image.naturalWidth }))"
    assert all(width > 0 for width in page.locator("[data-tile] img").evaluate_all(widths))


def test_an_image_that_is_chosen_is_asked_with(page):
    page.get_by_label("or with an image").set_input_files(CAT)
    page.wait_for_url(re.compile(r"/\?image="))
    assert shown(page)[0] == "animals/chelsea-the-cat.jpg"


def test_the_keyboard_goes_from_image_to_image_closer_and_back(page, site):
    page.keyboard.press("/")
    expect(page.get_by_label("Search for", exact=True)).to_be_focused()
    tiles = page.locator("[data-tile]")
    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/item\?show="))
    page.keyboard.press("Escape")
    page.wait_for_url(site.url)


def test_an_image_that_is_dropped_is_asked_with(page):
    page.evaluate(
        """async address => {
            const blob = await (await fetch(address)).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "dropped.webp", {type: "image/webp"}));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        page.locator("[data-tile] img").first.evaluate("image => image.src"),
    )
    page.wait_for_url(re.compile(r"/\?image="))
