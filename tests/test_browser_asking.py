"""Asking in a real browser, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest

from clipdex import Explorer
from helpers_browser import HeldAnswers, entered, skip_without_playwright
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


@pytest.fixture
def answers(page, site, monkeypatch):
    """The answers to the page, each held back until it is let go."""
    held = HeldAnswers(page, site.site.asking, monkeypatch)
    yield held
    held.go()


def box(page):
    return page.get_by_label("Search for", exact=True)


def test_an_answer_comes_while_a_text_is_typed_and_is_one_entry_of_the_history(page, site):
    mark(page)
    page.keyboard.press("/")
    page.keyboard.type("a train", delay=30)
    page.wait_for_url(f"{site.url}?text=a+train")
    expect(page.locator(".name").first).to_have_text("vehicles/steam-train.jpg")
    page.keyboard.press("Enter")
    page.keyboard.type("boat", delay=30)
    page.wait_for_url(f"{site.url}?text=a+train&text=boat")
    page.go_back()
    page.wait_for_url(f"{site.url}?text=a+train")
    page.go_back()
    page.wait_for_url(site.url)
    assert is_marked(page)


def test_letters_after_enter_are_another_query_however_late_the_answers_are(page, site, answers):
    page.keyboard.press("/")
    page.keyboard.type("a t")
    answers.go(1)
    page.wait_for_url(f"{site.url}?text=a+t")
    page.keyboard.type("rain")
    page.keyboard.press("Enter")
    page.keyboard.type("bo")
    expect(box(page)).to_have_value("bo")
    page.keyboard.type("at")
    answers.go()
    page.wait_for_url(f"{site.url}?text=a+train&text=boat")
    expect(box(page)).to_have_value("boat")
    page.go_back()
    page.wait_for_url(f"{site.url}?text=a+train")
    page.go_back()
    page.wait_for_url(site.url)


def test_an_answer_that_a_later_letter_overtook_is_not_shown(page, site, answers):
    box(page).press_sequentially("do")
    answers.wait(1)
    box(page).press_sequentially("g")
    answers.wait(2)
    answers.go()
    page.wait_for_url(f"{site.url}?text=dog")
    expect(page).to_have_title("dog - clipdex")
    page.go_back()
    page.wait_for_url(site.url)


def test_a_text_whose_answer_does_not_come_is_not_lost(browser, site):
    with entered(browser, site, expected=("ERR_FAILED",)) as page:
        page.route("**/answer?*", lambda route: route.abort())
        box(page).press_sequentially("dog")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
        expect(box(page)).to_have_value("dog")
        page.unroute_all()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}?text=dog")
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_hidden()


def label(page, name):
    return page.get_by_role("checkbox", name=re.compile(f"^{name} "))


def test_clicks_that_come_before_an_answer_all_hold(page, site, answers):
    label(page, "food").click()
    answers.wait()
    label(page, "people").click()
    label(page, "plants").click()
    answers.go()
    page.wait_for_url(f"{site.url}?label=food&label=plants&label=people")


def test_links_that_are_clicked_before_an_answer_lead_on_from_it(page, site, answers):
    page.goto(f"{site.url}?text=a+dog&text=bus&text=boat")
    page.get_by_label("Remove a dog").click()
    page.get_by_label("Remove boat").click()
    label(page, "animals").click()
    answers.go()
    page.wait_for_url(f"{site.url}?text=bus&label=animals")


def test_a_link_that_is_clicked_while_a_text_is_typed_takes_the_text_along(page, site, answers):
    page.goto(f"{site.url}?text=bus")
    box(page).press_sequentially("dog")
    answers.wait()
    page.get_by_label("Push away bus").click()
    answers.go()
    page.wait_for_url(f"{site.url}?not_text=bus&text=dog")
    expect(box(page)).to_have_value("")


def test_an_image_that_is_sent_is_asked_with_though_a_text_is_typed_meanwhile(page):
    held = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    page.get_by_label("or with an image").set_input_files(CAT)
    box(page).press_sequentially("dog")
    expect(box(page)).to_have_value("dog")
    held.pop().continue_()
    page.wait_for_url(re.compile(r"/\?image=[0-9a-f]+&text=dog$"))


def test_what_is_pressed_stays_where_it_is_until_the_press_is_over(page, site, answers):
    shown_first = page.locator("[data-tile] img").first.get_attribute("alt")
    box(page).press_sequentially("train")
    answers.wait()
    page.locator("[data-tile]").first.hover()
    page.mouse.down()
    with page.expect_response(re.compile("/answer")):
        answers.go()
    page.wait_for_timeout(100)  # Time for what must not happen.
    assert page.locator("[data-tile] img").first.get_attribute("alt") == shown_first
    page.mouse.up()
    expect(page.get_by_role("heading", level=2).first).to_have_text(shown_first)


def test_a_press_that_ends_elsewhere_lets_the_answer_come(page, site, answers):
    box(page).press_sequentially("train")
    answers.wait()
    page.locator("[data-tile]").first.hover()
    page.mouse.down()
    page.mouse.move(500, 30)
    page.mouse.up()
    answers.go()
    page.wait_for_url(f"{site.url}?text=train")


def test_a_field_that_is_edited_keeps_its_text_and_the_keyboard_when_an_answer_comes(page, site, answers):
    box(page).press_sequentially("train")
    answers.wait()
    pattern = page.get_by_label("Pattern")
    pattern.press_sequentially("vehi")
    answers.go()
    page.wait_for_url(f"{site.url}?text=train")
    expect(page.get_by_text("nearest first")).to_be_visible()
    page.keyboard.type("cles/*")
    expect(pattern).to_have_value("vehicles/*")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}?text=train&path=vehicles%2F*")
    expect(pattern).to_have_value("")


def test_a_word_that_is_being_composed_is_left_alone(page, site, answers):
    box(page).press_sequentially("ca")
    answers.wait()
    client = page.context.new_cdp_session(page)
    client.send("Input.imeSetComposition", {"text": "ぬ", "selectionStart": 1, "selectionEnd": 1})
    answers.go()
    page.wait_for_url(re.compile(r"text=ca%E3%81%AC"))
    client.send("Input.insertText", {"text": "t"})
    page.wait_for_url(f"{site.url}?text=cat")
    expect(box(page)).to_have_value("cat")


def test_how_texts_are_prompted_is_kept_by_what_is_asked_next(page, site):
    page.goto(f"{site.url}?text=bus&prompting=none")
    box(page).press_sequentially("dog")
    page.wait_for_url(f"{site.url}?text=bus&text=dog&prompting=none")
    page.keyboard.press("Enter")
    label(page, "animals").click()
    page.wait_for_url(f"{site.url}?text=bus&text=dog&label=animals&prompting=none")


def test_a_label_narrows_at_once_and_pictures_are_there(page, site):
    label(page, "food").click()
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
