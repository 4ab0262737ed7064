"""What is asked of a search for duplicates, as one object that is checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from clipdex.defaults import MAX_PIXELS
from clipdex.errors import QueryError
from clipdex.search.keeping import FIRST, Keep

SUBSETS, DATASETS = "subsets", "datasets"
SINGLE, COMPLETE = "single", "complete"
LINKAGES = (SINGLE, COMPLETE)


@dataclass(frozen=True, slots=True)
class DuplicateSettings:
    """What is asked of a search for duplicates.

    Attributes
    ----------
    max_distance
        Two items are near when their hash keys differ in at most this many bits. None: one bit in 32.
    across
        ``subsets``: only groups with items in subsets of different names; ``datasets``: in different datasets.
    limit
        How many groups to give; None: all.
    keep
        Which item of a group is kept: ``first``, ``largest``, ``oldest`` or ``newest``, or a pattern of ids or paths
        (see ``clipdex.search.keeping``).
    linkage
        ``single``: an item is near at least one other item of its group. ``complete``: it is near all of them.
    identical
        Whether to look only for files with the same content.
    transforms
        Whether an image that was rotated or mirrored is near the image that it was made of. It hashes every image
        again, in seven orientations.
    max_pixels
        With ``transforms``, images of more pixels are compared only as the index has them.

    Raises
    ------
    QueryError
        When one of them is not as described.
    """

    max_distance: int | None = None
    across: str | None = None
    limit: int | None = None
    keep: str = FIRST
    linkage: str = SINGLE
    identical: bool = False
    transforms: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.across not in (None, SUBSETS, DATASETS):
            raise QueryError(f"across is {self.across!r}, and must be {SUBSETS!r} or {DATASETS!r}.")
        if self.limit is not None and self.limit < 1:
            raise QueryError(f"the limit is {self.limit}, and must be at least 1.")
        if self.linkage not in LINKAGES:
            raise QueryError(f"the linkage is {self.linkage!r}, and must be {SINGLE!r} or {COMPLETE!r}.")
        Keep(self.keep)
        if self.identical:
            others = {
                "a distance": self.max_distance is not None,
                "complete linkage": self.linkage != SINGLE,
                "transforms": self.transforms,
            }
            for what, given in others.items():
                if given:
                    raise QueryError(f"identical files have the same content, so {what} says nothing of them.")


class DuplicateKeywords(TypedDict, total=False):
    """The attributes of ``DuplicateSettings``, by name."""

    max_distance: int | None
    across: str | None
    limit: int | None
    keep: str
    linkage: str
    identical: bool
    transforms: bool
    max_pixels: int
