"""The page of a map: one HTML file that opens from disk, and asks no other host for anything.

A policy of the page forbids all other content, and scripts and styles other than its own, by their SHA-256. Everything
that comes from a dataset is data: escaped JSON, which the script shows as text.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from clipdex.defaults import MAX_PIXELS
from clipdex.report.drawing import DECODING, thumbnail
from clipdex.report.html_templates import packaged, render
from clipdex.report.map_points import Colouring, MapPoints, Named
from clipdex.wording import counted

# Points on a page, and images that are on it as pictures; and how large the file may become.
MOST_POINTS, MOST_PICTURES, MOST_BYTES = 100_000, 1000, 8 << 20
_PICTURE = (72, 72)
_MOST_NAMES = 1 << 16
_MOST_FOUND = 500


def map_page(
    points: MapPoints, colour_by: str | None = None, *, notes: Sequence[str] = (), max_pixels: int = MAX_PIXELS
) -> str:
    """Return the page of a map, at most 8 MiB.

    Of a map of more than 100,000 images, or with longer names than fit, the page has a part, evenly drawn, and says so.
    Where it has at most 1,000 images, it has a small picture of each.

    Parameters
    ----------
    points
        What to show. The page has the named points.
    colour_by
        The first colouring: ``label``, ``tag``, ``subset`` or ``dataset``; None takes what tells most.
    notes
        Sentences that the page begins with.
    max_pixels
        Images of more pixels are not shown as pictures.
    """
    named = points.named[:MOST_POINTS]
    pictures: Sequence[str] = ()
    if len(named) == len(points.places) <= MOST_PICTURES:
        with ThreadPoolExecutor(DECODING) as pool:
            pictures = list(pool.map(lambda one: _picture(one.path, max_pixels), named))
    while True:
        page = _page(points, named, pictures, points.coloured_by(colour_by), notes)
        if len(page) <= MOST_BYTES or len(named) < 2:
            return page
        # The page is ASCII: what is too long are the names. Pictures go first.
        named, pictures = (named, ()) if pictures else (named[:: 1 + len(page) // MOST_BYTES], ())


def _page(points: MapPoints, named: Sequence[Named], pictures: Sequence[str], by: str, notes: Sequence[str]) -> str:
    sentences = [*notes, *points.problems]
    if len(named) < len(points.places):
        sentences.append(
            f"The page has {len(named):,} of {counted(len(points.places), 'image')}, evenly drawn; counts are of all."
        )
    unread = sum(not one for one in pictures)
    if unread:
        sentences.append(f"{counted(unread, 'image')} could not be read, and shown as a dot.")
    if len(points.found) > _MOST_FOUND:
        sentences.append(f"The first {_MOST_FOUND} of {len(points.found):,} hits are marked.")
    style, script = (packaged(name) for name in ("map.css", "map.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    # The template marks as safe what is ours alone.
    return render(
        "map.html",
        policy=policy,
        title=points.title,
        total=counted(len(points.places), "image"),
        sentences=sentences,
        style=style,
        script=script,
        data=page_data(points, named, pictures, by),
    )


def map_assets() -> tuple[str, str, str]:
    """Return what every page of a map has: the HTML that is drawn into, its style and its script."""
    return packaged("map_body.html"), packaged("map.css"), packaged("map.js")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def page_data(points: MapPoints, named: Sequence[Named], pictures: Sequence[str], by: str) -> dict[str, Any]:
    """Return what the script of a map reads: the points that are named, colourings and hits, as plain values."""
    numbers = np.array([one.number for one in named], np.int64)
    reach = max(1.0, float(np.abs(points.places).max(initial=0.0)))
    places = (points.places[numbers].astype(np.float64) / reach * [1, -1] + 1) / 2
    folders, names = _Numbers(), []
    for one in named:
        folder, slash, name = one.id.rpartition("/")
        if folders.add(folder + slash):
            names.append(name)
        else:
            names.append(one.id)
    labels, subsets, datasets = _Numbers(), _Numbers(), _Numbers(255)
    for one in named:
        labels.add(json.dumps(one.labels))
        subsets.add(one.subset)
        datasets.add(one.dataset)
    return {
        "reach": reach,
        "x": _base64(np.round(places[:, 0] * 65535).astype("<u2")),
        "y": _base64(np.round(places[:, 1] * 65535).astype("<u2")),
        "folder": folders.codes,
        "folders": folders.names,
        "names": names,
        "labels": labels.codes,
        "labelLists": [json.loads(one or "[]") for one in labels.names],
        "subset": subsets.codes,
        "subsets": subsets.names,
        "dataset": _base64(np.array(datasets.numbers, "u1")),
        "datasets": datasets.names,
        "colourings": {name: _colouring(one, numbers) for name, one in points.colourings.items()},
        "by": by,
        "pictures": list(pictures),
        "asked": points.asked,
        "found": [
            {
                "rank": one.rank,
                "distance": one.distance,
                "id": one.id,
                "subset": one.subset,
                "dataset": one.dataset,
                "weak": one.weak,
                "point": _place(numbers, one.number),
                "x": (one.x / reach + 1) / 2,
                "y": (1 - one.y / reach) / 2,
            }
            for one in points.found[:_MOST_FOUND]
        ],
    }


def _place(numbers: npt.NDArray[np.int64], number: int) -> int:
    """Return the place of a number among ascending ones; -1 where it is not among them."""
    place = int(np.searchsorted(numbers, number))
    return place if place < len(numbers) and numbers[place] == number else -1


class _Numbers:
    """Numbers for texts that many points share. Beyond the most numbers, a text counts as the first, empty one."""

    def __init__(self, most: int = _MOST_NAMES) -> None:
        self._most = most
        self._known = {"": 0}
        self.numbers: list[int] = []

    def add(self, text: str) -> bool:
        """Note the text of the next point; return whether it has a number."""
        fits = text in self._known or len(self._known) < self._most
        self.numbers.append(self._known.setdefault(text, len(self._known)) if fits else 0)
        return fits

    @property
    def names(self) -> list[str]:
        return list(self._known)

    @property
    def codes(self) -> str:
        return _base64(np.array(self.numbers, "<u2"))


def _colouring(one: Colouring, numbers: npt.NDArray[np.int64]) -> dict[str, Any]:
    return {
        "names": one.names,
        "colours": one.colours,
        "counts": one.counts,
        "note": one.note,
        "codes": _base64(one.codes[numbers]),
    }


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _picture(path: str, max_pixels: int) -> str:
    """Return a small picture as a data URL; empty where it cannot be read."""
    picture = thumbnail(path, _PICTURE, max_pixels)
    if picture is None:
        return ""
    stream = io.BytesIO()
    picture.image.convert("RGB").save(stream, "JPEG", quality=72)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
