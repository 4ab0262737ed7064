"""Facets, tags and distances in a real browser, by mouse and by keyboard alone."""

from __future__ import annotations

import pytest

from clipdex import Explorer
from helpers_browser import PIXEL, entered, skip_without_playwright, tab_to, write_made_up
from helpers_web import served

skip_without_playwright()
from playwright.sync_api import expect

LABELS = 10_000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A server of as many labels as items, whose tags may change."""
    root = write_made_up(tmp_path_factory.mktemp("many") / "many", LABELS, labels=LABELS)
    with served(tmp_path_factory.mktemp("served"), root) as site:
        yield site


@pytest.fixture
def page(browser, many):
    with entered(browser, many, pictures=PIXEL) as page:
        yield page


@pytest.fixture
def tagged(many):
    """Say how many items have a tag."""

    def count(name):
        return many.site.collection.explorer.facets().tags.get(name, 0)

    return count


def test_one_of_very_many_labels_is_found_and_ticked_by_mouse(page, many):
    labels = page.get_by_role("group", name="Label")
    assert labels.get_by_role("checkbox").count() < 100
    labels.get_by_placeholder("name one").fill("label 777")
    expect(labels.get_by_role("checkbox", name="label 777 1", exact=True)).to_be_visible()
    expect(labels.get_by_role("checkbox", name="label 7775 1", exact=True)).to_be_visible()
    labels.get_by_role("checkbox", name="label 7775 1", exact=True).check()
    page.wait_for_url(f"{many.url}?label=label+7775")
    expect(page.get_by_text("1 image, in order")).to_be_visible()
    labels.get_by_role("checkbox", name="label 7775 1 of 1", exact=True).uncheck()
    page.wait_for_url(many.url)


def test_one_of_very_many_labels_is_found_and_ticked_by_keyboard(page, many):
    labels = page.get_by_role("group", name="Label")
    tab_to(page, labels.get_by_placeholder("name one"))
    page.keyboard.type("label 42")
    expect(labels.get_by_text("91 more hold this text.")).to_be_visible()
    tab_to(page, labels.get_by_role("checkbox", name="label 420 1", exact=True))
    page.keyboard.press("Space")
    page.wait_for_url(f"{many.url}?label=label+420")
    expect(page.get_by_text("1 image, in order")).to_be_visible()
    page.keyboard.type("x")
    expect(page.get_by_role("checkbox", name="label 420 1 of 1", exact=True)).to_be_focused()


def test_a_text_that_is_no_name_stays_in_its_box_and_a_name_is_ticked_by_enter(page, many):
    labels = page.get_by_role("group", name="Label")
    find = labels.get_by_placeholder("name one")
    find.fill("abel 777")
    page.get_by_role("checkbox", name="label 0 1", exact=True).check()
    page.wait_for_url(f"{many.url}?label=label+0")
    expect(find).to_have_value("abel 777")
    page.get_by_role("button", name="Apply").click()
    find.press("Enter")
    find.fill("label 5")
    find.press("Enter")
    page.wait_for_url(f"{many.url}?label=label+5&label=label+0")
    expect(find).to_have_value("")


def test_counts_that_take_long_come_by_themselves_and_move_nothing_else(browser, site, monkeypatch):
    facets, counted = site.site.collection.facets, []
    monkeypatch.setattr(site.site.collection, "facets", lambda *asked, **how: facets(*asked) if counted else None)
    with entered(browser, site, place="?label=food") as page:
        expect(page.get_by_text("The labels are being counted")).to_be_visible()
        pattern = page.get_by_role("textbox", name="Pattern")
        pattern.press_sequentially("food/*")
        page.locator('[data-place="1"]').get_by_role("checkbox").check()
        pattern.focus()
        counted.append(True)
        expect(page.get_by_role("checkbox", name="food 3 of 3", exact=True)).to_be_checked()
        expect(page.get_by_text("being counted")).to_be_hidden()
        expect(pattern).to_have_value("food/*")
        expect(pattern).to_be_focused()
        expect(page.get_by_text("1 selected", exact=True)).to_be_visible()


def test_a_name_that_is_being_looked_for_is_not_asked_for(page, many):
    labels = page.get_by_role("group", name="Label")
    labels.get_by_placeholder("name one").fill("label 77")
    page.get_by_label("Hits").fill("7")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(f"{many.url}?topk=7")
    labels.get_by_placeholder("name one").fill("label 77")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{many.url}?label=label+77&topk=7")


def test_labels_are_shown_as_soon_as_they_are_counted(page, many, monkeypatch):
    collection = type(many.site.collection)
    counted = collection.facets
    with monkeypatch.context() as patch:
        patch.setattr(collection, "facets", lambda *given, **named: None)
        page.reload()
        expect(page.get_by_text("The labels are being counted")).to_be_visible()
        page.get_by_label("Search for").fill("a ")
    assert collection.facets is counted
    expect(page.get_by_role("group", name="Label")).to_be_visible()
    expect(page.get_by_label("Search for")).to_have_value("a ")


def test_numbers_of_eight_digits_stay_on_one_line_and_move_nothing(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    numbers = page.locator(".choice .count")
    numbers.evaluate_all("all => all.forEach(one => { one.textContent = '12,345,678 of 87,654,321' })")
    assert set(numbers.evaluate_all("all => all.map(one => one.getClientRects()[0].height)")) == {21}
    side = page.locator("fieldset.facet").first
    assert side.evaluate("side => side.scrollWidth <= side.clientWidth")


def test_the_selection_is_tagged_and_the_button_says_so(page, tagged):
    page.locator("summary", has_text="Tag").click()
    expect(page.get_by_role("button", name="Tag all 10,000 shown")).to_be_visible()
    page.keyboard.press("Escape")
    for place in (2, 4):
        page.locator(f'[data-place="{place}"]').get_by_role("checkbox").check()
    page.locator("summary", has_text="Tag").click()
    page.get_by_role("combobox", name="Tag", exact=True).fill("mine")
    page.get_by_role("button", name="Tag 2 selected").click()
    expect(page.locator(".tile .tag", has_text="mine")).to_have_count(2)
    expect(page.get_by_text("2 selected", exact=True)).to_be_visible()
    assert tagged("mine") == 2
    page.get_by_role("checkbox", name="mine 2", exact=True).check()
    expect(page.get_by_text("2 images, in order")).to_be_visible()
    page.locator("summary", has_text="Tag").click()
    page.get_by_role("combobox", name="Tag", exact=True).fill("mine")
    page.get_by_role("button", name="Remove from all 2 shown").click()
    expect(page.get_by_text("No image has the tag mine now.")).to_be_visible()
    assert tagged("mine") == 0


def test_the_keyboard_alone_tags_filters_and_removes(page, tagged):
    page.locator("[data-tile]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    menu = page.locator("summary", has_text="Tag")
    page.keyboard.press("/")
    tab_to(page, menu)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    expect(page.locator(".tile .tag", has_text="keys")).to_have_count(3)
    expect(menu).to_be_focused()
    assert tagged("keys") == 3
    tab_to(page, page.get_by_role("checkbox", name="keys 3", exact=True), most=400)
    page.keyboard.press("Space")
    expect(page.get_by_text("3 images, in order")).to_be_visible()
    page.keyboard.press("/")
    tab_to(page, menu)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("keys")
    tab_to(page, page.get_by_role("button", name="Remove from all 3 shown"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("No image passes.")).to_be_visible()
    assert tagged("keys") == 0


def test_without_scripts_what_is_picked_can_be_tagged(browser, many, tagged):
    with entered(browser, many, pictures=PIXEL, java_script_enabled=False) as page:
        page.get_by_role("checkbox", name="Select 00000/003.jpg").check()
        page.get_by_text("Take away", exact=True).click()
        page.get_by_role("radio", name="the selected").check()
        page.get_by_role("combobox", name="or tag them").fill("plain")
        page.get_by_role("button", name="Tag", exact=True).click()
        expect(page.locator(".tile .tag", has_text="plain")).to_have_count(1)
    assert tagged("plain") == 1


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_the_histogram_of_an_answer_is_a_menu(browser, site, photos, by):
    with entered(browser, site, place="?text=a+dog&topk=5") as page:
        with Explorer(photos) as explorer:
            farthest = explorer.explore_topk("a dog", topk=5)[-1].distance
        menu = page.locator("summary", has_text="Distances")
        if by == "mouse":
            menu.click()
        else:
            tab_to(page, menu)
            page.keyboard.press("Enter")
        histogram = page.get_by_role("img", name="How many images are at each distance")
        expect(histogram).to_be_visible()
        expect(histogram.get_by_text(f"hits end at {farthest} bits")).to_be_visible()
        if by == "mouse":
            page.get_by_text("As a table").click()
        else:
            tab_to(page, page.get_by_text("As a table"))
            page.keyboard.press("Enter")
        expect(page.get_by_role("columnheader", name="bits")).to_be_visible()
        if by == "mouse":
            page.get_by_role("heading", level=2).first.click()
        else:
            page.keyboard.press("Escape")
            expect(menu).to_be_focused()
        expect(histogram).to_be_hidden()
