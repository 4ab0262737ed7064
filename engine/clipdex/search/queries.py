"""Queries: a text, an image, an item, or a list that mixes them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipdex.defaults import PROMPTINGS
from clipdex.errors import QueryError, QueryImageError
from clipdex.paths import is_url
from clipdex.search.hit import Hit
from clipdex.wording import type_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

# What ``Path`` leaves of two slashes.
_ONE_SLASH = re.compile(r"^([^/:]+):/(?!/)")


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Images that show what a text says.

    Attributes
    ----------
    text
        A few words, or a sentence.
    prompting
        ``auto``: a few words go into the prompt of the model, a sentence stays as it is. ``none``: the text stays as it
        is. ``ensemble``: a few words become the mean over several prompts of the model.
    """

    text: str
    prompting: str = "auto"

    kind = "text"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise QueryError(f"the text of a query is {type_of(self.text)}, and not a str.")
        if not self.text.strip():
            raise QueryError("the text of a query is empty; give at least one word.")
        if self.prompting not in PROMPTINGS:
            raise QueryError(f"prompting is {self.prompting!r}, and must be one of {', '.join(PROMPTINGS)}.")


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """Images like this one.

    Attributes
    ----------
    image
        A file, a ``PIL.Image.Image``, or the bytes of a file. An array of pixels is copied and becomes an image: uint8
        ``[height, width, 3]`` in RGB, or ``[height, width]`` in grey.
    name
        What a result calls an image that is in no file; empty for its number.
    """

    image: Path | Image.Image | bytes
    name: str = ""

    kind = "image"

    def __post_init__(self) -> None:
        if isinstance(self.image, str | Path) and is_url(str(self.image)):
            shown = _ONE_SLASH.sub(r"\1://", str(self.image))
            raise QueryImageError(
                f"the query image {shown!r} is a URL, and clipdex fetches nothing: download it, and give the file."
            )
        if isinstance(self.image, str) and not self.image:
            raise QueryImageError("the query image '' cannot be used: give an image file.")
        if isinstance(self.image, str):
            object.__setattr__(self, "image", Path(self.image))
        elif not isinstance(self.image, Path | bytes):
            import numpy as np

            if isinstance(self.image, np.ndarray):
                object.__setattr__(self, "image", _image_of(self.image))


def _image_of(pixels: npt.NDArray[np.generic]) -> Image.Image:
    """Return an array of pixels as an image.

    Raises
    ------
    QueryImageError
        When it is none.
    """
    from PIL import Image

    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not fits or pixels.dtype.name != "uint8" or 0 in pixels.shape:
        raise QueryImageError(
            f"an array of {pixels.dtype} with the shape {list(pixels.shape)} is no image: give uint8 with the shape "
            "[height, width, 3] for RGB, or [height, width] for grey. Of a batch, give a list of its images."
        )
    return Image.fromarray(pixels.copy())


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Images like an item of the datasets that are searched.

    Attributes
    ----------
    id
        Its id. The extension can be left out where that is unambiguous; ``NAME:`` in front names the dataset.
    subsets
        Subsets to look in; empty for all.
    dataset
        Name of its dataset; None for any.
    """

    id: str
    subsets: tuple[str, ...] = ()
    dataset: str | None = None

    kind = "item"


@dataclass(frozen=True, eq=False)
class DatasetItem:
    """One image of a dataset that is open.

    Attributes
    ----------
    id, subset, labels
        As in the index.
    dataset
        Name of its dataset.
    path
        Its file.
    hash_key
        uint8 ``[bits / 8]``, most significant bit first.
    model_digest
        Digest of the model that hashed it.
    """

    id: str
    subset: str
    labels: tuple[str, ...]
    dataset: str
    path: Path
    hash_key: npt.NDArray[np.uint8]
    model_digest: str

    kind = "item"


Query = TextQuery | ImageQuery | ItemQuery
# A query, something that stands for one (str, path, image in memory, hit), or a list of those.
QueryLike = Any


def as_queries(query: QueryLike) -> list[Query | DatasetItem]:
    """Return what a caller gave as queries.

    A str is a text. A path, a PIL image, the bytes of an image file, and an array of pixels are images. A hit is its
    item.

    Raises
    ------
    QueryError
        When there is no query, or something is none.
    """
    queries = _as_list(query)
    if not queries:
        raise QueryError("there is nothing to search for: give a text, an image or an item.")
    return queries


def as_negatives(query: QueryLike) -> list[Query | DatasetItem]:
    """Return what a caller gave as negative queries, as ``as_queries`` does; None and an empty list are no queries.

    Raises
    ------
    QueryError
        When something is no query.
    """
    return [] if query is None else _as_list(query)


def _as_list(query: QueryLike) -> list[Query | DatasetItem]:
    several = isinstance(query, Sequence) and not isinstance(query, str | bytes)
    return [_as_query(one) for one in (query if several else [query])]


def _as_query(query: Any) -> Query | DatasetItem:  # noqa: ANN401
    if isinstance(query, TextQuery | ImageQuery | ItemQuery):
        return query
    if isinstance(query, str):
        return TextQuery(query)
    if isinstance(query, os.PathLike):
        return ImageQuery(Path(query))
    if isinstance(query, bytes):
        return ImageQuery(query)
    if isinstance(query, Hit):
        return ItemQuery(query.id, (query.subset,), query.dataset)
    import numpy as np
    from PIL import Image

    if isinstance(query, Image.Image | np.ndarray):
        return ImageQuery(query)  # type: ignore[arg-type]  # an array becomes an image

    if isinstance(query, DatasetItem):
        return query
    if type(query).__name__ == DatasetItem.__name__:
        raise QueryError(
            f"a DatasetItem of {type(query).__module__.partition('.')[0]} is no query: give an item of the index, from "
            "Explorer.item(ID), or the image of the item as a Path or a PIL image."
        )
    raise QueryError(
        f"{type_of(query)} is no query: give a str for a text; a Path, a PIL image, an array of pixels or the bytes of "
        "a file for an image; a DatasetItem of clipdex or a Hit for an item; or a list of those."
    )
