"""The HTTP API: what it answers is what the engine answers, and what it says of itself is true."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from clipdex import Explorer, ItemFilter, SearchRequest
from clipdex_web.checking import check
from clipdex_web.openapi import document
from clipdex_web.schema import DEFINITIONS, FILTER_PARAMETERS
from helpers_engine import PHOTOS, claim_size, picture

CAT = PHOTOS / "animals" / "chelsea-the-cat.jpg"
DAHLIA = {"dataset": "photos", "subset": "default", "id": "plants/dahlia.jpg"}


def search(web, **body):
    return web.post("/api/v1/search", json=body)


def text(value):
    return {"kind": "text", "value": value}


def test_a_search_answers_what_the_engine_does(web, photos):
    body = {
        "queries": [text("a dog"), {"kind": "item", "value": "plants/dahlia.jpg"}],
        "negative": [text("snow")],
        "topk": 7,
        "merge": "rank",
        "filter": {"not_labels": ["food"]},
        "exclude_self": True,
    }
    answer = search(web, **body)
    with Explorer(photos) as explorer:
        expected = explorer.search(SearchRequest.from_dict(body)).to_dict()
    assert answer.status_code == 200
    assert answer.json() == {**expected, "request": body}


def test_an_upload_is_asked_with_like_its_file(web, photos):
    sent = web.post("/api/v1/uploads", content=CAT.read_bytes())
    assert sent.status_code == 201
    answer = search(web, queries=[sent.json()], topk=5).json()
    with Explorer(photos) as explorer:
        expected = [(hit.id, hit.distance) for hit in explorer.explore_topk(CAT, topk=5)]
    assert [(hit["id"], hit["distance"]) for hit in answer["hits"]] == expected
    assert search(web, **answer["request"]).json() == answer


def test_items_come_page_by_page_each_once(web, photos):
    ids, cursor = [], {}
    while True:
        page = web.get("/api/v1/items", params={"limit": 7, **cursor}).json()
        assert page["total"] == 40
        ids += [item["id"] for item in page["items"]]
        if "next" not in page:
            break
        cursor = {"cursor": page["next"]}
    with Explorer(photos) as explorer:
        assert ids == [item.id for item in explorer.items()]


def test_items_can_be_filtered(web, photos):
    found = web.get("/api/v1/items", params=[("labels", "food"), ("labels", "people"), ("limit", "100")]).json()
    with Explorer(photos) as explorer:
        assert found["total"] == len(explorer.listing(ItemFilter(labels=("food", "people"))))
    assert {label for item in found["items"] for label in item["labels"]} == {"food", "people"}


def test_an_item_has_its_hash_key(web, photos):
    item = web.get("/api/v1/item", params=DAHLIA).json()
    with Explorer(photos) as explorer:
        known = explorer.item("plants/dahlia")
    assert item["hash_key"] == known.hash_key.tobytes().hex()
    assert (item["model_digest"], item["labels"]) == (known.model_digest, ["plants"])


def test_what_the_document_says_of_answers_is_true(web):
    paths = document()["paths"]
    sent = web.post("/api/v1/uploads", content=CAT.read_bytes())
    answers = {
        ("/info", "get"): web.get("/api/v1/info"),
        ("/search", "post"): search(web, queries=[text("a dog"), sent.json()]),
        ("/items", "get"): web.get("/api/v1/items"),
        ("/duplicates", "get"): web.get("/api/v1/duplicates", params={"max_distance": 100}),
        ("/facets", "get"): web.get("/api/v1/facets", params={"labels": "food", "kind": "labels"}),
        ("/facets", "post"): web.post("/api/v1/facets", json={"queries": [text("a dog")]}),
        ("/histogram", "post"): web.post("/api/v1/histogram", json={"queries": [text("a dog")]}),
        ("/tags", "get"): web.get("/api/v1/tags"),
        ("/tags", "post"): web.post("/api/v1/tags", json={"action": "add", "name": "x", "items": []}),
        ("/item", "get"): web.get("/api/v1/item", params=DAHLIA),
        ("/uploads", "post"): sent,
        ("/thumbnail", "get"): web.get("/api/v1/thumbnail", params=DAHLIA),
        ("/original", "get"): web.get("/api/v1/original", params=DAHLIA),
    }
    del paths["/map"]  # there is none of these photos; see test_web_map.py
    assert {(path, method) for path, methods in paths.items() for method in methods} == set(answers)
    for (path, method), answer in answers.items():
        content = paths[path][method]["responses"][str(answer.status_code)]["content"]
        kind = answer.headers["content-type"]
        assert kind in content
        if kind == "application/json":
            check(answer.json(), content[kind]["schema"], DEFINITIONS)
    assert web.get("/api/v1/openapi.json").json() == document()


def test_the_schema_has_what_the_engine_takes():
    assert set(DEFINITIONS["SearchRequest"]["properties"]) == {"schema", *SearchRequest.__slots__}
    assert set(DEFINITIONS["Filter"]["properties"]) == set(ItemFilter.__slots__) == set(FILTER_PARAMETERS)


def test_the_schemas_are_json_schema():
    jsonschema = pytest.importorskip("jsonschema")
    for schema in DEFINITIONS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "the request has no queries"),
        ({"queries": []}, "must have at least 1"),
        ({"queries": [text("a")], "colour": 1}, "unknown key 'colour'"),
        ({"queries": [{**text("a"), "x": 1}]}, "unknown key 'x'"),
        ({"queries": ["a"]}, "must be an object with a kind: text, item, upload"),
        ({"queries": [{"kind": "image", "value": "/etc/passwd"}]}, "must be an object with a kind"),
        ({"queries": [{"kind": "upload", "value": "../../etc/passwd"}]}, "must match"),
        ({"queries": [{"kind": "upload", "value": "0" * 64}]}, "not kept any more"),
        ({"queries": [text(" ")]}, "the text of a query is empty"),
        ({"queries": [text("a")], "topk": 0}, "from 1 to 10000"),
        ({"queries": [text("a")], "topk": True}, "must be an integer"),
        ({"queries": [text("a")], "topk": 10**30}, "from 1 to 10000"),
        ({"queries": [text("a")], "merge": "best"}, "must be one of any, all, rank"),
        ({"queries": [text("a")], "filter": {"labels": ["aminals"]}}, "Nearest: animals"),
        ({"queries": [text("a")], "filter": {"paths": ["a//b"]}}, "has an empty part"),
        ({"queries": [{"kind": "item", "value": "a.jpg", "subsets": "default"}]}, "must be an array"),
        ([], "the request is [], and must be an object"),
    ],
)
def test_a_wrong_request_is_a_problem_that_says_what_is_wrong(web, body, said):
    answer = web.post("/api/v1/search", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    check(answer.json(), DEFINITIONS["Problem"], DEFINITIONS)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"queries": ' + b"9" * 5000 + b"}"])
def test_a_body_that_is_no_json_is_a_problem(web, body):
    assert web.post("/api/v1/search", content=body).status_code == 400


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("item?dataset=photos&subset=default&id=nothing.jpg", 404),
        ("item?dataset=photos&subset=default", 400),
        ("item?dataset=photos&subset=default&id=a&path=/etc/passwd", 400),
        ("item?dataset=photos&subset=default&id=a&id=b", 400),
        ("thumbnail?dataset=photos&subset=default&id=plants/dahlia.jpg&size=9999", 400),
        ("thumbnail?dataset=photos&subset=default&id=../../../etc/passwd", 404),
        ("original?dataset=photos&subset=default&id=/etc/passwd", 404),
        ("items?cursor=bm9uc2Vuc2U=", 400),
        ("items?limit=0", 400),
        ("items?labels=nothing", 400),
        ("nowhere", 404),
        ("search", 405),
    ],
)
def test_a_wrong_address_is_a_problem(web, place, status):
    answer = web.get(f"/api/v1/{place}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_pictures_are_small_upright_and_say_nothing_else(web, tmp_path, photos):
    answer = web.get("/api/v1/thumbnail", params={**DAHLIA, "size": 256})
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, max(image.size)) == ("WEBP", 256)
        assert not image.getexif()
    again = web.get("/api/v1/thumbnail", params=DAHLIA, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_original_is_an_attachment_that_no_browser_shows(web, photos):
    answer = web.get("/api/v1/original", params=DAHLIA)
    assert answer.content == (photos / "plants" / "dahlia.jpg").read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''dahlia.jpg"


@pytest.mark.parametrize("kind", ["svg", "text", "huge", "empty", "large"])
def test_an_upload_that_is_no_image_of_a_query_is_refused(web, tmp_path, kind):
    content = {
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "text": b"not an image",
        "huge": claim_size(tmp_path / "huge.png", 50_000, 50_000).read_bytes(),
        "empty": b"",
        "large": b"\xff" * 20_000_001,
    }[kind]
    answer = web.post("/api/v1/uploads", content=content)
    assert answer.status_code == (413 if kind == "large" else 400)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_upload_is_shown_only_as_a_picture_made_of_it(web):
    stream = io.BytesIO()
    picture(3).save(stream, "PNG", pnginfo=None)
    name = web.post("/api/v1/uploads", content=stream.getvalue()).json()["value"]
    assert web.get("/upload", params={"image": name}).headers["content-type"] == "image/webp"
