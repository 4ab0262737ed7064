"""Filters of a query, in Python and on the command line, against brute force."""

from __future__ import annotations

import shutil
import unicodedata

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, build, read_result
from clipdex.errors import QueryError
from helpers_engine import distance, make_folder, rows_and_keys


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


NAMES = ("Äpfel/Öl.png", "Äpfel/a.png", "plain/b.png")


@pytest.fixture(scope="module", params=["NFC", "NFD"])
def spelled(request, tmp_path_factory):
    """A dataset whose folders, files, labels and subsets have letters that are composed, or decomposed."""
    root = tmp_path_factory.mktemp("spelled") / unicodedata.normalize(request.param, "Übung")
    make_folder(root, *(unicodedata.normalize(request.param, f"train/{name}") for name in NAMES))
    build(root)
    (root / "list.csv").write_text(
        "path,label,subset\n"
        + "".join(
            unicodedata.normalize(request.param, f"train/{name},{name.partition('/')[0]},Prüfung {number % 2}\n")
            for number, name in enumerate(NAMES)
        ),
        encoding="utf-8",
    )
    build(root / "list.csv")
    return root


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("option", "value", "numbers"),
    [
        ("label", "Äpfel", [0, 1]),
        ("not-label", "Äpfel", [2]),
        ("subset", "Prüfung 0", [0, 2]),
        ("not-subset", "Prüfung 0", [1]),
        ("path", "train/Äpfel/", [0, 1]),
        ("path", "**/Öl.png", [0]),
        ("path", "**/?l.png", [0]),
        ("path", "**/[ÖÜ]l.*", [0]),
        ("path", "train/?pfel/*", [0, 1]),
        ("not-path", "train/Ä*/**", [2]),
        ("not-path", "**/Öl.png", [1, 2]),
    ],
)
def test_names_match_whether_their_letters_are_composed_or_decomposed(cli, spelled, form, option, value, numbers):
    done = cli(
        *("query", spelled / "list.csv", "--item", "train/plain/b", "--output", "json"),
        *(f"--{option}", unicodedata.normalize(form, value)),
    )
    assert done.code == 0, done.err
    assert {unicodedata.normalize("NFC", one) for one in done.ids} == {f"train/{NAMES[number]}" for number in numbers}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_datasets_match_in_both_spellings_too(spelled, form):
    name = unicodedata.normalize(form, "Übung")
    with Explorer(spelled) as explorer:
        item = explorer.item("train/plain/b")
        assert len(explorer.explore_topk(item, filter=ItemFilter(datasets=name))) == 3
        assert len(explorer.explore_topk(item, filter=ItemFilter(not_datasets=name))) == 0
