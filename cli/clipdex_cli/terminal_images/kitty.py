"""The graphics protocol of Kitty, which Ghostty has too: https://sw.kovidgoyal.net/kitty/graphics-protocol/."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clipdex_cli.terminal_images.drawn import Drawn
from clipdex_cli.terminal_images.passing import passed

if TYPE_CHECKING:
    from PIL import Image

_CHUNK = 4096
_PLACEHOLDER = "\U0010eeee"
# The combining characters that number rows and columns from 0, as the protocol lists them.
_NUMBERS = (
    "\u0305\u030d\u030e\u0310\u0312\u033d\u033e\u033f\u0346\u034a\u034b\u034c\u0350\u0351\u0352\u0357\u035b\u0363\u0364"
    "\u0365\u0366\u0367\u0368\u0369\u036a\u036b\u036c\u036d\u036e\u036f"
)


def draw(image: Image.Image, columns: int, rows: int, *, multiplexed: bool = False) -> Drawn:
    """Draw a picture on so many cells, at most 30 x 30. Inside tmux it is bound to text, so that it moves with that."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    data = stream.getvalue()
    if not multiplexed:
        return Drawn(columns, rows, "".join(_sent(data, f"a=T,f=100,q=2,C=1,c={columns},r={rows}")))
    # The lowest byte of the number is written as one of 256 colours, which tmux changes nowhere; the highest as a third
    # combining character.
    lowest, highest = divmod(zlib.crc32(data) % (255 * len(_NUMBERS)), len(_NUMBERS))
    lowest += 1  # 0 is no picture
    parts = _sent(data, f"a=T,U=1,f=100,q=2,i={highest << 24 | lowest},c={columns},r={rows}")
    sequence = "".join(passed(part, multiplexed=True) for part in parts)
    lines = []
    for row in _NUMBERS[:rows]:
        cells = "".join(_PLACEHOLDER + row + column + _NUMBERS[highest] for column in _NUMBERS[:columns])
        lines.append(f"\x1b[38;5;{lowest}m{cells}\x1b[39m")
    return Drawn(columns, rows, sequence, tuple(lines))


def _sent(data: bytes, keys: str) -> Iterator[str]:
    """Yield the sequences that send a picture: the first has the keys, all but the last say that there is more."""
    text = base64.b64encode(data).decode()
    for start in range(0, len(text), _CHUNK):
        more = int(start + _CHUNK < len(text))
        before = f"{keys}," if start == 0 else ""
        yield f"\x1b_G{before}m={more};{text[start : start + _CHUNK]}\x1b\\"
