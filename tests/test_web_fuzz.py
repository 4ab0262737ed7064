"""Nothing that a client sends is answered by a defect: no status of 500, and no broken connection."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from helpers_index import DETERMINISTIC

API = ("info", "items", "item", "thumbnail", "original", "duplicates", "facets", "tags", "map")
PLACES = (
    *("", "item", "upload", "export", "duplicates", "histogram", "map", "area", "tags"),
    *(f"api/v1/{name}" for name in API),
)
FORMS = ("duplicates", "tags", "area")
NAMES = (
    *("text", "not_text", "item", "not_item", "image", "add", "away", "label", "not_path", "path", "subset", "dataset"),
    *("topk", "merge", "rescore", "max_distance", "page", "per", "show", "format", "id", "size", "cursor", "limit"),
    *("labels", "paths", "token"),
    *("across", "identical", "keep", "linkage", "kind", "find", "tag", "not_tag", "area", "by"),
)
ODD = (
    *("photos", "default", "plants/dahlia.jpg", "photos:default:plants/dahlia.jpg", "a:b:../../etc/passwd", "::", "**"),
    *("0", "-1", "1e9", "9" * 40, "٣", "\0", "\ud800", "%00", "~root/x", "/etc/passwd", "a" * 20_000, "[", "~\0"),
    *("csv", "zip", "any", "1", "256", "0" * 64, "bm9uc2Vuc2U=", "é", "e\u0301", "x\ny", "<b>", "'\"&"),
)
values = st.text(max_size=30) | st.sampled_from(ODD)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
queries = st.lists(
    st.dictionaries(st.sampled_from(["kind", "value", "subsets", "dataset", "prompting"]), json_values)
    | st.fixed_dictionaries({"kind": st.sampled_from(["text", "item", "upload"]), "value": values}),
    max_size=3,
)
bodies = st.fixed_dictionaries(
    {"queries": queries},
    optional={
        **dict.fromkeys(("schema", "topk", "merge", "rescore", "max_distance", "exclude_self", "x"), json_values),
        "negative": queries,
        "filter": st.dictionaries(st.sampled_from(["labels", "paths", "not_subsets", "datasets"]), st.lists(values)),
    },
)


def encoded(pairs):
    return urlencode(pairs, errors="surrogatepass")


@given(st.sampled_from(PLACES), st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=5))
@DETERMINISTIC
def test_no_address_is_answered_by_a_defect(web, place, pairs):
    query = encoded(pairs)
    if len(query) < 60_000:  # longer lines end at the server's limit
        assert web.get(f"/{place}?{query}").status_code < 500


@given(st.text(max_size=40))
@DETERMINISTIC
def test_no_path_is_answered_by_a_defect(web, path):
    place = quote(path.encode(errors="surrogatepass"), safe="/")
    for start in ("", "api/v1/", "static/"):
        assert web.get(f"/{start}{place}").status_code < 500


@given(bodies)
@DETERMINISTIC
def test_no_body_is_answered_by_a_defect(web, body):
    for place in ("search", "facets", "histogram", "tags"):
        answer = web.post(f"/api/v1/{place}", content=json.dumps(body).encode())
        assert answer.status_code < 500, answer.text


@given(st.lists(st.tuples(st.sampled_from(["state", "format", "kept", "do", "item", "area", "x"]), values), max_size=5))
@DETERMINISTIC
def test_no_form_is_answered_by_a_defect(web, pairs):
    content = encoded(pairs).encode()
    for place in FORMS:
        answer = web.post(f"/{place}", content=content, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code < 500, answer.text


@given(st.binary(max_size=200))
@DETERMINISTIC
def test_no_bytes_are_answered_by_a_defect(web, content):
    assert web.post("/api/v1/search", content=content).status_code < 500
    assert web.post("/api/v1/uploads", content=content).status_code < 500
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"):
        for place in ("", *FORMS):
            assert web.post(f"/{place}", content=content, headers={"Content-Type": kind}).status_code < 500
