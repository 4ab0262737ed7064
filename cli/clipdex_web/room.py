"""What the pages of each subject share."""

from __future__ import annotations

from clipdex.search.explorer import Explorer
from clipdex_web.collection import Collection
from clipdex_web.rendering import Rendering
from clipdex_web.site import Site


class Room:
    """The addresses of one subject.

    Parameters
    ----------
    site
        What is served.
    rendering
        Writes its pages.
    """

    def __init__(self, site: Site, rendering: Rendering) -> None:
        self._site = site
        self._page = rendering.page

    @property
    def _collection(self) -> Collection:
        """What is open now; it is another one after a refresh."""
        return self._site.collection

    @property
    def _explorer(self) -> Explorer:
        return self._collection.explorer
