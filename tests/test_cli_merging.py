"""Modes of merging, negative queries and rescoring, from the command line and from Python to the saved sheet."""

from __future__ import annotations

import csv
import io
import json

import pytest
from PIL import Image

from clipdex import Explorer, read_result
from clipdex.errors import QueryError
from clipdex.report.sheet import draw_sheet
from clipdex.search.result import QueryRecord
from test_sheet import result_of


def test_a_plain_query_says_that_nothing_of_all_that_was_asked_for(cli, photos):
    result = cli("query", photos, "--text", "a dog", "-k", "2", "--output", "json").json
    assert (result["merge"], result["mode"], result["rescored"]) == ("distance", "any", False)
    assert not {"score", "merged"} & set(result["hits"][0])
    assert "negative" not in result["queries"][0]


@pytest.mark.parametrize(("mode", "rule"), [("any", "rank"), ("all", "mean"), ("rank", "fusion")])
def test_a_mode_of_merging_is_what_python_gives(cli, photos, mode, rule):
    image = photos / "animals" / "koala.jpg"
    done = cli("query", photos, "--text", "a dog", "--image", image, "--merge", mode, "--output", "json")
    assert (done.json["mode"], done.json["merge"]) == (mode, rule)
    with Explorer(photos) as explorer:
        assert json.loads(explorer.explore_topk(["a dog", image], merge=mode).to_json())["hits"] == done.json["hits"]


def test_negative_queries_push_away_and_are_recorded_last(cli, photos):
    plain = cli("query", photos, "--item", "animals/koala", "--output", "json").ids
    done = cli(
        "query", photos, "--not-str", "a cat", "--not-item-id", "animals/chelsea-the-cat", "--not-img-path",
        photos / "animals" / "cat-with-string.jpg", "--item", "animals/koala", "--output", "json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [(query["kind"], query.get("negative", False)) for query in done.json["queries"]] == [
        ("item", False), ("text", True), ("item", True), ("image", True),
    ]  # fmt: skip
    assert done.json["merge"] == "calibrated"
    assert sorted(done.ids) == sorted(plain)
    for cat in ("animals/chelsea-the-cat.jpg", "animals/cat-with-string.jpg"):
        assert done.ids.index(cat) > plain.index(cat)
    assert all(hit["query"] == 0 for hit in done.json["hits"])
    assert [hit["merged"] for hit in done.json["hits"]] == sorted(hit["merged"] for hit in done.json["hits"])


def test_rescoring_shows_the_score_beside_the_distance(cli, photos):
    plain = {
        hit["id"]: hit["distance"] for hit in cli("query", photos, "--text", "a dog", "--output", "json").json["hits"]
    }
    done = cli("query", photos, "--text", "a dog", "--rescore", "-k", "5", "--output", "json")
    hits = done.json["hits"]
    assert done.json["rescored"] is True
    assert [hit["score"] for hit in hits] == sorted(hit["score"] for hit in hits)
    assert all(hit["distance"] == plain[hit["id"]] for hit in hits)
    table = cli("query", photos, "--text", "a dog", "--rescore", "-k", "5").lines
    assert table[0].split()[:4] == ["rank", "distance", "strength", "score"]
    assert table[1].split()[:5:4] == ["1", f"{hits[0]['score']:.4g}"]
    rows = list(
        csv.DictReader(
            io.StringIO(cli("query", photos, "--text", "a dog", "--rescore", "--output", "csv").out.decode())
        )
    )
    assert [float(row["score"]) for row in rows] == sorted(float(row["score"]) for row in rows)


def test_wrong_use_is_explained(cli, photos):
    done = cli("query", photos, "--not-str", "a dog")
    assert done.code == 2
    assert "what to search for" in done.err
    assert cli("query", photos, "--text", "a dog", "--merge", "best").code == 2
    done = cli("query", photos, "--text", "a dog", "--not-item-id", "animals/no-such")
    assert done.code == 1
    assert "animals/no-such" in done.err
    with Explorer(photos) as explorer:
        with pytest.raises(QueryError, match="any, all, rank"):
            explorer.explore_topk("a dog", merge="best")
        with pytest.raises(QueryError, match="is no query"):
            explorer.explore_topk("a dog", negative=[7])
        with pytest.raises(QueryError, match="nothing to search for"):
            explorer.explore_topk([], negative="a dog")
        assert explorer.explore_topk("a dog", negative=None) == explorer.explore_topk("a dog", negative=[])


def test_what_was_asked_is_read_again_from_the_saved_result(photos, tmp_path):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(
            ["a dog", photos / "food" / "fig.jpg"], merge="all", negative="a cat", rescore=True, topk=4
        )
    (tmp_path / "result.json").write_text(result.to_json(), encoding="utf-8")
    again = read_result(tmp_path / "result.json")
    assert again == result
    assert (again.mode, again.rescored, [query.negative for query in again.queries]) == (
        "all",
        True,
        [False, False, True],
    )
    broken = json.loads(result.to_json())
    broken["hits"][0]["score"] = "near"
    (tmp_path / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(Exception, match="is not a number"):
        read_result(tmp_path / "broken.json")


def test_an_image_in_memory_can_be_pushed_away(photos):
    with Explorer(photos) as explorer, Image.open(photos / "animals" / "koala.jpg") as image:
        result = explorer.explore_topk("an animal", negative=image, exclude_self=True)
    assert list(result.images) == [1]
    assert result.queries[1].negative


def test_a_negative_query_is_struck_through_on_the_sheet(tmp_path):
    Image.new("RGB", (60, 40), (90, 160, 40)).save(tmp_path / "a.png")
    queries = [QueryRecord("text", "dog"), QueryRecord("text", "cat")]
    away = [queries[0], QueryRecord("text", "cat", negative=True)]
    red = (0xB4, 0x23, 0x18)
    count = [
        sum(
            number
            for number, colour in draw_sheet(result_of([tmp_path / "a.png"], asked)).getcolors(1 << 24)
            if colour == red
        )
        for asked in (queries, away)
    ]
    assert count[0] == 0
    assert count[1] > 1000
