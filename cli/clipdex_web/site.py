"""What is served, and the pools of threads that serve it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from clipdex.defaults import MAX_PIXELS
from clipdex.user_folders import cache_folder
from clipdex_web.collection import Collection
from clipdex_web.long_work import LongWork
from clipdex_web.pictures import Pictures
from clipdex_web.uploads import Uploads
from clipdex_web.work import Pool

_MOST_ASKING = 64
_MOST_DRAWING = 512
_THREADS = 4


@dataclass
class Site:
    """What is served.

    Attributes
    ----------
    collection
        The open datasets; another one after ``refresh``.
    pictures
        Thumbnails of their images.
    asking
        The threads that ask the engine and write pages.
    drawing
        The threads that decode images.
    long_work
        What takes longer than a page should wait.
    """

    collection: Collection
    pictures: Pictures
    asking: Pool
    drawing: Pool
    long_work: LongWork = field(default_factory=LongWork)
    _refreshing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, collection: Collection, max_pixels: int = MAX_PIXELS) -> Site:
        """Return a site with pools of its own, which ``close`` ends."""
        threads = max(2, min(_THREADS, os.cpu_count() or 1))
        return cls(
            collection,
            Pictures(cache_folder() / "thumbnails", max_pixels),
            Pool("clipdex-asking", threads, _MOST_ASKING),
            Pool("clipdex-drawing", threads, _MOST_DRAWING),
        )

    def refresh(self) -> bool:
        """Serve the indexes as they are now; return whether they have changed.

        Raises
        ------
        ClipdexError
            When they cannot be read any more; what was served is served on.
        """
        with self._refreshing:
            newer = self.collection.refreshed()
            if newer is not None:
                self.collection = newer
                # What was made of the old indexes names other items.
                self.long_work.close()
                self.long_work = LongWork()
            return newer is not None

    def close(self) -> None:
        """Drop what waits."""
        self.asking.close()
        self.drawing.close()
        self.long_work.close()


def uploads_of_user(max_pixels: int = MAX_PIXELS) -> Uploads:
    """Return the uploaded images of this user."""
    return Uploads(cache_folder() / "uploads", max_pixels)
