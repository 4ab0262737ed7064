"""The inline images of iTerm2, which WezTerm has too: https://iterm2.com/documentation-images.html."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from clipdex_cli.terminal_images.drawn import Drawn
from clipdex_cli.terminal_images.passing import passed

if TYPE_CHECKING:
    from PIL import Image


def draw(image: Image.Image, columns: int, rows: int, *, multiplexed: bool = False) -> Drawn:
    """Draw a picture on so many cells; its proportions stay."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    data = stream.getvalue()
    keys = f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=1;doNotMoveCursor=1"
    sequence = f"\x1b]1337;File={keys}:{base64.b64encode(data).decode()}\x07"
    return Drawn(columns, rows, passed(sequence, multiplexed=multiplexed))
