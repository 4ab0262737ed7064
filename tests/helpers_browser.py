"""A real browser for tests: Debian's Chromium, driven by Playwright, and pages that may have nothing to complain of.

Where there is no browser, the tests are skipped and say so; where ``CLIPDEX_BROWSER=required`` is set, as in the tasks
that install one, they fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from clipdex.encoder import Encoder, find_model
from clipdex.version import WRITER
from clipdex_indexes import ItemRow
from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER, Manifest, write_manifest
from clipdex_indexes.storage.segment import write_segment
from helpers_engine import skip_without
from helpers_web import TOKEN

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("CLIPDEX_BROWSER") == "required"
# Milliseconds for one step; a page needs a fraction of one second.
PATIENCE = 30_000
WIDE = {"width": 1100, "height": 800}


# A picture of one pixel.
PIXEL = bytes.fromhex(
    "52494646240000005745425056503820180000003001009d012a0100010001401c25a400037000fefd50380000000000"
)


def skip_without_playwright() -> None:
    """Skip the module that is being imported where Playwright is not installed and need not be."""
    if not REQUIRED:
        skip_without("playwright")


def must_have(there: object, what: str) -> None:
    """Skip a test that lacks something; fail it where everything has to be there."""
    if not there:
        (pytest.fail if REQUIRED else pytest.skip)(f"{what} is not installed")


@contextlib.contextmanager
def chromium() -> Iterator[object]:
    must_have(importlib.util.find_spec("playwright"), "playwright")
    must_have(CHROMIUM, "Chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def entered(
    browser, site, *, place: str = "", expected: tuple[str, ...] = (), pictures: bytes = b"", **settings
) -> Iterator[object]:
    """Open a page that is entered by the address that is printed.

    What the browser complains of, beside what is expected, and any request to another host, fails the test. With
    ``pictures``, that is every thumbnail.
    """
    from playwright.sync_api import TimeoutError as TooLong

    context = browser.new_context(**{"color_scheme": "light", "viewport": WIDE, **settings})
    context.set_default_timeout(PATIENCE)
    if pictures:
        context.route("**/thumbnail?*", lambda route: route.fulfill(body=pictures, content_type="image/webp"))
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    asked: set[str] = set()
    page.goto(f"{site.url}{place}{'&' if '?' in place else '?'}token={TOKEN}")
    yield page
    # A picture that a route answers while its element goes never ends.
    with contextlib.suppress(TooLong):
        page.wait_for_load_state("networkidle", timeout=5_000)
    context.close()
    left = [one for one in complaints if not any(part in one for part in expected)]
    assert left == [], left
    assert asked - {""} == {urlsplit(site.url).netloc}


def soon(page, holds) -> None:
    """Wait until something is true that is not on the page."""
    for _ in range(PATIENCE // 10):
        if holds():
            return
        page.wait_for_timeout(10)
    raise AssertionError("it did not happen in time")


class HeldAnswers:
    """The answers of a server to the questions of its page, of which each waits until it is let go.

    Parameters
    ----------
    page
        What asks.
    pool
        The threads that answer.
    """

    def __init__(self, page, pool, monkeypatch) -> None:
        self._page = page
        self._asked = self._let_go = 0
        run = pool.run

        async def held(request, *call):
            if request.url.path == "/answer":
                self._asked += 1
                number = self._asked
                while number > self._let_go:
                    await asyncio.sleep(0.005)
            return await run(request, *call)

        monkeypatch.setattr(pool, "run", held)

    def wait(self, count: int = 1) -> None:
        """Wait until so many questions were asked."""
        soon(self._page, lambda: self._asked >= count)

    def go(self, count: int = 1_000_000) -> None:
        """Let the next answers go, or all."""
        self._let_go += count


def tab_to(page, target, *, most: int = 60) -> None:
    """Go on by Tab until an element has the keyboard."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.count() == 1 and target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{most} times Tab do not lead to {target}")


def write_made_up(root: Path, count: int, labels: int = 7) -> Path:
    """Write an index of made-up items, a thousand to a folder, whose image files are not there."""
    folder = root / ".clipdex"
    (folder / SEGMENTS_FOLDER).mkdir(parents=True)
    keys = np.random.default_rng(0).integers(0, 256, (count, 64), np.uint8)
    rows = (
        (
            ItemRow(f"{n // 1000:05}/{n % 1000:03}.jpg", "default", (f"label {n % labels}",), 50_000 + n, n),
            keys[n].tobytes(),
        )
        for n in range(count)
    )
    stamp = write_segment(folder / SEGMENTS_FOLDER, 512, rows)
    write_manifest(folder, Manifest(Encoder(find_model(None)).stamp, "folder", 1, (stamp,), WRITER))
    return root
