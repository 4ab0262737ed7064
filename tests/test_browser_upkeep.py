"""A new index, and the colours of the page, in a real browser."""

from __future__ import annotations

from clipdex import build
from helpers_browser import entered, skip_without_playwright
from helpers_engine import make_folder
from helpers_web import served

skip_without_playwright()
from playwright.sync_api import expect

BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(21, 24, 28)"


def test_a_new_index_is_noticed_and_shown_by_a_button(browser, tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    build(root)
    with served(tmp_path / "kept", root) as site, entered(browser, site) as page:
        make_folder(root, "c.png", seed=9)
        build(root)
        # What the browser says when somebody comes back to the page.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("3 images, in order")).to_be_visible()
        expect(page.get_by_text("The index has changed")).to_be_hidden()


def test_the_colours_that_were_chosen_stay_and_do_not_flash(browser, site):
    with entered(browser, site) as page:
        assert page.evaluate(BACKGROUND) == LIGHT
        page.get_by_label("Colours").select_option("dark")
        assert page.evaluate(BACKGROUND) == DARK
        page.reload(wait_until="commit")
        page.wait_for_selector("body")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.get_by_label("Colours").select_option("")
        assert page.evaluate(BACKGROUND) == LIGHT
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(BACKGROUND) == DARK
