"""The page of duplicates in a real browser: marks by mouse and keyboard, and comparing two images."""

from __future__ import annotations

import shutil

import pytest

from clipdex import build
from clipdex_web import duplicates_routes
from helpers_browser import entered, tab_to
from helpers_engine import PHOTOS, skip_without
from helpers_web import served

skip_without("playwright")
from playwright.sync_api import expect

DOG, SEA = PHOTOS / "animals/german-shepherd.jpg", PHOTOS / "places/sea.jpg"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    root = tmp_path_factory.mktemp("copies") / "copies"
    root.mkdir()
    for name, source in (("a", DOG), ("b", DOG), ("c", DOG), ("d", SEA), ("e", SEA)):
        shutil.copy(source, root / f"{name}.jpg")
    build(root)
    with served(tmp_path_factory.mktemp("served"), root) as site:
        yield site


@pytest.fixture
def page(browser, copies):
    with entered(browser, copies, place="duplicates") as page:
        yield page


def taken(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="duplicates-to-delete.txt").click()
    return names_in(download.value)


def names_in(download):
    return [line.rpartition("/")[2] for line in download.path().read_text().splitlines()]


def states(page):
    return page.locator(".copy").evaluate_all("copies => copies.map(copy => copy.dataset.state)")


def test_a_mark_changes_what_is_kept_and_stays(page):
    assert states(page) == ["kept", "goes", "goes", "kept", "goes"]
    page.get_by_role("checkbox", name="keep b.jpg").check()
    assert states(page) == ["goes", "kept", "goes", "kept", "goes"]
    page.reload()
    assert states(page) == ["goes", "kept", "goes", "kept", "goes"]
    assert taken(page) == ["a.jpg", "c.jpg", "e.jpg"]
    page.get_by_role("button", name="Remove all marks").click()
    assert taken(page) == ["b.jpg", "c.jpg", "e.jpg"]


def test_marks_of_other_pages_go_with_the_list(page, monkeypatch):
    monkeypatch.setattr(duplicates_routes, "GROUPS_ON_A_PAGE", 1)
    page.reload()
    # A page takes marks as soon as its script runs.
    with page.expect_navigation():
        page.get_by_role("link", name="next groups").click()
    page.get_by_role("checkbox", name="keep e.jpg").check()
    with page.expect_navigation():
        page.get_by_role("link", name="previous groups").click()
    expect(page.get_by_role("checkbox", name="keep a.jpg")).to_be_visible()
    expect(page.get_by_text("Marks in 1 group")).to_be_visible()
    assert taken(page) == ["b.jpg", "c.jpg", "d.jpg"]


def test_the_first_mark_moves_nothing(page):
    seen = [page.get_by_role("button", name=name) for name in ("duplicates-to-delete.txt", "Count again")]
    seen.append(page.get_by_text("On the command line"))
    before = [one.bounding_box() for one in seen]
    page.get_by_role("checkbox", name="keep b.jpg").check()
    expect(page.get_by_role("button", name="Remove all marks")).to_be_visible()
    assert [one.bounding_box() for one in seen] == before


def test_the_keyboard_marks_and_compares(page):
    page.locator(".copy .look").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Compare")
    said = dialog.get_by_role("status")
    expect(said).to_have_text("Second: b.jpg")
    page.keyboard.press("Space")
    expect(said).to_have_text("First: a.jpg (kept)")
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text("Second: c.jpg")
    page.keyboard.press("k")
    expect(said).to_have_text("Second: c.jpg (kept)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".copy .look").nth(2)).to_be_focused()
    assert states(page)[:3] == ["goes", "goes", "kept"]
    tab_to(page, page.get_by_role("button", name="duplicates-to-delete.txt"))
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert names_in(download.value) == ["a.jpg", "b.jpg", "e.jpg"]


def test_two_images_are_swapped_and_laid_over_each_other_by_mouse(page):
    page.get_by_role("button", name="compare b.jpg").click()
    dialog = page.get_by_role("dialog", name="Compare")
    dialog.locator(".stage").click()
    expect(dialog.get_by_role("status")).to_have_text("First: a.jpg (kept)")
    dialog.get_by_role("radio", name="overlay").check()
    dialog.get_by_role("slider").fill("25")
    other = dialog.locator("[data-other]")
    assert other.evaluate("image => getComputedStyle(image).opacity") == "0.25"
    dialog.get_by_role("radio", name="difference").check()
    assert other.evaluate("image => getComputedStyle(image).mixBlendMode") == "difference"
    assert other.evaluate("image => getComputedStyle(image).opacity") == "1"
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_marks_that_another_page_left_broken_are_forgotten(page):
    for broken in ("null", "[1]", "{", '{"copies:default:a.jpg": 3}'):
        page.evaluate("text => Object.keys(localStorage).forEach(key => localStorage.setItem(key, text))", broken)
        page.reload()
        assert states(page) == ["kept", "goes", "goes", "kept", "goes"]
