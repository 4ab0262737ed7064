"""Small fonts for tests, made of the font that the sheets are drawn with."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from clipdex.report import drawing

CAT, DOG = "猫", "犬"
_FIRST_GLYPH = 29  # the glyphs of ASCII are in its order: that of a space is number 3


def write_font(path: Path, drawn_as: Mapping[str, str], units_per_em: int | None = None) -> Path:
    """Write a font that has these characters alone, each drawn as a character of ASCII."""
    groups = sorted((ord(character), ord(shape) - _FIRST_GLYPH) for character, shape in drawn_as.items())
    cmap = struct.pack(">HHHHI", 0, 1, 3, 10, 12)
    cmap += struct.pack(">HHIII", 12, 0, 16 + 12 * len(groups), 0, len(groups))
    cmap += b"".join(struct.pack(">III", code, code, glyph) for code, glyph in groups)
    data = bytearray(drawing._FONT.read_bytes())
    data += bytes(-len(data) % 4)
    for record in range(12, 12 + 16 * struct.unpack_from(">H", data, 4)[0], 16):
        if data[record : record + 4] == b"cmap":
            struct.pack_into(">II", data, record + 8, len(data), len(cmap))
        elif data[record : record + 4] == b"head" and units_per_em is not None:
            struct.pack_into(">H", data, struct.unpack_from(">I", data, record + 8)[0] + 18, units_per_em)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + cmap)
    return path
