"""Facets, histograms and tags on the page and for programs: exact numbers, and changes that only our own pages make."""

from __future__ import annotations

import re

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, SearchRequest, TextQuery
from clipdex_web import facets
from clipdex_web.chart import HEIGHT, chart_of
from helpers_web import TOKEN, served

DAHLIA = {"dataset": "photos", "subset": "default", "id": "plants/dahlia.jpg"}
DOG = {"queries": [{"kind": "text", "value": "a dog"}], "topk": 5}


@pytest.fixture
def own(photos_copy, tmp_path):
    """A server of a copy of the photos, whose tags may change."""
    with served(tmp_path, photos_copy) as site, site.client() as client:
        yield site, client


def counts(text, kind):
    part = re.search(rf"<legend>{kind}</legend>(.*?)</fieldset>", text, re.DOTALL)
    if part is None:
        return {}
    labels = re.findall(r"<label>(.*?)</label>", part[1], re.DOTALL)
    plain = [re.sub(r"<[^>]+>", "", label).split() for label in labels]
    return {words[0]: " ".join(words[1:]) for words in plain}


def test_the_panel_has_exact_numbers_of_what_is_shown_and_of_all(web, photos):
    with Explorer(photos) as explorer:
        every = explorer.facets().labels
        hits = explorer.explore_topk("a dog", topk=5).facets().labels
        plants = explorer.facets(ItemFilter(labels="plants")).labels
    assert counts(web.get("/").text, "Label") == {name: str(number) for name, number in every.items()}
    for query, found in (("text=a+dog&topk=5", hits), ("label=plants", plants)):
        expected = {name: f"{found.get(name, 0)} of {number}" for name, number in every.items()}
        assert counts(web.get(f"/?{query}").text, "Label") == expected


def test_many_names_are_searched_and_can_be_typed(web, monkeypatch):
    monkeypatch.setattr(facets, "_SHOWN", 2)
    page = web.get("/?label=food")
    assert list(counts(page.text, "Label"))[1:2] == ["food"]
    assert re.search(r'name="label" maxlength="1000" [^>]*data-find="labels"', page.text)
    answer = web.get("/api/v1/facets", params={"kind": "labels", "find": "PLA", "limit": 1}).json()
    assert answer["labels"]["total"] == 2
    assert len(answer["labels"]["first"]) == 1
    assert "subsets" not in answer


def test_facets_of_a_search_are_those_of_its_hits(web, photos):
    answer = web.post("/api/v1/facets", json=DOG).json()
    with Explorer(photos) as explorer:
        expected = explorer.search(SearchRequest.from_dict(DOG)).facets()
    assert {one["name"]: one["items"] for one in answer["labels"]["first"]} == expected.labels
    assert answer["items"] == 5


def test_the_histogram_is_that_of_the_engine(web, photos):
    with Explorer(photos) as explorer:
        expected = explorer.histogram(SearchRequest((TextQuery("a dog"),)))
        farthest = explorer.explore_topk("a dog", topk=5)[-1].distance
    assert web.post("/api/v1/histogram", json=DOG).json()["distances"] == list(expected.distances)
    page = web.get("/histogram?text=a+dog&topk=5")
    assert f"hits end at {farthest} bits" in page.text
    assert "40 images by the distance to the query" in page.text
    assert web.get("/histogram").status_code == 400


def test_a_chart_holds_each_item_once_and_parts_them_at_the_cut(photos):
    with Explorer(photos) as explorer:
        histogram = explorer.histogram(SearchRequest((ItemQuery("plants/dahlia"),)))
    chart = chart_of(histogram, [0, 150])
    assert sum(bar.items for bar in chart.bars) == histogram.items
    assert all(0 <= bar.y < HEIGHT and bar.within == (bar.first <= 150) for bar in chart.bars)
    assert (chart.nearest, chart.farthest, chart.nearer) == (0, 150, sum(histogram.distances[:151]))
    assert chart_of(histogram, []).cut is None


def test_an_item_is_tagged_and_untagged_from_its_page(own):
    _, client = own
    place = "show=photos:default:plants/dahlia.jpg"
    form = {"state": place, "item": "photos:default:plants/dahlia.jpg", "tag": "good one"}
    added = client.post("/tags", data={**form, "do": "add"}, follow_redirects=True)
    assert (added.status_code, '<span class="tag">good one</span>' in added.text) == (200, True)
    assert counts(client.get("/").text, "Tag") == {"good": "one 1"}
    assert '<span class="tag">good one</span>' in client.get("/?tag=good+one").text
    removed = client.post("/tags", data={**form, "do": "remove"}, follow_redirects=True)
    assert '<span class="tag">' not in removed.text
    again = client.post("/tags", data={**form, "do": "remove"}, follow_redirects=True)
    assert (again.status_code, again.text) == (200, removed.text)


def test_all_that_is_shown_is_tagged(own, photos_copy):
    _, client = own
    sent = client.post("/tags", data={"state": "text=a dog&topk=3&page=2&per=1", "tag": "dogs", "do": "add"})
    assert (sent.status_code, sent.headers["location"]) == (303, "./?text=a+dog&topk=3&page=2&per=1")
    client.post("/tags", data={"state": "label=food", "tag": "meals", "do": "add"})
    with Explorer(photos_copy) as explorer:
        assert {tag.name: tag.items for tag in explorer.tags()} == {"dogs": 3, "meals": 3}
    assert client.get("/").text.count('<span class="tag">dogs</span>') == 3
    assert client.get("/?text=a+dog&topk=3").text.count('<span class="tag">dogs</span>') == 3


