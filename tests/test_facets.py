"""Facets: the exact number of items of each label, subset and dataset, against counting one by one."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, build
from clipdex.errors import QueryError
from helpers_engine import make_folder, rows_and_keys


@pytest.fixture(scope="module")
def roots(odd, tmp_path_factory):
    """Two datasets: pictures in subsets, and pictures of which the last two were removed again."""
    other = make_folder(tmp_path_factory.mktemp("facets") / "other", "cat/1.png", "cow/2.png", "cow/3.png", "zoo/4.png")
    build(other)
    shutil.rmtree(other / "zoo")
    (other / "cow" / "3.png").unlink()
    build(other, prune=True)
    return odd, other


def counted(roots, keep=lambda name, row: True):
    """Facets by brute force: every row of every index is read."""
    rows = [(root.name, row) for root in roots for row, _ in rows_and_keys(root / ".clipdex") if keep(root.name, row)]
    return {
        "items": len(rows),
        "datasets": {**dict.fromkeys((root.name for root in roots), 0), **Counter(name for name, _ in rows)},
        "subsets": dict(Counter(row.subset for _, row in rows)),
        "labels": dict(Counter(label for _, row in rows for label in set(row.labels))),
        "unlabelled": sum(not row.labels for _, row in rows),
        "tags": {},
        "problems": [],
    }


FILTERS = [
    (None, lambda name, row: True),
    (ItemFilter(labels=("cat", "dog")), lambda name, row: {"cat", "dog"} & set(row.labels)),
    (ItemFilter(not_labels="cow", datasets="other"), lambda name, row: name == "other" and "cow" not in row.labels),
    (ItemFilter(subsets="train"), lambda name, row: row.subset == "train"),
    (ItemFilter(paths="**/a.png", not_subsets="val"), lambda _, row: row.id[-6:] == "/a.png" and row.subset != "val"),
    (ItemFilter(labels="cow", paths="train/"), lambda name, row: False),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "keep"), FILTERS)
def test_facets_are_the_numbers_of_what_a_filter_leaves(roots, wanted, keep):
    with Explorer(*roots) as explorer:
        for _ in range(2):  # what is kept of the first time gives the same
            assert explorer.facets(wanted).to_dict() == counted(roots, keep)


def test_the_most_frequent_names_come_first_and_then_the_order_of_names(roots):
    with Explorer(*roots) as explorer:
        labels = explorer.facets().labels
    assert list(labels.items()) == sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))


def test_facets_of_an_answer_count_its_hits(roots):
    with Explorer(*roots) as explorer:
        result = explorer.explore_topk(ItemQuery("cow/2"), 4)
        everything = explorer.explore_topk(ItemQuery("cow/2"), 100)
        found = result.facets()
        assert everything.facets() == explorer.facets()
    assert found.items == 4
    assert found.labels == Counter(label for hit in result for label in hit.labels)
    assert found.datasets == {**dict.fromkeys(("odd", "other"), 0), **Counter(hit.dataset for hit in result)}


def test_facets_of_a_part_count_the_part(odd):
    with Explorer(odd / "train") as explorer:
        facets = explorer.facets()
    assert facets.to_dict() == counted([odd], lambda name, row: row.id.startswith("train/"))


def test_facets_refuse_a_name_that_nothing_has(roots):
    with Explorer(*roots) as explorer, pytest.raises(QueryError, match="no item has the label 'horse'"):
        explorer.facets(ItemFilter(labels="horse"))


def test_the_command_prints_every_count(cli, roots):
    done = cli("info", *roots, "--facets")
    assert done.code == 0, done.err
    assert done.lines[0].split() == ["images", "of", "name"]
    assert [line.split()[:3] for line in done.lines[1:3]] == [["6", "dataset", "odd"], ["2", "dataset", "other"]]
    assert ["3", "label", "cat"] in [line.split() for line in done.lines]
    assert ["1", "without", "label"] in [line.split() for line in done.lines]


def test_the_command_counts_what_a_filter_leaves_as_json(cli, roots):
    done = cli("info", *roots, "--facets", "--json", "--label", "cat", "--not-dataset", "other")
    assert done.json == counted(roots, lambda name, row: name == "odd" and "cat" in row.labels)


def test_filters_of_the_command_go_with_facets(cli, odd):
    done = cli("info", odd, "--label", "cat")
    assert (done.code, "go with --facets" in done.err) == (2, True)
