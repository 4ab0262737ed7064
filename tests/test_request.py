from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clipdex import Explorer, ImageQuery, ItemFilter, ItemQuery, SearchRequest, TextQuery, read_result
from clipdex.errors import QueryError

FULL = SearchRequest(
    (TextQuery("a dog"), TextQuery("cats", "none"), ImageQuery(Path("/p/a.jpg")), ItemQuery("x/a", ("train",), "d")),
    (TextQuery("snow"), ItemQuery("y")),
    topk=7,
    merge="all",
    rescore=True,
    filter=ItemFilter(labels=("cat", "dog"), not_paths=("**/b*",)),
    max_distance=200,
    min_strength="fair",
    prompting="ensemble",
    exclude_self=True,
)


def request(**values):
    return {"queries": [{"kind": "text", "value": "a"}], **values}


@pytest.mark.parametrize("wanted", [FULL, SearchRequest("a dog"), SearchRequest([Path("/p/a.jpg"), "b"], topk=1)])
def test_a_request_is_read_back_from_its_json(wanted):
    assert SearchRequest.from_dict(json.loads(json.dumps(wanted.to_dict()))) == wanted


def test_a_request_with_the_queries_alone_has_the_usual_values():
    assert SearchRequest.from_dict(request()) == SearchRequest((TextQuery("a"),))


def test_what_is_not_asked_for_is_not_in_the_json():
    assert set(SearchRequest("a").to_dict()) == {
        *("schema", "queries", "topk", "merge", "rescore", "prompting", "exclude_self")
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ({}, "has no queries"),
        (request(queries=[]), "nothing to search for"),
        (request(queries={}), "queries is {}, and must be a list"),
        (request(queries=["a"]), "must be a table with a kind"),
        (request(queries=[{"kind": "sound", "value": "a"}]), "must be a table with a kind: text, image, item"),
        (request(queries=[{"kind": ["text"], "value": "a"}]), "must be a table with a kind"),
        (request(queries=[{"kind": "text"}]), "a query of kind text has no value"),
        (request(queries=[{"kind": "text", "value": 5}]), "value is 5, and must be a str"),
        (request(queries=[{"kind": "text", "value": " "}]), "text of a query is empty"),
        (request(queries=[{"kind": "text", "value": "a", "prompt": "b"}]), "unknown key 'prompt'"),
        (request(queries=[{"kind": "item", "value": "a", "subsets": "train"}]), "subsets is 'train'"),
        (request(queries=[{"kind": "item", "value": "a", "subsets": [1]}]), "one of subsets is 1"),
        (request(negative="a"), "negative is 'a', and must be a list"),
        (request(top=5), "unknown key 'top'; it may have schema, queries, negative, topk"),
        (request(schema=2), "schema of a request is 2"),
        (request(topk=0), "topk is 0, and must be a whole number of at least 1"),
        (request(topk="5"), "topk is '5'"),
        (request(topk=True), "topk is True"),
        (request(merge="best"), "merge is 'best', and must be one of any, all, rank"),
        (request(merge=[]), "merge is []"),
        (request(rescore=1), "rescore is 1, and must be true or false"),
        (request(exclude_self="no"), "exclude_self is 'no'"),
        (request(prompting="loud"), "prompting is 'loud'"),
        (request(max_distance=-1), "max_distance is -1"),
        (request(min_strength="sure"), "min_strength is 'sure', and must be one of weak, fair, strong"),
        (request(max_distance=1.5), "max_distance is 1.5"),
        (request(filter=[]), "a filter is []"),
        (request(filter={"label": ["a"]}), "a filter has the unknown key 'label'"),
        (request(filter={"labels": "a"}), "labels is 'a', and must be a list"),
        (request(filter={"paths": ["[z-a]"]}), "[z-a]"),
    ],
)
def test_what_is_no_request_is_refused(body, message):
    with pytest.raises(QueryError) as refused:
        SearchRequest.from_dict(body)
    assert message in str(refused.value)


def test_a_request_is_made_of_what_stands_for_queries_and_cannot_be_changed():
    wanted = SearchRequest(["a dog", Path("b.jpg"), ItemQuery("c")], "snow")
    assert wanted.queries == (TextQuery("a dog"), ImageQuery(Path("b.jpg")), ItemQuery("c"))
    assert wanted.negative == (TextQuery("snow"),)
    with pytest.raises(AttributeError):
        wanted.topk = 5
    with pytest.raises(QueryError, match="must be an ItemFilter"):
        SearchRequest("a", filter={"labels": ["x"]})


