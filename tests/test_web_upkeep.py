"""Builds that run while a page is served: they are noticed, and shown when somebody wishes."""

from __future__ import annotations

import threading

import pytest

from clipdex import build
from helpers_engine import make_folder
from helpers_web import served


@pytest.fixture
def root(tmp_path):
    root = make_folder(tmp_path / "data", *(f"{number}.png" for number in range(4)))
    build(root)
    return root


@pytest.fixture
def growing(root, tmp_path):
    """A server of a dataset that tests build anew."""
    with served(tmp_path / "kept", root) as site, site.client() as client:
        yield client


def add(root, *names):
    make_folder(root, *names, seed=40)
    build(root)


def changed(client):
    return client.get("/changed").json() == {"changed": True}


def test_a_build_is_noticed_and_shown_after_a_refresh(growing, root):
    assert (changed(growing), "4 images" in growing.get("/").text) == (False, True)
    add(root, "new.png")
    page = growing.get("/").text
    assert (changed(growing), "4 images, in order" in " ".join(page.split())) == (True, True)
    assert "data-changed hidden" not in page
    answer = growing.post("/refresh", data={"state": "per=2&page=2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./?page=2&per=2")
    page = growing.get("/").text
    assert "5 images, in order" in " ".join(page.split())
    assert "new.png" in page
    assert not changed(growing)
    assert all(
        "(5 images" in growing.get(place).text for place in ("/tags", "/histogram?item=data:default:0.png", "/map")
    )


def test_questions_go_on_while_the_indexes_are_refreshed(growing, root):
    statuses = set()
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            statuses.add(growing.get("/?item=data:default:0.png").status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(4):
        add(root, f"new{number}.png")
        assert growing.post("/refresh", data={"state": ""}).status_code == 303
    ended.set()
    for thread in threads:
        thread.join()
    assert statuses == {200}


def test_an_index_that_is_gone_is_asked_as_it_was(growing, root):
    (root / ".clipdex" / "manifest.json").unlink()
    assert not changed(growing)
    assert growing.post("/refresh", data={"state": ""}).status_code == 500
    assert "4 images" in growing.get("/").text
