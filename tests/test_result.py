from __future__ import annotations

import json

import pytest

from clipdex import Explorer, Hit, Result, read_result
from clipdex.datasets.record import DatasetRecord
from clipdex.errors import OutputError
from clipdex.report.last_result import last_result, remember, state_folder
from clipdex.search.result import QueryRecord

RESULT = Result(
    topk=5,
    merge="rank",
    queries=(
        QueryRecord("text", 'say "hi"\n', encoded="x", truncated=True),
        QueryRecord("item", "a.png", "/d/a.png", dataset="d", subset="train"),
    ),
    datasets=(DatasetRecord("d", "/d", 2, "starter", "0" * 64, 512),),
    hits=(
        Hit(1, 0, 1, 1, "d", "a.png", "train", "/d/a.png", ()),
        Hit(2, 90, 0, 1, "d", 'ünï\n猫,".png', "default", "/d/x", ("a, b", "猫")),
    ),
)


def test_json_has_the_documented_shape():
    body = json.loads(RESULT.to_json())
    assert body == RESULT.to_dict()
    assert (body["schema"], body["topk"]) == (1, 5)
    assert body["queries"][0].items() >= {"kind": "text", "value": 'say "hi"\n'}.items()
    assert body["datasets"][0].items() >= {"name": "d", "root": "/d", "items": 2, "model": "starter"}.items()
    expected = {
        "rank": 1,
        "distance": 0,
        "query": 1,
        "dataset": "d",
        "id": "a.png",
        "subset": "train",
        "path": "/d/a.png",
    }
    assert body["hits"][0].items() >= {**expected, "labels": []}.items()


def test_a_result_is_read_back_as_it_was(tmp_path):
    (tmp_path / "r.json").write_text(RESULT.to_json(), encoding="utf-8")
    assert read_result(tmp_path / "r.json") == RESULT


def test_a_result_without_hits_is_read_back(tmp_path):
    empty = Result(5, "distance", RESULT.queries, RESULT.datasets, ())
    (tmp_path / "r.json").write_text(empty.to_json(), encoding="utf-8")
    assert read_result(tmp_path / "r.json") == empty


def test_a_result_of_only_the_documented_keys_is_read(tmp_path):
    body = {
        "schema": 1,
        "topk": 50,
        "queries": [{"kind": "text", "value": "dog"}],
        "datasets": [{"name": "n", "root": "/r", "items": 1000, "model": "m"}],
        "hits": [
            {"rank": 1, "distance": 101, "query": 0, "dataset": "n", "id": "bird/0.jpg", "subset": "default",
             "path": "/r/bird/0.jpg", "labels": ["bird"], "more": 1}
        ],
    }  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(body))
    assert read_result(tmp_path / "r.json")[0].id == "bird/0.jpg"


def test_a_result_is_a_sequence_of_hits(photos):
    with Explorer(photos, topk=4) as explorer:
        result = explorer.explore_topk("dog")
    assert len(result) == 4
    assert list(result) == [result[0], *result[1:]]
    assert result[-1] in result
    assert [hit.distance for hit in result] == sorted(hit.distance for hit in result)


def damaged(change):
    body = RESULT.to_dict()
    change(body)
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"[" * 100_000, b"{}",
        damaged(lambda body: body.update(schema=2)),
        damaged(lambda body: body.update(topk="5")),
        damaged(lambda body: body.update(hits={})),
        damaged(lambda body: body.update(hits=[7])),
        damaged(lambda body: body.update(queries=None)),
        damaged(lambda body: body["hits"][0].update(query=2)),
        damaged(lambda body: body["hits"][0].update(query=-1)),
        damaged(lambda body: body["hits"][0].update(rank=True)),
        damaged(lambda body: body["hits"][0].update(rank=1.5)),
        damaged(lambda body: body["hits"][0].update(path=None)),
        damaged(lambda body: body["hits"][0].update(labels="ab")),
        damaged(lambda body: body["hits"][0].update(labels=[1])),
        damaged(lambda body: body["hits"][0].pop("id")),
        damaged(lambda body: body["datasets"][0].update(items=-1)),
    ],
)  # fmt: skip
def test_what_is_no_result_is_refused(tmp_path, data):
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(OutputError, match=r"r\.json"):
        read_result(tmp_path / "r.json")


def test_an_enormous_number_is_read(tmp_path):
    body = RESULT.to_dict()
    body["hits"][0]["distance"] = 10**400
    (tmp_path / "r.json").write_text(json.dumps(body))
    assert read_result(tmp_path / "r.json")[0].distance == 10**400


def test_a_missing_result_is_an_output_error(tmp_path):
    with pytest.raises(OutputError):
        read_result(tmp_path / "none.json")
    with pytest.raises(OutputError):
        read_result(tmp_path)


def test_the_last_result_is_kept_for_its_user(monkeypatch, tmp_path):
    with pytest.raises(OutputError, match="clipdex query"):
        last_result()
    remember(RESULT)
    assert last_result() == RESULT
    assert [path.name for path in state_folder().iterdir()] == ["last-result.json"]
    (state_folder() / "last-result.json").write_bytes(b"damaged")
    with pytest.raises(OutputError):
        last_result()
    remember(RESULT)
    assert last_result() == RESULT
