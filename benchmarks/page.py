"""The page of clipdex view at a million images, in a real browser: paints, answers, frames, weights, and the server.

python benchmarks/page.py              # needs Chromium and pip install playwright; about 3 minutes
python benchmarks/page.py --items 10000000   # about 15 minutes; 1.2 GB of free disk
python benchmarks/page.py --items 100000 --repeats 5   # a short one
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import os
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import example_photos, installed, item_id, parse, random_keys, show_bar, show_table, write_index

TOKEN = "a-token-of-the-benchmark"  # noqa: S105 - opens a server of random keys
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WORDS = "dog running in the snow beside a red car"
STATIC = Path(__file__).resolve().parent.parent / "cli/clipdex_web"
CLIENTS = 8
# Seconds for one answer.
_PATIENCE = 5


def main() -> None:
    """Measure what was asked for, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000, help="images of the made-up dataset")
    parser.add_argument("--repeats", type=int, default=15, help="loads of the page")
    parser.add_argument("--seconds", type=float, default=8, help="of scrolling, and of asking by several clients")
    options = parse(parser, items=300, repeats=1, seconds=0.3)
    if not installed("playwright"):
        return
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("There is no Chromium, so nothing is measured.")
        return
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch, served(Path(scratch), options) as server:
        ask(f"{server.url}?text=warm")
        # Playwright wants a thread without an event loop.
        with ThreadPoolExecutor(1) as alone:
            seen = alone.submit(lambda: list(in_browser(browser, server.url, options))).result()
        rows = [*seen, *weights(server.url), of_server(server, options.seconds)]
    print(f"{options.items:,} images, warm:\n")
    show_table(
        ["what", "measured", "bar"], [(what, f"{value:.3g} {unit}", f"{bar} {unit}") for what, value, bar, unit in rows]
    )
    for what, value, bar, unit in rows:
        show_bar(what, value, bar, at_most=True, unit=unit)


class Server:
    """A running server: its address, and the lags of its event loop while they are measured, in seconds."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.loop = loop

    async def lags(self, seconds: float) -> list[float]:
        """Measure how late the event loop wakes up."""
        found = []
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            await asyncio.sleep(0.005)
            found.append(time.perf_counter() - begin - 0.005)
        return found


@contextlib.contextmanager
def served(scratch: Path, options: argparse.Namespace) -> Iterator[Server]:
    """Serve a made-up dataset, of which the first images are the example photos."""
    os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
    from clipdex import Explorer
    from clipdex_web.app import application
    from clipdex_web.collection import Collection
    from clipdex_web.serving import Place, bound, server_of
    from clipdex_web.site import Site, uploads_of_user

    root = scratch / "images"
    (root / ".clipdex").mkdir(parents=True)
    write_index(root / ".clipdex", random_keys(options.items))
    photos = example_photos()
    for number in range(min(options.items, 120)):
        path = root / item_id(number)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(photos[number % len(photos)])
    with Explorer(root) as explorer, bound(Place()) as sockets:
        site = Site.of(Collection(explorer, uploads_of_user()))
        explorer.load_model()
        while site.collection.facets() is None:  # a page waits for them no longer than a second
            pass
        server = server_of(application(site, TOKEN))
        loops: list[asyncio.AbstractEventLoop] = []

        async def run() -> None:
            loops.append(asyncio.get_running_loop())
            await server.serve(sockets)

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Server(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/", loops[0])
        finally:
            server.should_exit = True
            thread.join()
            site.close()


Row = tuple[str, float, float, str]


def in_browser(executable: str, url: str, options: argparse.Namespace) -> Iterator[Row]:
    """Yield what is measured in the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        settings = {"viewport": {"width": 1280, "height": 800}}
        page = chromium.new_context(**settings).new_page()
        page.goto(f"{url}?token={TOKEN}")
        page.wait_for_load_state("networkidle")
        known = page.context.storage_state()
        # Each time a browser that has kept nothing.
        new = (chromium.new_context(storage_state=known, **settings) for _ in range(options.repeats))
        paints, pictures = zip(*(loaded(context, url) for context in new), strict=True)
        yield "first contentful paint, median", statistics.median(paints), 0.5, "s"
        yield "first thumbnails, median", statistics.median(pictures), 1.5, "s"
        answers = typed(page, options.repeats)
        bar = 200 if options.items <= 1_000_000 else 400
        yield "from a letter to its painted answer, median", statistics.median(answers), bar, "ms"
        yield "from a letter to its painted answer, 95th percentile", high(answers), bar, "ms"
        page.goto(url)
        page.wait_for_load_state("networkidle")
        yield "a frame while scrolling, 95th percentile", high(frames(page, options.seconds)), 25, "ms"
        chromium.close()


