"""Selecting and taking away in a real browser, by mouse and by keyboard alone."""

from __future__ import annotations

import json

import pytest

from clipdex import Explorer
from helpers_browser import PIXEL, entered, skip_without_playwright, tab_to

skip_without_playwright()
from playwright.sync_api import expect


def tile(page, place):
    return page.locator(f'[data-place="{place}"]')


def picked(page):
    boxes = page.locator(".pick:checked")
    return sorted(boxes.evaluate_all("boxes => boxes.map(box => Number(box.value))"))


def take(page, title):
    page.get_by_text("Take away", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=title, exact=True).click()
    return waiting.value.path().read_text(encoding="utf-8")


def ids(photos):
    with Explorer(photos) as explorer:
        return [item.id for item in explorer.items()]


def test_clicks_select_and_the_selection_is_taken_away(page, photos):
    tile(page, 1).hover()
    tile(page, 1).get_by_role("checkbox").click()
    tile(page, 4).locator("[data-tile]").click(modifiers=["Shift"])
    expect(page.get_by_text("4 selected", exact=True)).to_be_visible()
    assert picked(page) == [1, 2, 3, 4]
    tile(page, 2).get_by_role("checkbox").click()
    expect(page.get_by_text("3 selected", exact=True)).to_be_visible()
    lines = take(page, "JSON lines").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [ids(photos)[place] for place in (1, 3, 4)]
    page.get_by_role("button", name="Select none").click()
    expect(page.get_by_text("3 selected", exact=True)).to_be_hidden()
    assert picked(page) == []


