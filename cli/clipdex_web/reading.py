"""Reading what a request says, and writing what an answer does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from clipdex.errors import QueryError
from clipdex_web.checking import from_text
from clipdex_web.problems import Refused
from clipdex_web.schema import Object

MOST_JSON = 2 << 20


def attachment(name: str) -> str:
    """Return the header that makes a browser save an answer under a name."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def parameters_of(request: Request, known: Mapping[str, Object]) -> dict[str, Any]:
    """Return the parameters of an address that has these and no others, each at most once."""
    return checked(request.query_params.multi_items(), known, tuple(known))


def checked(pairs: Sequence[tuple[str, str]], known: Mapping[str, Object], listed: Sequence[str]) -> dict[str, Any]:
    """Return the values of parameters by their schemas; ``listed`` are the names that a message offers."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            may = f"it may have {', '.join(listed)}" if listed else "it has none"
            raise QueryError(f"the address has the unknown parameter {name[:100]!r}; {may}.")
        if name in values:
            raise QueryError(f"the address has {name} twice.")
        values[name] = from_text(value, known[name], name)
    return values


def cursor_of(place: int) -> str:
    """Return the cursor of a place in a list."""
    return base64.urlsafe_b64encode(f"items {place}".encode()).decode()


def place_of(cursor: str) -> int:
    """Return the place of a cursor."""
    try:
        kind, place = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        number = int(place)
    except (ValueError, binascii.Error) as error:
        raise QueryError("the cursor is none of this server: begin again without one.") from error
    if kind != "items" or number < 0 or cursor_of(number) != cursor:
        raise QueryError("the cursor is none of this server: begin again without one.")
    return number


async def body_of(request: Request, most: int) -> bytes:
    """Return the body of a request, of at most so many bytes."""
    content = bytearray()
    async for block in request.stream():
        content += block
        if len(content) > most:
            raise Refused(413, f"the request has more than {most:,} bytes.")
    return bytes(content)


def read_json(body: bytes) -> Any:  # noqa: ANN401
    """Return the value of a body in JSON."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise QueryError("the request is no JSON in UTF-8.") from error


def as_json(value: object) -> str:
    """Write a value as JSON, with escapes: a path need not be valid Unicode."""
    return json.dumps(value)
