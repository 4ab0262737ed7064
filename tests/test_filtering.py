"""Filters of a query, in Python and on the command line, against brute force."""

from __future__ import annotations

import shutil

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, build, read_result
from clipdex.errors import QueryError
from helpers_engine import distance, rows_and_keys


@pytest.fixture(scope="module")
def halves(photos, tmp_path_factory):
    """The photos as two datasets, with the same model."""
    folder = tmp_path_factory.mktemp("filtered")
    for name, kinds in (("one", ("animals", "food")), ("two", ("places", "plants", "vehicles"))):
        for kind in kinds:
            shutil.copytree(photos / kind, folder / name / kind)
        build(folder / name)
    return folder / "one", folder / "two"


@pytest.fixture(scope="module")
def explorer(halves):
    with Explorer(*halves) as opened:
        yield opened


def brute_force(halves, keys, keep):
    """Items that ``keep`` takes with their best distance, nearest first."""
    everything = [
        (min(distance(key, query) for query in keys), number, row.id)
        for number, root in enumerate(halves)
        for row, key in rows_and_keys(root / ".clipdex")
        if keep(root.name, row)
    ]
    return [(root, item) for _, root, item in sorted(everything)]


FILTERS = [
    (ItemFilter(labels="plants"), lambda name, row: row.labels == ("plants",)),
    (ItemFilter(labels=("food", "vehicles")), lambda name, row: row.labels[0] in ("food", "vehicles")),
    (ItemFilter(not_labels="food", datasets="one"), lambda name, row: name == "one" and row.labels != ("food",)),
    (ItemFilter(not_datasets="one", paths="p*/**"), lambda name, row: name == "two" and row.id[0] == "p"),
    (ItemFilter(subsets="default", not_paths="**/*.jpg"), lambda name, row: not row.id.endswith(".jpg")),
    (ItemFilter(labels="food", paths="animals/"), lambda name, row: False),
]


@pytest.mark.parametrize(("wanted", "keep"), FILTERS)
def test_the_hits_are_the_nearest_of_what_a_filter_leaves(explorer, halves, wanted, keep):
    queries = [explorer.item("animals/koala"), explorer.item("plants/dahlia")]
    keys = [query.hash_key.tobytes() for query in queries]
    for asked, of in ((queries[:1], keys[:1]), (queries, keys)):
        expected = brute_force(halves, of, keep)
        for k in (1, 3, 100):
            result = explorer.explore_topk(asked, k, filter=wanted)
            assert [(["one", "two"].index(hit.dataset), hit.id) for hit in result] == expected[:k]
            itself = {(["one", "two"].index(query.dataset), query.id) for query in asked}
            others = explorer.explore_topk(asked, k, filter=wanted, exclude_self=True)
            left = [pair for pair in expected if pair not in itself]
            assert [(["one", "two"].index(hit.dataset), hit.id) for hit in others] == left[:k]


def test_a_mixed_list_shares_places_among_what_is_left(explorer):
    everything = explorer.explore_topk(["a train", ItemQuery("animals/koala")], 100)
    result = explorer.explore_topk(["a train", ItemQuery("animals/koala")], 6, filter=ItemFilter(labels="vehicles"))
    assert result.merge == "rank"
    assert {hit.labels for hit in result} == {("vehicles",)}
    assert {hit.query for hit in result} == {0, 1}
    assert {hit.id for hit in result} <= {hit.id for hit in everything}


def test_a_greatest_distance_cuts_the_hits_off(explorer):
    every = explorer.explore_topk(["a train", "a flower"], 100)
    limit = every[7].distance
    result = explorer.explore_topk(["a train", "a flower"], 100, max_distance=limit)
    assert list(result) == [hit for hit in every if hit.distance <= limit]
    assert len(explorer.explore_topk(ItemQuery("animals/koala"), max_distance=0)) == 1
    mixed = explorer.explore_topk(["a train", ItemQuery("animals/koala")], 100, max_distance=limit)
    assert mixed
    assert all(hit.distance <= limit for hit in mixed)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "far"])
def test_a_greatest_distance_that_is_no_number_of_bits_is_refused(explorer, limit):
    with pytest.raises(QueryError, match="max_distance"):
        explorer.explore_topk("a dog", max_distance=limit)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ItemFilter(labels="plant"), "no item has the label 'plant'. Nearest: plants"),
        (ItemFilter(not_labels="foods"), "no item has the label 'foods'. Nearest: food"),
        (ItemFilter(subsets="train"), "no item has the subset 'train'. The subsets are: default."),
        (ItemFilter(datasets="three"), "there is no dataset called 'three'. The datasets are: "),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest_or_all_of_a_few(explorer, wanted, message):
    with pytest.raises(QueryError, match=message):
        explorer.explore_topk("a dog", filter=wanted)


def test_the_filter_is_in_the_result_and_is_read_again(explorer, tmp_path):
    wanted = ItemFilter(labels=("food", "plants"), not_paths="**/*.png")
    result = explorer.explore_topk(ItemQuery("plants/dahlia"), 3, filter=wanted, max_distance=250)
    assert result.to_dict()["filter"] == {"labels": ["food", "plants"], "not_paths": ["**/*.png"]}
    assert result.to_dict()["max_distance"] == 250
    path = tmp_path / "result.json"
    path.write_text(result.to_json())
    assert read_result(path) == result
    assert "filter" not in explorer.explore_topk(ItemQuery("plants/dahlia"), 3).to_dict()


def test_options_of_the_command_line(cli, halves):
    one, two = map(str, halves)
    filters = ["--label", "plants", "--label", "food", "--not-path", "food/f*", "--not-dataset", "one"]
    done = cli("query", one, two, "--item", "plants/dahlia", *filters, "--max-distance", "400", "--output", "json")
    assert done.code == 0, done.err
    assert done.ids
    assert all(item.startswith("plants/") for item in done.ids)
    assert done.json["filter"] == {"labels": ["plants", "food"], "not_paths": ["food/f*"], "not_datasets": ["one"]}
    assert done.json["max_distance"] == 400


def test_a_filter_that_leaves_nothing_is_an_empty_result_and_is_said(cli, halves):
    arguments = ["--item", "animals/koala", "--label", "food", "--path", "animals/", "--output", "paths"]
    done = cli("query", str(halves[0]), *arguments)
    assert (done.code, done.out) == (0, b"")
    assert "passes the filter (labels: food; paths: animals/)" in done.err


def test_a_bad_filter_of_the_command_line_is_said(cli, halves):
    done = cli("query", str(halves[0]), "--item", "animals/koala", "--path", "[z-a]*")
    assert done.code == 2
    assert "path pattern '[z-a]*' cannot be read" in done.err
    done = cli("query", str(halves[0]), "--item", "animals/koala", "--label", "foot")
    assert done.code == 1
    assert "Nearest: food" in done.err


@pytest.mark.parametrize("merge", ["any", "all", "rank"])
@pytest.mark.parametrize("negative", [(), ["a dog"]])
def test_every_way_of_ranking_finds_only_what_a_filter_leaves(explorer, merge, negative):
    queries = ["a train", ItemQuery("plants/dahlia")]
    wanted = ItemFilter(labels=("plants", "vehicles"))
    for rescore in (False, True):
        result = explorer.explore_topk(queries, 5, merge=merge, negative=negative, rescore=rescore, filter=wanted)
        assert len(result) == 5
        assert {hit.labels for hit in result} <= {("plants",), ("vehicles",)}
    nothing = ItemFilter(labels="plants", paths="food/")
    assert not explorer.explore_topk(queries, 5, merge=merge, negative=negative, filter=nothing).hits
