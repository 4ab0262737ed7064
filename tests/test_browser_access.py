"""Every page keeps to the rules of accessibility that axe-core can check, in light, dark and forced colours."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from helpers_browser import entered, must_have, skip_without_playwright

skip_without_playwright()

PAGES = {
    "all items": "",
    "an answer": "?text=a+dog&text=bus&not_text=snow&label=animals&not_label=food&max_distance=300",
    "nothing": "?text=a+dog&max_distance=0",
    "an error": "?not_text=snow",
    "a closer look": "item?show=photos:default:plants/dahlia.jpg&place=3",
    "no such page": "a/b",
}


@pytest.fixture(scope="module")
def axe():
    found = importlib.util.find_spec("axe_playwright_python")
    must_have(found, "axe-playwright-python")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_no_page_has_a_violation(browser, site, axe, colours):
    settings = {"forced_colors": "active"} if colours == "forced" else {"color_scheme": colours}
    with entered(browser, site, expected=("400", "404"), **settings) as page:
        found = []
        for width in (1100, 400):
            page.set_viewport_size({"width": width, "height": 800})
            for name, place in PAGES.items():
                page.goto(f"{site.url}{place}")
                for menu in page.locator("details").all():
                    menu.evaluate("menu => { menu.open = true }")
                page.evaluate(axe)
                violations = page.evaluate("axe.run().then(result => result.violations)")
                found += [(name, width, one["id"], [node["target"] for node in one["nodes"]][:3]) for one in violations]
        assert found == []
