"""What goes wrong, as an answer: JSON for the API (RFC 9457), a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from clipdex.errors import ClipdexError, ImageError, ItemNotFound, OutputError, QueryError
from clipdex_web.openapi import PROBLEM
from clipdex_web.work import Busy, ClientGone

# Nobody reads this answer; the number is the one that servers write in their logs then.
_GONE = 499
_BUSY = "too many questions at once: ask again in a moment."
_DEFECT = "a defect of clipdex: the terminal where it runs shows more."


class Refused(Exception):
    """A request that is not answered: the status, and a sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def status_and_message(error: Exception) -> tuple[int, str]:
    """Return the status of an error, and what is said of it."""
    if isinstance(error, Refused):
        return error.status, error.message
    if isinstance(error, Busy):
        return 503, _BUSY
    if isinstance(error, ClientGone):
        return _GONE, ""
    if isinstance(error, ItemNotFound):
        return 404, error.message
    if isinstance(error, ImageError):
        return 404, f"the image cannot be shown: {error.message.rstrip('.')}."
    if isinstance(error, QueryError):
        return 400, error.message
    if isinstance(error, OutputError):
        return 507, error.message
    if isinstance(error, ClipdexError):
        return 500, error.message
    return 500, _DEFECT


def title_of(status: int) -> str:
    """Return the name of a status."""
    return "Client Closed Request" if status == _GONE else HTTPStatus(status).phrase


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer of the API."""
    body = {"type": "about:blank", "title": title_of(status), "status": status, "detail": message}
    return Response(json.dumps(body), status, {**(headers or {}), **headers_of(status)}, PROBLEM)


def headers_of(status: int) -> dict[str, str]:
    """Return the headers that go with a status."""
    return {"Retry-After": "1"} if status == 503 else {}
