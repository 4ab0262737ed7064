"""``clipdex view`` and ``clipdex serve`` as processes and as parts: the port, the token, and the end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from clipdex.errors import SettingsError
from clipdex_web.serving import Place, address_of, bound, token_of, ways_from_elsewhere
from helpers_engine import make_folder
from helpers_web import WAIT

ADDRESS = re.compile(r"http://localhost:(\d+)/\?token=(\S+)")


@pytest.fixture
def start(tmp_path):
    """Start the command line in a process of its own; return it with its address."""
    running = []

    def started(*arguments, **env):
        process = subprocess.Popen(
            [sys.executable, "-m", "clipdex_cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            cwd=tmp_path,
        )
        running.append(process)
        return process, ADDRESS.match(process.stdout.readline())

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process")
@pytest.mark.parametrize("command", [("view", "--no-browser"), ("serve",)], ids=" ".join)
def test_it_serves_both_loopbacks_until_ctrl_c_whatever_is_open(start, photos, command):
    process, address = start(*command, photos)
    port = int(address[1])
    with httpx.Client(timeout=WAIT, trust_env=False, headers={"Authorization": f"Bearer {address[2]}"}) as client:
        assert client.get(f"http://127.0.0.1:{port}/api/v1/info").json()["items"] == 40
        if socket.has_ipv6:
            assert client.get(f"http://[::1]:{port}/").status_code == 200
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\n")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=WAIT)
    assert (process.returncode, out, err) == (0, "", "")


def test_over_ssh_the_tunnel_is_printed(start, photos):
    process, address = start("view", photos, SSH_CONNECTION="10.0.0.9 50000 10.0.0.5 22")
    port = address[1]
    assert re.fullmatch(rf".*: ssh -L {port}:127\.0\.0\.1:{port} (\S+@)?10\.0\.0\.5\n", process.stdout.readline())


def test_a_port_that_is_taken_is_named_and_no_other_is_tried(cli, photos):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("view", photos, "--no-browser", "--port", str(port))
    assert (done.code, done.out) == (1, b"")
    assert f"port {port} of 127.0.0.1 cannot be had" in done.err


def test_both_loopbacks_have_one_port_and_a_foreign_address_is_refused():
    with bound(Place()) as sockets:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert {one.getsockname()[0] for one in sockets} <= {"127.0.0.1", "::1"}
    with pytest.raises(SettingsError, match="not one of this machine"), bound(Place("192.0.2.1")):
        pass


def test_a_token_file_is_read_if_only_its_owner_may(tmp_path):
    file = tmp_path / "token"
    file.write_text("a-token-that-is-long\n")
    file.chmod(0o600)
    assert token_of(file) == "a-token-that-is-long"
    if os.name == "posix":
        file.chmod(0o640)
        with pytest.raises(SettingsError, match="others may read"):
            token_of(file)
        file.chmod(0o600)
    for text in ("short", "", "a token with spaces in it", "ünïcödé-ünïcödé-ünïcödé"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match="must have at least"):
            token_of(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        token_of(tmp_path / "nothing")


def test_tokens_differ():
    assert len({token_of(None) for _ in range(10)}) == 10


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("127.0.0.1", "http://localhost:80/?token=t"),
        ("::1", "http://[::1]:80/?token=t"),
        ("192.0.2.1", "http://192.0.2.1:80/?token=t"),
        ("0.0.0.0", f"http://{socket.gethostname()}:80/?token=t"),
    ],
)
def test_the_address_can_be_opened(host, begins):
    assert address_of(Place(host), 80, "t") == begins


def test_a_server_for_others_prints_no_tunnel(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.5 22")
    assert list(ways_from_elsewhere(Place("0.0.0.0"), 80)) == []


def test_view_without_an_index_says_what_to_do(cli, tmp_path):
    done = cli("view", make_folder(tmp_path / "data", "a.png"), "--no-browser")
    assert (done.code, "has no index yet" in done.err) == (1, True)
