"""The grid in a real browser: any place of any number of images, by scrollbar, keyboard and number."""

from __future__ import annotations

import contextlib
import re

import pytest

from helpers_amounts import LEAPS, MADE_UP_ITEMS
from helpers_browser import PIXEL, entered, skip_without_playwright, soon
from helpers_web import TOKEN

skip_without_playwright()
from playwright.sync_api import expect

MOST_CELLS = 300
MOST_HEAP = 50_000_000
LAST = MADE_UP_ITEMS.now - 1


def name_of(place):
    return f"{place // 1000:05}/{place % 1000:03}.jpg"


@pytest.fixture
def wall(browser, large):
    """The page of many items, whose pictures are a pixel each."""
    with entered(browser, large, pictures=PIXEL) as page:
        yield page


def cells(page):
    return page.locator("[data-scroller] .tile").count()


def at(page, place):
    """The tile of a place."""
    return page.locator(f'[data-place="{place}"]')


def go_to(page, place):
    page.get_by_label("Go to image").fill(str(place + 1))
    page.keyboard.press("Enter")
    expect(at(page, place).locator(".name")).to_have_text(name_of(place))


def scroll(page, share):
    page.locator("[data-scroller]").evaluate("(bar, share) => { bar.scrollTop = share * bar.scrollHeight }", share)


def test_any_place_is_reached_by_its_number_and_keeps_to_the_address(wall, large):
    go_to(wall, LAST)
    expect(at(wall, LAST).locator("[data-tile]")).to_be_focused()
    assert at(wall, LAST).is_visible()
    middle = LAST // 2
    go_to(wall, middle)
    wall.wait_for_url(re.compile(r"\?page=\d+$"))
    wall.reload()
    expect(at(wall, middle)).to_be_in_viewport()
    assert cells(wall) <= MOST_CELLS


def test_any_place_is_reached_by_the_scrollbar(wall):
    scroll(wall, 1)
    expect(at(wall, LAST).locator(".name")).to_have_text(name_of(LAST))
    expect(at(wall, LAST)).to_be_in_viewport()
    scroll(wall, 0.5)
    expect(wall.locator(".tile .name").first).to_have_text(re.compile(r"^0*[1-9]"))
    scroll(wall, 0)
    expect(at(wall, 0)).to_be_in_viewport()
    expect(at(wall, 0).locator(".name")).to_have_text(name_of(0))


def test_a_bar_of_bounded_length_reaches_every_place_and_wheels_go_image_by_image(browser, large):
    """One column makes the list longer than any element may be."""
    with entered(browser, large, pictures=PIXEL, viewport={"width": 330, "height": 700}) as page:
        bar = page.locator("[data-scroller]")
        assert bar.evaluate("bar => bar.scrollHeight") < 6_000_100
        for place in (LAST, LAST // 3, LAST // 2):
            go_to(page, place)
        expect(at(page, LAST // 2)).to_be_in_viewport()
        bar.hover()
        before = at(page, LAST // 2).bounding_box()["y"]
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(400)  # The bar is put where the list is, and nothing may move.
        assert abs(at(page, LAST // 2).bounding_box()["y"] - before + 100) < 2
        scroll(page, 1)
        expect(at(page, LAST)).to_be_in_viewport()


def test_the_keyboard_alone_goes_everywhere_closer_and_back(wall, large):
    wall.get_by_label("Go to image").focus()
    first = at(wall, 0).locator("[data-tile]")
    for _ in range(6):
        wall.keyboard.press("Tab")
        if first.evaluate("link => link === document.activeElement"):
            break
    expect(first).to_be_focused()
    columns = wall.locator("[data-grid]").evaluate(
        "grid => getComputedStyle(grid).gridTemplateColumns.split(' ').length"
    )
    for key, place in (
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", LAST),
        ("ArrowDown", LAST),
        ("Home", 0),
    ):
        wall.keyboard.press(key)
        expect(at(wall, place).locator("[data-tile]")).to_be_focused()
        expect(at(wall, place)).to_be_in_viewport()
    wall.keyboard.press("PageDown")
    wall.keyboard.press("PageDown")
    focused = wall.locator("[data-tile]:focus").locator("..")
    place = int(focused.get_attribute("data-place"))
    assert place >= 4 * columns
    assert wall.locator('[data-tile][tabindex="0"]').count() == 1
    expect(at(wall, place).locator(".name")).to_have_text(name_of(place))
    wall.keyboard.press("Enter")
    wall.wait_for_url(re.compile(r"/item\?show="))
    wall.keyboard.press("Escape")
    expect(at(wall, place).locator("[data-tile]")).to_be_focused()
    wall.keyboard.press("PageUp")
    wall.keyboard.press("PageUp")
    expect(at(wall, 0).locator("[data-tile]")).to_be_focused()


def test_an_answer_scrolls_as_the_whole_does(wall, large):
    wall.goto(f"{large.url}?item=large:default:00003/003.jpg&topk=5000")
    expect(wall.get_by_text("5,000 images, nearest first")).to_be_visible()
    wall.get_by_label("Go to image").fill("5000")
    wall.keyboard.press("Enter")
    expect(at(wall, 4999).locator(".rank")).to_have_text("5000")
    assert cells(wall) <= MOST_CELLS


def test_pictures_that_are_scrolled_away_are_not_waited_for(browser, large):
    with entered(browser, large, expected=("404",)) as page:
        waiting, ended = [], []
        page.route("**/thumbnail?*", lambda route: waiting.append(route))
        page.on("requestfailed", lambda request: ended.append(request.url))
        page.reload(wait_until="commit")
        expect(at(page, 0)).to_be_visible()
        # The script has made room for all items, and asked for the first pictures.
        soon(page, lambda: page.locator("[data-scroller]").evaluate("bar => bar.scrollHeight") > 100_000)
        soon(page, lambda: waiting)
        scroll(page, 0.5)
        expect(at(page, 0)).to_have_count(0)
        soon(page, lambda: ended)
        page.unroute_all()
        for route in waiting:
            with contextlib.suppress(Exception):  # nobody waits for it
                route.fulfill(body=PIXEL, content_type="image/webp")


def test_many_leaps_leave_few_cells_and_little_memory(wall):
    for number in range(LEAPS.now):
        scroll(wall, (number * 0.618) % 1)
        if number % 20 == 0:
            assert cells(wall) <= MOST_CELLS
    scroll(wall, 1)
    expect(at(wall, LAST).locator(".name")).to_have_text(name_of(LAST))
    client = wall.context.new_cdp_session(wall)
    client.send("HeapProfiler.collectGarbage")
    assert wall.evaluate("performance.memory.usedJSHeapSize") <= MOST_HEAP


def test_without_scripts_pages_reach_everything(browser, large):
    with entered(browser, large, java_script_enabled=False, expected=("404",)) as page:
        page.get_by_label("Go to page").fill("3")
        page.get_by_role("button", name="Go", exact=True).click()
        expect(page.get_by_text("Images 121 to 180 of")).to_be_visible()
        page.get_by_role("link", name="next").click()
        expect(page.get_by_text("Images 181 to 240 of")).to_be_visible()
        page.goto(f"{large.url}?token={TOKEN}")
        page.get_by_label("label 3").first.check()
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text("label: label 3")).to_be_visible()
