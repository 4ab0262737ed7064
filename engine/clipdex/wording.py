"""Words that all messages share."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """Write a number of things, ``what`` in the singular; its plural has an s."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
