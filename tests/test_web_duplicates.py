"""The page of duplicates: what the engine finds, marks, lists to take away, and work that takes long."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import threading
from urllib.parse import urlencode

import pytest

from clipdex import build, find_duplicates
from clipdex_web import duplicates
from helpers_engine import PHOTOS
from helpers_web import WAIT, served

DOG, SEA = PHOTOS / "animals/german-shepherd.jpg", PHOTOS / "places/sea.jpg"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """A folder with a dog in both subsets and again below train, and two seas in val."""
    root = tmp_path_factory.mktemp("leaks") / "leaky"
    places = (("train/a", DOG), ("train/b", DOG), ("val/c", DOG), ("val/d", SEA), ("val/e", SEA))
    for name, source in places:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / f"{name}.jpg")
    build(root)
    return root


@pytest.fixture(scope="module")
def leaks(leaky, tmp_path_factory):
    with served(tmp_path_factory.mktemp("served"), leaky) as site, site.client() as client:
        yield client


def take(client, query="", kept=(), **form):
    pairs = [("state", query), *form.items(), *(("kept", name) for name in kept)]
    return client.post(
        "/duplicates",
        content=urlencode(pairs).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def ids(text):
    return re.findall(r'<p class="name" title="([^"]+)"', text)


def test_the_page_shows_the_groups_of_the_engine(leaks, leaky):
    page = leaks.get("/duplicates")
    assert page.status_code == 200
    assert ids(page.text) == [item.id for group in find_duplicates(leaky).groups for item in group.items]
    assert page.text.count("identical files</span>") == 2


def test_what_is_asked_is_in_the_address(leaks, leaky):
    page = leaks.get("/duplicates?max_distance=&across=subsets&keep=first&linkage=single", follow_redirects=True)
    assert page.url.raw_path == b"/duplicates?across=subsets"
    assert ids(page.text) == [item.id for item in find_duplicates(leaky, across="subsets").groups[0].items]
    assert "across subsets" in page.text


@pytest.mark.parametrize(
    "query",
    ["max_distance=9999", "across=labels", "keep=nothing", "identical=true&max_distance=3", "page=0", "limit=3", "x=1"],
)
def test_what_cannot_be_asked_is_said(leaks, query):
    for place in ("duplicates", "api/v1/duplicates"):
        if (place, query) != ("api/v1/duplicates", "limit=3"):
            assert leaks.get(f"/{place}?{query}").status_code == 400


def test_the_command_line_of_the_page_gives_the_same(leaks, leaky, cli):
    text = leaks.get("/duplicates?across=subsets&keep=newest").text
    line = re.search(r'id="command-line">(.*?)</pre>', text)[1]
    ran = cli(*shlex.split(line)[1:], "--output", "paths", "-q")
    assert ran.out.decode() == take(leaks, "across=subsets&keep=newest", format="paths").text


def test_each_list_is_what_the_command_line_prints(leaks, leaky, cli):
    for kind in ("paths", "csv", "json"):
        sent = take(leaks, format=kind)
        assert sent.headers["content-disposition"].startswith("attachment")
        assert sent.content == cli("duplicates", str(leaky), "--output", kind, "-q").out


def test_marks_choose_what_the_list_leaves(leaks):
    kept = ["leaky:val:val/c.jpg", "leaky:val:val/e.jpg"]
    paths = take(leaks, kept=kept, format="paths").text
    assert [path.rpartition("/")[2] for path in paths.splitlines()] == ["a.jpg", "b.jpg", "d.jpg"]


@pytest.mark.parametrize(
    ("form", "status"),
    [({}, 400), ({"format": "exe"}, 400), ({"format": "csv", "kept": ["x"]}, 400), ({"format": "again"}, 303)],
)
def test_a_form_that_cannot_be_answered_is_refused(leaks, form, status):
    assert take(leaks, **form).status_code == status


def test_the_list_is_of_the_files_as_they_are_now(leaky, tmp_path):
    shutil.copytree(leaky, tmp_path / "leaky")
    with served(tmp_path / "kept", tmp_path / "leaky") as site, site.client() as client:
        assert client.get("/duplicates").status_code == 200
        (tmp_path / "leaky/train/a.jpg").unlink()
        paths = take(client, format="paths").text
        assert [path.rpartition("/")[2] for path in paths.splitlines()] == ["c.jpg", "e.jpg"]
        assert take(client, format="again").headers["location"] == "duplicates"
        assert "not there any more" in client.get("/duplicates").text


def test_the_api_gives_groups_page_by_page(leaks, leaky):
    expected = json.loads(find_duplicates(leaky).to_json())["groups"]
    first = leaks.get("/api/v1/duplicates", params={"limit": 1}).json()
    second = leaks.get("/api/v1/duplicates", params={"limit": 1, "cursor": first["next"]}).json()
    assert [*first["groups"], *second["groups"]] == expected
    assert "next" not in second


def test_work_that_takes_long_is_said_to_go_on_and_stops_nothing_else(leaky, tmp_path, monkeypatch):
    go_on, search = threading.Event(), duplicates.duplicates_of

    def slow(*asked, progress):
        progress("percent compared", 40, 100)
        go_on.wait(WAIT)
        return search(*asked, progress=progress)

    monkeypatch.setattr(duplicates, "duplicates_of", slow)
    with served(tmp_path, leaky) as site, site.client() as client:
        page = client.get("/duplicates")
        assert (page.status_code, 'value="40" max="100"' in page.text) == (202, True)
        assert "40 percent compared<" in page.text
        answer = client.get("/api/v1/duplicates")
        assert (answer.status_code, answer.json()["done"], answer.headers["retry-after"]) == (202, 40, "1")
        assert client.get("/").status_code == 200
        assert take(client, format="csv").status_code == 303
        go_on.set()
        while (answer := client.get("/api/v1/duplicates")).status_code == 202:
            pass
        assert answer.json()["total_groups"] == 2


def test_too_much_long_work_is_refused(leaky, tmp_path, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(duplicates, "duplicates_of", lambda *asked, progress: go_on.wait(WAIT))
    with served(tmp_path, leaky) as site, site.client() as client:
        monkeypatch.setattr(site.site.long_work.ask.__func__, "__defaults__", (0.0,))
        answers = [client.get("/api/v1/duplicates", params={"max_distance": number}) for number in range(12)]
        go_on.set()
    assert {answer.status_code for answer in answers} == {202, 503}
