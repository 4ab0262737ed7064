"""Reading the XML of CVAT as a stream: images with their labels, and tracks of videos.

Only what names an image or a label is looked at. ``<meta>`` may be of a project, a task or a job, or be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from clipdex.errors import DatasetError
from clipdex.readers.annotated.cvat_mending import Mender

_BLOCK = 1 << 16
# CVAT nests six elements.
_MOST_NESTED = 100
# The longest tag that is read: masks are numbers in an attribute.
_MOST_BYTES_OF_A_TAG = 64 << 20
_IN_ROOT, _IN_ENTRY = 1, 2
_MOST_CHARACTERS = 1000
_LABELLED = ("tag", "box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")


class Frame(NamedTuple):
    """An image as CVAT names it, with the names of its labels, each once, in order."""

    name: str
    subset: str
    labels: tuple[str, ...]
    line: int


class Track(NamedTuple):
    """An object of a video: its label, and the numbers of the frames that it is marked in, with whether it is seen."""

    label: str
    subset: str
    frames: tuple[tuple[int, bool], ...]


class Problem(NamedTuple):
    """What could not be read, and in which line."""

    reason: str
    line: int


def entries(path: Path) -> Iterator[Frame | Track | Problem]:
    """Yield the images and tracks of a file in its order. A subset that ``<meta>`` alone names is that of all.

    A file that is damaged gives what is before the damage, also of the image that it is in. An ampersand that is not
    escaped is read as one.

    Raises
    ------
    DatasetError
        When the file cannot be opened or read.
    """
    parser = _Parser()
    try:
        with path.open("rb") as handle:
            while not parser.ended:
                parser.feed(handle.read(_BLOCK))
                yield from parser.found
                parser.found.clear()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


class _Refused(Exception):
    """The file has something that is not read."""


class _Parser:
    """Takes a file block by block, and collects what was found in ``found``."""

    def __init__(self) -> None:
        self.found: list[Frame | Track | Problem] = []
        self.ended = False
        self._open: list[str] = []
        self._entry: dict[str, str] = {}
        self._line = 0
        self._labels: dict[str, None] = {}
        self._frames: list[tuple[int, bool]] = []
        self._subset = ""
        self._text: list[str] | None = None
        self._since = 0
        self._mender = Mender()
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.EntityDeclHandler = self._declared

    def feed(self, data: bytes) -> None:
        """Take the next block; an empty one is the end."""
        self._since += len(data)
        try:
            if self._since > _MOST_BYTES_OF_A_TAG:
                raise _Refused(f"one tag has more than {_MOST_BYTES_OF_A_TAG >> 20} MiB")
            told = self._mender.replaced
            block = self._mender.mended(data)
            if self._mender.replaced and not told:
                self._problem("from here on it is not all valid UTF-8: other letters are read as those of Windows")
            self._expat.Parse(block, not data)
            self.ended = not data
        except _Refused as error:
            self._stop(str(error))
        except expat.ExpatError as error:
            self._stop(f"it is no valid XML from here on ({expat.ErrorString(error.code)})")
        except (ValueError, LookupError) as error:
            self._stop(f"it cannot be read as XML ({error})")

    def _stop(self, reason: str) -> None:
        self.found.append(Problem(reason, self._expat.CurrentLineNumber))
        if len(self._open) > _IN_ROOT and self._open[_IN_ROOT] in ("image", "track"):
            self._end_entry(self._open[_IN_ROOT])
        self.ended = True

    def _declared(self, *_: object) -> None:
        raise _Refused("it declares entities, which CVAT does not")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._since = 0
        depth = len(self._open)
        if depth == 0 and tag != "annotations":
            raise _Refused(f"it is of {tag[:50]!r}, and not of CVAT's 'annotations'")
        if depth >= _MOST_NESTED:
            raise _Refused(f"more than {_MOST_NESTED} elements are nested")
        if depth == _IN_ROOT and tag in ("image", "track"):
            self._entry, self._line = attributes, self._expat.CurrentLineNumber
            self._labels, self._frames = {}, []
        elif depth == _IN_ENTRY and self._open[_IN_ROOT] == "image":
            # A skeleton has shapes of its own, whose labels are those of its joints.
            if label := self._label(tag, attributes):
                self._labels[label] = None
            elif tag in _LABELLED:
                self._problem(f"a {tag} without a label")
        elif depth == _IN_ENTRY and self._open[_IN_ROOT] == "track":
            self._shape(attributes)
        elif tag == "subset" and self._open[_IN_ROOT:] == ["meta", "task"]:
            self._text = []
        self._open.append(tag)

    def _label(self, tag: str, attributes: dict[str, str]) -> str:
        """Return the label of an element; of one without end the beginning."""
        label = attributes.get("label", "").strip()
        if len(label) > _MOST_CHARACTERS:
            self._problem(f"the label of a {tag} has {len(label):,} characters, and is cut off")
            label = f"{label[:_MOST_CHARACTERS]}..."
        return label

    def _shape(self, attributes: dict[str, str]) -> None:
        number = attributes.get("frame", "")
        if number.isascii() and number.isdigit() and len(number) < 10:
            self._frames.append((int(number), attributes.get("outside") != "1"))
        else:
            self._problem("a shape of a track without the number of its frame")

    def _end(self, tag: str) -> None:
        self._since = 0
        self._open.pop()
        if self._text is not None:
            self._subset, self._text = "".join(self._text).strip(), None
        elif len(self._open) == _IN_ROOT and tag in ("image", "track"):
            self._end_entry(tag)

    def _end_entry(self, tag: str) -> None:
        subset = self._entry.get("subset", "").strip() or self._subset
        if tag == "track":
            self._track(subset)
        elif name := self._entry.get("name", "").strip():
            self.found.append(Frame(name, subset, tuple(self._labels), self._line))
        else:
            self.found.append(Problem("an image without a name", self._line))

    def _track(self, subset: str) -> None:
        label = self._label("track", self._entry)
        if not label:
            self.found.append(Problem("a track without a label", self._line))
        self.found.append(Track(label, subset, tuple(self._frames)))

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _problem(self, reason: str) -> None:
        self.found.append(Problem(reason, self._expat.CurrentLineNumber))
