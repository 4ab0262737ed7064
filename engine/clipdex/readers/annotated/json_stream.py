"""Reading a large JSON file piece by piece: the members of its one object, and their elements, in bounded memory.

It takes what tools write although JSON forbids it: a byte order mark, UTF-16 and UTF-32, commas before a closing
bracket, line breaks in texts, NaN and Infinity. A number of thousands of digits is a text. Bytes that are not valid
UTF-8 become lone surrogates, as in names of files.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from json.scanner import make_scanner
from typing import IO, NamedTuple

CHUNK_BYTES = 1 << 20
# A longer element is passed over, so that nothing large is built in memory.
MOST_CHARACTERS = 16 << 20
_MOST_DEPTH = 10_000_000
# Of a longer element, commas before closing brackets are not taken out.
_MOST_TO_MEND = 1 << 16
# An error this near to the end of what was read so far may come from the cut: no literal is longer.
_NEAR_THE_CUT = 16
_BETWEEN = re.compile(r"[\s,\ufeff]*")
_BLANKS = re.compile(r"[\s\ufeff]*")
# What editors and file systems leave at the end of a file.
_AT_THE_END = re.compile(r"[\s\ufeff\0\x1a]*")
# All up to the next bracket, or up to a text that is cut off.
_TO_BRACKET = re.compile(r'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_TEXT = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\[\]{}]*+")
_COMMA_TOO_MANY = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|,(?=\s*+[\]}])', re.DOTALL)
_CLOSES = {"[": "]", "{": "}"}
_REST = "rest"
# Members of one image, annotation or category, where a list of them is expected.
_OF_ONE = frozenset(
    {
        *("id", "image_id", "category_id", "category_ids", "file_name", "name", "supercategory", "bbox", "area"),
        *("iscrowd", "segmentation", "segments_info", "caption", "keypoints", "num_keypoints", "width", "height"),
        *("license", "flickr_url", "coco_url", "date_captured", "skeleton"),
    }
)
NO_OBJECT = "it is no JSON object"
ENDS_EARLY = "the file ends before its JSON does"

_scan = make_scanner(json.JSONDecoder(strict=False))  # type: ignore[arg-type]


def _number(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


# Slower, for elements with a number of too many digits.
_scan_long_numbers = make_scanner(json.JSONDecoder(strict=False, parse_int=_number))  # type: ignore[arg-type]


class JsonError(Exception):
    """JSON that cannot be read any further, with the reason as the end of a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(NamedTuple):
    """An element that cannot be read, while what follows it can; with the reason as the end of a sentence."""

    reason: str


