"""What a page shows can be taken away: an answer or all items, whole or what was picked, in each format."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
from PIL import Image

from clipdex import Explorer, ItemFilter

NAMES = ["csv", "json", "jsonl", "paths", "zip", "sheet"]


def take(web, name, state, *picks, **more):
    what = {"what": "picked", "pick": list(picks)} if picks else {"what": "all"}
    answer = web.post("/export", data={"state": state, "format": name, **what, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment;")
    return answer


def unzipped(answer):
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def items(photos):
    with Explorer(photos) as explorer:
        return list(explorer.items())


def test_all_items_can_be_taken_away(web, photos, items):
    ids = [item.id for item in items]
    rows = list(csv.DictReader(io.StringIO(take(web, "csv", "").text)))
    assert [row["id"] for row in rows] == ids
    assert [row["path"] for row in rows] == [str(item.path) for item in items]
    assert [item["id"] for item in json.loads(take(web, "json", "").text)["items"]] == ids
    assert [json.loads(line)["id"] for line in take(web, "jsonl", "").text.splitlines()] == ids
    assert take(web, "paths", "").text.splitlines() == [str(item.path) for item in items]


def test_items_that_pass_a_filter_are_in_an_archive_by_their_names(web, photos):
    with Explorer(photos) as explorer:
        ids = [item.row.id for item in explorer.listing(ItemFilter(labels=("food",))).page(0, 100)]
    files = unzipped(take(web, "zip", "label=food"))
    assert list(files) == [*(f"photos/default/{one}" for one in ids), "images.csv"]
    assert files[f"photos/default/{ids[0]}"] == (photos / ids[0]).read_bytes()


def test_picked_items_are_taken_in_order_and_once(web, items):
    picks = ["5", "1-2,2", "39"]
    wanted = [items[place].id for place in (1, 2, 5, 39)]
    assert [json.loads(line)["id"] for line in take(web, "jsonl", "", *picks).text.splitlines()] == wanted
    names = list(unzipped(take(web, "zip", "", *picks, ranked="1")))
    assert [name.partition("_")[0] for name in names[:-1]] == ["002", "003", "006", "040"]


def test_picked_hits_keep_their_ranks(web, photos):
    with Explorer(photos) as explorer:
        hits = explorer.explore_topk("a dog", topk=9).hits
    taken = json.loads(take(web, "json", "text=a+dog&topk=9", "0,2-3").text)
    assert [(hit["rank"], hit["id"]) for hit in taken["hits"]] == [(hits[n].rank, hits[n].id) for n in (0, 2, 3)]


@pytest.mark.parametrize(("state", "least"), [("text=a+dog&topk=3", 200), ("label=food", 200)])
def test_a_contact_sheet_is_a_picture(web, state, least):
    with Image.open(io.BytesIO(take(web, "sheet", state).content)) as sheet:
        assert (sheet.format, min(sheet.size) > least) == ("PNG", True)
        assert len(sheet.getcolors(1 << 24)) > 1000


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"what": "picked"}, "no image is selected"),
        ({"what": "picked", "pick": "40"}, "there are 40 images"),
        ({"what": "picked", "pick": "0", "total": "41"}, "has changed meanwhile, and has 40 images now"),
        ({"format": "exe"}, "must be one of csv, json"),
        ({"state": "text=x&max_distance=0"}, "nothing to take away"),
        ({"state": "colour=red"}, "unknown parameter"),
    ],
)
def test_what_cannot_be_taken_is_said(web, sent, said):
    answer = web.post("/export", data={"format": "csv", "state": "", **sent})
    assert (answer.status_code, said in answer.text.lower()) == (400, True)


def test_without_scripts_the_boxes_of_a_page_are_what_is_picked(web, items):
    page = web.get("/").text
    assert page.count('form="take" name="pick"') == 40
    answer = web.post("/export", data={"format": "paths", "state": "", "total": "40", "what": "picked", "pick": "7"})
    assert answer.text.splitlines() == [str(items[7].path)]