@pytest.mark.parametrize("width", [1100, 600])
def test_the_first_that_is_selected_moves_nothing(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    seen = [tile(page, 0), page.get_by_text("Take away", exact=True), page.get_by_label("Go to image")]
    before = [one.bounding_box() for one in seen]
    tile(page, 1).hover()
    tile(page, 1).get_by_role("checkbox").click()
    expect(page.get_by_text("1 selected", exact=True)).to_be_visible()
    assert [one.bounding_box() for one in seen] == before
    page.keyboard.press("Control+a")
    expect(page.get_by_text("40 selected", exact=True)).to_be_visible()
    assert [one.bounding_box() for one in seen] == before


def test_a_selection_is_there_again_after_looking_at_an_image(page, photos):
    for place in (1, 3):
        tile(page, place).hover()
        tile(page, place).get_by_role("checkbox").click()
    tile(page, 2).locator("[data-tile]").click()
    page.wait_for_url("**/item?**")
    page.get_by_role("link", name="back to the images").click()
    expect(page.get_by_text("2 selected", exact=True)).to_be_visible()
    assert picked(page) == [1, 3]
    page.reload()
    expect(page.get_by_text("2 selected", exact=True)).to_be_visible()
    page.get_by_label("Search for").fill("a dog")
    page.keyboard.press("Enter")
    expect(page.get_by_text("40 images, nearest first")).to_be_visible()
    assert picked(page) == []
    page.go_back()
    expect(page.get_by_text("2 selected", exact=True)).to_be_visible()
    page.get_by_role("button", name="Select none").click()
    page.reload()
    expect(page.get_by_text("40 images, in order")).to_be_visible()
    assert picked(page) == []


def test_the_keyboard_alone_selects_and_takes_away(page, photos):
    tile(page, 0).locator("[data-tile]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert picked(page) == [0, 2, 3]
    page.keyboard.press("Control+a")
    expect(page.get_by_text("40 selected", exact=True)).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_text("39 selected", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    assert picked(page) == []
    page.keyboard.press("Space")
    page.get_by_text("Take away", exact=True).focus()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Paths", exact=True))
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert waiting.value.path().read_text(encoding="utf-8").strip() == str(photos / ids(photos)[3])


def test_a_selection_of_any_size_is_kept_while_scrolling_and_ends_with_another_question(browser, large):
    with entered(browser, large, pictures=PIXEL) as page:
        total = int(page.locator("[data-scroller]").get_attribute("data-total"))
        tile(page, 0).locator("[data-tile]").focus()
        page.keyboard.press("Control+a")
        expect(page.get_by_text(f"{total:,} selected", exact=True)).to_be_visible()
        page.keyboard.press("End")
        expect(tile(page, total - 1).get_by_role("checkbox")).to_be_checked()
        page.get_by_label("label 3", exact=False).first.check()
        expect(page.get_by_text(f"{total:,} selected", exact=True)).to_be_hidden()


def test_filters_are_negated_by_a_control(page, site):
    row = page.locator(".choice", has_text="animals")
    row.hover()
    row.get_by_label("not animals").check()
    page.wait_for_url(f"{site.url}?not_label=animals")
    expect(page.get_by_text("28 images, in order")).to_be_visible()
    page.get_by_role("checkbox", name="animals 0 of 12").check()
    page.wait_for_url(f"{site.url}?label=animals")
    expect(page.get_by_text("12 images, in order")).to_be_visible()


def test_a_slider_sets_the_greatest_distance(page, site):
    page.goto(f"{site.url}?text=a+dog")
    slider = page.get_by_label("Greatest distance in bits")
    slider.fill("210")
    page.wait_for_url(f"{site.url}?text=a+dog&max_distance=210")
    expect(page.get_by_text("2 images, nearest first")).to_be_visible()
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_url(f"{site.url}?text=a+dog")


def test_chips_are_turned_and_removed_by_keyboard(page, site):
    page.goto(f"{site.url}?text=a+dog&text=bus")
    page.keyboard.press("/")
    page.keyboard.press("Backspace")
    expect(page.get_by_label("Remove bus")).to_be_focused()
    page.keyboard.press("-")
    page.wait_for_url(f"{site.url}?text=a+dog&not_text=bus")
    expect(page.locator(".chip", has_text="bus").locator("a").last).to_be_focused()
    page.keyboard.press("Delete")
    page.wait_for_url(f"{site.url}?text=a+dog")
    expect(page.get_by_label("Remove a dog")).to_be_focused()
    page.keyboard.press("Delete")
    page.wait_for_url(site.url)
    expect(page.get_by_label("Search for", exact=True)).to_be_focused()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_closer_look_goes_from_hit_to_hit(browser, site, photos, scripts):
    with entered(browser, site, place="?text=a+dog&topk=3", java_script_enabled=scripts) as page:
        with Explorer(photos) as explorer:
            hits = [hit.id for hit in explorer.explore_topk("a dog", topk=3)]
        tile(page, 0).locator("[data-tile]").click()
        expect(page.get_by_role("heading", level=2).first).to_have_text(hits[0])
        expect(page.get_by_text("1 of 3")).to_be_visible()
        for number in (1, 2):
            page.wait_for_load_state("load")
            if scripts:
                page.keyboard.press("ArrowRight")
            else:
                page.get_by_role("link", name="next").click()
            expect(page.get_by_role("heading", level=2).first).to_have_text(hits[number])
        expect(page.get_by_role("link", name="next")).to_have_count(0)


def test_a_closer_look_zooms_by_keyboard_and_mouse(page):
    tile(page, 0).locator("[data-tile]").click()
    image = page.locator(".large")
    expect(page.locator("[data-zooming]")).to_be_visible()  # the scripts are there
    expect(image).to_have_js_property("complete", True)
    width = image.bounding_box()["width"]
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert round(image.bounding_box()["width"] / width) == 2
    expect(page.get_by_text("2 ×")).to_be_visible()
    page.keyboard.press("0")
    assert abs(image.bounding_box()["width"] - width) < 2
    image.click()
    assert round(image.bounding_box()["width"] / width) == 2
    page.get_by_role("button", name="Fit").click()
    assert abs(image.bounding_box()["width"] - width) < 2


def test_a_page_that_is_not_there_has_its_style_at_any_depth(browser, site):
    with entered(browser, site, expected=("404",)) as page:
        page.goto(f"{site.url}a/b/c")
        expect(page.get_by_text("there is no such page", exact=False)).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('header')).borderBottomStyle") == "solid"
        page.get_by_role("link", name="All images").click()
        page.wait_for_url(site.url)


def test_on_a_narrow_screen_images_come_before_the_filters(browser, site):
    with entered(browser, site, viewport={"width": 390, "height": 800}) as page:
        image, filters = tile(page, 0).bounding_box(), page.locator("#filters").bounding_box()
        assert image["y"] < filters["y"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