class JsonStream:
    """The object in a JSON file.

    Parameters
    ----------
    handle
        The file, at its beginning.
    most
        How many bytes to read at most; None for all. What comes later seems not to be there.
    """

    def __init__(self, handle: IO[bytes], most: int | None = None) -> None:
        self._handle = handle
        self._left = most
        self._text = ""
        self._at = 0
        self._start = 0
        self._counted = 0
        self._line = 1
        self._ended = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._untouched = False

    @property
    def line(self) -> int:
        """Number of the line, from 1, on which the last element begins."""
        if self._start > self._counted:
            self._line += self._text.count("\n", self._counted, self._start)
            self._counted = self._start
        return self._line

    @property
    def position(self) -> int:
        """Number of the line, from 1, that was read last."""
        return self.line + self._text.count("\n", self._start, self._at)

    def members(self) -> Iterator[str]:
        """Yield the keys of the object. Take each one's value with ``elements``, to its end, or leave it.

        Raises
        ------
        JsonError
            When it is no JSON object, or cannot be read any further.
        """
        opening = self._next(_BLANKS)
        if opening != "{":
            raise JsonError(NO_OBJECT if opening else "it is empty")
        self._at += 1
        while True:
            following = self._next(_BETWEEN)
            if not following:
                raise JsonError(ENDS_EARLY)
            if following == "}":
                self._at += 1
                return
            key = self._key()
            self._untouched = True
            yield key
            if self._untouched:
                self._skip()

    def following(self) -> str:
        """After the last member, return the character that follows the object; empty at the end of the file."""
        return self._next(_AT_THE_END)

    def opening(self) -> str:
        """Return the first character of the value of a member."""
        return self._next(_BLANKS)

    def elements(self) -> Iterator[tuple[str | None, object]]:
        """Yield the elements of a list, with None, or the members of an object, with their keys.

        An element that cannot be read comes as ``Unreadable``.

        Raises
        ------
        JsonError
            When what follows cannot be read any further.
        """
        self._untouched = False
        opening = self._next(_BLANKS)
        closing = _CLOSES[opening]
        named = opening == "{"
        self._at += 1
        key: str | None = None
        between = _BETWEEN.match
        while True:
            text = self._text
            self._start = self._at = at = between(text, self._at).end()  # type: ignore[union-attr]
            if at == len(text):
                if not self._more():
                    raise JsonError(ENDS_EARLY)
                continue
            if text[at] == closing:
                self._at += 1
                return
            if named:
                key = self._key()
            elif text[at] == "{":
                # Nearly all elements are objects that are wholly here.
                try:
                    value, self._at = _scan(text, at)
                except (ValueError, RecursionError, StopIteration):
                    pass
                else:
                    yield None, value
                    continue
            yield key, self._value()

    def run(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, ...]]:
        """Between two elements of a list, pass over those that follow for as long as an expression matches each.

        The expression is one of ``flat_object``. Yields its groups; take all of them.
        """
        text, match = self._text, pattern.match
        while (found := match(text, self._at)) and found.lastgroup != _REST:
            self._start = found.start(1)
            self._at = found.end()
            yield found.groups()[:-1]

    def ahead(self, pattern: re.Pattern[str]) -> tuple[list[tuple[str, ...]], int]:
        """Between two elements, return all that ``run`` would yield, and the position for ``go_to``.

        Each has an empty text at its end.
        """
        found = pattern.findall(self._text, self._at)
        rest = found.pop()[-1] if found and found[-1][-1] else ""
        return found, len(self._text) - len(rest)

    def go_to(self, position: int) -> None:
        """Pass over all up to a position that ``ahead`` returned."""
        self._start = self._at = position

    def _more(self) -> bool:
        """Read on, and forget what was read before; return whether there was more."""
        if self._ended:
            return False
        wanted = max(CHUNK_BYTES, len(self._text) - self._at)
        data = self._handle.read(wanted if self._left is None else min(wanted, self._left))
        if self._left is not None:
            self._left -= len(data)
        self._ended = not data
        if self._decoder is None:
            self._decoder = _decoder_for(data)
        self._line += self._text.count("\n", self._counted, self._at)
        self._text = self._text[self._at :] + self._decoder.decode(data, self._ended and self._left is None)
        self._at = self._start = self._counted = 0
        return True

    def _next(self, passing: re.Pattern[str]) -> str:
        """Go to the next character that ``passing`` does not match, and return it; empty at the end of the file."""
        while True:
            self._at = passing.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _key(self) -> str:
        """Read a key and the colon after it."""
        self._next(_BLANKS)
        key = self._value() if self._text[self._at : self._at + 1] == '"' else None
        if not isinstance(key, str) or self._next(_BLANKS) != ":":
            raise JsonError(ENDS_EARLY if self._ended and self._at >= len(self._text) else "a key is missing")
        self._at += 1
        return key

    def _value(self) -> object:
        """Read a value, or pass over it where it cannot be read."""
        self._next(_BLANKS)
        self._start = self._at
        scan = _scan
        while True:
            text, at = self._text, self._at
            try:
                value, end = scan(text, at)
            except StopIteration as stop:
                reason, cut = "a value is missing", int(stop.value) + _NEAR_THE_CUT >= len(text)
            except json.JSONDecodeError as error:
                reason = error.msg[:1].lower() + error.msg[1:]
                cut = error.pos + _NEAR_THE_CUT >= len(text) or error.msg.startswith("Unterminated")
            except RecursionError:
                reason, cut = "it is nested too deeply", False
            except ValueError:
                scan = _scan_long_numbers
                continue
            else:
                # A number near the end of the text may go on.
                whole = end < len(text) if type(value) is dict else end + _NEAR_THE_CUT < len(text)
                if whole or not self._more():
                    self._at = end
                    return value
                continue
            if cut and len(text) - at > MOST_CHARACTERS:
                reason = f"it is longer than {MOST_CHARACTERS:,} characters"
            elif cut and self._more():
                continue
            mended = _mended(text[at : at + _MOST_TO_MEND])
            self._skip()
            return Unreadable(reason) if mended is None else mended

    def _skip(self) -> None:
        """Pass over a value without building it."""
        opening = self._next(_BLANKS)
        if opening == '"':
            self._skip_text()
        elif opening not in ("[", "{"):
            self._skip_scalar()
        else:
            self._skip_brackets()

    def _skip_brackets(self) -> None:
        open_brackets = bytearray()
        while True:
            self._at = _TO_BRACKET.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at == len(self._text):
                if not self._more():
                    raise JsonError(ENDS_EARLY)
                continue
            mark = self._text[self._at]
            if mark == '"':
                self._skip_text()
                continue
            self._at += 1
            if mark in _CLOSES:
                open_brackets.append(ord(_CLOSES[mark]))
                if len(open_brackets) > _MOST_DEPTH:
                    raise JsonError("it is nested too deeply")
            elif open_brackets.pop() != ord(mark):
                raise JsonError("its brackets do not match")
            if not open_brackets:
                return

    def _skip_text(self) -> None:
        self._at += 1
        while True:
            self._at = _IN_TEXT.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._text[self._at : self._at + 1] == '"':
                self._at += 1
                return
            # A backslash at the very end waits for what follows it.
            if not self._more():
                raise JsonError(ENDS_EARLY)

    def _skip_scalar(self) -> None:
        begin = self._at
        while True:
            self._at = _SCALAR.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                if self._at == begin:
                    raise JsonError("a value is missing")
                return
            begin = -1
            if not self._more():
                raise JsonError(ENDS_EARLY)


