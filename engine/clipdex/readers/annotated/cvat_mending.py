"""Setting right what is often wrong in XML of CVAT that was edited by hand, block by block."""

from __future__ import annotations

import codecs
import re

_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
# The longest reference that is not a bare ampersand.
_MOST_BYTES_OF_A_REFERENCE = 10
_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([^"']{1,40})["']""")
_ESCAPED = re.compile("[\udc80-\udcff]+")


class Mender:
    """Mends one file: ampersands that are not escaped, and bytes that are not valid UTF-8.

    Attributes
    ----------
    replaced
        Whether bytes that are not valid UTF-8 were read as those of Windows.
    """

    def __init__(self) -> None:
        self.replaced = False
        self._is_first = True
        # None in another encoding than UTF-8.
        self._decoder: codecs.IncrementalDecoder | None = None
        # Files in encodings of several bytes a letter are left as they are.
        self._mends = True
        self._kept = b""

    def mended(self, data: bytes) -> bytes:
        """Return the next block; an empty one is the end."""
        if self._is_first:
            self._begin(data)
        if not self._mends:
            return data
        block, self._kept = self._kept + self._decoded(data), b""
        # What may be the beginning of a reference is kept for the next block.
        last = block.rfind(b"&", -_MOST_BYTES_OF_A_REFERENCE) if data else -1
        if last >= 0:
            block, self._kept = block[:last], block[last:]
        return _BARE_AMPERSAND.sub(b"&amp;", block) if b"&" in block else block

    def _begin(self, data: bytes) -> None:
        self._is_first = False
        self._mends = not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" not in data[:4]
        declared = _ENCODING.match(data.removeprefix(codecs.BOM_UTF8))
        if declared is None or declared[1].lower() in (b"utf-8", b"utf8"):
            self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def _decoded(self, data: bytes) -> bytes:
        if self._decoder is None or (data.isascii() and not self._decoder.getstate()[0]):
            return data
        text = self._decoder.decode(data, not data)
        if _ESCAPED.search(text) is not None:
            self.replaced = True
            text = _ESCAPED.sub(_of_windows, text)
        return text.encode()


def _of_windows(found: re.Match[str]) -> str:
    return found[0].encode(errors="surrogateescape").decode("cp1252", "replace")
