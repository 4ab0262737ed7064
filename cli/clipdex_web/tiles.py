"""What a page shows of items: their names, pictures and where their links lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from clipdex.search.hit import Hit
from clipdex.search.listing import ListedItem
from clipdex.search.result import QueryRecord, Result
from clipdex_web.collection import Collection, name_of
from clipdex_web.schema import LARGE, THUMBNAIL
from clipdex_web.state import IMAGE, ITEM, Chip, ItemName, State

_LONGEST_CAPTION = 40
_UPLOAD = "your image"


@dataclass(frozen=True, slots=True)
class Tile:
    """One image on a page.

    Attributes
    ----------
    name
        The item.
    labels
        Its labels.
    hit
        Its place in the answer; None where nothing was asked.
    asked
        The query that found it, where there are several.
    """

    name: ItemName
    labels: tuple[str, ...]
    hit: Hit | None = None
    asked: str = ""

    @property
    def thumbnail(self) -> str:
        """The address of its picture."""
        return picture_url(self.name, THUMBNAIL)

    @property
    def large(self) -> str:
        """The address of its large picture."""
        return picture_url(self.name, LARGE)

    @property
    def original(self) -> str:
        """The address of its file."""
        return f"api/v1/original?{urlencode(self.name._asdict())}"


@dataclass(frozen=True, slots=True)
class ChipView:
    """One query on a page: what it says, its picture if it has one, and where its buttons lead."""

    chip: Chip
    text: str
    picture: str
    turned: str
    removed: str


def picture_url(name: ItemName, size: int) -> str:
    """Return the address of a picture of an item."""
    return f"api/v1/thumbnail?{urlencode({**name._asdict(), 'size': size})}"


def tiles_of_items(items: Sequence[ListedItem]) -> list[Tile]:
    """Return the tiles of items that were looked through."""
    return [Tile(name_of(item), item.row.labels) for item in items]


def tiles_of_hits(result: Result, hits: Sequence[Hit]) -> list[Tile]:
    """Return the tiles of some hits of a result."""
    several = sum(not query.negative for query in result.queries) > 1
    return [
        Tile(
            ItemName(hit.dataset, hit.subset, hit.id),
            hit.labels,
            hit,
            _said_of(result.queries[hit.query]) if several else "",
        )
        for hit in hits
    ]


def chip_views(collection: Collection, state: State) -> list[ChipView]:
    """Return the queries of a page."""
    return [
        ChipView(chip, _text_of(chip), _picture_of(chip), state.turned(chip).url, state.without(chip).url)
        for chip in state.chips
    ]


def _said_of(query: QueryRecord) -> str:
    """Return a query for a caption; a long one is cut off."""
    text = _UPLOAD if query.kind == IMAGE else query.value
    return text if len(text) <= _LONGEST_CAPTION else f"{text[: _LONGEST_CAPTION - 1]}…"


def _text_of(chip: Chip) -> str:
    if chip.kind == IMAGE:
        return _UPLOAD
    return chip.item.id if chip.kind == ITEM else chip.value


def _picture_of(chip: Chip) -> str:
    if chip.kind == ITEM:
        return picture_url(chip.item, THUMBNAIL)
    return f"upload?{urlencode({'image': chip.value})}" if chip.kind == IMAGE else ""