def test_search_answers_a_request_as_explore_topk_does(photos):
    with Explorer(photos) as explorer:
        queries = ["train", photos / "places" / "pagoda.jpg", ItemQuery("plants/dahlia")]
        filtered = ItemFilter(not_labels=("food",))
        wanted = SearchRequest(queries, "water", topk=9, merge="rank", filter=filtered, exclude_self=True)
        found = explorer.search(wanted)
        same = explorer.explore_topk(queries, 9, negative="water", merge="rank", filter=filtered, exclude_self=True)
    assert found == same
    assert found.request == wanted
    assert len(found) == 9


def test_the_prompting_of_a_request_is_that_of_texts_which_do_not_say(photos):
    with Explorer(photos, topk=1) as explorer:
        asked = explorer.search(SearchRequest([TextQuery("dog"), TextQuery("cat", "ensemble")], prompting="none"))
    assert asked.queries[0].encoded == "dog"
    assert len(asked.queries[1].ensemble) > 1


def test_an_item_with_its_hash_key_is_asked_again_from_json(photos, odd):
    with Explorer(photos, topk=3) as explorer, Explorer(odd, topk=3) as other:
        first = explorer.explore_topk(other.item("loose"))
        again = explorer.search(SearchRequest.from_dict(json.loads(first.to_json())["request"]))
        assert again.hits == first.hits
        body = first.request.to_dict()
        body["queries"][0]["hash_key"] = "00"
        with pytest.raises(QueryError, match="has 8 bits, not 512"):
            explorer.search(SearchRequest.from_dict(body))
        body["queries"][0]["hash_key"] = "x"
        with pytest.raises(QueryError, match="hexadecimal"):
            SearchRequest.from_dict(body)


def test_a_result_of_an_image_in_memory_is_saved_without_its_request(photos, tmp_path):
    with Explorer(photos, topk=2) as explorer, Image.open(photos / "food" / "fig.jpg") as image:
        result = explorer.explore_topk(image)
    assert result.request is not None
    with pytest.raises(QueryError, match="in memory"):
        result.request.to_dict()
    (tmp_path / "r.json").write_text(result.to_json())
    assert read_result(tmp_path / "r.json").request is None


