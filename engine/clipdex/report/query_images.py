"""Images of queries that are in no file of the user, such as one from standard input: they are kept with a result.

The last result has them in the state folder, until the next one takes its place. Saving a result copies them from
there, or from memory, so that the saved result can be drawn and asked again.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from clipdex.errors import OutputError
from clipdex.search.queries import ImageQuery
from clipdex.search.result import Result
from clipdex.user_folders import state_folder

# Names of the images of the last result, in the state folder.
LAST_PREFIX = "last-query-"
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}
_FASTEST = 1


class OwnImage(NamedTuple):
    """The file that an image of a query becomes: the contents, and the extension."""

    content: bytes
    suffix: str


def own_images(result: Result) -> dict[int, OwnImage]:
    """Return the images of queries that are in no file of the user, by number of the query."""
    found = {}
    for number, _, query in _image_queries(result):
        if isinstance(query.image, bytes):
            found[number] = _as_file(query.image)
        elif not isinstance(query.image, Path):
            stream = io.BytesIO()
            result.images[number].save(stream, "PNG", compress_level=_FASTEST)
            found[number] = OwnImage(stream.getvalue(), ".png")
        elif is_of_last_result(query.image):
            with contextlib.suppress(OSError):
                found[number] = _as_file(query.image.read_bytes())
    return found


def with_files(result: Result, files: Mapping[int, Path]) -> Result:
    """Return a result whose queries name the files that their images became, by number of the query."""
    if not files or result.request is None:
        return result
    queries, both = list(result.queries), list(result.request.both)
    for number, asked, _ in _image_queries(result):
        if number in files:
            queries[number] = replace(queries[number], path=str(files[number]))
            both[asked] = ImageQuery(files[number])
    count = len(result.request.queries)
    return replace(
        result,
        queries=tuple(queries),
        images={number: image for number, image in result.images.items() if number not in files},
        request=replace(result.request, queries=tuple(both[:count]), negative=tuple(both[count:])),
    )


def _image_queries(result: Result) -> Iterator[tuple[int, int, ImageQuery]]:
    """Yield the image queries of a result with their numbers in the result and in what was asked.

    The numbers differ where an id is that of several items.
    """
    numbers = [number for number, query in enumerate(result.queries) if query.kind == "image"]
    both = result.request.both if result.request is not None else ()
    asked = [(place, query) for place, query in enumerate(both) if isinstance(query, ImageQuery)]
    if len(numbers) == len(asked):
        yield from ((number, place, query) for number, (place, query) in zip(numbers, asked, strict=True))


def _as_file(content: bytes) -> OwnImage:
    from clipdex.media.decoding import image_format  # late: it needs Pillow

    kind = image_format(io.BytesIO(content)) or ""
    return OwnImage(content, SUFFIXES.get(kind, ".img"))


def is_of_last_result(path: Path) -> bool:
    """Tell whether an image is one that is kept until the next query, and is in no file of the user."""
    try:
        return path.name.startswith(LAST_PREFIX) and path.parent == state_folder()
    except OutputError:
        return False
