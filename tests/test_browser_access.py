"""Every page keeps to the rules of accessibility that axe-core can check, in light, dark and forced colours."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from clipdex import Explorer
from helpers_browser import entered, must_have, skip_without_playwright
from helpers_web import served

skip_without_playwright()
from playwright.sync_api import expect

ANSWER = "text=a+dog&text=bus&not_text=snow&label=animals&not_label=food&max_distance=300"
PAGES = {
    "all items": "",
    "an answer": f"?{ANSWER}",
    "a tag": "?tag=good+one&not_tag=gone",
    "nothing": "?text=a+dog&max_distance=0",
    "an error": "?not_text=snow",
    "a closer look": "item?show=photos:default:plants/dahlia.jpg&place=3",
    "distances": f"histogram?{ANSWER}",
    "duplicates": "duplicates?max_distance=100",
    "no duplicates": "duplicates?max_distance=0",
    "an error of duplicates": "duplicates?across=subsets&keep=first&max_distance=9999",
    "tags": "tags",
    "no such page": "a/b",
    "an address that is none": "histogram",
}


# What is opened on a page before it is looked at: by a click on the first of these.
OPENED = {"duplicates": "button.with"}


@pytest.fixture(scope="module")
def axe():
    found = importlib.util.find_spec("axe_playwright_python")
    must_have(found, "axe-playwright-python")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tagged(photos, tmp_path_factory):
    """A server of photos of which some have tags."""
    root = Path(shutil.copytree(photos, tmp_path_factory.mktemp("tagged") / "photos"))
    with Explorer(root) as explorer:
        explorer.add_tag("good one", [explorer.item("plants/dahlia"), explorer.item("animals/koala")])
    with served(tmp_path_factory.mktemp("served"), root) as site:
        yield site


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_no_page_has_a_violation(browser, tagged, axe, colours):
    settings = {"forced_colors": "active"} if colours == "forced" else {"color_scheme": colours}
    with entered(browser, tagged, expected=("400", "404"), **settings) as page:
        found = []
        for width in (1100, 400):
            page.set_viewport_size({"width": width, "height": 800})
            for name, place in PAGES.items():
                page.goto(f"{tagged.url}{place}")
                for menu in page.locator("details").all():
                    menu.evaluate("menu => { menu.open = true }")
                expect(page.locator("[data-histogram-at] > a")).to_have_count(0)
                if name in OPENED:
                    page.locator(OPENED[name]).first.click()
                page.evaluate(axe)
                violations = page.evaluate("axe.run().then(result => result.violations)")
                found += [(name, width, one["id"], [node["target"] for node in one["nodes"]][:3]) for one in violations]
        assert found == []
