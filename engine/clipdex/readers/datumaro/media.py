"""Images that share a file with others: Datumaro takes their arrays or bytes out of it.

The media of such an item is ``!/datumaro/FORMAT[?OPTIONS]/SUBSET/ID``, with subset and options quoted as in a URL.
Opening it opens the dataset again with Datumaro; the datasets used last stay open.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode

from clipdex.errors import ClipdexError, ImageError
from clipdex.media.members import Found
from clipdex.readers.datumaro.library import open_dataset
from clipdex.readers.datumaro.quiet import LOCK, quiet

_T = TypeVar("_T")
_PREFIX = "datumaro/"
_MEMBER = "!/"
# Each holds the pixels of a whole dataset.
_KEPT = 2
# The original CIFAR has red first, which Datumaro hands on as it is; everything else of it has blue first.
_RED_FIRST = frozenset({"cifar"})


def media_of(format_name: str, options: Mapping[str, str], subset: str, item_id: str) -> str:
    """Return the ``media`` of an item whose image is not a file."""
    query = f"?{urlencode(sorted(options.items()))}" if options else ""
    return f"{_MEMBER}{_PREFIX}{format_name}{query}/{quote(subset, safe='')}/{item_id}"


def image_bytes(media: Any, format_name: str) -> bytes | None:  # noqa: ANN401
    """Return a file of the image of an item: its own bytes, or a PNG of its pixels; None where there is no image.

    Parameters
    ----------
    media
        An image of Datumaro.
    """
    import numpy as np
    from PIL import Image

    data = media.bytes
    if data is not None:
        return bytes(data)
    pixels = media.data
    if pixels is None or np.size(pixels) == 0:
        return None
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and format_name not in _RED_FIRST:
        pixels = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def content_hash(media: Any) -> tuple[int, int]:  # noqa: ANN401
    """Return size in bytes and content hash of the bytes or pixels of an image; zeros where there are none."""
    data = media.bytes
    if data is None:
        pixels = media.data
        if pixels is None:
            return 0, 0
        # The same pixels in another shape are another picture.
        data = f"{pixels.shape}{pixels.dtype}".encode() + pixels.tobytes()
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return len(data), int.from_bytes(digest, "little", signed=True)


def fits(path: Path, member: str) -> bool:
    """Tell whether a member is one that ``media_of`` made."""
    return member.startswith(_PREFIX) and member.count("/") >= 3


def open_container(path: Path) -> DatumaroContainer:
    """Return the dataset at ``path`` as a container of its images."""
    return DatumaroContainer(path)


class DatumaroContainer:
    """A dataset that Datumaro reads, as a container of images. Several threads may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, member: str) -> IO[bytes]:
        """Open the image of an item, for reading.

        Raises
        ------
        ImageError
            When it is not there (any more) or cannot be read.
        """
        data = self._of(member, image_bytes)
        if data is None:
            raise ImageError("there is no such image in the dataset any more")
        return io.BytesIO(data)

    def find(self, member: str) -> Found:
        """Return what tells an item from others: only its content tells whether it has changed.

        Raises
        ------
        ImageError
            When it is not there (any more) or cannot be read.
        """
        size, content = self._of(member, lambda media, _: content_hash(media)) or (0, 0)
        if not size:
            raise ImageError("there is no such image in the dataset any more")
        return Found(member, size, content=content)

    def _of(self, member: str, what: Callable[[Any, str], _T]) -> _T | None:
        """Return what a function says of the media of an item and its format; None where there is no such item."""
        named, subset, item_id = member[len(_PREFIX) :].split("/", 2)
        format_name, _, query = named.partition("?")
        try:
            with LOCK:
                dataset = _kept.get(self._path, format_name, query)
                with quiet():
                    item = dataset.get(item_id, unquote(subset))
                    return None if item is None or item.media is None else what(item.media, format_name)
        except ImageError:
            raise
        except ClipdexError as error:
            raise ImageError(error.message.rstrip(".")) from error
        except Exception as error:
            raise ImageError(f"cannot be read by Datumaro: {error}") from error


class _Kept:
    """The datasets that were used last, whole in memory."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Path, str, str, int], Any] = OrderedDict()

    def get(self, path: Path, format_name: str, query: str) -> Any:  # noqa: ANN401
        key = (path, format_name, query, _newest(path))
        dataset = self._open.pop(key, None)
        if dataset is None:
            dataset = open_dataset(format_name, path, dict(parse_qsl(query)), stream=False)
        self._open[key] = dataset
        if len(self._open) > _KEPT:
            self._open.popitem(last=False)
        return dataset


def _newest(path: Path) -> int:
    """Return the latest modification time of a file, or of a folder and the files in it, in nanoseconds."""
    files = [entry for entry in path.iterdir() if entry.is_file()] if path.is_dir() else []
    return max(file.stat().st_mtime_ns for file in [path, *files])


_kept = _Kept()
