"""Finding the line of an entry in the text of a ``clipdex.toml``, for messages."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*(?P<name>[^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_WORD = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*(?P<key>{_WORD}(?:\s*\.\s*{_WORD})*)\s*=")
_PART = re.compile(_WORD)

Where = tuple[str | int, ...]


def line_of(text: str, where: Where) -> int:
    """Return the number, from 1, of the line of an entry, or of the nearest entry that contains it.

    Parameters
    ----------
    text
        Valid TOML.
    where
        The path of the entry: keys from the top, and numbers from 0 in arrays of tables, for example
        ``("stages", 2, "topk")``.
    """
    best, found = 0, 1
    table: Where = ()
    counts: dict[Where, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.fullmatch(line)
        key = None if header else _KEY.match(line)
        if header:
            table = _full(_parts(header["name"]), counts, opens=header[1] == "[[")
            here = table
        elif key:
            here = (*table, *_parts(key["key"]))
        else:
            continue
        same = _same(here, where)
        if same > best and (same == len(here) or not header):
            best, found = same, number
    return found


def _parts(name: str) -> Where:
    return tuple(part.strip("\"'") for part in _PART.findall(name))


def _full(names: Where, counts: dict[Where, int], *, opens: bool) -> Where:
    """Insert the number of the current table after each array of tables; ``opens`` starts the next table."""
    full: Where = ()
    for position, name in enumerate(names):
        full = (*full, name)
        if opens and position == len(names) - 1:
            counts[full] = counts.get(full, -1) + 1
        if full in counts:
            full = (*full, counts[full])
    return full


def _same(one: Where, other: Where) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
