"""Who may ask, and how an answer may be used: the guard around all that the server does.

A page on the web can make a browser ask a server on this machine, and can give it a name of its own (DNS rebinding). So
a request needs a host that is ours, an origin that is the host, and the token: in the first address, then in a cookie
that other sites cannot send, or in an ``Authorization`` header. Tokens are compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import posixpath
import re
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipdex_web.problems import Refused, problem
from clipdex_web.uploads import MOST_BYTES

TOKEN = "token"  # noqa: S105 - the name of a parameter
LEAST_TOKEN = 16
API = "/api/"
# What a form needs around the image that it uploads.
_MOST_BODY = MOST_BYTES + (64 << 10)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_LOCAL_NAME = "localhost"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Tell whether a host that is bound can be reached from this machine only."""
    try:
        return host == _LOCAL_NAME or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Lets those requests through that may be answered, and adds headers to the answers.

    Parameters
    ----------
    app
        What is guarded.
    token
        What a request has to know.
    hosts
        Names that this server may be called, beside ``localhost`` and the addresses of the loopback.
    any_address
        Whether it may be called by any IP address. No foreign page can have one as its name.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str] = (), *, any_address: bool = False) -> None:
        self._app = app
        self._token = token.encode()
        self._pass = hashlib.sha256(b"clipdex cookie " + self._token).hexdigest()
        # Cookies do not know ports: each server has a name of its own.
        self._cookie = f"clipdex_{hashlib.sha256(b'clipdex name ' + self._token).hexdigest()[:8]}"
        self._hosts = {host.lower() for host in hosts}
        self._any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            answer = self._checked(scope)
        except Refused as refused:
            answer = _refusal(scope, refused)
        if answer is not None:
            await answer(scope, receive, send_with_headers)
        else:
            await self._app(scope, _bounded(receive), send_with_headers)

    def _checked(self, scope: Scope) -> Response | None:
        """Return an answer that ends the request, or None where it may go on."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise Refused(400, "this server does not answer for that host: open the address that clipdex printed.")
        origin = headers.get("origin")
        if origin is not None and (_host_of(origin) != hosts[0].lower()):
            raise Refused(403, "the request comes from a page of another site.")
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
        if site in ("cross-site", "same-site") and (mode != "navigate" or scope["method"] != "GET"):
            raise Refused(403, "the request comes from a page of another site.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > _MOST_BODY:
            raise Refused(413, f"the request is too large: an upload has at most {MOST_BYTES // 1_000_000} MB.")
        return self._entered(scope, headers)

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower()
        if name in (_LOCAL_NAME, *self._hosts):
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or self._any_address

    def _entered(self, scope: Scope, headers: Headers) -> Response | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(errors="replace"), self._token):
            return None
        cookie = _cookies(headers).get(self._cookie, "")
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in pairs if name == TOKEN]
        # An answer of the API sets no cookie: it would be for the folder of the API alone.
        if tokens and scope["method"] == "GET" and not scope["path"].startswith(API):
            if not hmac.compare_digest(tokens[0].encode(errors="replace"), self._token):
                raise Refused(401, "the token is not that of this server: open the address that clipdex printed.")
            rest = urlencode([pair for pair in pairs if pair[0] != TOKEN])
            place = f"./{posixpath.basename(scope['path'])}"
            there = Response(status_code=303, headers={"Location": f"{place}?{rest}" if rest else place})
            there.headers.append("Set-Cookie", f"{self._cookie}={self._pass}; HttpOnly; SameSite=Strict")
            return there
        if hmac.compare_digest(cookie.encode(errors="replace"), self._pass.encode()):
            return None
        raise Refused(401, "this server needs its token: open the address that clipdex printed, or send the token.")


def _host_of(origin: str) -> str:
    """Return host and port of an origin, in lower case; empty where it is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""


def _cookies(headers: Headers) -> dict[str, str]:
    pairs = (one.partition("=") for line in headers.getlist("cookie") for one in line.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _refusal(scope: Scope, refused: Refused) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if scope["path"].startswith(API):
        return problem(refused.status, refused.message, headers)
    return PlainTextResponse(f"{refused.message[0].upper()}{refused.message[1:]}\n", refused.status, headers)


def _bounded(receive: Receive) -> Receive:
    """Return a ``receive`` that refuses a body which is longer than its header said, or than any may be."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > _MOST_BODY:
            raise Refused(413, f"the request is too large: an upload has at most {MOST_BYTES // 1_000_000} MB.")
        return message

    return bounded