def test_what_is_picked_of_all_that_is_shown_is_tagged(own, photos_copy):
    _, client = own
    with Explorer(photos_copy) as explorer:
        ids = [item.id for item in explorer.items()]
        hits = [hit.id for hit in explorer.explore_topk("a dog", topk=5)]

    def tag(name, state, do="add", **picked):
        answer = client.post("/tags", data={"state": state, "tag": name, "do": do, "what": "picked", **picked})
        with Explorer(photos_copy) as explorer:
            known = name in {tag.name for tag in explorer.tags()}
            found = {item.id for item in explorer.items(ItemFilter(tags=name))} if known else set()
        return answer.status_code, found

    assert tag("x", "page=1&per=1", pick="1-2,30", total="40") == (303, {ids[1], ids[2], ids[30]})
    assert tag("x", "", "remove", pick=["2", "5"]) == (303, {ids[1], ids[30]})
    assert tag("y", "text=a dog&topk=5", pick="0,4", total="5") == (303, {hits[0], hits[4]})
    for wrong in ({"pick": "40"}, {"pick": "0", "total": "39"}, {"pick": ""}, {"pick": "z"}, {}):
        assert tag("z", "", **wrong) == (400, set())


def test_a_tag_that_went_leaves_a_page_that_says_so(own):
    _, client = own
    for name, label in (("meals", "food"), ("places", "places")):
        client.post("/tags", data={"state": f"label={label}", "tag": name, "do": "add"})
    emptied = client.post("/tags", data={"state": "tag=meals", "tag": "meals", "do": "remove"})
    assert emptied.headers["location"] == "./?tag=meals"
    for query in ("tag=meals", "text=a+dog&tag=meals"):
        page = client.get(f"/?{query}")
        assert (page.status_code, "No image passes." in page.text) == (200, True)
        assert "No image has the tag meals now." in page.text
        assert 'aria-label="Remove the filter tag meals"' in page.text
        # The same from a page that was open before.
        again = client.post("/tags", data={"state": query, "tag": "meals", "do": "remove"}, follow_redirects=True)
        assert (again.status_code, "No image has the tag meals now." in again.text) == (200, True)
    for query, there in (("tag=meals&tag=places", "9 images"), ("not_tag=meals", "40 images")):
        page = client.get(f"/?{query}")
        assert (page.status_code, f"{there}, in order" in page.text) == (200, True)
        assert "No image has the tag meals now, so the filter goes on without it." in page.text


def test_the_page_of_tags_leads_to_their_images(own):
    _, client = own
    assert "There are no tags yet" in client.get("/tags").text
    client.post("/tags", data={"state": "label=food", "tag": "my meals", "do": "add"})
    [url] = re.findall(r'<a href="([^"]+)" class="tag">my meals</a>', client.get("/tags").text)
    assert client.get(url).text.count('<span class="tag">my meals</span>') == 3


def test_programs_tag_items(own):
    _, client = own
    change = {"action": "add", "name": "x", "items": [DAHLIA, {**DAHLIA, "id": "gone.jpg"}]}
    assert client.post("/api/v1/tags", json=change).json() == {"name": "x", "changed": 1, "missing": ["gone.jpg"]}
    assert client.get("/api/v1/tags").json()["tags"][0]["items"] == 1
    taken = client.post("/api/v1/tags", json={**change, "action": "remove"}).json()
    assert taken["changed"] == 1


@pytest.mark.parametrize(
    "form",
    [
        {"tag": "x"},
        {"tag": "", "do": "add"},
        {"tag": "x", "do": "drop"},
        {"tag": "x", "do": "remove"},
        {"tag": "x", "do": "add", "item": "photos:default:nothing.jpg"},
        {"tag": "x", "do": "add", "state": "colour=red"},
        {"tag": "a\nb", "do": "add"},
    ],
)
def test_a_form_that_says_nothing_changes_nothing(own, photos_copy, form):
    _, client = own
    assert client.post("/tags", data=form).status_code in (400, 404)
    assert not (photos_copy / ".clipdex.tags.sqlite").exists()


def test_only_our_own_pages_can_change_tags(own, photos_copy):
    _, client = own
    form = {"tag": "x", "do": "add"}
    change = {"action": "add", "name": "x", "items": [DAHLIA]}
    for place, sent in (("/tags", {"data": form}), ("/api/v1/tags", {"json": change})):
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "null"}):
            assert client.post(place, headers=headers, **sent).status_code == 403
        assert client.post(place, headers={"Sec-Fetch-Site": "same-site"}, **sent).status_code == 403
        assert client.post(place, headers={"Authorization": "Bearer no"}, **sent).status_code == 401
        assert client.post(f"{place}?token={TOKEN}", headers={"Authorization": ""}, **sent).status_code == 401
    assert client.get("/tags?tag=x&do=add").status_code == 400
    assert not (photos_copy / ".clipdex.tags.sqlite").exists()
