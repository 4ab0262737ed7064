"""A page of a served site in a real browser."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from helpers_web import TOKEN, WAIT, Served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_CHROMIUM = "there is no Chromium on this machine"


@contextlib.contextmanager
def opened(browser: Any, site: Served, place: str = "", **settings: Any) -> Iterator[Any]:
    """A page, entered by the address that is printed; complaints of the browser fail the test."""
    context = browser.new_context(**{"color_scheme": "light", **settings})
    context.set_default_timeout(WAIT * 1000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.url}?token={TOKEN}")
    if place:
        page.goto(f"{site.url}{place}")
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert complaints == []
