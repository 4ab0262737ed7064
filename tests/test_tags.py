"""Tags of one's own, in Python, on the command line, in requests and in projects."""

from __future__ import annotations

import shutil

import pytest

from clipdex import Explorer, ItemFilter, ItemQuery, SearchRequest, build, join, open_project, read_result
from clipdex.errors import QueryError, TagsFailure
from clipdex.projects.stages import request_of
from helpers_engine import every_file

DAHLIA, KOALA = ItemQuery("plants/dahlia"), ItemQuery("animals/koala")


@pytest.fixture
def halves(photos, tmp_path):
    """Copies of two parts of the photos, each with an index."""
    for name, kinds in (("one", ("animals",)), ("two", ("plants", "food"))):
        for kind in kinds:
            shutil.copytree(photos / kind, tmp_path / name / kind)
        build(tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def tags_beside(root):
    return root / ".clipdex.tags.sqlite"


def test_hits_and_items_are_tagged_and_found_by_tag(halves):
    with Explorer(*halves) as explorer:
        result = explorer.explore_topk(DAHLIA, 3)
        tagging = explorer.add_tag("like it", [*result, explorer.item("animals/koala"), result[0]])
        assert (tagging.added, tagging.already, tagging.missing) == (4, 0, ())
        assert explorer.add_tag("like it", result[:2]).already == 2
        wanted = {(hit.dataset, hit.id) for hit in result} | {("one", "animals/koala.jpg")}
        found = explorer.explore_topk(DAHLIA, 100, filter=ItemFilter(tags="like it"))
        assert {(hit.dataset, hit.id) for hit in found} == wanted
        assert {hit.tags for hit in found} == {("like it",)}
        others = explorer.explore_topk(DAHLIA, 100, filter=ItemFilter(not_tags="like it"))
        assert {(hit.dataset, hit.id) for hit in others} == {
            (item.dataset, item.id) for item in explorer.items()
        } - wanted
        assert not any(hit.tags for hit in others)
        assert [item.id for item in explorer.items(filter=ItemFilter(tags="like it", labels="animals"))] == [
            item for dataset, item in sorted(wanted) if item.startswith("animals/")
        ]


def test_facets_count_tags_of_what_a_filter_leaves_and_of_an_answer(halves):
    with Explorer(*halves) as explorer:
        assert explorer.facets().tags == {}
        explorer.add_tag("a", explorer.items(filter=ItemFilter(labels=("animals", "plants"))))
        explorer.add_tag("b", explorer.items(filter=ItemFilter(labels=("food", "plants"))))
        counts = explorer.facets().labels
        assert explorer.facets().tags == {
            "a": counts["animals"] + counts["plants"],
            "b": counts["food"] + counts["plants"],
        }
        assert explorer.facets(ItemFilter(labels="plants")).tags == {"a": counts["plants"], "b": counts["plants"]}
        assert explorer.facets(ItemFilter(tags="a", not_tags="b")).labels == {"animals": counts["animals"]}
        assert explorer.explore_topk(DAHLIA, 1).facets().tags == {"a": 1, "b": 1}


def test_tags_are_renamed_joined_and_removed(halves):
    with Explorer(*halves) as explorer:
        explorer.add_tag("a", [explorer.item("animals/koala"), explorer.item("plants/dahlia")])
        explorer.add_tag("b", [explorer.item("animals/koala")])
        assert explorer.rename_tag("a", "b") == 2
        assert [(tag.name, tag.items, tag.gone) for tag in explorer.tags()] == [("b", 2, 0)]
        assert explorer.remove_tag("b", [explorer.item("animals/koala")]) == 1
        assert explorer.remove_tag("b") == 1
        assert explorer.tags() == []


def test_an_open_explorer_sees_the_tags_that_others_give(halves):
    with Explorer(halves[0]) as explorer, Explorer(halves[0]) as other:
        assert explorer.facets().tags == {}
        other.add_tag("a", [other.item("animals/koala")])
        assert explorer.facets().tags == {"a": 1}


def test_names_that_nothing_has_and_items_of_elsewhere_are_refused(halves):
    with Explorer(*halves) as explorer, Explorer(halves[0]) as one:
        dahlia = explorer.item("plants/dahlia")
        with pytest.raises(QueryError, match="dataset 'two', which is not open"):
            one.add_tag("a", [dahlia])
        for call in (
            lambda: explorer.remove_tag("godo"),
            lambda: explorer.rename_tag("godo", "x"),
            lambda: explorer.facets(ItemFilter(tags="godo")),
            lambda: explorer.explore_topk(KOALA, filter=ItemFilter(not_tags="godo")),
        ):
            with pytest.raises(QueryError, match=r"no item has the tag 'godo'\. There is no tag at all"):
                call()
        explorer.add_tag("good", [dahlia])
        with pytest.raises(QueryError, match=r"no item has the tag 'godo'\. Nearest: good"):
            explorer.rename_tag("godo", "x")
        with pytest.raises(QueryError, match="cannot be a tag"):
            explorer.add_tag(" ", [dahlia])
        with pytest.raises(QueryError, match="cannot be a tag"):
            explorer.rename_tag("good", "")


def test_tags_stay_when_the_index_is_built_again_and_items_that_are_gone_are_named(halves, cli):
    root = halves[0]
    with Explorer(root) as explorer:
        explorer.add_tag("a", [explorer.item("animals/koala"), explorer.item("animals/horses")])
        explorer.add_tag("b", [explorer.item("animals/horses")])
    build(root, rebuild=True)
    with Explorer(root) as explorer:
        assert explorer.facets().tags == {"a": 2, "b": 1}
    shutil.rmtree(root / ".clipdex")
    (root / "animals" / "horses.jpg").unlink()
    build(root)
    with Explorer(root) as explorer:
        assert [tag.to_dict() for tag in explorer.tags()] == [
            {"name": "a", "items": 1, "gone": 1, "gone_ids": ["animals/horses.jpg"]},
            {"name": "b", "items": 0, "gone": 1, "gone_ids": ["animals/horses.jpg"]},
        ]
        assert explorer.explore_topk(KOALA, filter=ItemFilter(tags="b")).hits == ()
    done = cli("tag", "list", root)
    assert [line.split() for line in done.lines] == [["images", "tag"], ["1", "a"], ["0", "b"]]
    assert "a: 1 tagged image not in the index any more: animals/horses.jpg" in done.err
    assert cli("tag", "remove", "b", root, "--gone").code == 0
    assert [tag["name"] for tag in cli("tag", "list", root, "--json").json] == ["a"]


def test_hits_of_an_old_result_that_are_gone_are_not_tagged_but_named(halves, cli, tmp_path):
    root = halves[1]
    saved = tmp_path / "found.json"
    saved.write_bytes(cli("query", root, "--item", "plants/dahlia", "-k", "3", "--output", "json").out)
    gone = read_result(saved)[1].id
    (root / gone).unlink()
    build(root)
    done = cli("tag", "add", "a", "--from", saved)
    assert done.code == 0
    assert "2 images tagged as a." in done.err
    assert f"1 image not tagged, because the index has them no more: {gone}" in done.err


def test_a_part_of_a_dataset_has_the_tags_of_its_items(photos_copy):
    with Explorer(photos_copy) as explorer:
        explorer.add_tag("a", [explorer.item("plants/dahlia"), explorer.item("animals/koala")])
    with Explorer(photos_copy / "plants") as explorer:
        assert [(tag.name, tag.items, tag.gone) for tag in explorer.tags()] == [("a", 1, 0)]
        assert explorer.facets().tags == {"a": 1}


def test_a_damaged_file_of_tags_stops_nothing_that_asks_for_no_tag(halves, cli):
    root = halves[0]
    with Explorer(root) as explorer:
        before = explorer.explore_topk(KOALA, 3)
        tags_beside(root).write_bytes(b"damaged")
        result = explorer.explore_topk(KOALA, 3)
        assert result.hits == before.hits
        assert "cannot be used" in result.warnings[0]
        facets = explorer.facets()
        assert facets.labels and facets.tags == {}
        assert "cannot be used" in facets.problems[0]
        for call in (
            lambda: explorer.tags(),
            lambda: explorer.add_tag("a", before),
            lambda: explorer.facets(ItemFilter(tags="a")),
            lambda: explorer.explore_topk(KOALA, filter=ItemFilter(not_tags="a")),
        ):
            with pytest.raises(TagsFailure, match="Move that file away"):
                call()
    done = cli("query", root, "--item", "animals/koala", "-k", "1")
    assert (done.code, "cannot be used" in done.err) == (0, True)
    assert cli("info", root).code == cli("build", root).code == cli("verify", root).code == 0
    done = cli("info", root, "--facets")
    assert (done.code, "cannot be used" in done.err) == (0, True)
    done = cli("tag", "list", root)
    assert (done.code, done.out) == (1, b"")
    assert tags_beside(root).read_bytes() == b"damaged"


def test_asking_makes_and_changes_no_file(halves, cli):
    root = halves[0]
    with Explorer(root) as explorer:
        explorer.add_tag("a", [explorer.item("animals/koala")])
    before = every_file(root)
    for words in (
        ["query", root, "--item", "animals/koala", "--tag", "a"],
        ["info", root, "--facets"],
        ["tag", "list", root],
    ):
        assert cli(*words).code == 0
    assert every_file(root) == before
    assert cli("tag", "list", halves[1]).err.strip() == "No image has a tag."
    assert not tags_beside(halves[1]).exists()


def test_requests_and_results_hold_tags(halves, tmp_path):
    with Explorer(halves[0]) as explorer:
        explorer.add_tag("a", explorer.explore_topk(KOALA, 2))
        request = SearchRequest((KOALA,), filter=ItemFilter(tags="a", not_tags=()))
        assert request.to_dict()["filter"] == {"tags": ["a"]}
        assert SearchRequest.from_dict(request.to_dict()) == request
        result = explorer.search(request)
    assert result.to_dict()["hits"][0]["tags"] == ["a"]
    path = tmp_path / "result.json"
    path.write_text(result.to_json())
    assert read_result(path) == result


def test_a_stage_of_a_project_repeats_a_query_by_tag(halves, cli):
    with Explorer(halves[0]) as explorer:
        explorer.add_tag("a b", [explorer.item("animals/koala"), explorer.item("animals/horses")])
        explorer.add_tag("c", [explorer.item("animals/horses")])
    assert cli("project", "create").code == 0
    assert cli("project", "add", halves[0]).code == 0
    asked = cli("query", "--item", "animals/horses", "--tag", "a b", "--not-tag", "c", "--output", "json")
    assert asked.ids == ["animals/koala.jpg"]
    project = open_project()
    request, _ = request_of(project, project.stages[0])
    assert request.filter == ItemFilter(tags="a b", not_tags="c")
    assert cli("project", "run", "1").code == 0


def test_merging_leaves_tags_with_their_datasets_and_says_so(halves, cli, tmp_path):
    with Explorer(halves[0]) as explorer:
        explorer.add_tag("a", [explorer.item("animals/koala")])
    done = cli("merge", *halves, "-o", tmp_path / "both")
    assert (done.code, "Tags are not merged, and stay with one." in done.err) == (0, True)
    with Explorer(tmp_path / "both") as explorer:
        assert explorer.tags() == []
        explorer.add_tag("b", [explorer.item("one/animals/koala")])
    join(halves, tmp_path / "both")
    with Explorer(tmp_path / "both") as explorer:
        assert explorer.facets().tags == {"b": 1}


def test_the_command_tags_the_last_hits_items_and_what_a_filter_leaves(halves, cli):
    assert cli("query", *halves, "--item", "plants/dahlia", "-k", "2").code == 0
    assert "2 images tagged as hits." in cli("tag", "add", "hits", "--last").err
    assert (
        "1 image tagged as hits; 1 had it already."
        in cli(*("tag", "add", "hits", *halves, "--item", "animals/koala", "plants/dahlia")).err
    )
    done = cli("tag", "add", "food", halves[1], "--label", "food")
    assert done.code == 0
    listed = {tag["name"]: tag["items"] for tag in cli("tag", "list", *halves, "--json").json}
    assert listed["hits"] == 3
    facets = cli("info", *halves, "--facets", "--json").json
    assert facets["tags"] == dict(sorted(listed.items(), key=lambda pair: -pair[1]))
    assert listed["food"] == facets["labels"]["food"]
    assert "instead of food." in cli("tag", "rename", "food", "eaten", *halves).err
    assert (
        "1 image not tagged as hits any more." in cli("tag", "remove", "hits", *halves, "--item", "animals/koala").err
    )
    assert cli("tag", "remove", "hits", *halves, "--all").code == 0
    assert [tag["name"] for tag in cli("tag", "list", *halves, "--json").json] == ["eaten"]


@pytest.mark.parametrize(
    "words",
    [
        ["tag", "add", "a"],
        ["tag", "add", "a", "--last", "--item", "x"],
        ["tag", "add", "a", "--label", "x", "--item", "x"],
        ["tag", "remove", "a"],
        ["tag", "remove", "a", "--all", "--last"],
        ["tag", "remove", "a", "--all", "--gone"],
        ["tag", "add", "a", "--last", "--query-item-subset", "train"],
    ],
)
def test_which_images_is_said_in_one_way(cli, words):
    assert cli(*words).code == 2


def test_tables_and_csv_show_tags_only_where_a_hit_has_one(halves, cli):
    query = ["query", halves[0], "--item", "animals/koala", "-k", "2"]
    assert "tags" not in cli(*query).lines[0]
    assert cli(*query, "--output", "csv").lines[0].endswith(",labels,strength,chance")
    with Explorer(halves[0]) as explorer:
        for name in ("x", "y;z"):
            explorer.add_tag(name, [explorer.item("animals/koala")])
    assert cli(*query).lines[0].split()[-1] == "tags"
    assert cli(*query).lines[1].endswith("x, y;z")
    assert cli(*query, "--output", "csv").lines[0].endswith(",labels,strength,chance,tags")
