"""A real server on the loopback for tests, and a client that has its token."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from clipdex import Explorer
from clipdex_web.app import application
from clipdex_web.collection import Collection
from clipdex_web.pictures import Pictures
from clipdex_web.serving import Place, bound, server_of
from clipdex_web.site import Site
from clipdex_web.uploads import Uploads
from clipdex_web.work import Pool

TOKEN = "a-token-of-the-tests"
WAIT = 30.0


@dataclass(frozen=True)
class Served:
    """A server that runs, and what it serves."""

    site: Site
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def api(self) -> str:
        return f"{self.url}api/v1/"

    def client(self, **settings) -> httpx.Client:
        """A client that may ask the API and see the pages."""
        headers = {"Authorization": f"Bearer {TOKEN}", **settings.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT, trust_env=False, **settings)


@contextlib.contextmanager
def served(folder: Path, *targets: Path, asking: Pool | None = None, **guard) -> Iterator[Served]:
    """Serve datasets; ``folder`` takes what is kept."""
    with Explorer(*targets) as explorer, bound(Place()) as sockets:
        collection = Collection(explorer, Uploads(folder / "uploads", 10_000_000))
        site = Site(
            collection,
            Pictures(folder / "thumbnails", 10_000_000),
            asking or Pool("asking", 2, 64),
            Pool("drawing", 2, 512),
        )
        server = server_of(application(site, TOKEN, **guard))
        port = sockets[0].getsockname()[1]
        thread = threading.Thread(target=server.run, args=(sockets,))
        thread.start()
        try:
            end = time.monotonic() + WAIT
            while not server.started and time.monotonic() < end:
                time.sleep(0.005)
            yield Served(site, port)
        finally:
            server.should_exit = True
            thread.join(WAIT)
            site.close()
