"""The guard of the page: whose requests are answered, and how answers may be used."""

from __future__ import annotations

import socket

import httpx
import pytest

from helpers_web import TOKEN, WAIT, served


@pytest.fixture
def stranger(site):
    """A client without a token."""
    with httpx.Client(base_url=site.url, timeout=WAIT, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("place", ["", "item", "static/page.css", "api/v1/info", "api/v1/openapi.json", "nowhere"])
def test_nothing_is_answered_without_the_token(stranger, place):
    assert stranger.get(place).status_code == 401
    assert stranger.get(place, params={"token": "wrong"}).status_code == 401
    assert stranger.get(place, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get(place, headers={"Cookie": "clipdex=wrong; clipdex_12345678=wrong"}).status_code == 401


def test_the_first_address_gives_a_cookie_that_other_sites_cannot_send(stranger):
    first = stranger.get("/", params={"text": "a dog", "token": TOKEN})
    assert (first.status_code, first.headers["location"]) == (303, "./?text=a+dog")
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in first.headers["set-cookie"].split(";")}
    assert TOKEN not in first.headers["set-cookie"]
    assert stranger.get("/").status_code == 200
    assert stranger.get("/api/v1/info").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "10.0.0.1", "localhost.evil.example", "", "a b", "localhost:x", "[::1"]
)
def test_a_foreign_host_is_refused_even_with_the_token(web, host):
    assert web.get("/", headers={"Host": host}).status_code == 400
    assert web.get("/api/v1/info", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:9000", "127.1.2.3", "[::1]:9000"])
def test_names_of_the_loopback_are_ours_whatever_the_port(web, host):
    assert web.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "file://", "http://[", "https://127.0.0.1"]
)
def test_a_foreign_origin_is_refused_even_with_the_token(web, origin):
    for send in (web.get, web.post):
        refused = send("/api/v1/info", headers={"Origin": origin})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


def test_our_own_origin_is_answered(web, site):
    assert web.get("/api/v1/info", headers={"Origin": site.url.rstrip("/")}).status_code == 200


@pytest.mark.parametrize("kind", ["cross-site", "same-site"])
def test_pages_of_others_may_link_here_and_embed_nothing(web, kind):
    assert web.get("/", headers={"Sec-Fetch-Site": kind, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert web.post("/", headers={"Sec-Fetch-Site": kind, "Sec-Fetch-Mode": "navigate"}).status_code == 403
    assert web.get("/", headers={"Sec-Fetch-Site": kind, "Sec-Fetch-Mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("place", ["", "item?show=x", "nowhere", "static/page.js", "api/v1/info", "api/v1/nowhere"])
def test_every_answer_has_the_headers_that_bound_its_use(web, place):
    headers = web.get(place).headers
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site):
    head = (
        f"POST /api/v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Length: 99000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), WAIT) as connection:
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(1000)


def test_a_body_without_a_length_is_cut_off_where_it_is_too_large(web):
    blocks = (b"x" * 1_000_000 for _ in range(22))
    assert web.post("/api/v1/uploads", content=blocks).status_code == 413


def test_a_server_for_others_answers_to_addresses_and_its_names_only(photos, tmp_path):
    with served(tmp_path, photos, hosts=("gpu-box",), any_address=True) as site, site.client() as client:
        for host, status in (("gpu-box:80", 200), ("10.1.2.3:80", 200), ("evil.example", 400)):
            assert client.get("/api/v1/info", headers={"Host": host}).status_code == status
