"""The spelling of names in Unicode: macOS decomposes the letters of names, and other systems compose them."""

from __future__ import annotations

import unicodedata

# Marks are put in order in time that grows with the square of their number, and an index may hold any text.
_LONGEST = 4096


def composed(text: str) -> str:
    """Return ``text`` with composed letters (NFC), so that names that look the same are the same."""
    return text if text.isascii() or len(text) > _LONGEST else unicodedata.normalize("NFC", text)
