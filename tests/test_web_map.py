"""The map as a page: made only when somebody says so, and areas of it that lead to images."""

from __future__ import annotations

import json
import re
import threading

import numpy as np
import pytest

from clipdex import Explorer
from clipdex.errors import QueryError
from clipdex.mapping.making import has_map
from clipdex_web.area import area_of, inside
from helpers_web import WAIT, served

pytest.importorskip("openTSNE")
ALL = "-9,-9_9,-9_9,9_-9,9"


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
    assert client.get(f"/area?area={ALL}").headers["location"] == "map"
    with Explorer(photos_copy) as explorer:
        assert not has_map(explorer.datasets)
        assert made(client).json()["items"] == 40
        assert has_map(explorer.datasets)
    assert 'src="map.js"' in client.get("/map").text


def test_an_answer_is_on_the_map(own):
    _, client = own
    made(client)
    data = re.search(r'id="data">(.*?)</script>', client.get("/map?text=a+dog&topk=3").text, re.DOTALL)[1]
    with_answer = json.loads(data)
    answer = client.post("/api/v1/search", json={"queries": [{"kind": "text", "value": "a dog"}], "topk": 3}).json()
    assert [one["id"] for one in with_answer["found"]] == [hit["id"] for hit in answer["hits"]]


def test_an_area_holds_the_images_that_are_in_it(own, photos_copy):
    _, client = own
    made(client)
    with Explorer(photos_copy) as explorer:
        places = explorer.map().datasets[0].coordinates
    left = f"-9,-9_{np.median(places[:, 0]):.6f},-9_{np.median(places[:, 0]):.6f},9_-9,9"
    part = client.get("/area", params={"area": left})
    assert len(re.findall(r'<p class="name"', part.text)) == 20
    assert len(re.findall(r'<p class="name"', client.get(f"/area?area={ALL}").text)) == 40
    sent = client.post("/area", data={"area": left, "tag": "left", "do": "add"})
    assert sent.headers["location"] == "./?tag=left"
    with Explorer(photos_copy) as explorer:
        assert [tag.items for tag in explorer.tags()] == [20]


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2_3,4", "a,b_c,d_e,f", "1,2_nan,3_4,5", "_".join(["1,2"] * 65), "1_2_3"]
)
def test_what_is_no_area_is_refused(web, text):
    with pytest.raises(QueryError, match="corners"):
        area_of(text)
    assert web.get("/area", params={"area": text}).status_code == 400


def test_a_polygon_holds_what_the_rule_of_even_and_odd_says():
    star = area_of("0,3_-2,-2_3,1_-3,1_2,-2")
    places = np.array([[0, 2], [0, 0], [5, 0], [-1.6, -1.4], [0, -1.5]], np.float32)
    assert inside(star, places).tolist() == [0, 3]


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
