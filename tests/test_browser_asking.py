"""Asking in a real browser, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest

from clipdex import Explorer
from helpers_browser import entered, skip_without_playwright
from helpers_engine import PHOTOS

skip_without_playwright()
from playwright.sync_api import expect

CAT = PHOTOS / "animals" / "chelsea-the-cat.jpg"


def shown(page):
    return page.locator("[data-tile] img").evaluate_all("images => images.map(image => image.alt)")


def mark(page):
    """Leave a mark that another document would not have."""
    page.evaluate("window.here = true")


def is_marked(page):
    return page.evaluate("window.here === true")


def test_the_page_is_as_light_or_dark_as_the_system(page):
    background = "() => getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(21, 24, 28)"


def test_a_text_finds_images_without_another_page_and_the_address_says_so(page, site, photos):
    mark(page)
    page.get_by_label("Search for", exact=True).fill("a dog")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"{site.url}?text=a+dog")
    expect(page.get_by_text("nearest first")).to_be_visible()
    with Explorer(photos) as explorer:
        assert shown(page) == [hit.id for hit in explorer.explore_topk("a dog")][: len(shown(page))]
    expect(page).to_have_title("a dog - clipdex")
    page.go_back()
    expect(page.get_by_text("in order")).to_be_visible()
    page.go_forward()
    expect(page.get_by_text("nearest first")).to_be_visible()
    assert is_marked(page)
    page.reload()
    expect(page.get_by_text("nearest first")).to_be_visible()


def test_an_answer_comes_while_a_text_is_typed_and_is_one_entry_of_the_history(page, site):
    mark(page)
    page.keyboard.press("/")
    box = page.get_by_label("Search for", exact=True)
    expect(box).to_be_focused()
    box.fill("a train")
    page.wait_for_url(f"{site.url}?text=a+train")
    expect(page.locator(".name").first).to_have_text("vehicles/steam-train.jpg")
    page.keyboard.press("Enter")
    expect(box).to_have_value("")
    box.fill("boat")
    page.wait_for_url(f"{site.url}?text=a+train&text=boat")
    page.go_back()
    page.wait_for_url(f"{site.url}?text=a+train")
    page.go_back()
    page.wait_for_url(site.url)
    assert is_marked(page)


def test_a_label_narrows_at_once_and_pictures_are_there(page, site):
    page.get_by_role("checkbox", name="food 3", exact=True).click()
    page.wait_for_url(f"{site.url}?label=food")
    expect(page.locator("[data-tile]")).to_have_count(3)
    widths = "images => Promise.all(images.map(async image => { await image.decode(); return image.naturalWidth }))"
    assert all(width > 0 for width in page.locator("[data-tile] img").evaluate_all(widths))


def test_an_image_that_is_chosen_is_asked_with(page):
    mark(page)
    page.get_by_label("or with an image").set_input_files(CAT)
    page.wait_for_url(re.compile(r"/\?image="))
    expect(page.locator(".name").first).to_have_text("animals/chelsea-the-cat.jpg")
    assert is_marked(page)


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_an_image_that_is_dropped_or_pasted_is_asked_with(page, way):
    page.evaluate(
        """async ([address, way]) => {
            const blob = await (await fetch(address)).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "dropped.webp", {type: "image/webp"}));
            const how = {bubbles: true, cancelable: true};
            document.body.dispatchEvent(
                way === "drop"
                    ? new DragEvent("drop", {dataTransfer: data, ...how})
                    : new ClipboardEvent("paste", {clipboardData: data, ...how})
            );
        }""",
        [page.locator("[data-tile] img").first.evaluate("image => image.src"), way],
    )
    page.wait_for_url(re.compile(r"/\?image="))


def test_what_cannot_be_asked_is_said_and_the_page_goes_on(browser, site):
    with entered(browser, site, expected=("400",)) as page:
        goes_on(page, site)


def goes_on(page, site):
    page.get_by_label("Pattern").fill("a//b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="path")).to_be_visible()
    page.get_by_label("Pattern").fill("food/*")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}?path=food%2F*")
    expect(page.locator("[data-tile]")).to_have_count(3)
