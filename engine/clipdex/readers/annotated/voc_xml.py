"""Reading one XML file of Pascal VOC: the names of its objects, and which image it says that it is of.

The file is from outside. It is read in pieces and no tree is made of it; entities are not expanded, nothing is fetched,
and its size, its depth and the length of its names are bounded. What stands before damage is kept.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

_PIECE = 1 << 20
# A file in the usual form: most are, and parsing them would take most of the time of reading a dataset.
_USUAL_BYTES = 1 << 14
_USUAL_START = re.compile(
    rb"""(?:<\?xml\s+version=["']1.0["'](?:\s+encoding=["'](?:utf-8|UTF-8)["'])?\s*\?>\s*)?<annotation(?:\s[^<>]*)?>"""
)
_USUAL_OBJECT = re.compile(rb"<object>\s*<name>([^<]*)</name>")
_USUAL_ENDS = (b"</annotation>", b"</annotation>\n", b"</annotation>\r\n")
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_BYTES = 16 << 20
_MOST_DEPTH = 200
_MOST_ELEMENTS = 100_000
_MOST_CHARACTERS = 1000
_MOST_NAMES_KEPT = 1000
_OF_THE_IMAGE = frozenset({"filename", "folder", "path"})
_NAMES = ("name", "label", "class")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARATION = re.compile(r"^\s*(?:<\?xml[^>]{0,200}\?>)?\s*")
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_DAMAGE = (expat.ExpatError, ValueError, LookupError)
# Stands for what cannot be decoded.
_UNREADABLE = "\ufffd"


@dataclass(slots=True)
class Annotation:
    """What one XML file says.

    Attributes
    ----------
    labels
        Names of its objects, each once, in the order of the file.
    filename, folder, path
        Which image it says that it is of; empty where it does not.
    root
        Name of its first element, in lower case; empty where there is none.
    problems
        What could not be read: reasons with the numbers of their lines, 0 for the whole file.
    """

    labels: dict[str, None] = field(default_factory=dict)
    filename: str = ""
    folder: str = ""
    path: str = ""
    root: str = ""
    problems: list[tuple[str, int]] = field(default_factory=list)


class _RefusedError(Exception):
    """What is not read further, with the reason."""


class _Parser:
    """Takes an annotation out of the events of one file.

    Of elements outside of objects only the beginnings are looked at: most of a file is of no interest.
    """

    def __init__(self, encoding: str | None, *, lossy: bool = False) -> None:
        self.found = Annotation()
        self._lossy = lossy
        self._elements = 0
        # The number of elements that are open since the outermost object began.
        self._depth = 0
        # For each object that is open: its depth, its line, and its names by the tag of their element.
        self._objects: list[tuple[int, int, dict[str, str]]] = []
        # What text is collected of: the tag, and its depth.
        self._tag, self._tag_depth = "", 0
        self._pieces: list[str] = []
        self._length = 0
        parser = self._parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._first
        parser.EntityDeclHandler = self._declares_entity
        parser.SkippedEntityHandler = self._skipped_entity

    def parse(self, pieces: Iterator[bytes]) -> Annotation:
        """Read a file piece by piece.

        Raises
        ------
        expat.ExpatError, ValueError, LookupError
            When it is damaged, or in an unknown encoding; ``found`` has what stands before that.
        """
        try:
            for piece in pieces:
                self._parser.Parse(piece, False)
            self._parser.Parse(b"", True)
        except _RefusedError as refused:
            self.found.problems.append((str(refused), self._parser.CurrentLineNumber))
        return self.found

    def _first(self, tag: str, attributes: object) -> None:
        self.found.root = _plain(tag)
        if self.found.root != "annotation":
            raise _RefusedError(f"it is no annotation of Pascal VOC: it begins with <{tag[:50]}>")
        self._parser.StartElementHandler = self._outside

    def _outside(self, tag: str, attributes: object) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise _RefusedError(f"it has more than {_MOST_ELEMENTS:,} elements outside of objects")
        tag = _plain(tag)
        if tag in _OF_THE_IMAGE:
            self._collect(tag)
        elif tag == "object":
            self._open_object()

    def _open_object(self) -> None:
        if len(self._objects) >= _MOST_DEPTH:
            raise _RefusedError(f"objects are nested deeper than {_MOST_DEPTH}")
        self._depth += 1
        parser = self._parser
        self._objects.append((self._depth, parser.CurrentLineNumber, {}))
        parser.StartElementHandler, parser.EndElementHandler = self._inside, self._end
        parser.CharacterDataHandler = None

    def _inside(self, tag: str, attributes: object) -> None:
        tag = _plain(tag)
        if tag == "object":
            self._open_object()
            return
        self._depth += 1
        if tag in _NAMES and self._depth == self._objects[-1][0] + 1:
            self._collect(tag)
        elif self._depth > _MOST_DEPTH:
            raise _RefusedError(f"elements are nested deeper than {_MOST_DEPTH}")

    def _end(self, tag: str) -> None:
        if self._depth == self._objects[-1][0]:
            _, line, names = self._objects.pop()
            self._end_object(line, names)
            if not self._objects:
                self._parser.StartElementHandler, self._parser.EndElementHandler = self._outside, None
        self._depth -= 1

    def _collect(self, tag: str) -> None:
        self._tag, self._tag_depth = tag, self._depth
        self._pieces.clear()
        self._length = 0
        self._parser.CharacterDataHandler, self._parser.EndElementHandler = self._text, self._end_text

    def _text(self, text: str) -> None:
        if self._length <= _MOST_CHARACTERS:
            self._pieces.append(text)
            self._length += len(text)

    def _skipped_entity(self, name: str, is_parameter: bool) -> None:
        if self._parser.CharacterDataHandler is not None:
            self._text(f"&{name};")

    def _end_text(self, tag: str) -> None:
        if self._depth != self._tag_depth:  # an element in the text
            self._depth -= 1
            return
        text = "".join(self._pieces).strip()
        self._parser.CharacterDataHandler = None
        if self._objects:
            self._objects[-1][2].setdefault(self._tag, text)
            self._depth -= 1
            self._parser.EndElementHandler = self._end
        else:
            if self._length <= _MOST_CHARACTERS:
                setattr(self.found, self._tag, text)
            self._parser.EndElementHandler = None

    def _end_object(self, line: int, names: dict[str, str]) -> None:
        label = next((names[tag] for tag in _NAMES if names.get(tag)), "")
        if not label:
            reason = "an object has no name"
        elif len(label) > _MOST_CHARACTERS:
            reason = f"the name of an object has more than {_MOST_CHARACTERS:,} characters"
        elif self._lossy and _UNREADABLE in label:
            reason = "the name of an object cannot be decoded"
        else:
            self.found.labels[label if label.isprintable() else " ".join(label.split())] = None
            return
        self.found.problems.append((reason, line))

    def _declares_entity(self, *_: object) -> None:
        raise _RefusedError("it declares entities, which are not read")


def _plain(tag: str) -> str:
    """Return a tag without the prefix of its namespace, in lower case."""
    return tag if tag.islower() and ":" not in tag else tag.rpartition(":")[2].lower()


def read_labels(path: str) -> tuple[str, ...] | Annotation:
    """Read the labels of an XML file of Pascal VOC; return all of what it says where that is not quicker.

    A file in the usual form is not parsed: without comments, sections, entities and declarations, ``<object>`` can only
    be the beginning of an object in it, and its name comes first.
    """
    try:
        handle = os.open(path, _FLAGS)
        try:
            data = os.read(handle, _USUAL_BYTES)
        finally:
            os.close(handle)
    except OSError:
        return read_annotation(path)
    labels = usual_labels(data) if len(data) < _USUAL_BYTES else None
    return read_annotation(path) if labels is None else labels


def usual_labels(data: bytes) -> tuple[str, ...] | None:
    """Return the labels of a file in the usual form; None for any other file."""
    start = _USUAL_START.match(data)
    # A single byte is found several times as quickly as two.
    if start is None or not data.endswith(_USUAL_ENDS) or b"&" in data or (b"!" in data and b"<!" in data):
        return None
    if data.find(b"?", start.end()) >= 0 and data.rfind(b"<?") > 0:
        return None
    found = _USUAL_OBJECT.findall(data)
    if not found or data.lower().count(b"object") != 2 * len(found):
        return None
    labels = tuple(dict.fromkeys(map(_usual_name, found)))
    return labels if all(labels) else None


@functools.lru_cache(_MOST_NAMES_KEPT)
def _usual_name(name: bytes) -> str:
    """Return a name of an object that needs no second look; empty for any other one."""
    try:
        label = name.strip().decode()
    except UnicodeDecodeError:
        return ""
    return label if len(label) <= _MOST_CHARACTERS and label.isprintable() and label.strip() == label else ""


def read_annotation(path: str) -> Annotation:
    """Read an XML file of Pascal VOC.

    Nothing is raised: what is wrong is among the ``problems``.
    """
    try:
        with open(path, "rb", 0) as handle:  # noqa: PTH123 - millions of them: no Path object for each
            first = handle.read(_PIECE)
            if not first.strip():
                return Annotation(problems=[("the file is empty", 0)])
            return _read(first, handle)
    except OSError as error:
        return Annotation(problems=[(f"it cannot be read: {error.strerror or error}", 0)])


def _read(first: bytes, handle: io.FileIO) -> Annotation:
    parser = _Parser(None)
    try:
        return parser.parse(_pieces(first, handle))
    except _DAMAGE as error:
        found = parser.found
        found.problems.append(_said(error))
    if len(first) < _PIECE:
        mended = _read_mended(first)
        if len(mended.labels) >= len(found.labels):
            return mended
    return found


def _pieces(first: bytes, handle: io.FileIO) -> Iterator[bytes]:
    yield first
    size = len(first)
    while piece := handle.read(_PIECE):
        size += len(piece)
        if size > _MOST_BYTES:
            raise _RefusedError(f"the file is larger than {_MOST_BYTES >> 20} MiB; the rest of it is not read")
        yield piece


def _said(error: Exception) -> tuple[str, int]:
    if isinstance(error, expat.ExpatError):
        return f"it is damaged from here on: {expat.ErrorString(error.code)}", error.lineno
    return f"it cannot be decoded: {error}", 0


def _read_mended(data: bytes) -> Annotation:
    """Read a damaged file once more, with what often is wrong set right.

    That is: an encoding that expat does not know, or another one than is declared; bytes that are not of the encoding;
    control characters; lines before the declaration; an ampersand that is not escaped.
    """
    text = _NO_CHARACTER.sub(_UNREADABLE, data.decode(_encoding_of(data), "replace"))
    before = _DECLARATION.match(text)
    lines = before.group().count("\n") if before else 0
    text = _BARE_AMPERSAND.sub("&amp;", _DECLARATION.sub("", text))
    parser = _Parser("utf-8", lossy=True)
    try:
        return parser.parse(iter([b"\n" * lines, text.encode("utf-8", "replace")]))
    except _DAMAGE as error:
        parser.found.problems.append(_said(error))
        return parser.found


def _encoding_of(data: bytes) -> str:
    """Return the encoding that a file says it has, if Python knows it and it may be true; otherwise UTF-8."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    declared = _DECLARED.match(data)
    if declared:
        with contextlib.suppress(LookupError, ValueError):
            # The declaration itself is in ASCII, and str knows encodings of text alone.
            if declared[0].decode(declared[1].decode(), "replace") == declared[0].decode():
                return declared[1].decode()
    return "utf-8"
