"""What a reader is: it turns a location into the items of a dataset, and gives their images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, ClassVar, NamedTuple

from clipdex.errors import DatasetError
from clipdex.paths import base_of

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
    unseen
        Whether nobody can tell what is there now, as where permission is denied: an index keeps its item of that id,
        and those below it where it is a folder (``.`` is the whole dataset).
    """

    id: str
    reason: str
    kind: str = UNREADABLE
    unseen: bool = False


class Reader(ABC):
    """Reads one dataset in one format.

    Parameters
    ----------
    location
        Where the dataset is: a folder or a file, absolute.
    options
        Options of the format, texts by name: some of ``option_names``.

    Attributes
    ----------
    format
        Name of the format: lower case, digits and underscores.
    about
        The format in a few words, for lists.
    option_names
        The options of the format: what each says, by name.
    suffixes
        How names end, in lower case, of files that are meant to be in this format: one that no format fits is read as
        such, so that it is said what is wrong with it.
    in_order
        Whether ``read`` yields items in item order (code points of the id, then of the subset), each once.
    location, options
        As given.
    root
        The folder that paths of media are relative to: the location, or the folder that it is in.
    notices
        What the user should know of how this reader was chosen, as sentences.
    tried
        The formats that were looked for before it, in vain.

    Raises
    ------
    DatasetError
        From anywhere, when the dataset cannot be read, or there is no such option.
    """

    format: ClassVar[str]
    about: ClassVar[str] = ""
    option_names: ClassVar[Mapping[str, str]] = NO_OPTIONS
    suffixes: ClassVar[tuple[str, ...]] = ()
    in_order: ClassVar[bool] = False

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        self.location = location
        self.options = dict(options)
        self.root = base_of(location)
        self.notices: tuple[str, ...] = ()
        self.tried: tuple[str, ...] = ()
        self.require_options(options)

    @classmethod
    def require_options(cls, names: Iterable[str]) -> None:
        """Refuse options that the format does not have.

        Raises
        ------
        DatasetError
            When there is no such option.
        """
        for name in names:
            if name not in cls.option_names:
                known = f"its options are {', '.join(cls.option_names)}" if cls.option_names else "it has none"
                raise DatasetError(f"the format {cls.format} has no option {name!r}: {known}.")

    @classmethod
    @abstractmethod
    def detect(cls, location: Path) -> str | None:
        """Say what speaks for ``location`` being in this format, such as "it has annotations/*.json"; None: nothing.

        Looks at names and a little content, never at the whole dataset. The location may be anything: a folder, a
        file, a pattern, or nothing that is there.
        """

    @classmethod  # noqa: B027 - most need nothing
    def check_installed(cls) -> None:
        """Find out whether the packages that this format needs are there.

        Raises
        ------
        ExtraMissing
            When one is not.
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
        from clipdex.media.locators import locator
        from clipdex.media.opening import open_media

        where = locator(self.location, item.id, item.media)
        path = Path(where)
        return path if path.exists() else open_media(where)
