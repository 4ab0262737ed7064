"""Work of the page beside its event loop, and what it keeps: bounded, dropped with its client, and nothing blocks."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clipdex_web.kept import KeptFiles, KeptValues
from clipdex_web.uploads import Uploads
from clipdex_web.work import Busy, Pool
from helpers_web import TOKEN, WAIT, served

SEARCH = "/?text=a+dog"
ITEM = "/api/v1/item?dataset=photos&subset=default&id=plants/dahlia.jpg"


class Held:
    """An engine that answers only when it is let: the first call waits, and says that it does."""

    def __init__(self, collection, monkeypatch):
        self.begun, self.go = threading.Semaphore(0), threading.Event()
        self.asked = []
        answer = collection.answer

        def held(state):
            self.asked.append(state.chips[0].value)
            self.begun.release()
            assert self.go.wait(WAIT)
            return answer(state)

        monkeypatch.setattr(collection, "answer", held)


@pytest.fixture
def narrow(photos, tmp_path):
    """A server with one thread for questions, where one more can wait."""
    with served(tmp_path, photos, asking=Pool("narrow", 1, 1)) as site:
        yield site


def send(site, place):
    """Ask, and return the open connection without waiting for the answer."""
    connection = socket.create_connection(("127.0.0.1", site.port), WAIT)
    head = f"GET {place} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def answer_of(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def until(true):
    for _ in range(int(WAIT / 0.005)):
        if true():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it never came true")


def test_where_too_much_waits_the_answer_is_503_and_the_rest_is_answered(narrow, monkeypatch):
    held = Held(narrow.site.collection, monkeypatch)
    first = send(narrow, "/?text=one")
    assert held.begun.acquire(timeout=WAIT)
    second = send(narrow, "/?text=two")
    until(lambda: narrow.site.asking._pending == 2)
    with narrow.client() as client:
        for place in ("/?text=three", "/api/v1/info"):
            refused = client.get(place)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        # Other work goes on, and the loop is free.
        assert client.get("/static/page.css").status_code == 200
    held.go.set()
    assert answer_of(first).startswith(b"HTTP/1.1 200")
    assert answer_of(second).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_takes_its_waiting_question_along(narrow, monkeypatch):
    held = Held(narrow.site.collection, monkeypatch)
    first = send(narrow, "/?text=one")
    assert held.begun.acquire(timeout=WAIT)
    second = send(narrow, "/?text=two")
    until(lambda: narrow.site.asking._pending == 2)
    second.close()
    until(lambda: narrow.site.asking._pending == 1)
    held.go.set()
    assert answer_of(first).startswith(b"HTTP/1.1 200")
    assert held.asked == ["one"]


def test_eight_clients_at_once_get_the_answers_of_one(site):
    with site.client() as client:
        alone = [
            client.get(ITEM).text,
            client.get(SEARCH).text,
        ]

    def ask(number):
        with site.client() as client:
            item = client.get(ITEM).text
            return [item, client.get(SEARCH).text]

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(ask, range(16))) == [alone] * 16


def name_of(content):
    return hashlib.sha256(content).hexdigest()


def test_kept_files_are_read_back_until_there_are_too_many_bytes(tmp_path):
    kept = KeptFiles(tmp_path / "kept", 1000)
    contents = [bytes([number]) * 200 for number in range(5)]
    for age, content in enumerate(contents):
        assert kept.write(name_of(content), content)
        os.utime(kept.path(name_of(content)), (age, age))
    assert all(kept.read(name_of(content)) == content for content in contents)
    for age, content in enumerate(contents):
        os.utime(kept.path(name_of(content)), (age, age))
    kept.read(name_of(contents[0]))  # used just now
    assert kept.write(name_of(b"x" * 200), b"x" * 200)
    left = [kept.read(name_of(content)) is not None for content in contents]
    assert left == [True, False, False, True, True]


def test_a_name_of_a_kept_file_is_no_path(tmp_path):
    kept = KeptFiles(tmp_path / "kept", 1000)
    for name in ("../secret", "", "A" * 64, "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(ValueError, match="no name of a kept file"):
            kept.read(name)


def test_files_that_cannot_be_kept_are_no_error(tmp_path):
    (tmp_path / "kept").write_text("a file in the place of the folder")
    kept = KeptFiles(tmp_path / "kept", 1000)
    assert not kept.write("0" * 64, b"x")
    assert kept.read("0" * 64) is None


def test_an_upload_that_was_changed_on_disk_is_not_used(tmp_path, photos):
    uploads = Uploads(tmp_path, 10_000_000)
    name = uploads.add((photos / "plants" / "dahlia.jpg").read_bytes())
    uploads.path(name).write_bytes(b"another image")
    with pytest.raises(Exception, match="upload the image again"):
        uploads.read(name)


def test_kept_values_are_made_once_and_the_oldest_go(tmp_path):
    made = []
    kept = KeptValues(2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(key, lambda key=key: made.append(key) or key.upper()) == key.upper()
    assert made == ["a", "b", "c", "b"]


def test_a_call_whose_task_is_cancelled_while_it_waits_is_not_made():
    begun, go, made = threading.Event(), threading.Event(), []

    def held():
        begun.set()
        assert go.wait(WAIT)

    async def ask():
        pool = Pool("one", 1, 1)
        first = asyncio.create_task(pool.answer(held))
        assert await asyncio.to_thread(begun.wait, WAIT)
        second = asyncio.create_task(pool.answer(made.append, "second"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await pool.answer(made.append, "third")
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        go.set()
        await first
        await pool.answer(made.append, "fourth")
        pool.close()

    # A thread of its own: where a browser runs, this one has an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, ask()).result()
    assert made == ["fourth"]
