"""What a page shows of items: their names, pictures and where their links lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from clipdex.errors import ClipdexError
from clipdex.search.hit import Hit
from clipdex.search.listing import ListedItem
from clipdex.search.result import QueryRecord, Result
from clipdex_web.collection import Collection, name_of
from clipdex_web.schema import LARGE, THUMBNAIL
from clipdex_web.state import IMAGE, ITEM, Chip, ItemName, State

_LONGEST_CAPTION = 40
_UPLOAD = "your image"
# Parameters of a closer look: the item, and its place from 1.
SHOWN, PLACE = "show", "place"


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
    place
        Its place in the answer or among the items, from 0; None where it is in neither.
    tags
        Its tags.
    """

    name: ItemName
    labels: tuple[str, ...]
    hit: Hit | None = None
    asked: str = ""
    place: int | None = None
    tags: tuple[str, ...] = ()

    def query_of(self, state: State) -> str:
        """Return the parameters of the closer look at it, from which the way back leads to its page."""
        page = state.page if self.place is None else self.place // state.per + 1
        place = [] if self.place is None else [(PLACE, str(self.place + 1))]
        return urlencode([(SHOWN, str(self.name)), *place, *state.at(page).pairs()])

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


@dataclass(frozen=True, slots=True)
class Shown:
    """Some of what a page shows.

    Attributes
    ----------
    tiles
        The images at the places that were asked for.
    total
        How many places there are.
    result
        The answer; None where nothing was asked.
    """

    tiles: Sequence[Tile] = ()
    total: int = 0
    result: Result | None = None


def shown_of(collection: Collection, state: State, start: int, count: int) -> Shown:
    """Return what a page shows at some places.

    Raises
    ------
    ClipdexError
        When it cannot be asked.
    """
    if state.chips:
        result = collection.answer(state)
        return Shown(tiles_of_hits(result, result.hits[start : start + count]), len(result), result)
    listing = collection.listing(state.filter)
    items = listing.page(start, count)
    return Shown(tiles_of_items(items, start, collection.tags_of(map(name_of, items))), len(listing))


@dataclass(frozen=True, slots=True)
class Around:
    """Where an item is among what a page shows: its place from 1, of how many, and the addresses beside it.

    An address is empty at an end.
    """

    place: int
    total: int
    before: str
    after: str


def around(collection: Collection, state: State, place: int, name: ItemName) -> Around | None:
    """Return what is around an item that was at a place, from 0; None where it is not there any more."""
    start = max(0, place - 1)
    try:
        shown = shown_of(collection, state, start, place - start + 2)
    except ClipdexError:
        return None
    found = {tile.place: tile for tile in shown.tiles}
    if place not in found or found[place].name != name:
        return None
    before, after = (found.get(number) for number in (place - 1, place + 1))
    return Around(
        place + 1,
        shown.total,
        f"item?{before.query_of(state)}" if before else "",
        f"item?{after.query_of(state)}" if after else "",
    )


def picture_url(name: ItemName, size: int) -> str:
    """Return the address of a picture of an item."""
    return f"api/v1/thumbnail?{urlencode({**name._asdict(), 'size': size})}"


def tiles_of_items(items: Sequence[ListedItem], start: int, tags: Mapping[ItemName, tuple[str, ...]]) -> list[Tile]:
    """Return the tiles of items that were looked through, of which the first is at a place."""
    return [
        Tile(name, item.row.labels, place=start + number, tags=tags.get(name, ()))
        for number, item in enumerate(items)
        for name in (name_of(item),)
    ]


def tiles_of_hits(result: Result, hits: Sequence[Hit], *, placed: bool = True) -> list[Tile]:
    """Return the tiles of some hits of a result; their places count where the result is what a page shows."""
    several = sum(not query.negative for query in result.queries) > 1
    return [
        Tile(
            ItemName(hit.dataset, hit.subset, hit.id),
            hit.labels,
            hit,
            _said_of(result.queries[hit.query]) if several else "",
            hit.rank - 1 if placed else None,
            hit.tags,
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
