"""The interface of readers, and what they yield."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, ClassVar, NamedTuple

from clipdex.errors import DatasetError
from clipdex.media.locators import locator
from clipdex.media.opening import open_media
from clipdex.paths import base_of
from clipdex.readers.annotations import AnnotationProblems
from clipdex_indexes import ItemRow

if TYPE_CHECKING:
    from clipdex_indexes.known import KnownItems

DEFAULT_SUBSET = "default"
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

# Kinds of items that are left out.
UNREADABLE = "unreadable"
MISSING = "missing"
DUPLICATE = "duplicate"
NO_IMAGE = "no image"
# Kinds of items of which a build says something although they did not fail.
DAMAGED = "damaged"
NEEDS_EXTRA = "needs an extra"
AWAY = "away"
ANNOTATION = "annotation"


class ReadItem(ItemRow):
    """One image as a reader found it: the row that an index keeps of it.

    Attributes
    ----------
    id, subset, labels
        Id of the item within its subset, name of the subset, names of the labels.
    size, mtime_ns
        Size in bytes and modification time in nanoseconds of the media.
    media
        Where the media is. Empty: the id is its path below the root. ``!/MEMBER``: a member of the location, which is
        an archive; ``!/`` alone means that the id is the name of the member. Otherwise a path, absolute or relative to
        the root.
    content
        Hash of the media's bytes, where the reader knows it without reading them again; otherwise 0.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item that is left out, or a folder that cannot be read.

    Attributes
    ----------
    id
        Id of the item, or a text that stands for it.
    reason
        Why it is left out, as the end of a sentence.
    kind
        ``unreadable``; ``missing``: there is no such file; ``duplicate``: another item has its id and subset;
        ``no image``: media of another kind, such as a video; ``away``: a place where a disk or a share may be missing.
        What is away is reported only where an index has items there.
    unseen
        Whether nobody can tell what is there now, such as where permission is denied. An index then keeps its item of
        that id and, if it is a folder, the items below it (``.`` is the whole dataset).
    """

    id: str
    reason: str
    kind: str = UNREADABLE
    unseen: bool = False


class Unchanged(NamedTuple):
    """Items that an index has as they are, all of one folder.

    Attributes
    ----------
    folder
        The path of the folder below the root, with a slash at the end; empty for the root.
    subset
        The subset of the items.
    count
        Their number; at least 1.
    """

    folder: str
    subset: str
    count: int  # type: ignore[assignment]  # hides a method of tuples


class Reader(ABC):
    """Reads one dataset in one format.

    Parameters
    ----------
    location
        Absolute path of the folder or file of the dataset.
    options
        Options of the format, texts by name. Only those of ``option_names`` are allowed.

    Attributes
    ----------
    format
        Name of the format: lower case, digits and underscores.
    about
        The format in a few words, for lists.
    option_names
        Descriptions of the options of the format, by name.
    suffixes
        Extensions, in lower case, of files in this format. A file with one of them that fits no format is read in this
        one, so that the error says what is wrong with the file.
    in_order
        Whether ``read`` yields items in item order (code points of the id, then of the subset), each once.
    location, options
        As given.
    root
        The folder that paths of media are relative to: the location, or the folder of the file.
    notices
        Sentences that tell the user how this reader was chosen.
    tried
        The formats that did not fit, where a plain folder was taken instead.
    passed_over
        What the last ``read`` passed over so far: the number of files by extension (lower case, such as ``.cr2``), and
        of folders by name with a slash after it (``@eaDir/``). A reader counts what users may take for images. Of masks
        it is their folder, or the pattern of their names (``*_seg.png``).
    annotation_problems
        The annotations that the last ``read`` could not read so far.
    remarks
        Sentences on what else the last ``read`` found so far that the user should know, such as images that no
        annotation file names.

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
        self.passed_over: Counter[str] = Counter()
        self.annotation_problems = AnnotationProblems()
        self.remarks: list[str] = []
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
        """Return why ``location`` may be in this format, such as "it has annotations/*.json"; None where it is not.

        Look at names and a little content only, never at the whole dataset. The location may be a folder, a file, a
        pattern, or not exist.
        """

    @classmethod
    def hint(cls, location: Path) -> str:
        """Return a sentence on a dataset in this format near a folder that is none itself; empty where none is known.

        It is told where the folder is read as one of images, and says what lies there and what to type. Only formats of
        clipdex are asked.
        """
        return ""

    @classmethod  # noqa: B027 - most need nothing
    def check_installed(cls) -> None:
        """Check that the packages that this format needs are installed.

        Raises
        ------
        ExtraMissing
            When one is not.
        """

    @abstractmethod
    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield the items, in bounded memory. Each call reads the dataset as it is then."""

    def forget_findings(self) -> None:
        """Forget what an earlier ``read`` counted and remarked on; ``read`` begins with it."""
        self.passed_over.clear()
        self.annotation_problems.clear()
        self.remarks.clear()

    def rules(self) -> str | None:
        """Return a text that differs where files would become other items; None where there is no ``read_unlike``."""
        return None

    def read_unlike(self, known: KnownItems) -> Iterator[ReadItem | UnreadableItem | Unchanged]:
        """Yield the items that an index does not have as they are, and count the others, in item order.

        Parameters
        ----------
        known
            The items of the index. They became items by the same ``rules``. Those that are as they were are ticked off
            as their folder is read, and those of them that are set apart are yielded all the same.
        """
        raise NotImplementedError

    def open(self, item: ReadItem) -> Path | IO[bytes]:
        """Return the media of an item: its path, or an open binary file that can seek.

        Several threads call this at once.

        Raises
        ------
        ImageError
            When it is not there.
        """
        where = locator(self.location, item.id, item.media)
        path = Path(where)
        return path if path.exists() else open_media(where)
