"""Reading YAML from outside: texts, lists and mappings in bounded memory, and what can be read of broken YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_MOST_DEPTH = 20
_MOST_NODES = 500_000
_INDENTED_WITH_TABS = re.compile(r"^ *\t[ \t]*", re.MULTILINE)
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Characters beyond 16 bits as JSON writes them, and halves of such.
_HALVES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
# A key at the beginning of a line, with which a part of a mapping begins.
_TOP_KEY = re.compile(r"""^(?:[A-Za-z_][\w .-]*|"[^"\n]*" ?|'[^'\n]*' ?):(?:\s|$)""", re.MULTILINE)
_MOST_PARTS = 200


class YamlProblem(NamedTuple):
    """What is wrong with a text, as the end of a sentence, and in which line."""

    line: int
    reason: str


class _Unusable(ValueError):
    """The text is nested too deep, has too many values, or a merge key that stands for nothing."""


class _Merge(NamedTuple):
    """The key ``<<``, which stands for the entries of other mappings."""

    text: str


_MERGE = _Merge("<<")


def read_yaml(text: str) -> tuple[dict[str, Any], list[YamlProblem]]:
    """Return the mapping that a YAML document is, and what could not be read of it.

    Scalars stay the texts that are written, so that ``no`` is not false and ``010`` not eight. The same key twice: the
    last one counts. Of a broken document each key of the mapping that can be read alone is read.
    """
    text = _NOT_PRINTABLE.sub("\ufffd", text.removeprefix("\ufeff"))
    text = _INDENTED_WITH_TABS.sub(lambda match: match[0].expandtabs(4), text)
    text = _HALVES.sub(_whole, text)
    try:
        return _mapping(_parsed(text)), []
    except ValueError as error:
        whole = _problem(error, 0)
    read: dict[str, Any] = {}
    problems: list[YamlProblem] = []
    for line, part in _parts(text):
        try:
            read.update(_mapping(_parsed(part)))
        except ValueError as error:
            problems.append(_problem(error, line))
    return read, problems or [whole]


def _whole(halves: re.Match[str]) -> str:
    if halves[1] is None:
        return "\ufffd"
    return chr(0x10000 + ((int(halves[1], 16) - 0xD800) << 10) + int(halves[2], 16) - 0xDC00)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield the part of each key of a document, with the number of lines before it."""
    starts = [match.start() for match in _TOP_KEY.finditer(text)][:_MOST_PARTS]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        yield text.count("\n", 0, start), text[start:end]


def _mapping(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise ValueError("it is no mapping of names to values")


def _problem(error: ValueError, lines_before: int) -> YamlProblem:
    mark = getattr(error, "line", None)
    return YamlProblem(lines_before + mark + 1 if mark is not None else lines_before, str(error))


class _Broken(ValueError):
    """The text is no YAML; ``line`` counts from 0."""

    def __init__(self, reason: str, line: int | None) -> None:
        super().__init__(reason)
        self.line = line


def _parsed(text: str) -> object:
    """Return the first document of a text; None where there is none.

    Raises
    ------
    ValueError
        When it is no YAML, or too much.
    """
    import yaml  # takes long, and few builds need it

    try:
        return _Composer().compose(yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        raise _Broken(f"it is not valid YAML: {reason}", mark.line if mark is not None else None) from error
    except RecursionError as error:
        raise _Unusable("it is nested too deep") from error


class _Composer:
    """Makes values of the events of a parser, without recursion."""

    def __init__(self) -> None:
        # Each open list or mapping with its anchor, and the key that waits for its value.
        self._open: list[tuple[list[Any] | dict[str, Any], str | None]] = []
        self._keys: list[object] = []
        self._anchors: dict[str, object] = {}
        self._done = False
        self._value: object = None
        # How many entries merge keys stood for.
        self._merged = 0

    def compose(self, events: Iterator[Any]) -> object:
        """Return the value of the first document."""
        for number, event in enumerate(events):
            if number > _MOST_NODES:
                raise _Unusable(f"it has more than {_MOST_NODES:,} values")
            kind = type(event).__name__
            if kind == "ScalarEvent":
                is_merge = event.value == _MERGE.text and event.implicit[0]
                self._add(_MERGE if is_merge and self._waits_for_key() else event.value, event.anchor)
            elif kind == "AliasEvent":
                # What an alias stands for is shared and not copied, so that it takes no memory.
                self._add(self._anchors.get(event.anchor, ""), None)
            elif kind in ("SequenceStartEvent", "MappingStartEvent"):
                if len(self._open) == _MOST_DEPTH:
                    raise _Unusable("it is nested too deep")
                self._open.append(([] if kind[0] == "S" else {}, event.anchor))
                self._keys.append(None)
            elif kind in ("SequenceEndEvent", "MappingEndEvent"):
                self._keys.pop()
                self._add(*self._open.pop())
            if self._done:
                break
        return self._value

    def _waits_for_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0], dict) and self._keys[-1] is None

    def _merge(self, container: dict[str, Any], value: object) -> None:
        """Add what a merge key stands for: a mapping, or a list of them. What the container has itself stays."""
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise _Unusable(f"the merge key {_MERGE.text} stands for no mapping that can be read")
            self._merged += len(one)
            if self._merged > _MOST_NODES:
                raise _Unusable(f"its merge keys stand for more than {_MOST_NODES:,} values")
            for key, inner in one.items():
                container.setdefault(key, inner)

    def _add(self, value: object, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._open:
            # A document without anything is an empty scalar.
            self._value, self._done = None if value == "" else value, True
            return
        container = self._open[-1][0]
        if isinstance(container, list):
            container.append(value)
        elif self._keys[-1] is None:
            self._keys[-1] = value if isinstance(value, str | _Merge) else ()
        else:
            key = self._keys[-1]
            self._keys[-1] = None
            if isinstance(key, str):
                container[key] = value
            elif isinstance(key, _Merge):
                self._merge(container, value)
