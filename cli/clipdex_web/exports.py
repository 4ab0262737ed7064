"""An answer to take away: as CSV, JSON, JSON lines, paths, or a ZIP archive of the images in rank order."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

from clipdex.errors import ImageError
from clipdex.media.opening import open_media
from clipdex.report.rows import csv_of
from clipdex.report.save import ranked_name
from clipdex.search.result import Result
from clipdex_web.collection import Collection
from clipdex_web.equivalents import json_of
from clipdex_web.state import State

ZIP = "zip"
_BLOCK = 1 << 20
MISSING = "missing.txt"
DATA = "result.json"


class Format(NamedTuple):
    """A format of an export: its media type, and what writes it."""

    media_type: str
    written: Callable[[Collection, State, Result], str]


def _lines(collection: Collection, state: State, result: Result) -> str:
    return "".join(json.dumps(hit, ensure_ascii=False) + "\n" for hit in result.to_dict()["hits"])


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", lambda collection, state, result: csv_of(result)),
    "json": Format("application/json", json_of),
    "jsonl": Format("application/jsonl", _lines),
    "paths": Format("text/plain; charset=utf-8", lambda *asked: "".join(f"{hit.path}\n" for hit in asked[-1].hits)),
}
NAMES = (*FORMATS, ZIP)
FILE_NAMES = {
    "csv": "result.csv",
    "json": "result.json",
    "jsonl": "result.jsonl",
    "paths": "paths.txt",
    ZIP: "images.zip",
}


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


def images_as_zip(result: Result, data: str) -> Iterator[bytes]:
    """Yield a ZIP archive of the images of a result, whatever its size, in bounded memory.

    The names begin with the rank. Images that are not there, or are no images, are named in ``missing.txt``.

    Parameters
    ----------
    result
        Its hits are the images.
    data
        What ``result.json`` says.
    """
    stream = _Stream()
    missing = []
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for hit in result.hits:
            try:
                with open_media(hit.path) as content:
                    name = ranked_name(hit, content, len(result.hits))
                    content.seek(0)
                    with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                        while block := content.read(_BLOCK):
                            member.write(block)
                            yield stream.taken()
            except ImageError as error:
                missing.append(f"{hit.rank}\t{hit.path}\t{error}\n")
        if missing:
            archive.writestr(MISSING, "".join(missing).encode(errors="backslashreplace"))
        archive.writestr(DATA, data.encode(errors="backslashreplace"))
    yield stream.taken()
