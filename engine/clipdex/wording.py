"""Phrases that all messages share."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """Return a count with its noun, for example ``1 item`` and ``1,000 items``. The plural of ``what`` adds an s."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
