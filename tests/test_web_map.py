"""The map as a page: made only when somebody says so, and areas of it that lead to images."""

from __future__ import annotations

import base64
import json
import re
import threading

import numpy as np
import pytest

from clipdex import Explorer
from clipdex.errors import ExtraMissing
from clipdex.mapping.area import Area
from clipdex.mapping.making import kept_version
from helpers_web import WAIT, served

pytest.importorskip("openTSNE")


@pytest.fixture
def own(photos_copy, tmp_path):
    with served(tmp_path, photos_copy) as site, site.client() as client:
        yield site, client


def made(client):
    client.post("/map")
    while (answer := client.get("/api/v1/map")).status_code == 202:
        pass
    return answer


def test_a_map_is_made_by_a_click_and_kept(own, photos_copy):
    _, client = own
    assert client.get("/api/v1/map").status_code == 404
    assert "Make the map" in client.get("/map").text
    with Explorer(photos_copy) as explorer:
        assert kept_version(explorer.datasets) is None
        assert made(client).json()["items"] == 40
        assert kept_version(explorer.datasets)
    assert 'src="map.js"' in client.get("/map").text


def test_an_answer_is_on_the_map(own):
    _, client = own
    made(client)
    with_answer = data_of(client.get("/map?text=a+dog&topk=3"))
    answer = client.post("/api/v1/search", json={"queries": [{"kind": "text", "value": "a dog"}], "topk": 3}).json()
    assert [one["id"] for one in with_answer["found"]] == [hit["id"] for hit in answer["hits"]]


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page.text, re.DOTALL)[1])


def left_half(photos):
    """An area with half of the images, and their ids."""
    with Explorer(photos) as explorer:
        made = explorer.map()
        middle = float(np.median(made.datasets[0].coordinates[:, 0]))
        area = made.area([(-2, -2), (middle, -2), (middle, 2), (-2, 2)])
        edge = max(x for x, _ in Area.of(area).corners)
        return area, {row.id for at, row in explorer.datasets[0].items() if made.datasets[0].at(at)[0] < edge}


def test_an_area_is_a_filter_of_the_images(own, photos_copy):
    _, client = own
    made(client)
    area, ids = left_half(photos_copy)
    page = client.get("/", params={"area": area})
    assert set(re.findall(r'<p class="name" title="([^"]*)"', page.text)) == ids
    assert "in an area of the map" in page.text
    assert f"areas=(&#39;{area}&#39;,)" in page.text
    answer = client.get("/", params={"text": "a dog", "label": "animals", "area": area})
    animals = {one for one in ids if one.startswith("animals/")}
    assert set(re.findall(r'<p class="name" title="([^"]*)"', answer.text)) == animals
    assert f"--area={area}" in answer.text
    assert client.get("/api/v1/items", params={"areas": area}).json()["total"] == len(ids)
    client.post("/tags", data={"state": f"area={area}", "tag": "left", "do": "add"})
    with Explorer(photos_copy) as explorer:
        assert [tag.items for tag in explorer.tags()] == [len(ids)]
    tags = data_of(client.get("/map?by=tag"))
    assert (tags["by"], tags["colourings"]["tag"]["counts"]) == ("tag", [len(ids), 40 - len(ids)])


def test_an_area_of_another_map_is_refused_and_not_drawn(own):
    _, client = own
    made(client)
    other = str(Area(b"abc", ((0, 0), (1, 0), (1, 1))))
    answer = client.get("/", params={"area": other})
    assert (answer.status_code, "drawn on another map" in answer.text) == (400, True)
    page = client.get("/map", params={"area": other})
    assert (page.status_code, "drawn on another map" in page.text) == (200, True)


def test_what_does_not_pass_a_filter_is_pale_on_the_map(own):
    _, client = own
    made(client)
    page = client.get("/map?label=animals&by=label")
    assert sum(base64.b64decode(data_of(page)["passing"])) == 12
    assert "12 images pass" in page.text
    assert data_of(client.get("/map"))["passing"] == ""
    assert client.get("/map?label=nothing").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "by=size",
        "by=label&by=tag",
        "area=1,2_3,4",
        "view=1,2",
        "view=a,b,c",
        "view=1e9,0,1",
        "show=x",
        "only=" + "x" * 10_001,
    ],
)
def test_what_the_map_cannot_show_is_refused(web, query):
    assert web.get(f"/map?{query}").status_code == 400


def test_a_map_that_another_program_lays_out_anew_is_shown(own, photos_copy, monkeypatch):
    _, client = own
    made(client)
    before = data_of(client.get("/map"))["layout"]
    with Explorer(photos_copy) as explorer, monkeypatch.context() as patch:
        patch.setattr("clipdex.mapping.making.tsne_package", _no_package)
        explorer.map(renew=True)
        assert data_of(client.get("/map"))["layout"] != before


def _no_package():
    raise ExtraMissing("there is none")


def test_making_a_map_blocks_nothing(own, monkeypatch):
    site, client = own
    go_on, make = threading.Event(), type(site.site.collection.explorer).map

    def slow(explorer, *, progress):
        progress("steps of the layout", 3, 10)
        go_on.wait(WAIT)
        return make(explorer, progress=progress)

    monkeypatch.setattr(type(site.site.collection.explorer), "map", slow)
    client.post("/map")
    page = client.get("/map")
    assert (page.status_code, 'value="3" max="10"' in page.text) == (202, True)
    assert client.get("/?text=a+dog").status_code == 200
    go_on.set()
    while client.get("/api/v1/map").status_code == 202:
        pass
    assert client.get("/map").status_code == 200
