"""Values of JSON in messages."""

from __future__ import annotations

import json

from clipdex.wording import shortened

_MOST = 100


def kind_of(value: object) -> str:
    """Return what a value of JSON is: a text, a number, a list, an object, null, true or false."""
    if value is None or isinstance(value, bool):
        return written(value)
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


def written(value: object) -> str:
    """Write a value as JSON does; a long one is cut off."""
    if isinstance(value, list | dict) and len(value) > _MOST:
        return f"{kind_of(value)} of {len(value):,}"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError, TypeError):
        return kind_of(value)
    return shortened(text, _MOST)
