"""Ids and names in COCO, as they are written: numbers, texts, and what stands for the same."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable

from clipdex.readers.annotated.coco_files import is_text
from clipdex.readers.annotated.json_stream import Unreadable
from clipdex.readers.annotated.json_words import kind_of, written

Id = int | float | str
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_LONE = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
LONGEST_LABEL = 1000
# In place of a number: several images have the name.
_SEVERAL = -1


def as_id(value: object) -> Id | None:
    """Return an id as a key: a text, or a number, whole where it is one; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else None
    return value if value != "" else None


def as_label(value: object) -> str:
    """Return the name of a label as a text that an index can keep; empty where there is none."""
    if not isinstance(value, int | float | str):
        return ""
    text = (written(value) if isinstance(value, bool) else str(value)).strip().replace("\0", "")
    if not is_text(text):
        # Bytes that are not valid UTF-8 are lone surrogates. Windows writes them so.
        text = text.encode(errors="surrogateescape" if _LONE.search(text) is None else "replace").decode(
            "cp1252", "replace"
        )
    return text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]}..."


def plain(one: Id) -> str | None:
    """Return the one way to write a whole number, be it a number or a text; None for anything else."""
    text = str(one).strip()
    return str(int(text)) if _WHOLE.fullmatch(text) else None


def by_plain(ids: Iterable[Id]) -> dict[str | None, Id]:
    """Return ids that are whole numbers by their plain text, without those that several ids share."""
    found: dict[str | None, Id] = {}
    several: set[str | None] = {None}
    for one in ids:
        text = plain(one)
        if text in found:
            several.add(text)
        found[text] = one
    return {text: one for text, one in found.items() if text not in several}


def by_name(images: dict[str, int], wanted: set[int]) -> dict[str, int]:
    """Return the numbers of images by their name, with and without extension, without names that several have."""
    found: dict[str, int] = {}
    for path, number in images.items():
        if number in wanted:
            name = path.rpartition("/")[2]
            for text in (name, posixpath.splitext(name)[0]):
                found[text] = number if found.get(text, number) == number else _SEVERAL
    return {text: number for text, number in found.items() if number != _SEVERAL}


def not_an_object(value: object) -> str:
    """Say why something is no object."""
    if isinstance(value, Unreadable):
        return f"cannot be read: {value.reason}"
    return f"is {kind_of(value)}, and no object"


def no_id(value: dict[str, object], key: str = "id") -> str:
    """Say why an object has no id."""
    said = value.get(key)
    return f"has no {key}" if said is None else f"has {written(said)} as its {key}"
