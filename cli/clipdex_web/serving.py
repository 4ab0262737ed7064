"""Binding a port, saying where the page is, and serving it until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import getpass
import logging
import os
import signal
import socket
import stat
import sys
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp

from clipdex.errors import SettingsError
from clipdex.paths import expanded
from clipdex_web.app import application
from clipdex_web.safety import LEAST_TOKEN, TOKEN, is_loopback, new_token
from clipdex_web.site import Site

LOOPBACK = "127.0.0.1"
_LOOPBACK_6 = "::1"
# Ports that the system may choose for one loopback while the other has it.
_ATTEMPTS = 20
_MOST_TOKEN = 4096
_SWITCH = 0.001
_ADDRESS_ERRORS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens.

    Attributes
    ----------
    host
        The address that is bound; that of the loopback stands for both of them.
    port
        The port; 0 for one that the system chooses.
    hosts
        Names beside that under which it may be called.
    token_file
        A file that holds the token; None for a token of this run.
    """

    host: str = LOOPBACK
    port: int = 0
    hosts: tuple[str, ...] = ()
    token_file: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def serve(site: Site, place: Place, say: Callable[[str], None], *, browser: bool) -> None:
    """Serve a site until the process is told to stop.

    Parameters
    ----------
    site
        What is served.
    place
        Where.
    say
        Called with each line for the user: the address, and how to reach it over SSH.
    browser
        Whether to open a browser.

    Raises
    ------
    SettingsError
        When the port or the address cannot be had, or the file of the token is no good.
    """
    token = token_of(place.token_file)
    with bound(place) as sockets:
        port = sockets[0].getsockname()[1]
        address = address_of(place, port, token)
        app = application(
            site,
            token,
            (*place.hosts, *(() if place.is_local else (place.host, socket.gethostname(), socket.getfqdn()))),
            any_address=not place.is_local,
        )
        server = server_of(app)
        # From here on Ctrl-C is the end of a server, and no interruption of it.
        before = signal.signal(signal.SIGINT, server.handle_exit)
        say(address)
        for line in ways_from_elsewhere(place, port):
            say(line)
        # Threads that write pages hand the interpreter to the event loop sooner (from 5 ms).
        sys.setswitchinterval(_SWITCH)
        if browser and not os.environ.get("SSH_CONNECTION"):
            with contextlib.suppress(webbrowser.Error, OSError):
                webbrowser.open(address)
        try:
            server.run(sockets)
        finally:
            signal.signal(signal.SIGINT, before)


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Return a server that ends at once, also while connections are open."""
    # It warns of each body that is no form, which is the business of who sent it.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=0,
        )
    )


@contextlib.contextmanager
def bound(place: Place) -> Iterator[list[socket.socket]]:
    """Bind the sockets of a place: for the loopback those of both protocols, on one port.

    Raises
    ------
    SettingsError
        When the port or the address cannot be had.
    """
    with contextlib.ExitStack() as opened:
        if place.host in (LOOPBACK, "localhost"):
            yield _both_loopbacks(place.port, opened)
        else:
            yield [opened.enter_context(_bind(place.host, place.port))]


def _both_loopbacks(port: int, opened: contextlib.ExitStack) -> list[socket.socket]:
    for _ in range(_ATTEMPTS):
        first = _bind(LOOPBACK, port)
        try:
            second = _bind(_LOOPBACK_6, first.getsockname()[1])
        except _NoSuchAddress:
            return [opened.enter_context(first)]
        except SettingsError:
            first.close()
            if port:
                raise
            continue
        return [opened.enter_context(first), opened.enter_context(second)]
    raise SettingsError("no port is free on both addresses of the loopback: name one with --port.")


class _NoSuchAddress(SettingsError):
    """An address that is none of this machine."""


def _bind(host: str, port: int) -> socket.socket:
    try:
        [(family, kind, number, _, where), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound_socket = socket.socket(family, kind, number)
    except (OSError, UnicodeError) as error:
        raise _NoSuchAddress(f"the address {host!r} cannot be used: {error}.") from error
    try:
        if os.name == "posix":
            bound_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound_socket.bind(where)
        bound_socket.listen()
    except OSError as error:
        bound_socket.close()
        if error.errno in _ADDRESS_ERRORS:
            raise _NoSuchAddress(f"the address {host!r} is not one of this machine.") from error
        raise SettingsError(
            f"port {port} of {host} cannot be had: {error.strerror or error}. Name another one with --port, or leave "
            "it out."
        ) from error
    return bound_socket


def token_of(file: Path | None) -> str:
    """Return the token in a file, or a new one.

    Raises
    ------
    SettingsError
        When the file cannot be read, others may read it, or its token is too short.
    """
    if file is None:
        return new_token()
    path = expanded(file)
    try:
        with path.open("rb") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SettingsError(f"others may read the token in {path}: chmod 600 keeps it to you.")
            token = opened.read(_MOST_TOKEN).decode().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"the token in {path} cannot be read: {error}.") from error
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"the token in {path} must have at least {LEAST_TOKEN} letters, digits or signs.")
    return token


def address_of(place: Place, port: int, token: str) -> str:
    """Return the address to open first."""
    host = place.host
    if place.is_local:
        host = "localhost" if host == LOOPBACK else host
    elif host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/?{urlencode({TOKEN: token})}"


def ways_from_elsewhere(place: Place, port: int) -> Iterator[str]:
    """Yield what somebody who is logged in over SSH types on the machine where the browser is."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    if len(parts) == 4 and place.is_local:
        try:
            user = f"{getpass.getuser()}@"
        except (OSError, KeyError):
            user = ""
        there = _LOOPBACK_6 if place.host == _LOOPBACK_6 else LOOPBACK
        target = f"[{there}]" if ":" in there else there
        yield f"From the machine where your browser is: ssh -L {port}:{target}:{port} {user}{parts[2]}"
