"""What a reader is: it turns a location into the items of a dataset, and gives their images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, ClassVar, NamedTuple

DEFAULT_SUBSET = "default"
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

# Kinds of items that are left out.
UNREADABLE = "unreadable"
MISSING = "missing"
DUPLICATE = "duplicate"
NO_IMAGE = "no image"


class ReadItem(NamedTuple):
    """One image as a reader found it, before anything is decoded.

    Attributes
    ----------
    id, subset, labels
        As the index keeps them.
    size, mtime_ns
        Of the media, in bytes and nanoseconds.
    media
        Where the media is: empty, the id is its path below the root; ``!/`` and the name of a member, in the location,
        which is an archive (``!/`` alone: the id is the name); else a path, absolute or relative to the root.
    content
        Hash of the media's bytes, where the reader knows it without reading them again; otherwise 0.
    """

    id: str
    subset: str
    labels: tuple[str, ...]
    size: int
    mtime_ns: int
    media: str = ""
    content: int = 0


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """A place where there should be an image that is left out.

    Attributes
    ----------
    id
        Its id, or what comes nearest to one.
    reason
        Why, as the end of a sentence.
    kind
        ``unreadable``; ``missing``: there is no such file; ``duplicate``: another item has its id and subset;
        ``no image``: media of another kind, such as a video.
    """

    id: str
    reason: str
    kind: str = UNREADABLE


class Reader(ABC):
    """Reads one dataset in one format.

    Parameters
    ----------
    location
        Where the dataset is: a folder or a file, absolute.
    options
        Options of the format, texts by name.

    Attributes
    ----------
    format
        Name of the format: lower case, digits and underscores.
    about
        The format in a few words, for lists.
    in_order
        Whether ``read`` yields items in item order (code points of the id, then of the subset), each once.
    location, options
        As given.
    root
        The folder that paths of media are relative to: the location, or the folder that it is in.

    Raises
    ------
    DatasetError
        From anywhere, when the dataset cannot be read.
    """

    format: ClassVar[str]
    about: ClassVar[str] = ""
    in_order: ClassVar[bool] = False

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        self.location = location
        self.options = dict(options)
        self.root = location if location.is_dir() else location.parent

    @classmethod
    @abstractmethod
    def detect(cls, location: Path) -> str | None:
        """Say what speaks for ``location`` being in this format, such as "it has annotations/*.json"; None: nothing.

        Looks at names and a little content, never at the whole dataset.
        """

    @abstractmethod
    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items, in bounded memory. Can be called again, and then finds what has changed."""

    def fingerprint(self) -> str | None:
        """Return a text that is another one where ``read`` may yield anything else; None where that is not cheap."""
        return None

    def open(self, item: ReadItem) -> Path | IO[bytes]:
        """Return the media of an item: its file, or an open binary file that can seek.

        Called from several threads at once.

        Raises
        ------
        ImageError
            When it is not there.
        """
        from clipdex.media import locator, open_media

        where = locator(self.location, item.id, item.media)
        path = Path(where)
        return path if path.exists() else open_media(where)