def members_or_one(stream: JsonStream) -> Iterator[tuple[str | None, object]]:
    """Yield what ``elements`` does; where a list is expected and one of its objects alone is there, that object."""
    if stream.opening() == "[":
        yield from stream.elements()
        return
    alone: dict[str, object] = {}
    for key, value in stream.elements():
        if key in _OF_ONE:
            alone[key] = value
        else:
            yield key, value
    if alone:
        yield None, alone


def flat_object(**values: str) -> re.Pattern[str]:
    """Make an expression for ``JsonStream.run``: objects without objects in them that have some members.

    Nothing is built of what else is in them, such as long lists of numbers.

    Parameters
    ----------
    values
        An expression for the value of each of these members, with one group.
    """
    members = "|".join(rf'{key}"\s*+:\s*+{value}(?=\s*+[,}}])' for key, value in values.items())
    all_there = "".join(f"(?({number})|(?!))" for number in range(1, len(values) + 1))
    flat = rf'\{{[^{{}}"]*+(?:"(?:{members}|[^"\\{{}}]*+")[^{{}}"]*+)*+\}}{all_there}'
    # Where one fits, so may the next; the rest of the text is one match, so that looking for all of them ends there.
    return re.compile(rf"[\s,]*+{flat}|(?P<{_REST}>.+)", re.DOTALL)


def _mended(text: str) -> object:
    """Return the value that a text begins with, without commas before closing brackets; None where that is none."""
    try:
        value, _ = _scan(_COMMA_TOO_MANY.sub(lambda found: found[1] or "", text), 0)
    except (ValueError, RecursionError, StopIteration):
        return None
    return value


def _decoder_for(start: bytes) -> codecs.IncrementalDecoder:
    """Return the decoder for a file that begins so."""
    name = json.detect_encoding(start)
    errors = "surrogateescape" if name.startswith("utf-8") else "replace"
    return codecs.getincrementaldecoder(name)(errors)
