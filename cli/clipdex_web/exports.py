"""What a page shows, to take away: as CSV, JSON, JSON lines, paths, a ZIP archive of the images, or a contact sheet.

What a page shows is an answer, or all items that pass a filter; of both, all or what was picked. Items are written as
they are read, so memory is bounded whatever their number.
"""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from clipdex.errors import ImageError
from clipdex.media.opening import open_media
from clipdex.report.cells import row_writer
from clipdex.report.rows import csv_of
from clipdex.report.save import name_of_copy
from clipdex.report.sheet import MOST_DRAWN, draw_sheet
from clipdex.search.hit import Hit
from clipdex.search.listing import ListedItem, Listing
from clipdex.search.result import Result
from clipdex_web.collection import Collection, name_of
from clipdex_web.equivalents import json_of
from clipdex_web.picks import Picks
from clipdex_web.state import ItemName, State
from clipdex_web.translating import described_item

ZIP, SHEET = "zip", "sheet"
_BLOCK = 1 << 20
_ITEMS_AT_ONCE = 1000
# So many items are read as quickly as a page is begun.
_NEAR = 30
MISSING = "missing.txt"
DATA = "result.json"
LIST = "images.csv"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is taken away of an answer: its result, of which only those hits are left that were picked."""

    collection: Collection
    state: State
    result: Result

    def __len__(self) -> int:
        return len(self.result)

    def hits(self) -> Iterable[Hit]:
        """Return the hits."""
        return self.result.hits

    def names(self) -> list[ItemName]:
        """Return what names the hits."""
        return [ItemName(hit.dataset, hit.subset, hit.id) for hit in self.result.hits]

    def json(self) -> Iterator[str]:
        """Yield the result, as ``clipdex query --output json`` prints it."""
        yield json_of(self.collection, self.state, self.result)

    def csv(self) -> Iterator[str]:
        """Yield a row for each hit."""
        yield csv_of(self.result)

    def lines(self) -> Iterator[str]:
        """Yield a JSON object for each hit."""
        yield from (_line(hit) for hit in self.result.to_dict()["hits"])

    def description(self) -> tuple[str, str]:
        """Return what an archive says of its images: the name of a file, and its text."""
        return DATA, "".join(self.json())

    def to_draw(self) -> Result:
        """Return what a contact sheet shows."""
        return self.result


@dataclass(frozen=True, slots=True)
class Items:
    """What is taken away where nothing was asked: items in order."""

    collection: Collection
    listing: Listing
    picks: Picks

    def __len__(self) -> int:
        return len(self.picks)

    def placed(self) -> Iterator[tuple[int, ListedItem]]:
        """Yield the items, each with its place from 0."""
        for group in self.picks.pieces(_ITEMS_AT_ONCE, _NEAR):
            start = group[0][0]
            items = self.listing.page(start, group[-1][1] - start)
            for first, end in group:
                yield from enumerate(items[first - start : end - start], first)

    def names(self) -> list[ItemName]:
        """Return what names the items."""
        return [name_of(item) for _, item in self.placed()]

    def hits(self) -> Iterator[Hit]:
        """Yield the items as hits of nothing, ranked by their place."""
        for place, item in self.placed():
            row, dataset = item.row, item.dataset
            missing = not dataset.has_media(item.path)
            rank = place + 1
            yield Hit(rank, 0, 0, rank, dataset.name, row.id, row.subset, item.path, row.labels, missing=missing)

    def json(self) -> Iterator[str]:
        """Yield all items as one JSON object."""
        yield '{"items": ['
        for number, (_, item) in enumerate(self.placed()):
            yield f"{',' if number else ''}\n {_line(described_item(item)).rstrip()}"
        yield "\n]}\n"

    def csv(self) -> Iterator[str]:
        """Yield a row for each item."""
        yield _row(["dataset", "subset", "id", "path", "labels", "bytes"])
        for _, item in self.placed():
            row = item.row
            yield _row([item.dataset.name, row.subset, row.id, item.path, ";".join(row.labels), row.size])

    def lines(self) -> Iterator[str]:
        """Yield a JSON object for each item."""
        yield from (_line(described_item(item)) for _, item in self.placed())

    def description(self) -> tuple[str, str]:
        """Return what an archive says of its images: the name of a file, and its text."""
        return LIST, "".join(self.csv())

    def to_draw(self) -> Result:
        """Return what a contact sheet shows: a result that nothing was asked for."""
        records = tuple(dataset.record for dataset in self.collection.explorer.datasets)
        drawn = tuple(itertools.islice(self.hits(), MOST_DRAWN))
        return Result(max(1, len(drawn)), "distance", (), records, drawn)


Taken = Answer | Items


class Format(NamedTuple):
    """A format of an export: the name of the file, its media type, what a person calls it, and what writes its text."""

    file: str
    media_type: str
    title: str
    written: Callable[[Taken], Iterable[str]] | None = None


FORMATS = {
    "csv": Format("result.csv", "text/csv; charset=utf-8", "CSV", lambda taken: taken.csv()),
    "json": Format("result.json", "application/json", "JSON", lambda taken: taken.json()),
    "jsonl": Format("result.jsonl", "application/jsonl", "JSON lines", lambda taken: taken.lines()),
    "paths": Format(
        "paths.txt", "text/plain; charset=utf-8", "Paths", lambda taken: (f"{hit.path}\n" for hit in taken.hits())
    ),
    ZIP: Format("images.zip", "application/zip", "ZIP of the images"),
    SHEET: Format("sheet.png", "image/png", f"Contact sheet (PNG, first {MOST_DRAWN})"),
}


def taken_of(collection: Collection, state: State, picked: Callable[[int], Picks]) -> Taken:
    """Return what is taken away of a page.

    Parameters
    ----------
    collection, state
        What the page shows.
    picked
        Returns the places that are taken, of so many.

    Raises
    ------
    ClipdexError
        When it cannot be asked, or nothing is picked.
    """
    if state.chips:
        result = collection.answer(state)
        picks = picked(len(result))
        return Answer(collection, state, replace(result, hits=tuple(picks.of_sequence(result.hits))))
    listing = collection.listing(state.filter)
    return Items(collection, listing, picked(len(listing)))


def as_bytes(taken: Taken, name: str) -> Iterator[bytes]:
    """Yield what is taken away in a format of text, in blocks."""
    written = FORMATS[name].written
    # A path need not be valid Unicode.
    errors = "backslashreplace" if "json" in name else "surrogateescape"
    if written is not None:
        block: list[str] = []
        for text in written(taken):
            block.append(text)
            if len(block) >= _ITEMS_AT_ONCE:
                yield "".join(block).encode(errors=errors)
                block = []
        yield "".join(block).encode(errors=errors)


def as_sheet(taken: Taken, max_pixels: int) -> bytes:
    """Return a contact sheet as PNG."""
    stream = io.BytesIO()
    draw_sheet(taken.to_draw(), max_pixels=max_pixels).save(stream, "PNG")
    return stream.getvalue()


class _Stream(io.RawIOBase):
    """Takes what a ZIP archive writes, in order, until it is sent."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data, self._written = b"".join(self._written), []
        return data


def as_zip(taken: Taken, save_as: str) -> Iterator[bytes]:
    """Yield a ZIP archive of the images, whatever its size, in bounded memory.

    Images that are not there, or are no images, are named in ``missing.txt``.

    Parameters
    ----------
    taken
        Whose images.
    save_as
        Their names, as ``clipdex.report.save.save_result`` has them: ``ranked`` begins with the rank.
    """
    stream = _Stream()
    missing = []
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for hit in taken.hits():
            try:
                with open_media(hit.path) as content:
                    name = name_of_copy(hit, content, len(taken), save_as)
                    content.seek(0)
                    with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                        while block := content.read(_BLOCK):
                            member.write(block)
                            yield stream.taken()
            except ImageError as error:
                missing.append(f"{hit.rank}\t{hit.path}\t{error}\n")
        if missing:
            archive.writestr(MISSING, "".join(missing).encode(errors="backslashreplace"))
        name, data = taken.description()
        archive.writestr(name, data.encode(errors="backslashreplace"))
    yield stream.taken()


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _row(values: list[object]) -> str:
    stream = io.StringIO(newline="")
    row_writer(stream)(values)
    return stream.getvalue()
