"""Histograms: the exact number of items at each distance and merged value, against every item one by one."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, SearchRequest, build, read_result
from clipdex.errors import OutputError, QueryError
from helpers_engine import distance, rows_and_keys

BITS = 512


@pytest.fixture(scope="module")
def halves(photos, tmp_path_factory):
    """The photos as two datasets."""
    folder = tmp_path_factory.mktemp("histogram")
    for name, kinds in (("one", ("animals", "food")), ("two", ("places", "plants"))):
        for kind in kinds:
            shutil.copytree(photos / kind, folder / name / kind)
        build(folder / name)
    return folder / "one", folder / "two"


@pytest.fixture(scope="module")
def explorer(halves):
    with Explorer(*halves) as opened:
        yield opened


def by_distance(halves, keys, keep=lambda name, row: True):
    """Numbers of items at each least distance to some keys, by brute force."""
    found = Counter(
        min(distance(key, query) for query in keys)
        for root in halves
        for row, key in rows_and_keys(root / ".clipdex")
        if keep(root.name, row)
    )
    return tuple(found[bits] for bits in range(BITS + 1))


KOALA, DAHLIA = ItemQuery("animals/koala"), ItemQuery("plants/dahlia")
FILTERS = [
    (None, lambda name, row: True),
    (ItemFilter(labels=("plants", "food")), lambda name, row: row.labels[0] in ("plants", "food")),
    (ItemFilter(not_datasets="one"), lambda name, row: name == "two"),
    (ItemFilter(labels="food", paths="animals/"), lambda name, row: False),
]


@pytest.mark.parametrize(("wanted", "keep"), FILTERS)
def test_every_item_that_may_be_found_is_counted_at_its_distance(explorer, halves, wanted, keep):
    koala, dahlia = (explorer.item(query.id).hash_key.tobytes() for query in (KOALA, DAHLIA))
    one = explorer.histogram(SearchRequest((KOALA,), filter=wanted, topk=1, max_distance=3))
    assert one.distances == by_distance(halves, [koala], keep)
    assert (one.queries, one.scores) == ((one.distances,), None)
    both = explorer.histogram(SearchRequest((KOALA, DAHLIA), filter=wanted))
    assert both.distances == by_distance(halves, [koala, dahlia], keep)
    assert both.queries == (by_distance(halves, [koala], keep), by_distance(halves, [dahlia], keep))


def test_queries_that_are_left_out_are_not_counted(explorer, halves):
    request = SearchRequest((KOALA, DAHLIA), exclude_self=True)
    with_them = explorer.histogram(SearchRequest((KOALA, DAHLIA)))
    without = explorer.histogram(request)
    assert without.distances == (with_them.distances[0] - 2, *with_them.distances[1:])
    filtered = SearchRequest((KOALA, DAHLIA), exclude_self=True, filter=ItemFilter(labels="plants"))
    names = {("one", "animals/koala.jpg"), ("two", "plants/dahlia.jpg")}
    keys = [explorer.item(query.id).hash_key.tobytes() for query in (KOALA, DAHLIA)]
    assert explorer.histogram(filtered).distances == by_distance(
        halves, keys, lambda name, row: row.labels == ("plants",) and (name, row.id) not in names
    )


def test_negative_queries_have_their_own_counts_and_are_not_searched_for(explorer, halves):
    koala, dahlia = (explorer.item(query.id).hash_key.tobytes() for query in (KOALA, DAHLIA))
    found = explorer.histogram(SearchRequest((KOALA,), (DAHLIA,)))
    assert found.distances == by_distance(halves, [koala])
    assert found.queries == (by_distance(halves, [koala]), by_distance(halves, [dahlia]))


@pytest.mark.parametrize("wanted", [None, ItemFilter(labels=("plants", "animals"))])
@pytest.mark.parametrize("merge", ["any", "all", "rank"])
@pytest.mark.parametrize("negative", [(), ("a dog",)])
def test_merged_values_are_counted_as_those_of_all_hits_are(explorer, merge, negative, wanted):
    request = SearchRequest((KOALA, "a flower"), negative, topk=1000, merge=merge, filter=wanted, exclude_self=True)
    result = explorer.search(request, histogram=True)
    found = result.histogram
    assert found == explorer.histogram(request)
    assert found.items == len(result)
    if merge == "any" and not negative:
        assert (result.merge, found.scores) == ("rank", None)
        return
    scores = found.scores
    values = [hit.merged for hit in result]
    assert scores.edges[0] == min(values)
    assert scores.edges[-1] > max(values)
    assert 0 < len(scores.counts) <= 64
    assert scores.counts == tuple(
        sum(low <= value < high for value in values) for low, high in zip(scores.edges, scores.edges[1:], strict=False)
    )


def test_scores_of_nothing_are_no_bins(explorer):
    nothing = ItemFilter(labels="plants", paths="food/")
    found = explorer.histogram(SearchRequest((KOALA, DAHLIA), merge="all", filter=nothing))
    assert (found.items, found.scores.edges, found.scores.counts) == (0, (), ())


def test_a_result_has_a_histogram_only_where_it_was_asked_for_and_is_read_again(explorer, tmp_path):
    for request in (SearchRequest((KOALA,)), SearchRequest((KOALA, DAHLIA), merge="all", topk=3)):
        assert "histogram" not in explorer.search(request).to_dict()
        result = explorer.search(request, histogram=True)
        path = tmp_path / "result.json"
        path.write_text(result.to_json())
        assert read_result(path) == result


@pytest.mark.parametrize(
    "broken",
    [
        {"distances": [1]},
        {"distances": [0, -1], "queries": [[0, 1]]},
        {"distances": [0, 1], "queries": []},
        {"distances": [0, 1], "queries": [[1]]},
        {"distances": [0, 1], "queries": [[0, 1]], "scores": {"edges": [0.0], "counts": [1]}},
        {"distances": [0, 1], "queries": [[0, 1]], "scores": {"edges": ["x", 1.0], "counts": [1]}},
        [],
    ],
)
def test_a_histogram_that_is_none_is_refused(explorer, tmp_path, broken):
    body = explorer.search(SearchRequest((KOALA,)), histogram=True).to_dict()
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**body, "histogram": broken}))
    with pytest.raises(OutputError, match="is not a result"):
        read_result(path)


def test_a_histogram_is_asked_with_a_request(explorer):
    with pytest.raises(QueryError, match="SearchRequest"):
        explorer.histogram("a dog")


def test_the_command_draws_bars_and_marks_the_end_of_the_hits(cli, halves):
    done = cli("query", *halves, "--item", "animals/koala", "-k", "3", "--histogram")
    assert done.code == 0, done.err
    last = int(done.lines[3].split()[1])
    blank = done.lines.index("")
    assert done.lines[blank + 1].split() == ["distance", "images"]
    rows = [line.split() for line in done.lines[blank + 2 :]]
    with Explorer(*halves) as explorer:
        assert sum(int(row[1]) for row in rows) == len(explorer)
    [marked] = [row for row in rows if "<-" in row]
    assert marked[-5:] == ["<-", "3", "hits", "within", str(last)]
    low, _, high = marked[0].partition("-")
    assert int(low) <= last <= int(high)


@pytest.mark.parametrize(
    ("options", "heads"),
    [
        (
            ["--text", "a dog", "--item", "plants/dahlia"],
            ["a dog", "distance  images", "plants/dahlia.jpg", "distance  images"],
        ),
        (["--text", "a dog", "a cat"], ["distance  images"]),
        (["--text", "a dog", "--not-text", "a cat"], ["merged  images"]),
        (["--text", "a dog", "a cat", "--merge", "rank", "--rescore"], ["merged  images"]),
    ],
)
def test_lists_have_bars_of_what_orders_their_hits(cli, halves, options, heads):
    done = cli("query", *halves, *options, "--histogram")
    assert done.code == 0, done.err
    bars = done.lines[done.lines.index("") :]
    rows = [line.strip() for line in bars if line and "<-" not in line]
    assert [line for line in rows if line[-1] not in "0123456789#"] == heads


def test_bars_of_nothing_have_no_row(cli, halves):
    done = cli("query", *halves, "--item", "plants/dahlia", "--label", "food", "--path", "animals/", "--histogram")
    assert (done.code, done.lines[-1]) == (0, "distance  images")


def test_json_has_the_histogram_only_where_it_is_asked_for(cli, halves):
    asked = ["query", *halves, "--item", "animals/koala", "--output", "json"]
    assert "histogram" not in cli(*asked).json
    assert sum(cli(*asked, "--histogram").json["histogram"]["distances"]) > 0
    done = cli(*asked[:-1], "csv", "--histogram")
    assert (done.code, "--histogram goes with" in done.err) == (2, True)
