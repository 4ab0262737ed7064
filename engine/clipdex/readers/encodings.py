"""The encoding of texts from outside: UTF-8, or what Windows calls Unicode, which is UTF-16."""

from __future__ import annotations

import codecs

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text from its first bytes: UTF-16 by its byte order mark or by a letter in it; UTF-8.

    A name of UTF-8 is also returned where the text is in neither.
    """
    marked = _UTF_16.get(start[:2])
    if marked:
        return marked
    # The first letter of lists and labels is one of ASCII.
    if start[1:2] == b"\0" != start[:1]:
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" != start[1:2] and len(start) > 1 else "utf-8"


def text_bytes(data: bytes) -> bytes:
    """Return a text as UTF-8 without a byte order mark."""
    encoding = encoding_of(data)
    if encoding != "utf-8":
        data = data.decode(encoding, "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)