def loaded(context: Any, url: str) -> tuple[float, float]:  # noqa: ANN401
    """Load the page; return the seconds to its first paint, and to the first row of pictures."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    seconds = page.evaluate(
        """async () => {
            const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
            while (!paint()) await new Promise(requestAnimationFrame);
            const shown = performance.getEntriesByType("resource").filter(one => one.name.includes("thumbnail"));
            const ends = shown.map(one => one.responseEnd).sort((one, other) => one - other).slice(0, 6);
            return [paint().startTime / 1000, Math.max(...ends) / 1000];
        }"""
    )
    context.close()
    return seconds[0], seconds[1]


def typed(page: Any, repeats: int) -> list[float]:  # noqa: ANN401
    """Type words; return for each pause the milliseconds from its last letter to the frame that shows the answer."""
    page.evaluate(
        """() => {
            window.times = [];
            let begun = 0;
            document.addEventListener("input", () => { begun = performance.now(); });
            document.addEventListener("clipdex:shown", () => requestAnimationFrame(() => {
                const channel = new MessageChannel();  // after the frame is painted
                channel.port1.onmessage = () => { if (begun) times.push(performance.now() - begun); begun = 0; };
                channel.port2.postMessage(0);
            }));
        }"""
    )
    box = page.locator("[data-ask]")
    box.focus()
    asked = -1  # The first letter alone asks nothing.
    for letter in (WORDS * repeats)[: max(5, 4 * repeats)]:
        page.keyboard.type(letter)
        asked += letter != " "
        end = time.perf_counter() + _PATIENCE
        while page.evaluate("times.length") < asked and time.perf_counter() < end:
            page.wait_for_timeout(20)
    times: list[float] = page.evaluate("times")
    return times


def frames(page: Any, seconds: float) -> list[float]:  # noqa: ANN401
    """Scroll smoothly; return the milliseconds between frames."""
    found: list[float] = page.evaluate(
        """async seconds => {
            const bar = document.querySelector("[data-scroller]");
            const times = [];
            const next = () => new Promise(requestAnimationFrame);
            let last = await next();
            for (const end = last + 1000 * seconds; last < end || times.length < 5;) {
                bar.scrollTop += 40;
                const now = await next();
                times.push(now - last);
                last = now;
            }
            return times;
        }""",
        seconds,
    )
    return found


def weights(url: str) -> Iterator[Row]:
    """Yield how heavy the page is: what a browser fetches beside the pictures, compressed, and what the wheel holds."""
    fetched = [ask(f"{url}?text=dog"), *(path.read_bytes() for path in sorted((STATIC / "static").glob("*.*s")))]
    yield "page, styles and scripts, compressed", sum(len(gzip.compress(one)) for one in fetched) / 1000, 60, "kB"
    held = [path for folder in ("static", "templates") for path in (STATIC / folder).iterdir() if path.is_file()]
    yield "assets in the wheel", sum(path.stat().st_size for path in held) / 1000, 250, "kB"


def of_server(server: Server, seconds: float) -> Row:
    """Return how late the event loop wakes up while several clients ask."""
    ended = threading.Event()

    def client(number: int) -> None:
        asked = 0
        while not ended.is_set():
            asked += 1
            ask(f"{server.url}?item=images:default:{item_id((37 * asked + number) % 100)}&topk={50 + asked % 50}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    lags = asyncio.run_coroutine_threadsafe(server.lags(seconds), server.loop).result()
    ended.set()
    for thread in threads:
        thread.join()
    return f"lag of the event loop with {CLIENTS} clients, 95th percentile", 1000 * high(lags), 50, "ms"


def ask(url: str) -> bytes:
    """Return what an address answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - our server
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def high(values: list[float]) -> float:
    """Return the 95th percentile."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


if __name__ == "__main__":
    main()