@pytest.mark.parametrize(
    "question",
    [
        ["--text", "a dog"],
        ["--image", "animals/chelsea-the-cat.jpg", "--not-str", "snow", "--max-distance", "250"],
        [*("--item", "plants/dahlia", "--text", "train", "--exclude-self"), *("--label", "plants", "--no-prompt")],
        ["--text", "cat", "dog", "--merge", "all", "--rescore", "--prompt-ensemble"],
    ],
)
def test_a_saved_result_is_asked_again_with_the_same_hits(cli, photos, tmp_path, monkeypatch, question):
    monkeypatch.chdir(photos)
    first = cli("query", photos, *question, "-k", "5", "--output", "json")
    assert first.code == 0, first.err
    saved = tmp_path / "result.json"
    saved.write_bytes(first.out)
    monkeypatch.chdir(tmp_path)
    again = cli("query", "--from", saved, "--output", "json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["hits"] == json.loads(first.out)["hits"]
    assert json.loads(again.out)["request"] == json.loads(first.out)["request"]


def test_a_result_is_asked_again_of_other_datasets_and_of_an_index_alone(cli, photos_copy, odd, tmp_path):
    index = tmp_path / "index"
    shutil.move(photos_copy / ".clipdex", index)
    saved = tmp_path / "result.json"
    first = cli("query", "--index", index, "--text", "a dog", "-k", "4", "--output", "json")
    saved.write_bytes(first.out)
    assert cli("query", "--from", saved, "--output", "json").ids == first.ids
    assert {hit["dataset"] for hit in cli("query", odd, "--from", saved, "--output", "json").json["hits"]} == {"odd"}
    shutil.rmtree(photos_copy)
    assert cli("query", "--from", saved, "--output", "json").ids == first.ids


def test_a_result_is_not_asked_again_with_other_options_or_without_a_request(cli, photos, tmp_path):
    saved = tmp_path / "result.json"
    first = cli("query", photos, "--text", "a dog", "-k", "1", "--output", "json")
    saved.write_bytes(first.out)
    refused = cli("query", "--from", saved, "-k", "3")
    assert (refused.code, "--from asks what the result says: leave out --topk" in refused.err) == (2, True)
    assert cli("query", "--from", saved, "--text", "a cat").code == 2
    body = json.loads(first.out)
    del body["request"]
    saved.write_text(json.dumps(body))
    done = cli("query", "--from", saved)
    assert (done.code, done.out) == (1, b"")
    assert "does not say what was asked" in done.err
    body["request"] = {"queries": [{"kind": "text", "value": "a"}], "more": 1}
    saved.write_text(json.dumps(body))
    assert "unknown key 'more'" in cli("query", "--from", saved).err
    assert cli("query", "--from", tmp_path / "none.json").code == 1


def test_the_folder_that_a_result_was_saved_to_is_asked_again(cli, photos, tmp_path):
    first = cli("query", photos, "--text", "a dog", "-k", "2", "--output", "json", "-o", tmp_path / "saved")
    assert cli("query", "--from", tmp_path / "saved", "--output", "json").ids == first.ids


def test_an_item_that_was_named_by_its_path_is_asked_again_from_anywhere(cli, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos.parent)
    first = cli("query", photos, "--item", "photos/animals/giraffes.jpg", "-k", "3", "--output", "json")
    (tmp_path / "r.json").write_bytes(first.out)
    assert first.json["request"]["queries"] == [{"kind": "item", "value": "animals/giraffes.jpg", "dataset": "photos"}]
    monkeypatch.chdir("/")
    assert cli("query", "--from", tmp_path / "r.json", "--output", "json").json["hits"] == first.json["hits"]


def test_explore_from_builds_nothing_that_the_command_line_does_not_name(
    cli, photos_copy, odd_copy, tmp_path, monkeypatch
):
    saved, index = tmp_path / "r.json", photos_copy / ".clipdex"
    shutil.copytree(index, tmp_path / "index")
    for arguments in (["--index", tmp_path / "index"], [photos_copy]):
        saved.write_bytes(cli("query", *arguments, "--text", "a dog", "-k", "2", "--output", "json").out)
        before = (index / "manifest.json").read_bytes(), (tmp_path / "index" / "manifest.json").read_bytes()
        monkeypatch.chdir(odd_copy)
        done = cli("explore", "--from", saved)
        assert (done.code, "explore builds only what the command line names" in done.err) == (2, True)
        assert ((index / "manifest.json").read_bytes(), (tmp_path / "index" / "manifest.json").read_bytes()) == before
    assert cli("explore", odd_copy, "--from", saved, "--output", "json").code == 0


@pytest.mark.parametrize("index", ["/tmp/x\0", "\ud800", 7])
def test_a_result_whose_index_is_no_path_is_refused(cli, photos, tmp_path, index):
    saved = tmp_path / "r.json"
    body = cli("query", photos, "--text", "a dog", "-k", "1", "--output", "json").json
    body["datasets"][0]["index"] = index
    saved.write_text(json.dumps(body))
    done = cli("query", "--from", saved)
    assert (done.code, "is not a result of a query" in done.err) == (1, True)


def test_messages_about_a_strange_request_are_short(cli, photos, tmp_path):
    saved = tmp_path / "r.json"
    body = cli("query", photos, "--text", "a dog", "-k", "1", "--output", "json").json
    body["request"]["merge"] = "x" * 200_000
    saved.write_text(json.dumps(body))
    done = cli("query", "--from", saved)
    assert (done.code, len(done.err) < 1000) == (1, True)


def test_a_result_with_the_request_of_a_later_version_can_still_be_saved(cli, photos, tmp_path):
    saved = tmp_path / "r.json"
    body = cli("query", photos, "--text", "a dog", "-k", "2", "--output", "json").json
    body["request"]["later"] = True
    saved.write_text(json.dumps(body))
    assert cli("save", saved, "-o", tmp_path / "out").code == 0
    assert "unknown key 'later'" in cli("query", "--from", saved).err


def test_a_result_read_back_equals_the_first_one(photos, odd, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    with Explorer(photos, topk=2) as explorer, Explorer(odd) as other:
        for query in (Path("food/fig.jpg"), other.item("loose")):
            result = explorer.explore_topk(query)
            (tmp_path / "r.json").write_text(result.to_json())
            assert read_result(tmp_path / "r.json") == result


def test_search_refuses_what_is_no_request(photos):
    with Explorer(photos) as explorer, pytest.raises(QueryError, match="takes a SearchRequest"):
        explorer.search("a dog")
