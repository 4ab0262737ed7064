"""How sure an answer is: from the background of a model to the strength of a hit."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, SearchRequest, build, read_result
from clipdex.defaults import FAIR, STRENGTHS, STRONG, WEAK
from clipdex.encoder import find_model
from clipdex.encoder.background import BACKGROUND, KINDS, background_of, read_background, write_background
from clipdex.errors import ModelCorrupt, QueryError
from clipdex.search.judging import NOTHING_FITS
from clipdex.search.strength import LEVELS, chances, strength_of
from helpers_engine import PHOTOS, copy_model

BITS = 512


@pytest.fixture(scope="module")
def background():
    found = read_background(find_model(None))
    assert found is not None, "run tools/make_background.py after the bundled model was made anew"
    return found


@pytest.fixture(scope="module")
def explorer(photos):
    with Explorer(photos) as opened:
        yield opened


@pytest.fixture
def own_model(tmp_path):
    """A copy of the bundled model with its background."""
    return find_model(str(copy_model(tmp_path / "model")))


def some_key(background):
    return background.photos[0]


@pytest.mark.parametrize("kind", ["text", "image", "item"])
def test_the_nearer_a_hit_the_smaller_its_chance(background, kind):
    table = chances(background, some_key(background), kind, 40)
    assert table.shape == (BITS + 1,)
    assert (np.diff(table) >= 0).all()
    assert 0 < table[0] < 0.001
    assert 0.9 < table[-1] <= 1


def test_the_more_images_the_likelier_is_a_near_one_by_chance(background):
    tables = [chances(background, some_key(background), "text", items) for items in (1, 40, 4_000, 10**7)]
    assert (tables[0] <= tables[1]).all()
    assert (tables[1] < tables[2])[100:200].all()
    assert np.array_equal(tables[2], tables[3])


def test_a_chance_is_the_share_of_the_background_that_is_as_near(background):
    """For one image, and where the background is not sparse, nothing is estimated."""
    counts = background.pairs["text"]
    median = background.median(some_key(background))
    table = chances(background, some_key(background), "text", 1)
    for nearer in (-20, 0, 10, 20):
        share = counts[nearer + BITS :].sum() / counts.sum()
        assert table[median - nearer] == pytest.approx(share, rel=0.01)


def test_the_background_counts_pairs_that_do_not_belong_together():
    keys = np.random.default_rng(0).integers(0, 256, (5, 64), np.uint8)
    found = background_of(keys, ["a", "a", "b", "b", "c"], keys[:3] ^ 255)
    assert {kind: int(found.pairs[kind].sum()) for kind in KINDS} == {"text": 15, "image": 20 - 4}
    distances = np.unpackbits(keys ^ keys[0], axis=1).sum(axis=1)
    assert found.median(keys[0]) == np.sort(distances)[2]


def test_words_follow_the_chance():
    assert [strength_of(chance) for chance in (None, 0.0, LEVELS[STRONG], LEVELS[FAIR], 0.051, 1.0)] == [
        *(None, STRONG, STRONG, FAIR, WEAK, WEAK)
    ]


def test_a_background_is_read_back_as_it_was_written(background, own_model):
    write_background(own_model, background)
    found = read_background(own_model)
    assert np.array_equal(found.photos, background.photos)
    assert all(np.array_equal(found.pairs[kind], background.pairs[kind]) for kind in KINDS)


def test_the_background_of_another_model_is_not_used(background, own_model):
    write_background(dataclasses.replace(own_model, digest="0" * 64), background)
    assert read_background(own_model) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 2},
        {"photos": []},
        {"photos": ["00"] * 3},
        {"photos": ["zz" * 64] * 3},
        {"photos": 5},
        {"pairs": {}},
        {"pairs": {"text": {"600": 1}, "image": {"0": 1}}},
        {"pairs": {"text": {"0": -1}, "image": {"0": 1}}},
        {"pairs": {"text": {"0": 1.5}, "image": {"0": 1}}},
        {"pairs": {"text": {}, "image": {"0": 1}}},
        {"pairs": {"text": {"x": 1}, "image": {"0": 1}}},
    ],
)
def test_a_damaged_background_is_a_typed_error(own_model, damage):
    path = own_model.folder / BACKGROUND
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(ModelCorrupt):
        read_background(own_model)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b'{"schema": 1}', b"[" * 100_000])
def test_what_is_no_background_is_a_typed_error(own_model, content):
    (own_model.folder / BACKGROUND).write_bytes(content)
    with pytest.raises(ModelCorrupt):
        read_background(own_model)


def test_what_is_there_is_found_strongly_and_what_is_not_weakly(explorer):
    found = {text: explorer.explore_topk(text, 3) for text in ("elephant", "train", "pizza", "a violin")}
    assert [result[0].strength for result in found.values()] == [STRONG, STRONG, WEAK, WEAK]
    assert [NOTHING_FITS in result.warnings for result in found.values()] == [False, False, True, True]


def test_an_item_finds_itself_strongly(explorer):
    result = explorer.explore_topk(ItemQuery("animals/chelsea-the-cat"), 3)
    assert [hit.strength for hit in result] == [STRONG, STRONG, WEAK]


QUERIES = {
    "a list of texts": {"query": ["a dog", "pizza"]},
    "mixed": {"query": ["a train", ItemQuery("animals/koala")]},
    "all": {"query": ["animal", "water"], "merge": "all"},
    "negative": {"query": "an animal", "negative": "dog"},
    "rescored": {"query": "an animal", "rescore": True},
    "filtered": {"query": "an animal", "filter": ItemFilter(labels=("animals",))},
}


@pytest.mark.parametrize("asked", QUERIES.values(), ids=QUERIES)
def test_a_hit_is_as_strong_as_for_the_query_that_found_it(explorer, asked):
    result = explorer.explore_topk(topk=20, **asked)
    queries = asked["query"] if isinstance(asked["query"], list) else [asked["query"]]
    wanted = asked.get("filter")
    alone = [{hit.id: hit for hit in explorer.explore_topk(query, 40, filter=wanted)} for query in queries]
    assert len(result) > 5
    for hit in result:
        other = alone[hit.query][hit.id]
        assert (hit.chance, hit.strength, hit.distance) == (other.chance, other.strength, other.distance)


def test_a_filter_lets_as_many_images_count_as_the_part_that_it_is(explorer, photos):
    filtered = explorer.explore_topk("an animal", 40, filter=ItemFilter(paths="animals/"))
    with Explorer(photos / "animals") as part:
        expected = part.explore_topk("an animal", 40)
    assert len(expected) == 12
    assert [(hit.id, hit.chance) for hit in filtered] == [(hit.id, hit.chance) for hit in expected]
    every = {hit.id: hit for hit in explorer.explore_topk("an animal", 40)}
    assert all(hit.chance < every[hit.id].chance for hit in filtered)


@pytest.mark.parametrize("least", STRENGTHS)
def test_weaker_hits_can_be_left_out(explorer, least):
    every = explorer.explore_topk(["a dog", "water"], 40)
    result = explorer.explore_topk(["a dog", "water"], 40, min_strength=least)
    wanted = STRENGTHS[STRENGTHS.index(least) :]
    assert [hit.id for hit in result] == [hit.id for hit in every if hit.strength in wanted]
    assert [hit.rank for hit in result] == list(range(1, len(result) + 1))
    assert (result.min_strength, result.to_dict()["min_strength"]) == (least, least)


@pytest.mark.parametrize("least", ["sure", 5, True, [], ""])
def test_a_strength_that_is_none_is_refused(explorer, least):
    with pytest.raises(QueryError, match=r"min_strength.*weak, fair, strong"):
        explorer.explore_topk("a dog", min_strength=least)


def test_the_strength_is_in_the_json_and_read_back(explorer, tmp_path):
    result = explorer.explore_topk("a train", 3, min_strength=FAIR)
    (tmp_path / "r.json").write_text(result.to_json(), encoding="utf-8")
    assert read_result(tmp_path / "r.json") == result
    assert result.to_dict()["hits"][0].items() >= {"strength": STRONG, "chance": result[0].chance}.items()
    assert result.request == SearchRequest("a train", topk=3, min_strength=FAIR)
    assert SearchRequest.from_dict(result.request.to_dict()) == result.request


def test_a_word_of_a_later_version_is_no_strength(explorer, tmp_path):
    text = explorer.explore_topk("a train", 1).to_json().replace('"strong"', '"certain"')
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    assert read_result(tmp_path / "r.json")[0].strength is None


@pytest.fixture
def old_model(tmp_path):
    """A model folder that an older clipdex made, without a background."""
    folder = copy_model(tmp_path / "old", lambda description: description.update(name="old"))
    (folder / BACKGROUND).unlink()
    return folder


@pytest.fixture
def food(tmp_path, old_model):
    """Three photos that the old model hashed."""
    shutil.copytree(PHOTOS / "food", tmp_path / "food")
    build(tmp_path / "food", model=str(old_model))
    return tmp_path / "food"


def test_without_a_background_no_strength_is_claimed(food, cli):
    done = cli("query", food, "--item", "fig", "-k", "2")
    assert done.lines[0].split() == ["rank", "distance", "id", "labels"]
    done = cli("query", food, "--item", "fig", "-k", "2", "--output", "json")
    assert not {"strength", "chance"} & set(done.json["hits"][0])
    done = cli("query", food, "--item", "fig", "--min-strength", "fair")
    assert done.code == 1
    assert "has no background" in done.err


def test_a_damaged_background_is_warned_of_and_does_not_stop_a_query(food, old_model, cli):
    (old_model / BACKGROUND).write_bytes(b"{")
    done = cli("query", food, "--item", "fig", "-k", "2")
    assert len(done.lines) == 3
    assert "How strong the hits are is not known" in done.err


def test_the_table_has_a_bar_and_a_word(cli, photos):
    done = cli("query", photos, "--text", "a train", "the sea", "-k", "4")
    words = ["strength", "||| strong", "||  fair", "||  fair", "|   weak"]
    assert [line[16:26].rstrip() for line in done.lines] == words
    done = cli("query", photos, "--text", "pizza", "--min-strength", "fair")
    assert done.lines == []
    assert "strength: at least fair" in done.err
    assert NOTHING_FITS in done.err


def test_csv_has_the_strength_and_the_chance(cli, photos):
    done = cli("query", photos, "--text", "mountains", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out.decode())))
    assert [row["strength"] for row in rows[:3]] == [STRONG, STRONG, FAIR]
    assert float(rows[0]["chance"]) <= LEVELS[STRONG] < float(rows[2]["chance"])


def test_pages_and_notebooks_show_the_strength(explorer, tmp_path):
    from clipdex.report.html_page import save_html

    result = explorer.explore_topk(["a train", "the sea"], 4)
    save_html(result, tmp_path / "page.html")
    for html in ((tmp_path / "page.html").read_text(encoding="utf-8"), result._repr_html_()):
        assert [html.count(f'<span class="strength {word}">{word}</span>') for word in STRENGTHS] == [1, 2, 1]
